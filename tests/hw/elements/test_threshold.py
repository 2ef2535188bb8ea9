# amaranth: UnusedElaboratable=no
"""Threshold: bits, timing, thresholds beyond the range, cost.

| testpoint | stage | test |
| --- | --- | --- |
| equals its model over random shapes, levels, foldings, stalls; folding changes no bit | full | test_equals_model |
| every input value, per level count and output format | full | test_every_input |
| thresholds beyond the input's range are never or always reached | smoke | test_beyond_the_range |
| one beat per cycle, first one `depth` cycles later | smoke | test_timing |
| ready comes from registers | smoke | test_cuts_ready |
| comparators cost a bit per look-up table, constants a third | full | test_synthesis |
| bad parameters are refused | smoke | test_errors |
"""

import re

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from amaranth.sim import Simulator

from bitloom.hw import Threshold
from bitloom.hw.parameters import bounds, shape_of_range

SHAPES = [unsigned(1), signed(1), unsigned(5), signed(6), signed(9)]


def threshold(t, channels, lanes, shape, y_min=0, bipolar=False, memory="auto"):
    output = unsigned(1) if bipolar else shape_of_range(y_min, y_min + t.shape[1])
    y_min, y_step = (-1, 2) if bipolar else (y_min, 1)
    return Threshold(
        t, channels=channels, lanes=lanes, input=shape, output=output, y_min=y_min, y_step=y_step, memory=memory
    )


def run(drive, unit, x, **stalls):
    return drive(
        unit,
        x,
        unit.channels,
        i_shape=unit.input,
        i_lanes=unit.lanes,
        o_shape=unit.output,
        o_lanes=unit.lanes,
        bipolar=(False, unit.bipolar),
        **stalls,
    )


def reference(t, x, y_min, y_step):
    t = np.broadcast_to(t, (x.shape[1], t.shape[1]))
    y = np.full(x.shape, y_min)
    for level in range(t.shape[1]):
        y += y_step * (x >= t[:, level])
    return y


@pytest.mark.parametrize("seed", range(15))
def test_equals_model(drive, gaps, seed):
    rng = np.random.default_rng(seed)
    shape = SHAPES[seed % len(SHAPES)]
    lo, hi = bounds(shape)
    channels = int(rng.choice([1, 4, 6]))
    bipolar = seed % 4 == 0
    levels = 1 if bipolar else int(rng.integers(1, 10))
    rows = 1 if seed % 3 == 0 else channels
    y_min = int(rng.integers(-9, 9))
    t = np.sort(rng.integers(lo - 2, hi + 4, (rows, levels)), axis=1)
    x = np.concatenate([rng.integers(lo, hi + 1, (6, channels)), [[lo] * channels, [hi] * channels]])
    for lanes in (d for d in (1, 2, 3, channels) if channels % d == 0):
        for i_gap, o_gap in [("none", "none"), ("random", "heavy")]:
            unit = threshold(t, channels, lanes, shape, y_min, bipolar, "block" if lanes == 1 else "distributed")
            done = run(drive, unit, x, i_gap=gaps(i_gap, seed), o_gap=gaps(o_gap, seed))
            expected = reference(t, x, unit.y_min, unit.y_step)
            assert np.array_equal(done.y, expected)
            assert np.array_equal(unit.model(x), expected)


@pytest.mark.parametrize(
    ("levels", "y_min"), [(1, 0), (3, 0), (7, 0), (7, -4), (6, -3), (15, 0), (5, 2), (2, -1), (1, 100), (4, -130)]
)
@pytest.mark.parametrize("rows", [1, 2])
def test_every_input(drive, levels, y_min, rows):
    rng = np.random.default_rng(levels)
    t = np.sort(rng.integers(-32, 32, (rows, levels)), axis=1)
    t[0, -1] = t[0, 0] if levels == 2 else t[0, -1]  # equal thresholds: a step of two
    x = np.stack([np.arange(-32, 32)] * 2, axis=1)
    unit = threshold(t, 2, 1, signed(6), y_min)
    assert np.array_equal(run(drive, unit, x).y, reference(t, x, y_min, 1))


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("shape", SHAPES)
def test_beyond_the_range(drive, shape, rows):
    lo, hi = bounds(shape)
    t = np.array([[lo - (1 << 40), lo - 1, lo, hi, hi + 1, hi + 2, 1 << 40]] * rows)
    x = np.array([[lo, hi, lo, hi]])
    unit = threshold(t, 4, 2, shape)
    assert run(drive, unit, x).y.tolist() == [[3, 4, 3, 4]]


@pytest.mark.parametrize("rows", [1, 12])
@pytest.mark.parametrize("lanes", [1, 4, 12])
def test_timing(drive, gaps, lanes, rows):
    rng = np.random.default_rng(1)
    t = np.sort(rng.integers(-9, 9, (rows, 3)), axis=1)
    unit = threshold(t, 12, lanes, signed(6))
    x = rng.integers(-32, 32, (4, 12))
    done = run(drive, unit, x)
    assert (unit.interval, unit.latency, unit.depth) == (12 // lanes, 1, 1)
    assert done.o_cycles[0] - done.i_cycles[0] == unit.latency
    assert set(np.diff(done.i_cycles)) == set(np.diff(done.o_cycles)) == {1}
    slow = run(drive, threshold(t, 12, lanes, signed(6)), x, i_gap=gaps("period 3", 0))
    assert {o - i for i, o in zip(slow.i_cycles, slow.o_cycles)} == {1}


def test_cuts_ready():
    unit = threshold(np.arange(12).reshape(4, 3), 4, 1, signed(6))
    seen = set()

    async def bench(ctx):
        ctx.set(unit.i.valid, 1)
        for cycle in range(8):
            values = []
            for ready in (0, 1, cycle % 2):
                ctx.set(unit.o.ready, ready)
                values.append(ctx.get(unit.i.ready))
            assert len(set(values)) == 1
            seen.add(values[0])
            await ctx.tick()

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == {0, 1}


def test_synthesis(synthesize):
    t = np.sort(np.random.default_rng(0).integers(-2048, 2048, (16, 7)), axis=1)
    found = synthesize(threshold(t, 16, 1, signed(12), memory="block"), "ice40")
    assert found["SB_RAM40_4K"] == -(-7 * 12 // 16)
    assert found["SB_CARRY"] + found["SB_LUT4"] <= 7 * 12 + 40, found
    found = synthesize(threshold(t[:1], 16, 1, signed(12)), "ice40")
    assert "SB_CARRY" not in found and found["SB_LUT4"] <= 7 * 12 // 2, found


def test_roms_and_features():
    t = np.array([[-2, 0, 5], [1, 1, 9]])
    unit = threshold(t, 2, 1, signed(4), memory="block")
    rom = unit.roms()["thresholds"]
    codes = [[10, 8, 3], [7, 7, 0]]  # 16 − (T + 8); 9 is never reached
    assert rom.words == tuple(sum(code << (4 * k) for k, code in enumerate(row)) for row in codes)
    assert unit.features()["comparator_bits"] == 12
    assert threshold(t[:1], 2, 1, signed(4)).features()["constant_comparator_bits"] == 12
    assert threshold(np.array([[-99, 0]]), 2, 1, signed(4)).roms()["thresholds"].width == 2 * 5


GOOD = {"channels": 4, "lanes": 2, "input": signed(6), "output": unsigned(2)}
LADDER = np.array([[0, 1, 2]])


@pytest.mark.parametrize(
    ("thresholds", "change", "error", "message"),
    [
        (LADDER, {"lanes": 3}, ValueError, "lanes must divide the 4 channels, not 3 (use 1, 2 or 4)"),
        (LADDER, {"channels": 0}, ValueError, "channels must be at least 1, not 0"),
        (np.zeros((3, 2), int), {}, ValueError, "thresholds must have 1 row or 4, one per channel, not 3"),
        (LADDER[:, ::-1], {}, ValueError, "thresholds must ascend in each row, not fall as in row 0 (sort them)"),
        (LADDER * 0.5, {}, TypeError, "thresholds must be a NumPy array of integers, not of float64"),
        (LADDER, {"output": unsigned(1)}, ValueError, "output must hold 0 … 3, not unsigned(1)"),
        (LADDER, {"y_min": -1}, ValueError, "output must hold -1 … 2, not unsigned(2)"),
        (LADDER, {"y_step": 3}, ValueError, "y_step must be 1, or 2 for bipolar outputs, not 3"),
        (LADDER, {"y_step": 2, "y_min": -1}, ValueError, "y_step 2 is for bipolar outputs, with y_min -1 and 1 level"),
        (
            LADDER[:, :1],
            {"y_step": 2, "y_min": -1},
            ValueError,
            "output must be unsigned(1) where it is bipolar, not unsigned(2)",
        ),
        (LADDER, {"y_min": 0.5}, TypeError, "y_min must be an integer, not 0.5"),
        (LADDER, {"memory": 1}, TypeError, "memory must be a string, not 1"),
    ],
)
def test_errors(thresholds, change, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Threshold(thresholds, **(GOOD | change))


def test_model_refuses_what_cannot_arrive():
    unit = Threshold(LADDER, **GOOD)
    with pytest.raises(ValueError, match="x must lie within -32 … 31, not 0 … 32"):
        unit.model(np.array([[0, 0, 0, 32]]))
    with pytest.raises(ValueError, match="x must have 4 elements per vector, not 1"):
        unit.model(np.array([[0]]))
