# amaranth: UnusedElaboratable=no
"""Window: bits, timing, control, size.

| testpoint | stage | test |
| --- | --- | --- |
| equals operator and model over shapes, strides, dilations, groups, lanes, stalls | full | test_equals_operator |
| interval max(steps, beats), first beat 2 cycles after the first input beat | full | test_timing |
| every ready and valid of every cycle is that of the control | full | test_control |
| lanes and memories change no bit | full | test_folding_changes_no_bit |
| bad parameters are refused with the way out | smoke | test_errors |
"""

import re

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from support.spatial import assert_controlled, assert_equals, assert_timing, random_maps, run

from bitloom.hw import Window
from bitloom.quant import Format, Tensor
from bitloom.quant.operators import window

# size, channels, lanes, kernel, stride, dilation, groups
POINTS = {
    "3x3": ((5, 6), 2, 1, (3, 3), (1, 1), (1, 1), 1),
    "3x3, two lanes": ((4, 4), 4, 2, (3, 3), (1, 1), (1, 1), 1),
    "stride 2, last row and column unread": ((6, 6), 2, 2, (3, 3), (2, 2), (1, 1), 1),
    "stride beyond the kernel": ((7, 8), 1, 1, (2, 1), (3, 4), (1, 1), 1),
    "one position in many": ((7, 7), 2, 1, (1, 1), (3, 5), (1, 1), 1),
    "only the first position": ((3, 3), 3, 3, (1, 1), (3, 3), (1, 1), 1),
    "dilated": ((7, 6), 2, 2, (3, 2), (1, 2), (2, 3), 1),
    "groups": ((4, 5), 6, 1, (2, 3), (1, 1), (1, 1), 3),
    "groups of one beat": ((4, 3), 4, 2, (2, 2), (1, 1), (1, 1), 2),
    "one window": ((3, 3), 2, 1, (3, 3), (1, 1), (1, 1), 1),
    "one window, one beat, in groups": ((1, 1), 4, 2, (1, 1), (1, 1), (1, 1), 2),
    "a copy": ((3, 4), 2, 1, (1, 1), (1, 1), (1, 1), 1),
    "flat kernel": ((3, 6), 2, 1, (1, 4), (1, 1), (1, 1), 1),
    "tall kernel": ((6, 3), 2, 1, (4, 1), (2, 1), (1, 1), 1),
    "one axis": ((9,), 3, 1, (3,), (1,), (1,), 1),
    "one axis, strided, dilated, grouped": ((16,), 4, 2, (3,), (3,), (2,), 2),
    "one axis, stride beyond the kernel": ((14,), 2, 1, (2,), (5,), (1,), 1),
    "one position": ((1,), 1, 1, (1,), (1,), (1,), 1),
}


ELEMENT = unsigned(3)


def make(name, element=ELEMENT, **options):
    size, channels, lanes, kernel, stride, dilation, groups = POINTS[name]
    options = {"lanes": lanes, "groups": groups} | options
    return Window(size, channels, element=element, kernel=kernel, stride=stride, dilation=dilation, **options)


def inputs(unit, bipolar=False, vectors=4):
    rng = np.random.default_rng(unit.interval)
    return random_maps(rng, unit.element, bipolar, vectors, int(np.prod(unit.size)) * unit.channels)


def operator(unit, x, bipolar=False):
    """What the integer graph says."""
    f = Format(unit.element.width, signed=unit.element.signed or bipolar, bipolar=bipolar)
    shape = (*unit.positions, unit.channels * int(np.prod(unit.kernel)))
    node = window.Window("w", ("x",), Tensor(shape, f), unit.kernel, unit.stride, unit.dilation, unit.groups)
    node.check(Tensor((*unit.size, unit.channels), f))
    return node.evaluate(x.reshape(-1, *unit.size, unit.channels)).reshape(len(x), -1)


@pytest.mark.parametrize("name", POINTS)
def test_equals_operator(name):
    x = inputs(make(name))
    assert_equals(lambda: make(name), x, operator(make(name), x))


@pytest.mark.parametrize("name", POINTS)
def test_timing(name):
    unit = make(name)
    steps = int(np.prod(unit.positions) * np.prod(unit.kernel)) * unit.channels // unit.lanes
    assert unit.interval == max(steps, int(np.prod(unit.size)) * unit.channels // unit.lanes)
    assert unit.latency == 2 or steps == 1
    assert_timing(unit, inputs(unit, vectors=5))


@pytest.mark.parametrize("name", POINTS)
def test_control(name):
    assert_controlled(lambda: make(name))


@pytest.mark.parametrize("bipolar", [False, True])
def test_folding_changes_no_bit(bipolar):
    element = unsigned(1) if bipolar else signed(4)
    x = inputs(make("groups", element), bipolar)
    expected = operator(make("groups", element), x, bipolar)
    for lanes in (1, 2):
        for memory in ("block", "registers", "distributed"):
            unit = make("groups", element, lanes=lanes, memory=memory)
            assert unit.buffers == [(unit.loops.capacity, lanes * element.width, memory)]
            assert np.array_equal(run(unit, x, bipolar=(bipolar, bipolar)).y, expected)


GOOD = {"lanes": 1, "element": unsigned(2), "kernel": (3, 3), "stride": (1, 1), "dilation": (1, 1)}


@pytest.mark.parametrize(
    ("size", "change", "error", "message"),
    [
        ((4, 5), {"lanes": 4}, ValueError, "lanes must divide the 6 channels of a group, not 4 (use 1, 2, 3 or 6)"),
        ((4, 5), {"groups": 4}, ValueError, "groups must divide the 6 channels, not 4 (use 1, 2, 3 or 6)"),
        ((4, 5), {"groups": 3, "lanes": 6}, ValueError, "lanes must divide the 2 channels of a group, not 6"),
        ((4, 5), {"kernel": (5, 3)}, ValueError, "kernel must span at most the 4 positions of axis 0, not 5 (pad the"),
        ((4, 5), {"dilation": (1, 3)}, ValueError, "kernel must span at most the 5 positions of axis 1, not 7"),
        ((4, 5), {"stride": (0, 1)}, ValueError, "stride[0] must be at least 1, not 0"),
        ((4, 5), {"stride": (1, 1.5)}, TypeError, "stride[1] must be an integer, not 1.5"),
        ((4, 5), {"kernel": (3,)}, ValueError, "kernel must have 2 numbers, one per spatial axis, not (3,)"),
        ((4, 5), {"kernel": 3}, TypeError, "kernel must be a tuple of 2 integers, one per spatial axis, not 3"),
        ((4, 5), {"element": 3}, TypeError, "element must be an Amaranth shape"),
        ((4, 5), {"memory": "sram"}, ValueError, "memory must be one of auto, block, registers, distributed"),
        ((4, 5, 6), {}, ValueError, "size must be (W,) or (H, W), not (4, 5, 6)"),
        (4, {}, TypeError, "size must be a tuple (W,) or (H, W), not 4"),
    ],
)
def test_errors(size, change, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Window(size, 6, **(GOOD | change))


def test_model_refuses_what_cannot_arrive():
    unit = make("one axis")
    with pytest.raises(ValueError, match="x must lie within 0 … 7, not 0 … 8"):
        unit.model(np.array([[0, 8, *[1] * 25]]))
    with pytest.raises(ValueError, match="x must have 27 elements per vector, not 3"):
        unit.model(np.zeros((1, 3), int))
