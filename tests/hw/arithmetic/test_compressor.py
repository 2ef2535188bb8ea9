# amaranth: UnusedElaboratable=no
"""Trees of counters in MatVec.

| testpoint | stage | test |
| --- | --- | --- |
| computes what the balanced tree does, over formats, lengths, foldings, stalls | full | test_equals_balanced |
| extremes: all products at their greatest, all at 0 | smoke | test_extremes |
| ready and valid as `control` says | full | test_control |
| every level keeps the sum; the last one has at most two bits of a weight | smoke | test_levels_keep_the_sum |
| features count the registers that there are | smoke | test_features |
| bad parameters are refused | smoke | test_errors |
"""

import re

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from support.control import assert_follows
from support.streams import drive, gaps

from bitloom.hw import MatVec
from bitloom.hw.arithmetic.compressor import SIZES, compress, first_group, full_heights, plan, reduced
from bitloom.hw.arithmetic.weights import WeightCode

FORMATS = {
    "binary bipolar": ("binary", unsigned(1), True),
    "binary u2": ("binary", unsigned(2), False),
    "ternary u1": ("ternary", unsigned(1), False),
    "dense i3": ("dense", signed(3), False),
    "magnitude u2": (4, unsigned(2), False),
    "complement i2": ("auto", signed(2), False),
}


def unit_of(rng, name, pe, simd, nf, sf, **options):
    code, activation, bipolar = FORMATS[name]
    shape = (pe * nf, simd * sf)
    peak = 7 if code == 4 else 1
    w = rng.choice([-1, 1], shape) if code == "binary" else rng.integers(-peak, peak + 1, shape)
    if code == "auto":
        w = rng.integers(-4, 4, shape)
        w[0, 0] = -4
    options = {"accumulator": signed(15), "code": code, "bias": rng.integers(-20, 21, shape[0])} | options
    return MatVec(w, pe=pe, simd=simd, activation=activation, bipolar_activation=bipolar, **options)


def inputs(rng, unit, vectors):
    shape = vectors, unit.weights.shape[1]
    if unit.bipolar_activation:
        return rng.choice([-1, 1], shape)
    width = unit.activation.width
    low = -(1 << (width - 1)) if unit.activation.signed else 0
    return rng.integers(low, low + (1 << width), shape)


def run(unit, x, gap="none"):
    lanes = {"i_lanes": unit.simd, "o_lanes": unit.pe}
    shapes = {"i_shape": unit.activation, "o_shape": unit.accumulator, "bipolar": (unit.bipolar_activation, False)}
    return drive(unit, x, len(unit.weights), **lanes, **shapes, i_gap=gaps(gap, 1), o_gap=gaps(gap, 2))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("folding", [(2, 1, 2, 3), (1, 2, 1, 3), (2, 5, 2, 2), (1, 16, 1, 2), (1, 33, 2, 1)])
def test_equals_balanced(name, folding):
    rng = np.random.default_rng(folding[1])
    unit = unit_of(rng, name, *folding, tree="compressor")
    x = inputs(rng, unit, 5)
    done = run(unit, x)
    assert np.array_equal(done.y, x @ unit.weights.T + unit.bias)
    assert done.o_cycles[0] - done.i_cycles[0] == unit.latency
    assert np.array_equal(run(unit, x, "random").y, done.y)


@pytest.mark.parametrize(
    ("simd", "bits", "code"), [(64, 1, "binary"), (21, 2, "ternary"), (7, 8, "ternary"), (9, 3, 4)]
)
def test_extremes(simd, bits, code):
    peak, most = (7 if code == 4 else 1), (1 << bits) - 1
    w = np.stack([np.full(2 * simd, peak), np.full(2 * simd, -peak)])
    unit = MatVec(w, pe=2, simd=simd, activation=unsigned(bits), accumulator=signed(15), code=code, tree="compressor")
    x = np.stack([np.full(2 * simd, most), np.zeros(2 * simd, int)])
    total = 2 * simd * peak * most
    assert run(unit, x).y.tolist() == [[total, -total], [0, 0]]


@pytest.mark.parametrize("simd", [1, 24, 100])
def test_control(simd):
    rng = np.random.default_rng(0)
    assert_follows(unit_of(rng, "binary bipolar", 1, simd, 1, 2, tree="compressor"))
    assert_follows(unit_of(rng, "ternary u1", 1, simd, 2, 2, tree="compressor", writable=True))


@pytest.mark.parametrize("code", [WeightCode("binary", 1), WeightCode("ternary", 2), WeightCode("magnitude", 5)])
@pytest.mark.parametrize(("simd", "bits"), [(1, 1), (2, 1), (3, 4), (50, 1), (31, 3)])
def test_levels_keep_the_sum(code, simd, bits):
    rng = np.random.default_rng(simd)
    heights, group = full_heights(simd, code, bits), first_group(code)
    heap = [rng.integers(0, 2, height).tolist() for height in heights]

    def value(heap):
        return sum(sum(column) << weight for weight, column in enumerate(heap))

    def counter(column):
        return [(sum(column) >> bit) & 1 for bit in range(len(column).bit_length())]

    total = value(heap)
    levels, _ = plan(heights, group)
    for level, after in enumerate(levels):
        heap = compress(heap, SIZES if level else tuple(range(group, 1, -1)), counter)
        assert tuple(map(len, heap)) == after and value(heap) == total
    assert reduced(heap)


def test_features():
    rng = np.random.default_rng(0)
    flat = unit_of(rng, "binary bipolar", 4, 64, 2, 2, tree="compressor")
    count = flat._products.features()
    assert count["product_bits"] == 4 * 64 and flat._products.stages == 2
    levels, made = plan((64,), 3)
    assert count["counter_bits"] == 4 * made
    assert count["register_bits"] == 4 * sum(
        sum(levels[k]) for k in range(len(levels)) if (len(levels) - 1 - k) % 4 == 0
    )
    assert count["adder_bits"] == 4 * sum(height == 2 for height in levels[-1])


def test_errors():
    with pytest.raises(ValueError, match=re.escape("tree must be one of auto, balanced, compressor, not 'wallace'")):
        unit_of(np.random.default_rng(0), "ternary u1", 1, 2, 1, 1, tree="wallace")
