# amaranth: UnusedElaboratable=no
"""PackedMatVec with named codes and with weights that are written while it runs.

| testpoint | stage | test |
| --- | --- | --- |
| a named code computes the same as the weights' own | full | test_codes |
| any weights of the code after writing; vectors between two sets of writes are of one set | full | test_rewriting |
| a vector whose first beat comes two cycles after the last write is all new | full | test_soonest |
| extreme weights reach the accumulator's bounds, which one bit less refuses | full | test_extremes |
| ready and valid as `control` says | full | test_control |
| nothing but the first contents depends on the first weights | smoke | test_first_weights_do_not_matter |
| synthesis keeps weights in block memory and products in multipliers | full | test_synthesis |
| features count multipliers and memories | smoke | test_features |
| bad parameters are refused with the way out | smoke | test_errors |
"""

import re

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import signed, unsigned
from support.control import STALLS, assert_follows
from support.streams import drive, gaps
from support.traffic import Traffic, assert_sets_follow

from bitloom.hw import PackedMatVec
from bitloom.hw.memory.weight_memory import WeightMemory
from bitloom.hw.parameters import bounds

CODES = ("binary", "ternary", 4, 7)
SHAPES = {"bipolar": unsigned(1), "u3": unsigned(3), "i3": signed(3), "u8": unsigned(8)}
CASES = {  # code, activation, device, (PE, SIMD, NF, SF), groups
    "binary, bipolar": ("binary", "bipolar", "ecp5", (5, 3, 2, 2), 1),
    "binary": ("binary", "i3", "ice40", (3, 4, 3, 2), 1),
    "ternary": ("ternary", "u8", "ecp5", (3, 5, 2, 3), 1),
    "ternary, signed": ("ternary", "i3", "gowin", (7, 2, 2, 4), 1),
    "4 bits": (4, "u3", "ice40", (4, 3, 2, 2), 1),
    "4 bits, at once": (4, "i3", "dsp48e1", (3, 5, 1, 1), 1),
    "7 bits": (7, "u8", "dsp48e2", (2, 3, 2, 3), 1),
    "no device": (4, "bipolar", None, (4, 1, 1, 5), 1),
    "groups": ("ternary", "i3", "ecp5", (2, 3, 2, 2), 2),
}


def random_weights(rng, code, shape):
    if code == "binary":
        return rng.choice([-1, 1], shape)
    peak = 1 if code == "ternary" else (1 << (code - 1)) - 1
    ends = rng.choice([-peak, peak, 0], shape)
    return np.where(rng.integers(2, size=shape), ends, rng.integers(-peak, peak + 1, shape))


def packed(w, code, activation="u3", **options):
    options = {"accumulator": signed(20), "writable": True, "device": "ecp5"} | options
    return PackedMatVec(w, code=code, activation=SHAPES[activation], bipolar_activation=activation == "bipolar",
                        **options)  # fmt: skip


def case(name, rng, **more):
    code, activation, device, (pe, simd, nf, sf), groups = CASES[name]
    shape = groups * pe * nf, simd * sf
    w, bias = random_weights(rng, code, shape), rng.integers(-40, 41, shape[0])
    return packed(w, code, activation, device=device, pe=pe, simd=simd, groups=groups, bias=bias, **more)


def random_inputs(rng, unit, vectors):
    shape = vectors, unit.groups * unit.weights.shape[1]
    lo, hi = (-1, 1) if unit.bipolar_activation else bounds(unit.activation)
    ends = rng.choice([lo, hi], shape)
    return ends if unit.bipolar_activation else np.where(rng.integers(2, size=shape), ends, rng.integers(lo, hi, shape))


def reference(x, w, bias, groups):
    parts = [part @ rows.T for part, rows in zip(np.split(x, groups, axis=1), np.split(w, groups))]
    return np.concatenate(parts, axis=1) + bias


@pytest.mark.parametrize("activation", SHAPES)
@pytest.mark.parametrize("code", CODES)
def test_codes(code, activation):
    rng = np.random.default_rng(len(activation))
    w, bias = random_weights(rng, code, (6, 8)), rng.integers(-9, 10, 6)
    for each in (code, "auto"):
        unit = packed(w, each, activation, pe=3, simd=4, bias=bias, writable=False)
        x = random_inputs(rng, unit, 5)
        stalls = {"i_gap": gaps("random", 1), "o_gap": gaps("random", 2)}
        done = drive(unit, x, 6, i_shape=unit.activation, i_lanes=4, o_shape=unit.accumulator, o_lanes=3,
                     bipolar=(activation == "bipolar", False), **stalls)  # fmt: skip
        assert np.array_equal(done.y, x @ w.T + bias), each


@pytest.mark.parametrize("gap", ["none", "random"])
@pytest.mark.parametrize("name", CASES)
def test_rewriting(name, gap):
    seed = list(CASES).index(name)
    rng = np.random.default_rng(seed)
    unit = case(name, rng, port=(5, 32, 8)[seed % 3], memory=("block", "distributed")[seed % 2])
    n, code = len(unit.weights), CASES[name][0]
    sets = [(unit.weights, unit.bias)]
    sets += [(random_weights(rng, code, unit.weights.shape), rng.integers(-40, 41, n)) for _ in range(3)]
    assert_sets_follow(unit, sets, lambda vectors: random_inputs(rng, unit, vectors), gap,
                       lambda x, w, bias: reference(x, w, bias, unit.groups))  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_soonest(name):
    rng = np.random.default_rng(4)
    unit = case(name, rng)
    w, bias = random_weights(rng, CASES[name][0], unit.weights.shape), rng.integers(-40, 41, len(unit.weights))
    image, x = unit.image(w, bias), random_inputs(rng, unit, 3)
    soonest = len(image) + 1
    pauses = [lambda cycle: cycle < soonest, None, None]
    done = Traffic(unit, x, [(0, *write) for write in image], pauses)
    assert done.i_cycles[0] == soonest == done.w_cycles[-1] + 2
    assert np.array_equal(done.y, reference(x, w, bias, unit.groups))
    if unit.groups == 1:
        assert done.o_cycles[0] - done.i_cycles[0] == unit.latency


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("activation", SHAPES)
def test_extremes(code, activation):
    peak = 1 if isinstance(code, str) else (1 << (code - 1)) - 1
    most = 1 if activation == "bipolar" else max(map(abs, bounds(SHAPES[activation])))
    bound = 6 * peak * most
    accumulator = signed(bound.bit_length() + 1)
    first = np.ones((3, 6), int)
    unit = packed(first, code, activation, pe=3, simd=3, accumulator=accumulator)
    x = np.full((30, 6), -most if SHAPES[activation].signed else most)
    for sign in (1, -1):
        w = np.full((3, 6), sign * peak)
        w[1] *= -1
        writes = [(10, *write) for write in unit.image(w)]
        y = Traffic(unit, x, writes, "none").y
        assert np.array_equal(y[0], x[0] @ first.T) and np.array_equal(y[-1], x[-1] @ w.T)
        assert np.array_equal(np.abs(y[-1]), [bound] * 3)
    with pytest.raises(ValueError, match=re.escape(f"accumulator must hold the sums {-bound} … {bound}")):
        packed(first, code, activation, pe=3, simd=3, accumulator=signed(accumulator.width - 1))


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("name", ["ternary", "4 bits, at once", "no device"])
def test_control(name, stalls):
    assert_follows(case(name, np.random.default_rng(0)), stalls=stalls, vectors=3)


@pytest.mark.parametrize("code", CODES)
def test_first_weights_do_not_matter(code):
    rng, texts = np.random.default_rng(1), set()
    for w in (np.ones((4, 6), int), random_weights(rng, code, (4, 6)), random_weights(rng, code, (4, 6))):
        text = rtlil.convert(packed(w, code, pe=2, simd=3), name="top", emit_src=False)
        texts.add(re.sub(r"(?s)  cell \$meminit_v2.*?  end\n", "", text))
    assert len(texts) == 1


def test_synthesis(synthesize):
    """Four times the weights take a few more flip-flops for addresses, and no more memories."""
    registers = []
    for inputs in (128, 512):
        w = random_weights(np.random.default_rng(1), "ternary", (16, inputs))
        unit = packed(w, "ternary", "u8", pe=4, simd=4, memory="block")
        found = synthesize(unit, "ecp5")
        assert found["MULT18X18D"] == unit.multipliers == 8 and found["DP16KD"] == 2
        registers.append(found["TRELLIS_FF"])
    assert registers[1] - registers[0] < 20, registers


def test_features():
    w = np.ones((6, 10), int)
    unit = packed(w, "ternary", "u8", pe=3, simd=5, memory="block")
    assert isinstance(unit.roms()["weights"], WeightMemory) and unit.roms()["start"].depth == 2
    counted = unit.features()
    assert counted["multipliers"] == unit.multipliers and counted["block_bits"] == 4 * 15 * 2
    whole = packed(w, "ternary", "u8", pe=6, simd=10).features()
    assert whole["multipliers"] > 0 and "constant_adder_bits" not in whole


def test_errors():
    w, options = np.array([[1, -1], [0, 1]]), {"pe": 1, "simd": 1}
    with pytest.raises(ValueError, match="code must say what writable weights can be"):
        packed(w, "auto", **options)
    with pytest.raises(ValueError, match="code must be auto, binary, ternary or a number of bits for PackedMatVec"):
        packed(w, "dense", **options)
    with pytest.raises(TypeError, match="tree must be left out for PackedMatVec, which has its own, not 'compressor'"):
        packed(w, "ternary", tree="compressor", **options)
    with pytest.raises(ValueError, match="weights must be within -1 … 1 with code 'ternary', not 2 … 2"):
        packed(np.full((2, 2), 2), "ternary", **options)
    with pytest.raises(ValueError, match="weights must be within -1 … 1 with code 'ternary', not 2 … 2"):
        packed(w, "ternary", **options).image(np.full((2, 2), 2))
    with pytest.raises(ValueError, match="weights can be written only where writable is True, not False"):
        packed(w, "ternary", writable=False, **options).image(w)
