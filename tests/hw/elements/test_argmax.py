# amaranth: UnusedElaboratable=no
"""ArgMax: bits, ties, timing.

| testpoint | stage | test |
| --- | --- | --- |
| equals its model over random shapes, lanes, stalls, with many ties | full | test_equals_model |
| the lowest index wins a tie, wherever the equals stand | smoke | test_ties |
| interval N / lanes, latency N / lanes − 1 + depth, at any sink | full | test_timing |
| bad parameters are refused | smoke | test_errors |
"""

import re

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned

from bitloom.hw import ArgMax
from bitloom.hw.parameters import bounds

SHAPES = [unsigned(1), signed(1), unsigned(4), signed(2), signed(9)]
SIZES = [(1, 1), (2, 1), (2, 2), (10, 1), (10, 2), (10, 5), (10, 10), (9, 3), (7, 7)]


def run(drive, unit, x, **stalls):
    return drive(unit, x, 1, i_shape=unit.input, i_lanes=unit.lanes, o_shape=unit.output, o_lanes=1, **stalls)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("elements", "lanes"), SIZES)
def test_equals_model(drive, gaps, elements, lanes, shape):
    rng = np.random.default_rng(elements)
    lo, hi = bounds(shape)
    x = np.concatenate([rng.integers(lo, hi + 1, (10, elements)), [[lo] * elements, [hi] * elements]])
    for i_gap, o_gap in [("none", "none"), ("random", "random"), ("none", "heavy")]:
        unit = ArgMax(elements, lanes=lanes, input=shape)
        done = run(drive, unit, x, i_gap=gaps(i_gap, 1), o_gap=gaps(o_gap, 2))
        expected = [[max(range(elements), key=lambda k: (row[k], -k))] for row in x]
        assert done.y.tolist() == expected
        assert unit.model(x).tolist() == expected


@pytest.mark.parametrize("lanes", [1, 2, 3, 6])
def test_ties(drive, lanes):
    x = np.array([[5 if k in pair else -5 for k in range(6)] for pair in [(a, b) for a in range(6) for b in range(a)]])
    y = run(drive, ArgMax(6, lanes=lanes, input=signed(4)), x).y
    assert y[:, 0].tolist() == [b for a in range(6) for b in range(a)]


@pytest.mark.parametrize("sink", [1, 2, 7, 23])
@pytest.mark.parametrize(("elements", "lanes"), SIZES)
def test_timing(drive, elements, lanes, sink):
    unit = ArgMax(elements, lanes=lanes, input=signed(5))
    x = np.random.default_rng(0).integers(-16, 16, (4, elements))
    done = run(drive, unit, x, o_interval=sink)
    assert unit.interval == elements // lanes
    assert done.o_cycles[0] - done.i_cycles[0] == unit.latency == unit.interval - 1 + unit.depth
    assert set(np.diff(done.o_cycles)) == {max(unit.interval, sink)}


def test_attributes():
    assert ArgMax(1, lanes=1, input=signed(5)).output == unsigned(1)
    assert ArgMax(10, lanes=1, input=signed(5)).output == unsigned(4)
    assert ArgMax(10, lanes=5, input=signed(5)).depth == 2
    assert ArgMax(10, lanes=10, input=signed(5)).depth == 1
    assert ArgMax(10, lanes=5, input=signed(5)).features()["comparator_bits"] == 5 * 5
    assert ArgMax(10, lanes=5, input=signed(5)).roms() == {}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((10, 3, signed(5)), ValueError, "lanes must divide the 10 elements, not 3 (use 1, 2, 5 or 10)"),
        ((0, 1, signed(5)), ValueError, "elements must be at least 1, not 0"),
        ((4.0, 1, signed(5)), TypeError, "elements must be an integer, not 4.0"),
        ((4, 1, 5), TypeError, "input must be an Amaranth shape such as unsigned(3), not 5"),
    ],
)
def test_errors(arguments, error, message):
    elements, lanes, shape = arguments
    with pytest.raises(error, match=re.escape(message)):
        ArgMax(elements, lanes=lanes, input=shape)


def test_model_refuses_what_cannot_arrive():
    with pytest.raises(ValueError, match="x must lie within -4 … 3, not 0 … 4"):
        ArgMax(2, lanes=1, input=signed(3)).model(np.array([[0, 4]]))
