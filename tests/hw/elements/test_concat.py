# amaranth: UnusedElaboratable=no
"""Concat: bits, order, formats, timing.

| testpoint | stage | test |
| --- | --- | --- |
| equals the operator over channels, lanes, formats; stalls and folding change no bit | full | test_equals_model |
| the ends of each input's range survive | smoke | test_extremes |
| every ready and valid follows the control | full | test_control |
| one beat per cycle, one cycle later; an input waits for its turn | smoke | test_timing |
| bad parameters are refused | smoke | test_errors |
"""

import re

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from support.control import STALLS, assert_follows
from support.streams import Source, drive_all

from bitloom.hw import Concat
from bitloom.hw.parameters import bounds
from bitloom.quant.formats import Format
from bitloom.quant.graph import Tensor
from bitloom.quant.operators import Concat as Operator

BIPOLAR = "bipolar"
POINTS = [
    ((4, 8), (unsigned(3), unsigned(3)), unsigned(3), (1, 2, 4)),
    ((6, 3), (unsigned(2), signed(5)), signed(6), (1, 3)),
    ((2, 4, 6), (signed(1), unsigned(4), unsigned(1)), signed(5), (1, 2)),
    ((3, 3), (BIPOLAR, BIPOLAR), BIPOLAR, (1, 3)),
    ((2, 6, 2, 2), (BIPOLAR, signed(3), unsigned(2), BIPOLAR), signed(3), (2,)),
    ((1, 5), (unsigned(8), BIPOLAR), signed(9), (1,)),
]


def concat(channels, kinds, output, lanes):
    shapes = tuple(unsigned(1) if kind == BIPOLAR else kind for kind in (*kinds, output))
    bipolar = tuple(kind == BIPOLAR for kind in kinds)
    return Concat(
        channels, lanes=lanes, inputs=shapes[:-1], output=shapes[-1], bipolar=bipolar, output_bipolar=output == BIPOLAR
    )


def operand(rng, kind, vectors, elements):
    if kind == BIPOLAR:
        return rng.choice([-1, 1], (vectors, elements))
    lo, hi = bounds(kind)
    return rng.integers(lo, hi + 1, (vectors, elements))


def run(unit, operands, i_gaps=(), **stalls):
    ports = [getattr(unit, f"i{k}") for k in range(len(operands))]
    sources = [
        Source(port, x, shape, unit.lanes, bipolar, gap)
        for port, x, shape, bipolar, gap in zip(ports, operands, unit.inputs, unit.bipolar, (*i_gaps, *[None] * 9))
    ]
    stalls |= {"o_shape": unit.output, "o_lanes": unit.lanes, "o_bipolar": unit.output_bipolar}
    return drive_all(unit, sources, sum(unit.channels), **stalls), sources


@pytest.mark.parametrize(("channels", "kinds", "output", "lanes"), POINTS)
def test_equals_model(gaps, channels, kinds, output, lanes):
    rng = np.random.default_rng(len(channels))
    operands = [operand(rng, kind, 5, count) for kind, count in zip(kinds, channels)]
    tensor = Tensor((sum(channels),), Format(12, signed=True))
    expected = Operator("y", tuple("abcd"[: len(channels)]), tensor).evaluate(*operands)
    for count in lanes:
        for kind in ("none", "random", "heavy"):
            unit = concat(channels, kinds, output, count)
            i_gaps = [gaps(kind, seed) for seed in range(len(channels))]
            done, _ = run(unit, operands, i_gaps, o_gap=gaps(kind, 9))
            assert np.array_equal(done.y, expected)
            assert np.array_equal(unit.model(*operands), expected)


@pytest.mark.parametrize(("channels", "kinds", "output", "lanes"), POINTS)
def test_extremes(channels, kinds, output, lanes):
    ends = [(-1, 1) if kind == BIPOLAR else bounds(kind) for kind in kinds]
    operands = [np.array([[lo] * count, [hi] * count]) for (lo, hi), count in zip(ends, channels)]
    done, _ = run(concat(channels, kinds, output, lanes[-1]), operands)
    assert np.array_equal(done.y, np.concatenate(operands, axis=1))


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize(("channels", "kinds", "output", "lanes"), POINTS[:5:2])
def test_control(channels, kinds, output, lanes, stalls):
    assert_follows(concat(channels, kinds, output, lanes[0]), vectors=8, stalls=stalls)


def test_timing():
    unit = concat((4, 8), (unsigned(3), unsigned(3)), unsigned(3), 2)
    x = [np.ones((3, 4), int), np.ones((3, 8), int)]
    done, (first, second) = run(unit, x)
    assert (unit.interval, unit.depth, unit.latency) == (6, 1, 1)
    assert first.cycles == [0, 1, 6, 7, 12, 13]
    assert second.cycles == [c for c in range(18) if c not in first.cycles]
    assert done.o_cycles == list(range(1, 19))


def test_attributes():
    unit = concat(*POINTS[1][:3], 3)
    assert unit.control.takes.tolist() == [[True, True, False], [False, False, True]]
    assert unit.features()["register_bits"] == unit.features()["mux_bits"] == 18
    assert unit.roms() == {}


GOOD = {"lanes": 2, "inputs": (unsigned(2), unsigned(1)), "output": unsigned(2)}


@pytest.mark.parametrize(
    ("channels", "change", "error", "message"),
    [
        ((4,), {}, ValueError, "channels must be those of two inputs or more, not (4,)"),
        ((4, 3), {}, ValueError, "lanes must divide the 3 channels of an input, not 2 (use 1 or 3)"),
        ((4, 2.0), {}, TypeError, "channels must be an integer, not 2.0"),
        ((4, 0), {}, ValueError, "channels must be at least 1, not 0"),
        ((4, 2, 2), {}, ValueError, "inputs must be one for each of the 3 inputs"),
        ((4, 2), {"bipolar": (True,)}, ValueError, "bipolar must be one for each of the 2 inputs, not (True,)"),
        ((4, 2), {"bipolar": (True, True)}, ValueError, "inputs and output must be unsigned(1) where they are bipolar"),
        ((4, 2), {"output": signed(2)}, ValueError, "output must hold the values 0 … 3 of input 0, which signed(2)"),
        ((4, 2), {"bipolar": (False, True)}, ValueError, "output must hold the values -1 … 1 of input 1"),
        (
            (4, 2),
            {"inputs": (unsigned(1),) * 2, "output": unsigned(1), "output_bipolar": True, "bipolar": (True, False)},
            ValueError,
            "output must hold the values 0 … 1 of input 1, which bipolar bits cannot",
        ),
    ],
)
def test_errors(channels, change, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Concat(channels, **(GOOD | change))
