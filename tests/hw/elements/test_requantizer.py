# amaranth: UnusedElaboratable=no
"""Requantizer: bits, which parts it needs, timing, cost.

| testpoint | stage | test |
| --- | --- | --- |
| equals the operator over shapes, constants, lanes; stalls and folding change no bit | full | test_equals_model |
| every input value, for shifts, ranges and roundings of all kinds | full | test_every_input |
| what is late by a bit or two, from a memory; stalls and folding change no bit | full | test_late |
| every input where odd or even outputs are late: shifts that round half to even | full | test_half_to_even |
| corrections take a stage from memory and none by parity | smoke | test_late_depth |
| products and sums at the ends of their ranges | smoke | test_extremes |
| no multiplier for powers of two, no adder without offsets; `depth` says so | smoke | test_depth |
| every ready and valid follows the control | full | test_control |
| one beat per cycle, the first one `depth` cycles later | smoke | test_timing |
| a product is one multiplier block, or a row of LUTs per two bits; a plain shift costs a clip | full | test_synthesis |
| digits in radix 4 make the multiplier, what ~x lacks comes with the offset | smoke | test_digits, test_roms |
| bad parameters are refused | smoke | test_errors |
"""

import re

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from support.control import STALLS, assert_follows

from bitloom.hw import Requantizer
from bitloom.hw.arithmetic.digit_product import missing, recode
from bitloom.hw.parameters import bounds, shape_of_range
from bitloom.quant.formats import Format
from bitloom.quant.graph import Tensor
from bitloom.quant.operators import Requantize as Operator

SHAPES = [signed(9), unsigned(8), signed(1), signed(16), unsigned(1)]


def requantizer(
    multiplier, offset, channels, lanes, shape, shift, y_min, y_max, memory="auto", product="logic", late=None
):
    multiplier, offset = (np.array(v).reshape(-1) for v in (multiplier, offset))
    return Requantizer(multiplier, offset, channels=channels, lanes=lanes, input=shape, shift=shift, memory=memory,
                       output=shape_of_range(y_min, y_max), y_min=y_min, y_max=y_max, product=product,
                       late=late)  # fmt: skip


def run(drive, unit, x, **stalls):
    return drive(unit, x, unit.channels, i_shape=unit.input, i_lanes=unit.lanes, o_shape=unit.output,
                 o_lanes=unit.lanes, **stalls)  # fmt: skip


def reference(unit, x):
    tensor = Tensor(x.shape[1:], Format(40, signed=True))
    constants = (unit.multiplier, unit.offset, unit.shift, unit.y_min, unit.y_max, unit.late)
    return Operator("y", ("x",), tensor, *constants).evaluate(x)


@pytest.mark.parametrize("seed", range(12))
def test_equals_model(drive, gaps, seed):
    rng = np.random.default_rng(seed)
    shape = SHAPES[seed % len(SHAPES)]
    lo, hi = bounds(shape)
    channels = int(rng.choice([1, 4, 6]))
    m = rng.integers(1, [2, 200, 4000][seed % 3], channels if seed % 2 else 1)
    b = rng.integers(-3000, 3000, 1 if seed % 4 == 0 else channels)
    y_min, levels = int(rng.integers(-40, 9)), int(rng.choice([1, 15, 22, 255]))
    x = np.concatenate([rng.integers(lo, hi + 1, (6, channels)), [[lo] * channels, [hi] * channels]])
    for lanes in (d for d in (1, 2, 3, channels) if channels % d == 0):
        for i_gap, o_gap in [("none", "none"), ("random", "heavy")]:
            unit = requantizer(
                m, b, channels, lanes, shape, seed, y_min, y_min + levels, "block" if lanes == 1 else "auto"
            )
            done = run(drive, unit, x, i_gap=gaps(i_gap, seed), o_gap=gaps(o_gap, seed))
            assert np.array_equal(done.y, reference(unit, x))
            assert np.array_equal(unit.model(x), reference(unit, x))


@pytest.mark.parametrize(
    ("m", "b", "shift", "y_min", "y_max"),
    [
        (1, 0, 0, 0, 255),  # only clipped below
        (1, 0, 3, -16, 15),  # a plain shift without a clip
        (1, 4, 3, 0, 15),  # rounding to nearest
        (1, 128, 0, 0, 255),  # y_min and offset cancel nothing out
        (1, -512, 2, -128, 127),  # what is added is 0
        (4, 6, 5, -3, 11),  # a shift left, a range that is no power of two
        (93, 1 << 6, 7, -100, 100),
        (1000, -77777, 11, 5, 5),  # one output
        (1, 0, 9, -1, 0),  # nothing left but the sign
        (3, 1, 40, -2, 3),  # nothing left at all
        (1, 100000, 4, 0, 7),  # always above
        (1, -100000, 4, 0, 7),  # always below
        ([1, 255], [3, -3], 6, -8, 7),
        ([5, 5], [-70, 170], 5, 0, 31),
        ([1, 2], [0, 0], 1, -8, 8),
    ],
)
def test_every_input(drive, m, b, shift, y_min, y_max):
    x = np.stack([np.arange(-128, 128)] * 2, axis=1)
    for lanes in (1, 2):
        unit = requantizer(m, b, 2, lanes, signed(8), shift, y_min, y_max)
        assert np.array_equal(run(drive, unit, x).y, reference(unit, x))


@pytest.mark.parametrize("seed", range(10))
def test_late(drive, gaps, seed):
    rng = np.random.default_rng(seed)
    shape, channels, shift = [signed(9), unsigned(8)][seed % 2], int(rng.choice([2, 4, 6])), int(rng.integers(3, 12))
    lo, hi = bounds(shape)
    slack, levels = int(rng.choice([1, 1, 2, 3])), int(rng.choice([1, 7, 20, 63]))
    m = rng.integers(1, (1 << shift) // slack + 1, channels if seed % 3 else 1)
    y_min = int(rng.integers(-20, 9))
    b = (y_min << shift) - int(rng.integers(-40, 40)) * m + rng.integers(0, 1 << shift, channels)
    late = rng.integers(0, slack + 1, (channels if seed % 4 else 1, levels))
    x = np.concatenate([np.tile(np.arange(lo, hi + 1, 7)[:, None], channels), [[hi] * channels]])
    for lanes in (d for d in (1, 2, channels) if channels % d == 0):
        for i_gap, o_gap in [("none", "none"), ("random", "heavy")][: 2 if lanes == 2 else 1]:
            unit = requantizer(m, b, channels, lanes, shape, shift, y_min, y_min + levels,
                               "block" if lanes == 1 else "auto", late=late)  # fmt: skip
            done = run(drive, unit, x, i_gap=gaps(i_gap, seed), o_gap=gaps(o_gap, seed))
            assert np.array_equal(done.y, reference(unit, x))
            assert np.array_equal(unit.model(x), reference(unit, x))


@pytest.mark.parametrize(("m", "shift"), [(1, 0), (1, 1), (1, 3), (2, 4), (3, 5)])
@pytest.mark.parametrize(("y_min", "y_max"), [(0, 15), (-8, 7), (-7, 7), (0, 1), (3, 5)])
@pytest.mark.parametrize("odd", [0, 1])
def test_half_to_even(drive, m, shift, y_min, y_max, odd):
    late = (np.arange(y_min + 1, y_max + 1)[None] & 1) ^ (1 - odd)
    half = 1 << shift >> 1
    x = np.stack([np.arange(-128, 128)] * 2, axis=1)
    unit = requantizer(m, [half, half + 1], 2, 2, signed(8), shift, y_min, y_max, late=late)
    y = run(drive, unit, x).y
    assert np.array_equal(y, reference(unit, x))
    if m == odd == 1 and shift:
        assert np.array_equal(y[:, 0], np.clip(np.round(x[:, 0] / 2.0**shift), y_min, y_max))


def test_late_depth(drive):
    half, late = 1 << 3, np.arange(1, 16)[None] & 1
    parity = requantizer(1, half, 4, 2, signed(8), 4, 0, 15, late=late)
    each = requantizer([1, 2, 3, 4], half, 4, 2, signed(8), 4, 0, 15, late=np.repeat(late, 4, axis=0)[:, ::-1] ^ 1)
    searched = requantizer([1, 2, 3, 4], half, 4, 2, signed(8), 4, 0, 15, late=late * np.arange(4)[:, None])
    assert [unit.depth for unit in (parity, each, searched)] == [2, 4, 5]
    assert list(parity.roms()) == ["offsets"] and list(each.roms()) == ["multipliers", "offsets", "steps"]
    assert list(searched.roms()) == ["multipliers", "offsets", "steps", "late_0", "late_1"]
    assert [rom.depth for rom in searched.roms().values()] == [2, 2, 2, 32, 32]
    x = np.arange(-32, 32).reshape(-1, 4)
    for unit in (parity, each, searched):
        done = run(drive, unit, x)
        assert done.o_cycles[0] - done.i_cycles[0] == unit.latency and np.array_equal(done.y, reference(unit, x))
    assert requantizer(1, half, 4, 2, signed(8), 4, 0, 15, late=late * 0).late is None


@pytest.mark.parametrize("shape", SHAPES)
def test_extremes(drive, shape):
    """The output is the sum itself, unclipped, in its narrowest shape: no bit of products and sums is missing."""
    lo, hi = bounds(shape)
    m, b = np.array([4095, 1, 77, 2048]), np.array([-99999, 1, 99999, 0])
    ends = (lo * m + b).min(), (hi * m + b).max()
    x = np.array([[lo] * 4, [hi] * 4])
    for lanes, product in ((1, "logic"), (1, "block"), (2, "logic"), (2, "block"), (4, "logic")):
        unit = requantizer(m, b, 4, lanes, shape, 0, int(ends[0]), int(ends[1]), product=product)
        y = run(drive, unit, x).y
        assert np.array_equal(y, x * m + b)
        assert (y.min(), y.max()) == ends


@pytest.mark.parametrize(
    ("m", "b", "lanes", "y_min", "depth", "roms"),  # products are of logic in lanes 1 and 2, else of blocks
    [
        (1, 0, 1, 0, 1, []),
        (8, 0, 1, 0, 1, []),
        (8, 5, 1, 0, 2, ["offsets"]),
        (1, 0, 1, -4, 2, ["offsets"]),
        (1, -4 << 3, 1, -4, 1, []),
        (3, 0, 1, 0, 2, []),
        (3, 5, 2, 0, 3, ["offsets"]),
        (85, 5, 2, 0, 4, ["offsets"]),
        (1, [1, 2, 3, 4], 2, 0, 3, ["offsets"]),
        (1, [1, 2, 3, 4], 4, 0, 2, ["offsets"]),
        (1, [1, 2, 1, 2], 2, 0, 2, ["offsets"]),
        ([1, 2, 6, 9, 1, 2, 6, 9], 0, 2, 0, 3, ["multipliers"]),
        ([1, 2, 3, 4, 5, 6, 7, 8], 0, 2, 0, 4, ["multipliers", "offsets"]),  # 3 = 4 − 1
        ([1, 2, 3, 60, 5, 6, 7, 8], 0, 2, 0, 5, ["multipliers", "offsets"]),
        ([1, 2, 3, 4, 5, 6, 7, 8], 0, 4, 0, 3, ["multipliers"]),
        ([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4, 5, 6, 7, 8], 4, 0, 4, ["multipliers", "offsets"]),
        ([1, 2, 4, 8], 0, 4, 0, 1, []),
        ([1, 2, 3, 85], 0, 4, 0, 3, []),
    ],
)
def test_depth(drive, m, b, lanes, y_min, depth, roms):
    channels, product = max(np.size(m), 4), "logic" if lanes < 4 else "block"
    unit = requantizer(m, b, channels, lanes, signed(6), 3, y_min, y_min + 7, product=product)
    assert (unit.depth, list(unit.roms())) == (depth, roms)
    count = unit.features()
    assert (count.get("multiplier_bits", 0) + count.get("product_bits", 0) > 0) == ("multipliers" in roms)
    x = np.arange(-32, 32).reshape(-1, channels)
    done = run(drive, unit, x)
    assert done.o_cycles[0] - done.i_cycles[0] == unit.latency == depth
    assert np.array_equal(done.y, reference(unit, x))


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize(("m", "b", "late"), [
    (1, 0, None), (23, [1, 2, 3, 4], None), ([5, 6, 77, 8], [1, 2, 3, 4], None),
    ([5, 6, 3, 8], 0, [0, 1, 1, 0, 1, 0, 1]),
])  # fmt: skip
def test_control(m, b, late, stalls):
    late = None if late is None else np.array([late])
    assert_follows(requantizer(m, b, 4, 2, signed(6), 4, 0, 7, late=late), vectors=20, stalls=stalls, settle=0)


def test_timing(drive):
    unit = requantizer([5, 6, 7, 8, 9, 10], 3, 6, 2, signed(6), 4, 0, 7)
    done = run(drive, unit, np.zeros((4, 6), int))
    assert (unit.interval, unit.depth, unit.latency) == (3, 4, 4)
    assert done.i_cycles == list(range(12)) and done.o_cycles == list(range(4, 16))


def test_roms():
    m, b = [1, 2, 3, 4], [16, -16, 32, 0]
    unit = requantizer(m, b, 4, 2, signed(6), 4, -1, 7, product="block")
    assert unit.roms()["multipliers"].words == (1 | 2 << 2, 3 | 4 << 2)
    assert unit.roms()["offsets"].words == (32 | 0 << 6, 48 | 16 << 6)  # offsets − (−1 · 2^4)
    unit = requantizer(m, b, 4, 2, signed(6), 4, -1, 7)
    assert unit.roms()["multipliers"].words == (0b0001 | 0b0010 << 4, 0b0111 | 0b0100 << 4)
    assert unit.roms()["offsets"].words == (32 | 0 << 6, 49 | 16 << 6)  # 1 more for 3 = 4 − 1


def test_digits():
    m = np.arange(1, 5000)
    digits = recode(m)
    weights = 4 ** np.arange(digits.shape[1])
    assert np.array_equal(digits @ weights, m) and set(np.unique(digits)) == {-1, 0, 1, 2}
    rows = np.where(digits < 0, ~7, 7 * digits)  # ~7 = −7 − 1
    assert np.array_equal(rows @ weights + missing(digits), 7 * m)
    assert digits.shape[1] == 7 and recode(np.array([2, 10])).shape == (2, 2)


def test_synthesis(synthesize):
    m, b = np.arange(1000, 1016), np.arange(16)
    found = synthesize(requantizer(m, b, 16, 1, signed(16), 16, 0, 255, product="block"), "ecp5")
    assert found["MULT18X18D"] == 1 and "DP16KD" not in found
    # 6 rows of 17 bits, 5 additions of about 20, one of 27, 8 bits clipped, ROMs of about 40 bits.
    found = synthesize(requantizer(m, b, 16, 1, signed(16), 16, 0, 255), "ice40")
    assert found["SB_LUT4"] <= 6 * 17 + 5 * 20 + 27 + 12 + 40, found
    found = synthesize(requantizer(1, 8, 16, 1, signed(12), 4, 0, 255), "ice40")
    assert found["SB_LUT4"] <= 12 + 8 + 4 and "SB_RAM40_4K" not in found, found


GOOD = {"channels": 4, "lanes": 2, "input": signed(6), "output": unsigned(3), "shift": 2, "y_min": 0, "y_max": 7}
ONE = np.array([1])


@pytest.mark.parametrize(
    ("m", "b", "change", "error", "message"),
    [
        (ONE, ONE, {"lanes": 3}, ValueError, "lanes must divide the 4 channels, not 3 (use 1, 2 or 4)"),
        (np.ones(3, int), ONE, {}, ValueError, "multiplier must be 1 value or 4, one per channel, not 3"),
        (ONE, np.ones(2, int), {}, ValueError, "offset must be 1 value or 4, one per channel, not 2"),
        (ONE * 0, ONE, {}, ValueError, "multiplier must be at least 1, not 0"),
        (ONE, ONE, {"shift": 62}, ValueError, "shift must be 0 to 61, not 62"),
        (ONE, ONE, {"shift": 1.5}, TypeError, "shift must be an integer, not 1.5"),
        (ONE, ONE, {"y_max": 8}, ValueError, "output must hold 0 … 8, in this order, not unsigned(3)"),
        (ONE, ONE, {"y_min": 3, "y_max": 2}, ValueError, "output must hold 3 … 2, in this order, not unsigned(3)"),
        (ONE << 57, ONE, {}, ValueError, "multiplier and offset must keep products below 2^61"),
        (ONE * 1.0, ONE, {}, TypeError, "multiplier must be a NumPy array of integers, not of float64"),
        (ONE, ONE, {"memory": "lut"}, ValueError, "memory must be one of auto, block, distributed"),
        (ONE, ONE, {"late": np.ones((2, 7), int)}, ValueError, "late must have the shape (4 or 1, 7), not (2, 7)"),
        (ONE * 2, ONE, {"late": np.full((1, 7), 3)}, ValueError, "late must be 0 to 2^shift / multiplier, not 3 … 3"),
        (ONE, ONE, {"product": "dsp"}, ValueError, "product must be one of logic, block, not 'dsp'"),
    ],
)
def test_errors(m, b, change, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Requantizer(m, b, **(GOOD | change))
