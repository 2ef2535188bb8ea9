# amaranth: UnusedElaboratable=no
"""The comparison with FINN: what it counts, what it tries, that its layers compute, where its section goes.

| testpoint | stage | test |
| --- | --- | --- |
| each LUT site is counted once, routed-through ones included; an unknown cell is refused | smoke | test_count |
| every folding tried has the cycles asked for | smoke | test_options |
| a layer is the graph's product and threshold, bit for bit, under stalls | full | test_layer |
| a section replaces itself and nothing else | smoke | test_settle |
"""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import unsigned
from support.streams import drive, gaps

from bitloom import BitloomError
from bitloom.codegen import simplify
from bitloom.quant import BIPOLAR, Format, Graph, Input, MatMul, Tensor, Threshold, run

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import finn_tfc
import xc7

RNG = np.random.default_rng(4)


def network(inputs: int, outputs: int) -> Graph:
    """One binary layer with its thresholds."""
    sums = Tensor((outputs,), Format(12, True))
    product = MatMul("fc1", ("x",), sums, RNG.choice([-1, 1], (outputs, inputs)), BIPOLAR)
    rows = RNG.integers(-inputs // 2, inputs // 2, (outputs, 1))
    signs = Threshold("act", ("fc1",), Tensor((outputs,), BIPOLAR), rows, y_min=-1, y_step=2)
    return Graph("net", (Input("x", (), Tensor((inputs,), BIPOLAR)), product, signs), "act")


def test_count(tmp_path):
    def lut(kind: str, output: int) -> dict:
        return {"type": kind, "connections": {"O": [output]}}

    cells = [lut("LUT6", 10), lut("INV", 11), lut("LUT2", 12), lut("MUXF7", 13), lut("MUXF8", 14)]
    cells[3]["connections"] |= {"I0": [10], "I1": [99]}  # one from a LUT, one routed through
    cells += [{"type": "CARRY4", "connections": {"S": [11, 98, "0", 97]}}]
    others = ("RAM32M", "DSP48E1", "SRL16E", "FDRE", "FDSE", "RAMB36E1", "RAMB18E1", "$scopeinfo")
    cells += [{"type": kind, "connections": {}} for kind in others]
    netlist = tmp_path / "netlist.json"
    netlist.write_text(json.dumps({"modules": {"top": {"cells": dict(enumerate(cells))}}}))
    found = xc7.count(netlist)
    assert (found.luts, found.lutram, found.srl, found.through) == (3, 4, 1, 3)
    assert (found.lut6, found.ff, found.carry4, found.ramb18, found.dsp) == (11, 2, 1, 3, 1)
    netlist.write_text(json.dumps({"modules": {"top": {"cells": {"a": {"type": "URAM288", "connections": {}}}}}}))
    with pytest.raises(BitloomError, match="cells that are not counted: URAM288"):
        xc7.count(netlist)


def test_options():
    for (inputs, outputs), cycles in zip(((784, 64), (64, 64), (64, 10)), (896, 512, 640)):
        node = network(inputs, outputs)["fc1"]
        found = list(finn_tfc.options(node, cycles, 681, quick=False))
        assert found and len(set(found)) == len(found)
        for option in found:
            assert outputs % option.pe == inputs % option.simd == 0
            assert outputs * inputs // (option.pe * option.simd) == cycles
        assert {option.memory for option in found} == ({"block"} if inputs == 784 else {"block", "distributed"})


@pytest.mark.parametrize(
    "option", [(1, 4, "block", "block"), (2, 8, "distributed", "distributed"), (8, 2, "block", "block")]
)
def test_layer(option):
    graph = simplify(network(24, 8))
    x = RNG.choice([-1, 1], (5, 24))
    made = finn_tfc.layer(graph["fc1"], graph["act"], finn_tfc.Option(*option))
    assert made.interval == 8 * 24 // (option[0] * option[1])
    done = drive(made, x, 8, i_shape=unsigned(1), i_lanes=option[1], o_shape=unsigned(1), o_lanes=option[0],
                 i_gap=gaps("random", 1), o_gap=gaps("random", 2), bipolar=(True, True))
    assert np.array_equal(done.y, run(graph, x))


def test_settle(tmp_path):
    page = tmp_path / "page.md"
    finn_tfc.settle(f"{finn_tfc.TITLE}\n\nold\n", page)
    page.write_text(page.read_text() + "\n## Another\n\nkept\n")
    finn_tfc.settle(f"{finn_tfc.TITLE}\n\nnew\n", page)
    text = page.read_text()
    assert text.startswith("# Benchmarks\n") and text.count(finn_tfc.TITLE) == 1
    assert "old" not in text and "new" in text and "## Another\n\nkept" in text
