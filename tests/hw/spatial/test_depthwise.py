# amaranth: UnusedElaboratable=no
"""Depthwise: bits, formats, timing, control, storage.

| testpoint | stage | test |
| --- | --- | --- |
| equals operator and model over shapes, strides, dilations, lanes, stalls | full | test_equals_operator |
| every kind of weights and of activations, with and without bias | full | test_formats |
| extreme inputs reach exactly the accumulator's bounds, which one bit less refuses | full | test_extremes |
| interval max(steps, beats), first beat after latency | full | test_timing |
| every ready and valid of every cycle is that of the control | full | test_control |
| one stored word per step | smoke | test_roms |
| no multipliers; buffer in block memory without bypass logic | full | test_synthesis |
| bad parameters are refused with the way out | smoke | test_errors |
"""

import re

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from support.spatial import assert_controlled, assert_equals, assert_timing, random_maps, run

from bitloom.hw import Depthwise
from bitloom.hw.parameters import bounds, shape_of_range
from bitloom.quant import Format, Tensor
from bitloom.quant.operators import conv

# size, channels, lanes, kernel, stride, dilation
POINTS = {
    "3x3": ((5, 5), 2, 1, (3, 3), (1, 1), (1, 1)),
    "3x3, two lanes": ((4, 5), 4, 2, (3, 3), (1, 1), (1, 1)),
    "3x3, stride 2": ((6, 6), 2, 2, (3, 3), (2, 2), (1, 1)),
    "dilated": ((5, 6), 2, 1, (3, 2), (1, 2), (2, 3)),
    "stride beyond the kernel": ((5, 7), 2, 1, (1, 2), (3, 4), (1, 1)),
    "one window": ((2, 3), 4, 2, (2, 3), (1, 1), (1, 1)),
    "one weight per channel": ((3, 3), 4, 2, (1, 1), (1, 1), (1, 1)),
    "one axis": ((8,), 3, 1, (3,), (2,), (1,)),
    "one product": ((1,), 1, 1, (1,), (1,), (1,)),
}
WEIGHTS = {"binary": None, "ternary": (-1, 1), "i3": (-3, 3), "full i3": (-4, 3), "u2": (0, 3), "i5": (-13, 15)}
ACTIVATIONS = {"bipolar": unsigned(1), "u1": unsigned(1), "u3": unsigned(3), "i3": signed(3), "i1": signed(1)}


def weights_of(kind, shape, seed=0):
    rng = np.random.default_rng(seed)
    if kind == "binary":
        return rng.choice([-1, 1], shape)
    lo, hi = WEIGHTS[kind]
    return rng.integers(lo, hi + 1, shape)


def sums(weights, activation, bias=None):
    """The least and the greatest sum of each channel."""
    lo, hi = (-1, 1) if activation == "bipolar" else bounds(ACTIVATIONS[activation])
    rows = weights.reshape(len(weights), -1)
    bias = 0 if bias is None else bias
    return np.minimum(rows * lo, rows * hi).sum(1) + bias, np.maximum(rows * lo, rows * hi).sum(1) + bias


def make(name, kind="i3", activation="u3", bias=None, **options):
    size, channels, lanes, kernel, stride, dilation = POINTS[name]
    weights = weights_of(kind, (channels, *kernel))
    low, high = sums(weights, activation, bias)
    options = {"accumulator": shape_of_range(low.min(), high.max()), "lanes": lanes} | options
    return Depthwise(weights, size, activation=ACTIVATIONS[activation], stride=stride, dilation=dilation,
                     bipolar_activation=activation == "bipolar", bias=bias, **options)  # fmt: skip


def inputs(unit, vectors=4):
    rng = np.random.default_rng(unit.interval)
    elements = int(np.prod(unit.size)) * unit.channels
    return random_maps(rng, unit.activation, unit.bipolar_activation, vectors, elements)


def operator(unit, x):
    """What the integer graph says."""
    bipolar = unit.bipolar_activation
    f = Format(unit.activation.width, signed=unit.activation.signed or bipolar, bipolar=bipolar)
    y = Format(unit.accumulator.width, signed=unit.accumulator.signed)
    node = conv.Conv("c", ("x",), Tensor((*unit.positions, unit.channels), y), unit.weights[..., None],
                     Format(8, signed=True), unit.bias, unit.stride, unit.dilation, unit.channels)  # fmt: skip
    node.check(Tensor((*unit.size, unit.channels), f))
    assert node.depthwise
    return node.evaluate(x.reshape(-1, *unit.size, unit.channels)).reshape(len(x), -1)


@pytest.mark.parametrize("name", POINTS)
def test_equals_operator(name):
    x = inputs(make(name))
    assert_equals(lambda: make(name), x, operator(make(name), x))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kind", WEIGHTS)
def test_formats(kind, activation):
    for bias, memory, buffer in ((None, "auto", "registers"), (np.array([-9, 0, 30, 7]), "block", "block")):
        unit = make("one window", kind, activation, bias, memory=memory, buffer=buffer)
        x = inputs(unit, 6)
        y = run(unit, x, bipolar=(unit.bipolar_activation, False)).y
        assert np.array_equal(y, operator(unit, x)) and np.array_equal(y, unit.model(x))


@pytest.mark.parametrize("activation", ["bipolar", "u3", "i3"])
@pytest.mark.parametrize("kind", ["binary", "ternary", "full i3"])
def test_extremes(kind, activation):
    """Every channel at its least, then at its greatest sum."""
    unit = make("one window", kind, activation)
    lo, hi = (-1, 1) if activation == "bipolar" else bounds(unit.activation)
    positive = np.moveaxis(unit.weights, 0, -1).ravel() > 0
    x = np.stack([np.where(positive, lo, hi), np.where(positive, hi, lo)])
    low, high = sums(unit.weights, activation)
    y = run(unit, x, bipolar=(activation == "bipolar", False)).y
    assert np.array_equal(y, [low, high])
    narrow = signed(unit.accumulator.width - 1) if unit.accumulator.signed else unsigned(unit.accumulator.width - 1)
    with pytest.raises(ValueError, match=re.escape(f"accumulator must hold the sums {low.min()} … {high.max()} of")):
        make("one window", kind, activation, accumulator=narrow)


def test_sums_known_to_be_less():
    """A narrower accumulator is exact where it is known which sums can come."""
    unit = make("one axis", accumulator=signed(4), sum_range=(np.full(3, -8), np.full(3, 7)))
    assert unit.accumulator.width < make("one axis").accumulator.width
    rng = np.random.default_rng(1)
    x = rng.integers(0, 8, (4000, 24)) * (rng.random((4000, 24)) < 0.4)
    within = np.abs(operator(make("one axis"), x) + 0.5).max(1) < 8
    x = x[within][:6]
    assert len(x) == 6 and x.max() == 7
    y = run(unit, x).y
    assert np.array_equal(y, operator(make("one axis"), x)) and np.array_equal(y, unit.model(x))
    with pytest.raises(ValueError, match="x must have sums within -8 … 7, not"):
        unit.model(inputs(unit))


@pytest.mark.parametrize("kind", ["ternary", "i5"])
@pytest.mark.parametrize("name", POINTS)
def test_timing(name, kind):
    unit = make(name, kind)
    window, beats = int(np.prod(unit.kernel)), unit.channels // unit.lanes
    assert unit.interval == max(int(np.prod(unit.positions)) * beats * window, int(np.prod(unit.size)) * beats)
    assert unit.depth == (4 if kind == "i5" and np.abs(unit.weights).max() > 3 else 3)
    assert_timing(unit, inputs(unit, 5))


@pytest.mark.parametrize("name", POINTS)
def test_control(name):
    assert_controlled(lambda: make(name, "i5"), patterns=("flowing", "random", "blocked"))


def test_roms():
    unit = make("3x3, two lanes", "full i3", memory="block")
    rom = unit.roms()["weights"]
    assert (rom.depth, rom.width, rom.memory) == (2 * 9, 2 * 3, "block")
    stored = unit.weights.reshape(2, 2, 9) & 7  # beat, lane, position
    assert rom.words == tuple(int(a | b << 3) for beat in stored for a, b in zip(*beat))
    assert list(make("one window", "u2").roms()) == ["weights"]
    assert make("one window", "i3").roms()["start"].depth == 2
    assert make("one window", "binary", "bipolar").roms()["start"].depth == 1
    assert make("one window", "u2", bias=np.array([1, 2, 1, 2])).roms()["start"].depth == 1
    assert unit.buffers == [(unit.loops.capacity, 6, unit.buffer)]


def test_synthesis(synthesize):
    weights = weights_of("i3", (16, 3, 3))
    options = {"activation": unsigned(4), "accumulator": signed(10), "stride": (1, 1), "dilation": (1, 1)}
    unit = Depthwise(weights, (16, 16), lanes=4, memory="block", buffer="block", **options)
    count = unit.features()
    assert count["product_bits"] == 4 * 4 * 2 and count["blocks"] == 1 + unit.loops.capacity // 256
    assert count["block_bits"] == 16 * 9 * 3 + unit.loops.capacity * 16
    found = synthesize(unit, "ice40")
    assert found["SB_RAM40_4K"] == 1 + unit.loops.capacity // 256 and found["SB_LUT4"] <= 330, found
    found = synthesize(Depthwise(weights, (16, 16), lanes=4, **options), "ecp5")
    assert "MULT18X18D" not in found and found["CCU2C"] > 0


GOOD = {"lanes": 1, "activation": unsigned(2), "accumulator": signed(9), "stride": (1, 1), "dilation": (1, 1)}


@pytest.mark.parametrize(
    ("weights", "change", "error", "message"),
    [
        (np.ones((6, 3, 3), int), {"lanes": 4}, ValueError, "lanes must divide the 6 channels, not 4 (use 1, 2, 3 or"),
        (np.ones((6, 3)), {}, TypeError, "weights must be a NumPy array of integers, not of float64"),
        (np.ones((6, 3), int), {}, ValueError, "weights must have 3 axes, none empty, not the shape (6, 3)"),
        (np.ones((6, 5, 3), int), {}, ValueError, "kernel must span at most the 4 positions of axis 0, not 5"),
        (
            np.ones((6, 3, 3), int),
            {"accumulator": unsigned(4)},
            ValueError,
            "accumulator must hold the sums 0 … 27 of these weights, not unsigned(4) (use unsigned(5))",
        ),
        (
            np.ones((6, 3, 3), int),
            {"bipolar_activation": True},
            ValueError,
            "activation must be unsigned(1) where it is bipolar, not unsigned(2)",
        ),
        (np.ones((6, 3, 3), int), {"bias": np.ones(3, int)}, ValueError, "one value for each of the 6 channels"),
        (
            np.ones((6, 3, 3), int),
            {"sum_range": (np.zeros(5, int), np.ones(5, int))},
            ValueError,
            "sum_range must have a least and a greatest output for each of the 6 channels",
        ),
        (np.ones((6, 3, 3), int), {"memory": "sram"}, ValueError, "memory must be one of auto, block, distributed"),
        (np.ones((6, 3, 3), int), {"buffer": "sram"}, ValueError, "must be one of auto, block, registers"),
    ],
)
def test_errors(weights, change, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Depthwise(weights, (4, 5), **(GOOD | change))
