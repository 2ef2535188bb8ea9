# amaranth: UnusedElaboratable=no
"""Emitted Verilog is whole, deterministic, and holds every constant where verification looks for it."""

from __future__ import annotations

import re

from support.graphs import random_graph

from bitloom.codegen import Accelerator, compile, emit_verilog


def test_the_text_is_the_same_each_time_and_holds_every_constant() -> None:
    plan = compile(random_graph(1, (12, 12, 8, 6)), overrides={"fc1": {"pe": 4, "simd": 3}})
    text = emit_verilog(Accelerator(plan), "accelerator")
    assert text == emit_verilog(Accelerator(plan), "accelerator")
    assert re.search(r"^module accelerator\(", text, re.MULTILINE)
    assert "$readmem" not in text
    words = [word for rom in Accelerator(plan).roms().values() if rom.depth > 1 for word in rom.words]
    assigned = re.findall(r"rom\[\d+\] = (\d+)'h([0-9a-f]+);", text)
    assert sorted(int(value, 16) for _, value in assigned) == sorted(words)


def test_lane_wires_are_not_called_like_bits() -> None:
    text = emit_verilog(Accelerator(compile(random_graph(1, (12, 12, 8, 6)))), "accelerator")
    assert not re.search(r"\\\w+\[\d+\] ", text)
