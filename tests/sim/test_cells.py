"""The cells' models against what yosys infers the cells from, in both directions."""

from __future__ import annotations

import copy
import json

import pytest

from bitloom import WorkError
from bitloom.sim import cells, netlist
from bitloom.sim.verilator import Public, build, run

from . import memories as m
from .conftest import synthesize

COMMON = [m.rom(32, 9, "logic"), m.registers(), m.gates()]
PARTS = {
    "ice40": [
        *COMMON, m.registers(0), m.rom(256, 16), m.rom(700, 5), m.rom(2048, 2), m.rom(300, 20), m.simple(256, 16),
        m.simple(512, 8), m.widened(512, 8, 2), m.masked(256, 16, 1), m.multiplier(16, 16, True),
        m.multiplier(12, 9, False),
    ],
    "ecp5": [
        *COMMON, m.rom(512, 36), m.rom(2048, 9), m.rom(4096, 4), m.rom(700, 21), m.simple(512, 32), m.simple(2048, 7),
        m.widened(4096, 4, 8), m.masked(512, 4, 9), m.single(1024, 18, "old"), m.single(1024, 16, "new"),
        m.single(2048, 9, "not"), m.dual(1024, 18), m.dual(8192, 2), m.distributed(16, 6), m.multiplier(18, 18, True),
        m.multiplier(11, 9, False),
    ],
    "gowin": [
        *COMMON, m.rom(256, 2, "logic"), m.rom(512, 36), m.rom(1024, 18), m.rom(2048, 8), m.rom(4096, 4),
        m.rom(700, 21), m.simple(4096, 4), m.widened(4096, 4, 8), m.masked(512, 4, 9), m.masked(1024, 2, 9),
        m.single(1024, 18, "old"), m.single(1024, 16, "new"), m.single(2048, 9, "not"), m.single(8192, 2, "not"),
        m.dual(1024, 18), m.dual(8192, 2), m.distributed(16, 6), m.multiplier(18, 18, True),
        m.multiplier(9, 8, False), m.multiplier(33, 30, True),
    ],
}  # fmt: skip
OPTIONS = {"ice40": "-dsp", "ecp5": "", "gowin": ""}
WATCH = ["active", "bad_netlist", "bad_damaged"]


def damaged(found: netlist.Netlist) -> netlist.Netlist:
    """The netlist with one bit of the constants in each of its block memories flipped."""
    altered = copy.deepcopy(found.cells)
    for cell in altered.values():
        for name, value in cell["parameters"].items():
            if name in ("INIT_0", "INITVAL_00", "INIT_RAM_00") and "RAM16" not in cell["type"]:
                cell["parameters"][name] = value[:-1] + str(1 - int(value[-1], 2))
    return netlist.Netlist(found.source, "damaged", found.ports, altered)


@pytest.mark.parametrize("family", PARTS)
def test_models_agree_with_what_the_cells_are_inferred_from(family, tmp_path, shared):
    parts, library = PARTS[family], cells.library(family)
    synthesize(m.design(parts, "netlist", tmp_path), "netlist", family, tmp_path, OPTIONS[family])
    found = netlist.read(tmp_path / "netlist.json", "netlist")
    netlist.check(found, library, family)
    assert set(found.counts) == set(library.modules), "every supported cell must be inferred here, and no other"
    text = m.design(parts, "golden", tmp_path) + m.comparison(parts, "golden", ["netlist", "damaged"])
    text += netlist.to_verilog(found, library) + netlist.to_verilog(damaged(found), library)
    (tmp_path / "compare.v").write_text(text)
    simulator = build(
        [*library.sources, tmp_path / "compare.v"], "compare", shared, level=family, include=[library.include],
        public=[Public("compare", name, True) for name in ("clk", *WATCH)], optimize="-O0",
    )  # fmt: skip
    values = run(simulator, "clock", {"cycles": 60_000, "watch": WATCH}, seed=11)["values"]
    names = [part.name for part in parts]
    assert values["active"] == 2 ** len(parts) - 1, "some part never put out anything but zeros"
    wrong = [name for k, name in enumerate(names) if values["bad_netlist"] >> k & 1]
    assert not wrong, f"models differ from the RTL in {wrong}"
    missed = [name for k, name in enumerate(names)
              if name.startswith("rom_block") and not values["bad_damaged"] >> k & 1]
    assert not missed, f"a flipped bit in the contents of {missed} was not noticed"


def test_a_cell_without_a_model_is_named(tmp_path):
    content = {"modules": {"top": {"ports": {}, "cells": {
        "a": {"type": "SB_SPI", "parameters": {}, "connections": {}}, "b": {"type": "$scopeinfo"},
        "c": {"type": "SB_LUT4", "parameters": {}, "connections": {}}}}}}  # fmt: skip
    (tmp_path / "netlist.json").write_text(json.dumps(content))
    with pytest.raises(WorkError, match=r"ice40 cells without a behavioural model: SB_SPI \(1\)"):
        netlist.check(netlist.read(tmp_path / "netlist.json"), cells.library("ice40"), "ice40")


def test_a_family_without_models_is_refused():
    with pytest.raises(WorkError, match="netlists of nexus cannot be simulated"):
        cells.library("nexus")


@pytest.mark.parametrize(("text", "reason"), [("{", "not a netlist"), ('{"modules": {"other": {}}}', "'top'")])
def test_a_damaged_netlist_is_one_clear_line(tmp_path, text, reason):
    (tmp_path / "netlist.json").write_text(text)
    with pytest.raises(WorkError, match=reason):
        netlist.read(tmp_path / "netlist.json")
