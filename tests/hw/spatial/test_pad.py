# amaranth: UnusedElaboratable=no
"""Pad: bits, formats, timing, control.

| testpoint | stage | test |
| --- | --- | --- |
| equals operator and model over sizes, borders on any side, lanes, stalls | full | test_equals_operator |
| every pair of formats: wider, signed, bipolar in and out | full | test_formats |
| one beat per cycle, the first a cycle after the first input beat | full | test_timing |
| every ready and valid of every cycle is that of the control | full | test_control |
| no border leaves before its vector has begun | smoke | test_waits_for_the_vector |
| bad parameters are refused with the way out | smoke | test_errors |
"""

import re

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from amaranth.sim import Simulator
from support.spatial import assert_controlled, assert_equals, assert_timing, random_maps, run

from bitloom.hw import Pad
from bitloom.quant import Format, Tensor
from bitloom.quant.operators import pad

# size, channels, lanes, padding, value
POINTS = {
    "around": ((3, 4), 2, 1, ((1, 1), (1, 1)), 5),
    "wide lanes": ((3, 3), 4, 4, ((1, 1), (2, 2)), 0),
    "before": ((3, 2), 4, 2, ((2, 0), (1, 0)), 1),
    "after": ((3, 2), 2, 1, ((0, 2), (0, 1)), 7),
    "above only": ((2, 3), 2, 2, ((1, 0), (0, 0)), 0),
    "left only": ((2, 3), 2, 1, ((0, 0), (3, 0)), 0),
    "below only": ((2, 3), 1, 1, ((0, 1), (0, 0)), 2),
    "all sides differ": ((2, 3), 2, 1, ((1, 2), (3, 0)), 3),
    "no border": ((2, 3), 2, 1, ((0, 0), (0, 0)), 3),
    "one beat inside": ((1, 1), 2, 2, ((1, 1), (1, 1)), 6),
    "one axis": ((5,), 3, 1, ((1, 2),), 4),
    "one axis after": ((5,), 2, 2, ((0, 2),), 4),
    "one position": ((1,), 1, 1, ((0, 0),), 4),
}
FORMATS = {
    "u3 u3": (unsigned(3), unsigned(3), False, 7),
    "u3 u5": (unsigned(3), unsigned(5), False, 31),
    "u3 i5": (unsigned(3), signed(5), False, -16),
    "i3 i3": (signed(3), signed(3), False, -4),
    "i3 i6": (signed(3), signed(6), False, 31),
    "i1 i1": (signed(1), signed(1), False, -1),
    "u1 u1": (unsigned(1), unsigned(1), False, 0),
    "bipolar i2": (unsigned(1), signed(2), True, 0),
    "bipolar i4": (unsigned(1), signed(4), True, -8),
    "bipolar, border +1": (unsigned(1), unsigned(1), True, 1),
    "bipolar, border -1": (unsigned(1), unsigned(1), True, -1),
}


def make(name, formats="u3 u3", **options):
    size, channels, lanes, padding, value = POINTS[name]
    i, o, bipolar, other = FORMATS[formats]
    value = value if formats == "u3 u3" else other
    options = {"lanes": lanes, "padding": padding, "value": value, "bipolar": bipolar} | options
    return Pad(size, channels, input=i, output=o, **options)


def wires(unit):
    return (unit.bipolar, unit.bipolar and unit.output == unsigned(1))


def inputs(unit, vectors=4):
    rng = np.random.default_rng(unit.interval)
    return random_maps(rng, unit.input, unit.bipolar, vectors, int(np.prod(unit.size)) * unit.channels)


def operator(unit, x):
    """What the integer graph says."""
    i_bipolar, o_bipolar = wires(unit)
    i = Format(unit.input.width, signed=unit.input.signed or i_bipolar, bipolar=i_bipolar)
    o = Format(unit.output.width, signed=unit.output.signed or o_bipolar, bipolar=o_bipolar)
    node = pad.Pad("p", ("x",), Tensor((*unit.output_size, unit.channels), o), unit.padding, unit.value)
    node.check(Tensor((*unit.size, unit.channels), i))
    return node.evaluate(x.reshape(-1, *unit.size, unit.channels)).reshape(len(x), -1)


@pytest.mark.parametrize("name", POINTS)
def test_equals_operator(name):
    x = inputs(make(name))
    assert_equals(lambda: make(name), x, operator(make(name), x))


@pytest.mark.parametrize("formats", FORMATS)
def test_formats(formats):
    unit = make("all sides differ", formats)
    x = inputs(unit, 6)
    y = run(unit, x, bipolar=wires(unit)).y
    assert np.array_equal(y, operator(unit, x)) and np.array_equal(y, unit.model(x))


@pytest.mark.parametrize("name", POINTS)
def test_timing(name):
    unit = make(name)
    assert (unit.latency, unit.interval) == (1, int(np.prod(unit.output_size)) * unit.channels // unit.lanes)
    assert_timing(unit, inputs(unit))


@pytest.mark.parametrize("name", POINTS)
def test_control(name):
    assert_controlled(lambda: make(name))


def test_waits_for_the_vector():
    """An idle unit shows nothing, neither at first nor after a vector."""
    unit = make("above only")
    x = inputs(unit, 2)
    done = run(unit, x, i_gap=lambda cycle: cycle < 9)
    assert done.i_cycles[0] == 9 and done.o_cycles[0] == 10
    idle = make("above only")

    async def bench(ctx):
        ctx.set(idle.o.ready, 1)
        for _ in range(20):
            await ctx.tick()
            assert not ctx.get(idle.o.valid)

    simulator = Simulator(idle)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_features():
    count = make("wide lanes").features()
    assert count["register_bits"] == 4 * 3 * 2 and make("after").features()["register_bits"] == 3
    assert make("wide lanes").roms() == {} and make("wide lanes").buffers == []


def test_synthesis(synthesize):
    found = synthesize(Pad((16, 16), 8, lanes=4, input=unsigned(2), output=unsigned(2),
                           padding=((1, 1), (1, 1)), value=0), "ice40")  # fmt: skip
    assert found["SB_LUT4"] <= 70, found


GOOD = {"lanes": 1, "input": unsigned(2), "output": signed(3), "padding": ((1, 1), (0, 2)), "value": 0}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"lanes": 4}, ValueError, "lanes must divide the 6 channels, not 4 (use 1, 2, 3 or 6)"),
        ({"padding": ((1, 1),)}, ValueError, "padding must be 2 pairs (before, after), one per axis, not ((1, 1),)"),
        ({"padding": (1, 1)}, ValueError, "padding must be 2 pairs (before, after), one per axis, not (1, 1)"),
        ({"padding": 1}, TypeError, "padding must be a tuple of pairs (before, after), one per axis, not 1"),
        ({"padding": ((1, -1), (0, 0))}, ValueError, "padding must be at least 0, not -1"),
        ({"padding": ((1, 0.5), (0, 0))}, TypeError, "padding must be integers, not 0.5"),
        ({"output": unsigned(1)}, ValueError, "output must hold the input's values 0 … 3, not unsigned(1)"),
        ({"output": signed(2)}, ValueError, "output must hold the input's values 0 … 3, not signed(2)"),
        ({"value": 4}, ValueError, "value must lie within the output's -4 … 3, not 4"),
        ({"value": 1.0}, TypeError, "value must be an integer, not 1.0"),
        ({"bipolar": True}, ValueError, "input must be unsigned(1) where it is bipolar, not unsigned(2)"),
        (
            {"bipolar": True, "input": unsigned(1), "output": unsigned(1)},
            ValueError,
            "value must be -1 or 1 where the output is bipolar, not 0 (use a wider output)",
        ),
        (
            {"bipolar": True, "input": unsigned(1), "output": unsigned(2)},
            ValueError,
            "output must hold the input's values -1 … 1, not unsigned(2)",
        ),
    ],
)
def test_errors(change, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Pad((4, 5), 6, **(GOOD | change))
