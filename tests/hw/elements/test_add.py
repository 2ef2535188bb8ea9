# amaranth: UnusedElaboratable=no
"""Add: bits, both inputs at once, timing.

| testpoint | stage | test |
| --- | --- | --- |
| equals the operator over shapes, multipliers, lanes; stalls and folding change no bit | full | test_equals_model |
| the least and the greatest sum, in the narrowest output | smoke | test_extremes |
| a range narrower than the shape allows a narrower output | smoke | test_ranges, test_sum_range |
| every ready and valid follows the control | full | test_control |
| one beat per cycle, the first one `depth` cycles after both operands | smoke | test_timing |
| multipliers have the fewest digits | smoke | test_digits |
| bad parameters are refused | smoke | test_errors |
"""

import re

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from support.control import STALLS, assert_follows
from support.streams import Source, drive_all

from bitloom.hw import Add
from bitloom.hw.arithmetic.shift_add import digits
from bitloom.hw.parameters import bounds, shape_of_range
from bitloom.quant.formats import Format
from bitloom.quant.graph import Tensor
from bitloom.quant.operators import Add as Operator

BIPOLAR = "bipolar"
POINTS = [
    (unsigned(4), unsigned(4), (1, 1)),
    (signed(5), unsigned(3), (1, -1)),
    (signed(3), signed(6), (-1, -1)),
    (unsigned(2), signed(4), (3, 5)),
    (signed(4), unsigned(4), (-7, 11)),
    (unsigned(3), unsigned(1), (-8, -1)),
    (signed(2), signed(7), (173, -3)),
    (BIPOLAR, BIPOLAR, (1, 1)),
    (BIPOLAR, unsigned(3), (-6, 1)),
    (signed(1), BIPOLAR, (1, 4)),
    (unsigned(8), signed(8), (-85, -85)),
]


def ends(kind):
    return (-1, 1) if kind == BIPOLAR else bounds(kind)


def add(a, b, multipliers, elements=12, lanes=4, **options):
    low, high = (sum(f(m * v for v in ends(k)) for k, m in zip((a, b), multipliers)) for f in (min, max))
    shapes = tuple(unsigned(1) if kind == BIPOLAR else kind for kind in (a, b))
    options = {"output": shape_of_range(low, high)} | options
    return Add(elements, lanes=lanes, inputs=shapes, bipolar=(a == BIPOLAR, b == BIPOLAR),
               multipliers=multipliers, **options)  # fmt: skip


def operand(rng, kind, vectors, elements):
    if kind == BIPOLAR:
        return rng.choice([-1, 1], (vectors, elements))
    lo, hi = bounds(kind)
    return rng.integers(lo, hi + 1, (vectors, elements))


def run(unit, a, b, i_gaps=(None, None), **stalls):
    sources = [
        Source(port, x, shape, unit.lanes, bipolar, gap)
        for port, x, shape, bipolar, gap in zip((unit.i0, unit.i1), (a, b), unit.inputs, unit.bipolar, i_gaps)
    ]
    return drive_all(unit, sources, unit.elements, o_shape=unit.output, o_lanes=unit.lanes, **stalls), sources


@pytest.mark.parametrize(("a", "b", "multipliers"), POINTS)
def test_equals_model(gaps, a, b, multipliers):
    rng = np.random.default_rng(3)
    x, z = operand(rng, a, 5, 12), operand(rng, b, 5, 12)
    tensor = Tensor((12,), Format(40, signed=True))
    expected = Operator("y", ("a", "b"), tensor, multipliers).evaluate(x, z)
    for lanes, i_kinds, o_kind in [(1, ("none", "none"), "none"), (4, ("random", "heavy"), "random"),
                                   (12, ("heavy", "none"), "heavy")]:  # fmt: skip
        unit = add(a, b, multipliers, lanes=lanes)
        i_gaps = [gaps(kind, seed) for seed, kind in enumerate(i_kinds)]
        done, _ = run(unit, x, z, i_gaps, o_gap=gaps(o_kind, 2))
        assert np.array_equal(done.y, expected)
        assert np.array_equal(unit.model(x, z), expected)


@pytest.mark.parametrize(("a", "b", "multipliers"), POINTS)
def test_extremes(a, b, multipliers):
    """All four corners: the sums reach both ends of the range from which the output's shape was derived."""
    unit = add(a, b, multipliers, elements=4, lanes=2)
    (a0, a1), (b0, b1) = ends(a), ends(b)
    x, z = np.array([[a0, a0, a1, a1]]), np.array([[b0, b1, b0, b1]])
    done, _ = run(unit, x, z)
    assert np.array_equal(done.y, multipliers[0] * x + multipliers[1] * z)
    assert shape_of_range(done.y.min(), done.y.max()) == unit.output


def test_ranges():
    ranges = ((0, 4), (-2, 3))
    unit = add(unsigned(3), signed(3), (1, 1), 4, 4, ranges=ranges, output=signed(4))
    x, z = np.array([[0, 4, 0, 4]]), np.array([[-2, 3, 3, -2]])
    assert run(unit, x, z)[0].y.tolist() == [[-2, 7, 3, 2]]
    assert unit.features()["adder_bits"] == 4 * 4
    with pytest.raises(ValueError, match="operand 0 must lie within 0 … 4, not 0 … 5"):
        unit.model(np.array([[0, 5, 0, 0]]), z)


def test_sum_range():
    """The two extremes of the operands never meet: the sums need fewer bits than both together say."""
    unit = add(unsigned(3), unsigned(3), (1, 1), 4, 2, sum_range=(0, 7), output=unsigned(3))
    x = np.array([[0, 7, 3, 5]])
    assert run(unit, x, 7 - x)[0].y.tolist() == [[7, 7, 7, 7]]
    assert unit.sum_range == (0, 7)
    with pytest.raises(ValueError, match="sum_range must lie within 0 … 14, not -1 … 7"):
        add(unsigned(3), unsigned(3), (1, 1), sum_range=(-1, 7), output=unsigned(3))


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("multipliers", [(1, 1), (3, 1), (11, -5)])
def test_control(multipliers, stalls):
    assert_follows(add(unsigned(2), signed(2), multipliers), vectors=15, stalls=stalls)


@pytest.mark.parametrize(("multipliers", "depth"), [((1, 1), 1), ((4, -8), 1), ((3, 1), 2), ((3, 5), 2), ((7, 11), 3)])
def test_timing(multipliers, depth):
    unit = add(unsigned(2), unsigned(2), multipliers)
    x = np.ones((4, 12), int)
    done, (first, second) = run(unit, x, x, [None, lambda cycle: cycle < 5])
    assert (unit.interval, unit.depth, unit.latency) == (3, depth, depth)
    assert first.cycles == second.cycles == list(range(5, 17))
    assert done.o_cycles == [cycle + depth for cycle in first.cycles]


def test_digits():
    """They add up, and are never more than binary digits or than the non-adjacent form, which has the fewest."""
    for constant in [c for c in range(-300, 301) if c]:
        found = digits(constant)
        assert sum(sign << shift for shift, sign in found) == constant
        assert all(sign in (-1, 1) for _, sign in found)
        fewest = (3 * abs(constant) ^ abs(constant)).bit_count()
        assert len(found) == fewest
    assert digits(3) == [(0, 1), (1, 1)] and digits(-7) == [(0, 1), (3, -1)]


def test_features():
    one = add(unsigned(4), unsigned(4), (1, 1), lanes=4).features()
    assert (one["adder_bits"], one["register_bits"]) == (4 * 5, 4 * 5)
    # 3a = a + 2a has its lowest bit for free.
    assert add(unsigned(4), unsigned(4), (3, 1), lanes=1).features()["adder_bits"] == 5 + 6
    assert add(unsigned(4), unsigned(4), (1, -1), lanes=1).features()["subtracted_bits"] == 4
    assert add(unsigned(4), unsigned(4), (1, 4), lanes=1).features()["adder_bits"] == 7 - 2
    assert add(unsigned(4), unsigned(4), (1, 1)).roms() == {}


GOOD = {"lanes": 2, "inputs": (unsigned(2), unsigned(2)), "output": unsigned(3)}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"lanes": 5}, ValueError, "lanes must divide the 12 elements, not 5 (use 1, 2, 3"),
        ({"output": unsigned(2)}, ValueError, "output must hold the sums 0 … 6, not unsigned(2) (use unsigned(3), or"),
        ({"multipliers": (1, -1)}, ValueError, "output must hold the sums -3 … 3, not unsigned(3) (use signed(3), or"),
        ({"multipliers": (1, 0)}, ValueError, "multipliers must not be 0 (leave that operand out)"),
        ({"multipliers": (1, 1.5)}, TypeError, "multipliers must be integers, not 1.5"),
        ({"multipliers": (1,)}, ValueError, "multipliers must be one for each of the two inputs, not (1,)"),
        ({"inputs": (unsigned(2), 3)}, TypeError, "inputs must be an Amaranth shape such as unsigned(3), not 3"),
        ({"bipolar": (True, False)}, ValueError, "inputs must be unsigned(1) where they are bipolar, not unsigned(2)"),
        ({"ranges": ((0, 4), (0, 3))}, ValueError, "ranges must lie within 0 … 3, not 0 … 4"),
    ],
)
def test_errors(change, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Add(12, **(GOOD | change))
