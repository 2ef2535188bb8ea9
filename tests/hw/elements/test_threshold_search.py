# amaranth: UnusedElaboratable=no
"""ThresholdSearch: bits, any number of levels, timing, cost.

| testpoint | stage | test |
| --- | --- | --- |
| equals the operator over shapes, levels, lanes; stalls and folding change no bit | full | test_equals_model |
| every input value, for every number of levels around powers of two | full | test_every_input |
| thresholds beyond the input's range are never or always reached | smoke | test_beyond_the_range |
| equals Threshold, of which it is the other form | smoke | test_equals_threshold |
| every ready and valid follows the control | full | test_control |
| one beat per cycle, the first one `depth` cycles later | smoke | test_timing |
| 8 bits per channel take block memory and a comparator per bit | full | test_synthesis |
| bad parameters are refused | smoke | test_errors |
"""

import re

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from support.control import STALLS, assert_follows

from bitloom.hw import Threshold, ThresholdSearch
from bitloom.hw.parameters import bounds, shape_of_range
from bitloom.quant.formats import Format
from bitloom.quant.graph import Tensor
from bitloom.quant.operators import Threshold as Operator

SHAPES = [signed(9), unsigned(8), signed(1), unsigned(1), signed(12)]


def search(t, channels, lanes, shape, y_min=0, memory="auto"):
    return ThresholdSearch(t, channels=channels, lanes=lanes, input=shape, y_min=y_min, memory=memory,
                           output=shape_of_range(y_min, y_min + t.shape[1]))  # fmt: skip


def run(drive, unit, x, **stalls):
    return drive(unit, x, unit.channels, i_shape=unit.input, i_lanes=unit.lanes, o_shape=unit.output,
                 o_lanes=unit.lanes, **stalls)  # fmt: skip


def reference(unit, x):
    tensor = Tensor(x.shape[1:], Format(12, signed=True))
    return Operator("y", ("x",), tensor, unit.thresholds, unit.y_min).evaluate(x)


@pytest.mark.parametrize("seed", range(10))
def test_equals_model(drive, gaps, seed):
    rng = np.random.default_rng(seed)
    shape = SHAPES[seed % len(SHAPES)]
    lo, hi = bounds(shape)
    channels = int(rng.choice([1, 4, 6]))
    t = np.sort(rng.integers(lo - 2, hi + 4, (1 if seed % 3 == 0 else channels, int(rng.integers(1, 40)))), axis=1)
    x = np.concatenate([rng.integers(lo, hi + 1, (6, channels)), [[lo] * channels, [hi] * channels]])
    y_min = int(rng.integers(-40, 9))
    for lanes in (d for d in (1, 2, 3, channels) if channels % d == 0):
        for i_gap, o_gap in [("none", "none"), ("random", "heavy")]:
            unit = search(t, channels, lanes, shape, y_min, "block" if lanes == 1 else "distributed")
            done = run(drive, unit, x, i_gap=gaps(i_gap, seed), o_gap=gaps(o_gap, seed))
            assert np.array_equal(done.y, reference(unit, x))
            assert np.array_equal(unit.model(x), reference(unit, x))


@pytest.mark.parametrize(
    ("levels", "y_min"), [(1, 0), (2, -1), (3, 0), (4, 0), (15, -8), (16, 7), (31, 0), (32, -16), (127, -64), (254, 1)]
)
@pytest.mark.parametrize("rows", [1, 2])
def test_every_input(drive, rows, levels, y_min):
    t = np.sort(np.random.default_rng(levels).integers(-128, 128, (rows, levels)), axis=1)
    x = np.stack([np.arange(-128, 128)] * 2, axis=1)
    unit = search(t, 2, 1, signed(8), y_min)
    assert np.array_equal(run(drive, unit, x).y, reference(unit, x))


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("shape", SHAPES)
def test_beyond_the_range(drive, shape, rows):
    lo, hi = bounds(shape)
    t = np.array([[lo - (1 << 40), lo - 1, lo, hi, hi + 1, hi + 2, 1 << 40]] * rows)
    unit = search(t, 4, 2, shape)
    assert run(drive, unit, np.array([[lo, hi, lo, hi]])).y.tolist() == [[3, 4, 3, 4]]


def test_equals_threshold():
    t = np.sort(np.random.default_rng(0).integers(-60, 60, (4, 15)), axis=1)
    options = {"channels": 4, "lanes": 2, "input": signed(8), "output": signed(4), "y_min": -8}
    x = np.stack([np.arange(-128, 128)] * 4, axis=1)
    assert np.array_equal(ThresholdSearch(t, **options).model(x), Threshold(t, **options).model(x))


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize(("rows", "levels"), [(1, 1), (6, 5), (6, 31)])
def test_control(rows, levels, stalls):
    t = np.arange(rows * levels).reshape(rows, levels) - 20
    assert_follows(search(t, 6, 2, signed(6)), vectors=15, stalls=stalls, settle=0)


@pytest.mark.parametrize(("levels", "depth"), [(1, 2), (3, 3), (4, 4), (7, 4), (8, 5), (255, 9)])
@pytest.mark.parametrize("rows", [1, 6])
def test_timing(drive, rows, levels, depth):
    t = np.arange(rows * levels).reshape(rows, levels)
    unit = search(t, 6, 2, signed(9))
    done = run(drive, unit, np.zeros((4, 6), int))
    assert (unit.interval, unit.depth, unit.latency) == (3, depth, depth)
    assert done.i_cycles == list(range(12)) and done.o_cycles == list(range(depth, 12 + depth))


def test_roms():
    t = np.array([[10, 20, 30, 40, 50, 60], [11, 21, 31, 41, 51, 61]]) - 32
    unit = search(t, 2, 1, signed(6))
    words = {name: [32 - word for word in rom.words] for name, rom in unit.roms().items()}
    assert words == {  # "never" is stored as 0
        "level_0_lane_0": [8, 9],
        "level_1_lane_0": [20 - 32, 28, 21 - 32, 29],
        "level_2_lane_0": [10 - 32, 30 - 32, 50 - 32, 32, 11 - 32, 31 - 32, 51 - 32, 32],
    }


def test_synthesis(synthesize):
    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(-2000, 2000, (8, 255)), axis=1)
    found = synthesize(search(t, 8, 1, signed(12)), "ice40")
    assert 7 <= found["SB_RAM40_4K"] <= 8, found  # levels of 128, 256, 512 and 1024 words of 12 bits
    assert found["SB_LUT4"] <= 12 * 8 + 80, found


GOOD = {"channels": 4, "lanes": 2, "input": signed(6), "output": unsigned(3)}


@pytest.mark.parametrize(
    ("t", "change", "error", "message"),
    [
        (np.zeros((4, 7), int), {"lanes": 3}, ValueError, "lanes must divide the 4 channels, not 3 (use 1, 2 or 4)"),
        (np.zeros((3, 7), int), {}, ValueError, "thresholds must have 1 row or 4, one per channel, not 3"),
        (np.array([[1, 0]]), {}, ValueError, "thresholds must ascend in each row, not fall as in row 0 (sort them)"),
        (np.zeros((1, 8), int), {}, ValueError, "output must hold 0 … 8, not unsigned(3) (use unsigned(4))"),
        (np.zeros((1, 7), int), {"y_min": -4}, ValueError, "output must hold -4 … 3, not unsigned(3) (use signed(3))"),
        (np.zeros((1, 7), int), {"y_min": 0.5}, TypeError, "y_min must be an integer, not 0.5"),
        (np.zeros((1, 7)), {}, TypeError, "thresholds must be a NumPy array of integers, not of float64"),
        (np.zeros((1, 7), int), {"memory": "lut"}, ValueError, "memory must be one of auto, block, distributed"),
    ],
)
def test_errors(t, change, error, message):
    with pytest.raises(error, match=re.escape(message)):
        ThresholdSearch(t, **(GOOD | change))


def test_model_refuses_what_cannot_arrive():
    with pytest.raises(ValueError, match="x must lie within -32 … 31, not 0 … 32"):
        search(np.zeros((1, 3), int), 2, 1, signed(6)).model(np.array([[0, 32]]))
