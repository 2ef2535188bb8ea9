# amaranth: UnusedElaboratable=no
"""GlobalPool: bits, formats, storage, timing, control.

| testpoint | stage | test |
| --- | --- | --- |
| equals operator and model over kinds, shapes, lanes, storage, stalls | full | test_equals_operator |
| every kind and format, at its extremes | full | test_formats |
| interval the input beats, first beat after latency | full | test_timing |
| every ready and valid of every cycle is that of the control | full | test_control |
| block memory without bypass logic, rings without multiplexers | full | test_synthesis |
| bad parameters are refused with the way out | smoke | test_errors |
"""

import re

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from support.spatial import assert_controlled, assert_equals, assert_timing, random_maps, run

from bitloom.hw import GlobalPool
from bitloom.quant import Format, Tensor
from bitloom.quant.operators import pool

# kind, size, channels, lanes
POINTS = {
    "max": ("max", (3, 4), 4, 1),
    "sum": ("sum", (3, 3), 6, 2),
    "two beats": ("sum", (2, 3), 4, 2),
    "a beat per position": ("max", (2, 2), 3, 3),
    "one position": ("sum", (1, 1), 4, 2),
    "one axis": ("sum", (7,), 3, 1),
    "one element": ("max", (1,), 1, 1),
}
FORMATS = {
    "max u3": ("max", unsigned(3), unsigned(3), False),
    "max i4": ("max", signed(4), signed(4), False),
    "max bipolar": ("max", unsigned(1), unsigned(1), True),
    "sum u3": ("sum", unsigned(3), unsigned(6), False),
    "sum i4": ("sum", signed(4), signed(7), False),
    "sum u1 signed": ("sum", unsigned(1), signed(4), False),
    "sum bipolar": ("sum", unsigned(1), signed(4), True),
}
MEMORIES = ["registers", "block", "distributed"]


def make(name, **options):
    kind, size, channels, lanes = POINTS[name]
    options = {"lanes": lanes, "input": signed(3), "output": signed(3 if kind == "max" else 7)} | options
    return GlobalPool(kind, size, channels, **options)


def inputs(unit, vectors=4):
    rng = np.random.default_rng(unit.interval)
    return random_maps(rng, unit.input, unit.bipolar, vectors, int(np.prod(unit.size)) * unit.channels)


def operator(unit, x):
    """What the integer graph says."""
    f = Format(unit.input.width, signed=unit.input.signed or unit.bipolar, bipolar=unit.bipolar)
    y = f if unit.kind == "max" else Format(unit.output.width, signed=unit.output.signed)
    one = (1,) * len(unit.size)
    node = pool.Pool("p", ("x",), Tensor((*one, unit.channels), y), unit.kind, unit.size, one)
    node.check(Tensor((*unit.size, unit.channels), f))
    return node.evaluate(x.reshape(-1, *unit.size, unit.channels)).reshape(len(x), -1)


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("name", POINTS)
def test_equals_operator(name, memory):
    x = inputs(make(name))
    assert_equals(lambda: make(name, memory=memory), x, operator(make(name), x))


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("formats", FORMATS)
def test_formats(formats, memory):
    kind, i, o, bipolar = FORMATS[formats]
    unit = GlobalPool(kind, (2, 3), 4, lanes=2, input=i, output=o, bipolar=bipolar, memory=memory)
    x = inputs(unit, 6)
    y = run(unit, x, bipolar=(bipolar, bipolar and kind == "max")).y
    assert np.array_equal(y, operator(unit, x)) and np.array_equal(y, unit.model(x))
    assert unit.buffers == [(2, 2 * o.width, memory)] and unit.roms() == {}


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("name", POINTS)
def test_timing(name, memory):
    unit = make(name, memory=memory)
    beats = unit.channels // unit.lanes
    assert unit.depth == (1 if memory == "registers" or beats == 1 else 2)
    assert unit.interval == int(np.prod(unit.size)) * beats
    assert unit.latency == unit.interval - beats + unit.depth
    assert_timing(unit, inputs(unit, 5))


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("name", POINTS)
def test_control(name, memory):
    assert_controlled(lambda: make(name, memory=memory), vectors=6)


def test_auto():
    assert make("max").buffers == [(4, 3, "registers")]
    assert GlobalPool("max", (2, 2), 128, lanes=1, input=unsigned(3), output=unsigned(3)).buffers[0][2] == "block"
    assert make("a beat per position", memory="block").buffers == [(1, 9, "registers")]


def test_sums_known_to_be_less():
    unit = GlobalPool("sum", (4,), 2, lanes=1, input=signed(5), output=signed(4), sum_range=(-8, 7))
    x = np.array([[15, -16, 3, 15, -12, -2, -1, 1], [0] * 8])
    y = run(unit, x).y
    assert np.array_equal(y, unit.model(x)) and y[0].tolist() == [5, -2]
    with pytest.raises(ValueError, match="x must have sums within -8 … 7, not 8 … 8"):
        unit.model(np.full((1, 8), 2))


def test_synthesis(synthesize):
    options = {"lanes": 2, "input": unsigned(4), "output": unsigned(12)}
    found = synthesize(GlobalPool("sum", (16, 16), 32, memory="block", **options), "ice40")
    assert found["SB_RAM40_4K"] == 2 and found["SB_LUT4"] <= 110, found
    found = synthesize(GlobalPool("sum", (16, 16), 16, memory="registers", **options), "ice40")
    flipflops = sum(count for cell, count in found.items() if cell.startswith("SB_DFF"))
    assert flipflops <= 8 * 24 + 14 and found["SB_LUT4"] <= 80, found
    assert GlobalPool("sum", (16, 16), 16, memory="registers", **options).features()["shift_bits"] == 7 * 24


GOOD = {"lanes": 1, "input": unsigned(2), "output": unsigned(6)}


@pytest.mark.parametrize(
    ("kind", "change", "error", "message"),
    [
        ("mean", {}, ValueError, "kind must be one of max, sum, not 'mean'"),
        ("sum", {"lanes": 4}, ValueError, "lanes must divide the 6 channels, not 4 (use 1, 2, 3 or 6)"),
        ("max", {}, ValueError, "output must be the input's unsigned(2) for a maximum, not unsigned(6)"),
        ("sum", {"output": unsigned(5)}, ValueError, "output must hold the sums 0 … 60, not unsigned(5) (use unsig"),
        ("sum", {"bipolar": True}, ValueError, "input must be unsigned(1) where it is bipolar, not unsigned(2)"),
        ("sum", {"memory": "sram"}, ValueError, "memory must be one of auto, block, registers, distributed"),
        ("sum", {"output": 3}, TypeError, "output must be an Amaranth shape"),
    ],
)
def test_errors(kind, change, error, message):
    with pytest.raises(error, match=re.escape(message)):
        GlobalPool(kind, (4, 5), 6, **(GOOD | change))
