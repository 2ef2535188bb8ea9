# amaranth: UnusedElaboratable=no
"""Emitted Verilog is whole, deterministic, and holds every constant where verification looks for it."""

from __future__ import annotations

import re

from amaranth.hdl import unsigned
from support.graphs import random_graph

from bitloom.boards.link import SampleBuffer, WireFormat
from bitloom.codegen import Accelerator, compile, emit_rtlil, emit_verilog
from bitloom.hw import StreamFIFO


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


def test_no_name_begins_with_a_dollar() -> None:
    """Such public names made abc9 fail."""
    plan = compile(random_graph(1, (12, 12, 8, 6)), overrides={"fc1": {"pe": 4, "simd": 3}})
    assert not re.search(r"\\\$[a-z]", emit_rtlil(Accelerator(plan), "accelerator"))


def test_a_register_behind_a_memory_has_no_first_value() -> None:
    """It would cost a gate per bit where block memory has such a register."""
    text = emit_rtlil(StreamFIFO(unsigned(16), 17, "block"), "queue")
    wires = re.findall(r"((?:^ *attribute .*\n)*)^ *wire width 16 .*\\data\n", text, flags=re.MULTILINE)
    assert wires and not any("init" in attributes for attributes in wires)
    assert "unknown_at_first" not in text and "attribute \\init 1'0" in text


def test_a_memory_declared_unknown_at_first_has_no_first_words() -> None:
    buffer = emit_rtlil(SampleBuffer(6, WireFormat(unsigned(4)), 2), "buffer")
    assert "memory width 4 size 12" in buffer and "$meminit" not in buffer and buffer.count("$memrd_v2") == 1
    assert emit_rtlil(StreamFIFO(unsigned(4), 300), "queue").count("$meminit_v2") == 1
