# amaranth: UnusedElaboratable=no
"""Upsample and DepthToSpace: bits, timing, control.

| testpoint | stage | test |
| --- | --- | --- |
| equal operators and models over sizes, factors, blocks, modes, lanes, stalls | full | test_equals_operator |
| bipolar and signed elements | smoke | test_formats |
| interval the output beats, first beat 2 cycles after the first input beat | full | test_timing |
| every ready and valid of every cycle is that of the control | full | test_control |
| bad parameters are refused with the way out | smoke | test_errors |
"""

import re

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from support.spatial import assert_controlled, assert_equals, assert_timing, random_maps, run

from bitloom.hw import DepthToSpace, Upsample
from bitloom.quant import Format, Tensor
from bitloom.quant.operators import depth_to_space, upsample

UPSAMPLE = {
    "2x2": ((3, 4), 2, 1, (2, 2)),
    "columns": ((3, 2), 4, 2, (1, 3)),
    "rows": ((2, 3), 2, 2, (3, 1)),
    "one row": ((1, 4), 2, 1, (2, 2)),
    "a copy": ((2, 2), 2, 1, (1, 1)),
    "one axis": ((5,), 3, 1, (3,)),
    "one position": ((1, 1), 2, 2, (2, 2)),
}
DEPTH_TO_SPACE = {
    "DCR": ((2, 3), 8, 1, 2, "DCR"),
    "DCR, two lanes": ((2, 2), 16, 2, 2, "DCR"),
    "DCR, a beat per position": ((3, 2), 8, 2, 2, "DCR"),
    "DCR of 3": ((2, 2), 9, 1, 3, "DCR"),
    "CRD": ((2, 3), 8, 1, 2, "CRD"),
    "CRD of 3": ((1, 2), 18, 1, 3, "CRD"),
    "a copy in one block": ((2, 3), 4, 2, 1, "DCR"),
    "one position out of channels": ((1, 1), 4, 1, 2, "CRD"),
}


def make(name, element=None, **options):
    element = unsigned(3) if element is None else element
    if name in UPSAMPLE:
        size, channels, lanes, factors = UPSAMPLE[name]
        return Upsample(size, channels, **({"lanes": lanes, "element": element, "factors": factors} | options))
    size, channels, lanes, block, mode = DEPTH_TO_SPACE[name]
    named = {"lanes": lanes, "element": element, "block": block, "mode": mode}
    return DepthToSpace(size, channels, **(named | options))


NAMES = [*UPSAMPLE, *DEPTH_TO_SPACE]


def inputs(unit, bipolar=False, vectors=4):
    rng = np.random.default_rng(unit.interval)
    return random_maps(rng, unit.element, bipolar, vectors, int(np.prod(unit.size)) * unit.channels)


def operator(unit, x, bipolar=False):
    """What the integer graph says."""
    f = Format(unit.element.width, signed=unit.element.signed or bipolar, bipolar=bipolar)
    if isinstance(unit, Upsample):
        y = Tensor((*(n * factor for n, factor in zip(unit.size, unit.factors)), unit.channels), f)
        node = upsample.Upsample("u", ("x",), y, unit.factors)
    else:
        h, w = unit.size
        y = Tensor((h * unit.block, w * unit.block, unit.channels // unit.block**2), f)
        node = depth_to_space.DepthToSpace("d", ("x",), y, unit.block, unit.mode)
    node.check(Tensor((*unit.size, unit.channels), f))
    return node.evaluate(x.reshape(-1, *unit.size, unit.channels)).reshape(len(x), -1)


@pytest.mark.parametrize("name", NAMES)
def test_equals_operator(name):
    x = inputs(make(name))
    assert_equals(lambda: make(name), x, operator(make(name), x))


@pytest.mark.parametrize("name", ["2x2", "DCR, two lanes", "CRD"])
def test_formats(name):
    for element, bipolar in ((unsigned(1), True), (signed(5), False)):
        for memory in ("block", "registers"):
            unit = make(name, element, memory=memory)
            x = inputs(unit, bipolar)
            assert np.array_equal(run(unit, x, bipolar=(bipolar, bipolar)).y, operator(unit, x, bipolar))
            assert unit.buffers == [(unit.loops.capacity, unit.lanes * element.width, memory)]


@pytest.mark.parametrize("name", NAMES)
def test_timing(name):
    unit = make(name)
    assert (unit.latency, unit.interval) == (2, unit.model(inputs(unit)).shape[1] // unit.lanes)
    assert_timing(unit, inputs(unit, vectors=5))


@pytest.mark.parametrize("name", NAMES)
def test_control(name):
    assert_controlled(lambda: make(name))


GOOD = {"lanes": 1, "element": unsigned(2)}


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Upsample((2, 2), 6, factors=(2, 2), **(GOOD | {"lanes": 4})), ValueError, "divide the 6 channels"),
        (lambda: Upsample((2, 2), 6, factors=(2, 0), **GOOD), ValueError, "factors[1] must be at least 1, not 0"),
        (lambda: Upsample((2,), 6, factors=(2, 2), **GOOD), ValueError, "factors must have 1 numbers, one per"),
        (lambda: Upsample((2,), 6, factors=2, **GOOD), TypeError, "factors must be a tuple of 1 integers, one per"),
        (
            lambda: DepthToSpace((2, 2), 6, block=2, mode="DCR", **GOOD),
            ValueError,
            "channels must be a multiple of the 2² positions of a block, not 6",
        ),
        (
            lambda: DepthToSpace((2, 2), 8, block=2, mode="DCR", **(GOOD | {"lanes": 4})),
            ValueError,
            "lanes must divide the 2 channels that are left, not 4 (use 1 or 2)",
        ),
        (
            lambda: DepthToSpace((2, 2), 8, block=2, mode="CRD", **(GOOD | {"lanes": 2})),
            ValueError,
            "lanes must be 1 in mode CRD, not 2",
        ),
        (lambda: DepthToSpace((2, 2), 8, block=2, mode="RCD", **GOOD), ValueError, "mode must be one of DCR, CRD, not"),
        (lambda: DepthToSpace((4,), 8, block=2, mode="DCR", **GOOD), ValueError, "size must be (H, W), not (4,)"),
        (lambda: DepthToSpace((2, 2), 8, block=0, mode="DCR", **GOOD), ValueError, "block must be at least 1, not 0"),
    ],
)
def test_errors(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()
