# amaranth: UnusedElaboratable=no
"""Pool: bits, formats, timing, control.

| testpoint | stage | test |
| --- | --- | --- |
| equals operator and model over kinds, shapes, strides, lanes, stalls | full | test_equals_operator |
| every kind and format, at its extremes | full | test_formats |
| interval max(steps, beats), first beat after latency | full | test_timing |
| every ready and valid of every cycle is that of the control | full | test_control |
| bad parameters are refused with the way out | smoke | test_errors |
"""

import re

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from support.spatial import assert_controlled, assert_equals, assert_timing, random_maps, run

from bitloom.hw import Pool
from bitloom.quant import Format, Tensor
from bitloom.quant.operators import pool

# kind, size, channels, lanes, kernel, stride
POINTS = {
    "2x2": ("max", (4, 6), 2, 1, (2, 2), (2, 2)),
    "2x2 of an odd map": ("max", (5, 5), 2, 2, (2, 2), (2, 2)),
    "3x3, overlapping": ("max", (5, 6), 2, 1, (3, 3), (2, 2)),
    "3x3 sums, stride 1": ("sum", (4, 5), 4, 2, (3, 3), (1, 1)),
    "stride beyond the kernel": ("sum", (7, 6), 2, 1, (2, 1), (3, 4)),
    "flat": ("max", (3, 7), 2, 1, (1, 3), (1, 2)),
    "tall": ("sum", (6, 3), 3, 3, (2, 1), (2, 1)),
    "one window": ("sum", (3, 3), 4, 2, (3, 3), (1, 1)),
    "one position each": ("max", (3, 4), 2, 1, (1, 1), (2, 1)),
    "one axis": ("max", (9,), 3, 1, (3,), (2,)),
    "one axis, sums": ("sum", (8,), 2, 2, (2,), (2,)),
    "one element": ("sum", (1,), 1, 1, (1,), (1,)),
}
FORMATS = {
    "max u3": ("max", unsigned(3), unsigned(3), False),
    "max i4": ("max", signed(4), signed(4), False),
    "max i1": ("max", signed(1), signed(1), False),
    "max u1": ("max", unsigned(1), unsigned(1), False),
    "max bipolar": ("max", unsigned(1), unsigned(1), True),
    "sum u3": ("sum", unsigned(3), unsigned(6), False),
    "sum u3 signed": ("sum", unsigned(3), signed(7), False),
    "sum i4": ("sum", signed(4), signed(7), False),
    "sum u1": ("sum", unsigned(1), unsigned(3), False),
    "sum bipolar": ("sum", unsigned(1), signed(4), True),
    "sum bipolar, wide": ("sum", unsigned(1), signed(9), True),
}
WIDEST = {"max": unsigned(3), "sum": unsigned(7)}


def make(name, **options):
    kind, size, channels, lanes, kernel, stride = POINTS[name]
    options = {"lanes": lanes, "input": unsigned(3), "output": WIDEST[kind]} | options
    return Pool(kind, size, channels, kernel=kernel, stride=stride, **options)


def inputs(unit, vectors=4):
    rng = np.random.default_rng(unit.interval)
    return random_maps(rng, unit.input, unit.bipolar, vectors, int(np.prod(unit.size)) * unit.channels)


def operator(unit, x):
    """What the integer graph says."""
    f = Format(unit.input.width, signed=unit.input.signed or unit.bipolar, bipolar=unit.bipolar)
    y = f if unit.kind == "max" else Format(unit.output.width, signed=unit.output.signed)
    node = pool.Pool("p", ("x",), Tensor((*unit.positions, unit.channels), y), unit.kind, unit.kernel, unit.stride)
    node.check(Tensor((*unit.size, unit.channels), f))
    return node.evaluate(x.reshape(-1, *unit.size, unit.channels)).reshape(len(x), -1)


@pytest.mark.parametrize("name", POINTS)
def test_equals_operator(name):
    x = inputs(make(name))
    assert_equals(lambda: make(name), x, operator(make(name), x))


@pytest.mark.parametrize("memory", ["block", "registers"])
@pytest.mark.parametrize("formats", FORMATS)
def test_formats(formats, memory):
    kind, i, o, bipolar = FORMATS[formats]
    unit = Pool(kind, (4, 5), 4, lanes=2, input=i, output=o, kernel=(2, 3), stride=(2, 1), bipolar=bipolar,
                memory=memory)  # fmt: skip
    x = inputs(unit, 6)
    y = run(unit, x, bipolar=(bipolar, bipolar and kind == "max")).y
    assert np.array_equal(y, operator(unit, x)) and np.array_equal(y, unit.model(x))
    assert unit.buffers == [(unit.loops.capacity, 2 * i.width, memory)] and unit.roms() == {}


@pytest.mark.parametrize("name", POINTS)
def test_timing(name):
    unit = make(name)
    window, beats = int(np.prod(unit.kernel)), unit.channels // unit.lanes
    assert unit.interval == max(int(np.prod(unit.positions)) * beats * window, int(np.prod(unit.size)) * beats)
    assert unit.depth == 3
    assert_timing(unit, inputs(unit, 5))


@pytest.mark.parametrize("name", POINTS)
def test_control(name):
    assert_controlled(lambda: make(name))


def test_sums_known_to_be_less():
    """A narrower sum is exact where it is known that the inputs do not all take their extremes at once."""
    unit = Pool("sum", (4, 4), 1, lanes=1, input=signed(5), output=signed(4), kernel=(2, 2), stride=(2, 2),
                sum_range=(-8, 7))  # fmt: skip
    x = np.tile([15, -16, 3, -4, -12, 11, -2, 1, 9, -9, 5, 6, -1, -2, 4, -8], (2, 1))
    y = run(unit, x).y
    assert np.array_equal(y, unit.model(x)) and y[0].tolist() == [-2, -2, -3, 7]
    with pytest.raises(ValueError, match="x must have sums within -8 … 7, not 60 … 60"):
        unit.model(np.full((1, 16), 15))


def test_features(synthesize):
    unit = Pool("max", (16, 16), 8, lanes=4, input=unsigned(4), output=unsigned(4), kernel=(2, 2), stride=(2, 2),
                memory="block")  # fmt: skip
    count = unit.features()
    assert count["comparator_bits"] == count["mux_bits"] == count["accumulator_bits"] == 16
    assert count["block_bits"] == unit.loops.capacity * 16
    found = synthesize(unit, "ice40")
    assert found["SB_RAM40_4K"] == 1 and found["SB_LUT4"] <= 150, found


GOOD = {"lanes": 1, "input": unsigned(2), "output": unsigned(2), "kernel": (2, 2), "stride": (1, 1)}


@pytest.mark.parametrize(
    ("kind", "change", "error", "message"),
    [
        ("mean", {}, ValueError, "kind must be one of max, sum, not 'mean'"),
        ("max", {"lanes": 4}, ValueError, "lanes must divide the 6 channels, not 4 (use 1, 2, 3 or 6)"),
        ("max", {"output": unsigned(3)}, ValueError, "output must be the input's unsigned(2) for a maximum, not"),
        ("sum", {}, ValueError, "output must hold the sums 0 … 12, not unsigned(2) (use unsigned(4))"),
        ("sum", {"bipolar": True}, ValueError, "input must be unsigned(1) where it is bipolar, not unsigned(2)"),
        (
            "sum",
            {"bipolar": True, "input": unsigned(1)},
            ValueError,
            "output must hold the sums -4 … 4, not unsigned(2) (use signed(4))",
        ),
        ("max", {"kernel": (2, 7)}, ValueError, "kernel must span at most the 5 positions of axis 1, not 7"),
        ("max", {"stride": (2,)}, ValueError, "stride must have 2 numbers, one per spatial axis, not (2,)"),
        ("max", {"input": 2}, TypeError, "input must be an Amaranth shape"),
        ("max", {"memory": "sram"}, ValueError, "memory must be one of auto, block, registers, distributed"),
    ],
)
def test_errors(kind, change, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Pool(kind, (4, 5), 6, **(GOOD | change))
