# amaranth: UnusedElaboratable=no
"""PatchWindow: bits, timing, control, size.

| testpoint | stage | test |
| --- | --- | --- |
| equals operator and model over shapes, strides, dilations, channels, stalls | full | test_equals_operator |
| interval the positions, first beat one cycle after the position that completes the first window | full | test_timing |
| every ready and valid of every cycle is that of the control | full | test_control |
| memories change no bit, also for bipolar elements | full | test_memory_changes_no_bit |
| the same patches as Window gives | smoke | test_equals_window |
| rows lie where they are said to lie | smoke | test_buffers |
| shift registers as many as features count | smoke | test_shift_registers_as_counted |
| bad parameters are refused with the way out | smoke | test_errors |
"""

import re

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from support.spatial import assert_controlled, assert_equals, assert_timing, random_maps, run

from bitloom.hw import PatchWindow, Window
from bitloom.quant import Format, Tensor
from bitloom.quant.operators import window

# size, channels, kernel, stride, dilation
POINTS = {
    "3x3": ((5, 6), 2, (3, 3), (1, 1), (1, 1)),
    "stride 2, last row and column unread": ((6, 6), 2, (3, 3), (2, 2), (1, 1)),
    "stride beyond the kernel": ((7, 8), 1, (2, 1), (3, 4), (1, 1)),
    "one position in many": ((7, 7), 2, (1, 1), (3, 5), (1, 1)),
    "only the first position": ((3, 3), 3, (1, 1), (3, 3), (1, 1)),
    "dilated": ((7, 6), 2, (3, 2), (1, 2), (2, 3)),
    "one window": ((3, 3), 2, (3, 3), (1, 1), (1, 1)),
    "one position": ((1, 1), 4, (1, 1), (1, 1), (1, 1)),
    "a copy": ((3, 4), 2, (1, 1), (1, 1), (1, 1)),
    "flat kernel": ((3, 6), 2, (1, 4), (1, 1), (1, 1)),
    "tall kernel": ((6, 3), 2, (4, 1), (2, 1), (1, 1)),
    "one column": ((6, 1), 1, (3, 1), (1, 1), (1, 1)),
    "one column, dilated": ((9, 1), 2, (3, 1), (1, 1), (3, 1)),
    "kernel as wide as the map": ((5, 4), 1, (2, 4), (1, 1), (1, 1)),
    "wide and dilated": ((7, 17), 1, (3, 3), (2, 3), (2, 1)),
    "one axis": ((9,), 3, (3,), (1,), (1,)),
    "one axis, strided, dilated": ((16,), 4, (3,), (3,), (2,)),
    "one axis, stride beyond the kernel": ((14,), 2, (2,), (5,), (1,)),
}
ELEMENT = unsigned(3)


def make(name, element=ELEMENT, **options):
    size, channels, kernel, stride, dilation = POINTS[name]
    return PatchWindow(size, channels, element=element, kernel=kernel, stride=stride, dilation=dilation, **options)


def inputs(unit, bipolar=False, vectors=4):
    rng = np.random.default_rng(unit.interval)
    return random_maps(rng, unit.element, bipolar, vectors, unit.interval * unit.channels)


def operator(unit, x, bipolar=False):
    """What the integer graph says."""
    f = Format(unit.element.width, signed=unit.element.signed or bipolar, bipolar=bipolar)
    shape = (*unit.positions, unit.channels * int(np.prod(unit.kernel)))
    node = window.Window("w", ("x",), Tensor(shape, f), unit.kernel, unit.stride, unit.dilation)
    node.check(Tensor((*unit.size, unit.channels), f))
    return node.evaluate(x.reshape(-1, *unit.size, unit.channels)).reshape(len(x), -1)


@pytest.mark.parametrize("memory", ["block", "registers"])
@pytest.mark.parametrize("name", POINTS)
def test_equals_operator(name, memory):
    x = inputs(make(name))
    assert_equals(lambda: make(name, memory=memory), x, operator(make(name), x))


@pytest.mark.parametrize("name", POINTS)
def test_timing(name):
    unit = make(name)
    size, extents = np.array(unit.size), np.array(unit.dilation) * (np.array(unit.kernel) - 1) + 1
    assert unit.interval == size.prod()
    assert unit.latency == np.ravel_multi_index(tuple(extents - 1), tuple(size)) + 1
    assert unit.control.emits.sum() == np.prod(unit.positions) and unit.depth == 1
    assert_timing(unit, inputs(unit, vectors=5))


@pytest.mark.parametrize("name", POINTS)
def test_control(name):
    assert_controlled(lambda: make(name))


@pytest.mark.parametrize("name", ["3x3", "wide and dilated", "one column, dilated"])
@pytest.mark.parametrize("bipolar", [False, True])
def test_memory_changes_no_bit(name, bipolar):
    element = unsigned(1) if bipolar else signed(4)
    x = inputs(make(name, element), bipolar)
    expected = operator(make(name, element), x, bipolar)
    for memory in ("block", "registers", "distributed"):
        assert np.array_equal(run(make(name, element, memory=memory), x, bipolar=(bipolar, bipolar)).y, expected)


@pytest.mark.parametrize("name", POINTS)
def test_equals_window(name):
    size, channels, kernel, stride, dilation = POINTS[name]
    other = Window(size, channels, lanes=1, element=ELEMENT, kernel=kernel, stride=stride, dilation=dilation)
    x = inputs(make(name))
    assert np.array_equal(make(name).model(x), other.model(x))


def test_buffers():
    assert make("3x3", memory="block").buffers == [(6, 2 * 2 * 3, "block")]
    assert make("3x3").buffers == [(6 - 3, 2 * 2 * 3, "registers")]
    assert make("wide and dilated", memory="distributed").buffers == [(34, 2 * 3, "distributed")]
    assert make("wide and dilated").buffers == [(34, 6, "block")]
    for name in ("kernel as wide as the map", "one axis", "flat kernel", "one column"):
        assert make(name, memory="block").buffers == []
    assert make("3x3").roms() == {}


def test_shift_registers_as_counted():
    assert make("3x3").features()["register_bits"] == (2 * 6 + 3) * 2 * 3
    assert make("3x3", memory="distributed").features()["register_bits"] == 3 * 3 * 2 * 3
    assert make("3x3", memory="block").features()["register_bits"] == (3 * 3 - 2) * 2 * 3
    assert make("one axis, strided, dilated").features()["register_bits"] == 5 * 4 * 3


GOOD = {"element": unsigned(2), "kernel": (3, 3), "stride": (1, 1), "dilation": (1, 1)}


@pytest.mark.parametrize(
    ("size", "change", "error", "message"),
    [
        ((4, 5), {"kernel": (5, 3)}, ValueError, "kernel must span at most the 4 positions of axis 0, not 5 (pad the"),
        ((4, 5), {"dilation": (1, 3)}, ValueError, "kernel must span at most the 5 positions of axis 1, not 7"),
        ((4, 5), {"stride": (0, 1)}, ValueError, "stride[0] must be at least 1, not 0"),
        ((4, 5), {"stride": (1, 1.5)}, TypeError, "stride[1] must be an integer, not 1.5"),
        ((4, 5), {"kernel": (3,)}, ValueError, "kernel must have 2 numbers, one per spatial axis, not (3,)"),
        ((4, 5), {"kernel": 3}, TypeError, "kernel must be a tuple of 2 integers, one per spatial axis, not 3"),
        ((4, 5), {"channels": 0}, ValueError, "channels must be at least 1, not 0"),
        ((4, 5), {"element": 3}, TypeError, "element must be an Amaranth shape"),
        ((4, 5), {"memory": "sram"}, ValueError, "memory must be one of auto, block, registers, distributed"),
        ((4, 5, 6), {}, ValueError, "size must be (W,) or (H, W), not (4, 5, 6)"),
        (4, {}, TypeError, "size must be a tuple (W,) or (H, W), not 4"),
    ],
)
def test_errors(size, change, error, message):
    with pytest.raises(error, match=re.escape(message)):
        PatchWindow(size, **({"channels": 6} | GOOD | change))


def test_model_refuses_what_cannot_arrive():
    unit = make("one axis")
    with pytest.raises(ValueError, match="x must lie within 0 … 7, not 0 … 8"):
        unit.model(np.array([[0, 8, *[1] * 25]]))
    with pytest.raises(ValueError, match="x must have 27 elements per vector, not 3"):
        unit.model(np.zeros((1, 3), int))
