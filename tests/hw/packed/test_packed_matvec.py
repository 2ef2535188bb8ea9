# amaranth: UnusedElaboratable=no
"""PackedMatVec: MatVec's bits and timing, with multipliers.

| testpoint | stage | test |
| --- | --- | --- |
| equals W·x + bias over random shapes, formats, devices, foldings, biases, stalls | full | test_equals_model |
| all weights and activations at their ends reach exactly the accumulator's bounds | full | test_extremes |
| bits depend neither on the folding nor on the device | full | test_folding_and_device_change_no_bit |
| each group sees its own part | full | test_groups |
| control is exact under stalls; latency and interval as MatVec's with more stages | full | test_control |
| every stored bit reaches the output | full | test_every_stored_bit_matters |
| few bits per stored weight | smoke | test_weight_storage |
| multipliers, carries and overlaps are counted | smoke | test_features |
| without a device, synthesis finds the multipliers | full | test_inferred |
| bad parameters are refused with the way out | smoke | test_errors |
"""

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from support.control import assert_follows

from bitloom.hw import MatVec, PackedMatVec
from bitloom.hw.memory.rom import Rom
from bitloom.hw.packed.multiplier import UNITS
from bitloom.hw.parameters import bounds, shape_of_range

WEIGHTS = {"binary": (-1, 1), "ternary": (-1, 1), "i3": (-3, 3), "full i3": (-4, 3), "bits": (0, 1),
           "negative": (-3, -1), "i4": (-7, 7), "full i4": (-8, 7)}  # fmt: skip
ACTIVATIONS = {"bipolar": unsigned(1), "u1": unsigned(1), "u3": unsigned(3), "i3": signed(3), "i1": signed(1),
               "u8": unsigned(8), "i8": signed(8)}  # fmt: skip
DEVICES = [None, *UNITS]


def random_weights(rng, kind, n, k):
    lo, hi = WEIGHTS[kind]
    return rng.choice([-1, 1], (n, k)) if kind == "binary" else rng.integers(lo, hi + 1, (n, k))


def packed(w, *, activation="u3", bias=None, **options):
    """A unit with the narrowest accumulator for inputs of any value."""
    bipolar, shape = activation == "bipolar", ACTIVATIONS[activation]
    lo, hi = (-1, 1) if bipolar else bounds(shape)
    offset = 0 if bias is None else bias
    low, high = (np.minimum(w * lo, w * hi).sum(1) + offset).min(), (np.maximum(w * lo, w * hi).sum(1) + offset).max()
    return PackedMatVec(
        w, activation=shape, accumulator=shape_of_range(low, high), bipolar_activation=bipolar, bias=bias, **options
    )


def random_inputs(rng, unit, vectors):
    k = unit.groups * unit.weights.shape[1]
    lo, hi = (-1, 1) if unit.bipolar_activation else bounds(unit.activation)
    ends = rng.choice([lo, hi], (vectors, k))
    if unit.bipolar_activation:
        return ends
    return np.where(rng.integers(2, size=(vectors, 1)), ends, rng.integers(lo, hi + 1, (vectors, k)))


def run(drive, unit, x, **stalls):
    return drive(unit, x, len(unit.weights), i_shape=unit.activation, i_lanes=unit.simd, o_shape=unit.accumulator,
                 o_lanes=unit.pe, bipolar=(unit.bipolar_activation, False), **stalls)  # fmt: skip


@pytest.mark.parametrize("seed", range(48))
def test_equals_model(drive, gaps, seed):
    rng = np.random.default_rng(seed)
    kind, activation = rng.choice(list(WEIGHTS)), rng.choice(list(ACTIVATIONS))
    pe, simd, nf, sf = (int(rng.integers(1, top)) for top in (7, 7, 4, 4))
    w = random_weights(rng, kind, pe * nf, simd * sf)
    bias = rng.integers(-30, 31, pe * nf) if rng.integers(2) else None
    options = {"pe": pe, "simd": simd, "activation": activation, "bias": bias, "device": DEVICES[seed % len(DEVICES)]}
    i_gap, o_gap = [("none", "none"), ("random", "random"), ("heavy", "none"), ("none", "heavy")][seed % 4]
    unit = packed(w, **options)
    x = random_inputs(rng, unit, 4)
    done = run(drive, unit, x, i_gap=gaps(i_gap, seed), o_gap=gaps(o_gap, seed + 1))
    reference = x @ w.T + (0 if bias is None else bias)
    assert np.array_equal(done.y, reference), (kind, options, unit.packing)
    assert np.array_equal(unit.model(x), reference)
    assert np.diff(done.o_cycles).min(initial=sf) >= sf
    if (i_gap, o_gap) == ("none", "none"):
        assert done.o_cycles[0] - done.i_cycles[0] == unit.latency


@pytest.mark.parametrize("activation", ["bipolar", "u3", "i3", "u8", "i8"])
@pytest.mark.parametrize("device", ["ecp5", "ice40", "dsp48e2"])
def test_extremes(drive, device, activation):
    """All weights −1, +1, 0, and their least and greatest, in turn with the same activations."""
    lo, hi = (-1, 1) if activation == "bipolar" else bounds(ACTIVATIONS[activation])
    x = np.array([[lo] * 6, [hi] * 6, [lo, hi] * 3, [hi, lo] * 3])
    for ends in ((-1, 1), (-8, 7)):
        rows = np.array([[ends[0]] * 6, [ends[1]] * 6, [0] * 6, [-1] * 6, [1] * 6, [*ends] * 3])
        unit = packed(rows, pe=6, simd=3, activation=activation, device=device)
        reference = x @ rows.T
        assert np.array_equal(run(drive, unit, x).y, reference)
        least, greatest = bounds(unit.accumulator)
        assert least <= reference.min() and reference.max() <= greatest
        narrower = shape_of_range(reference.min() + 1, reference.max() - 1)
        if narrower.width < unit.accumulator.width:
            with pytest.raises(ValueError, match="accumulator must hold the sums"):
                PackedMatVec(rows, pe=6, simd=3, activation=unit.activation, accumulator=narrower, device=device,
                             bipolar_activation=unit.bipolar_activation)  # fmt: skip


@pytest.mark.parametrize("weight", [-1, 0, 1])
@pytest.mark.parametrize("activation", ["bipolar", "u3", "i3"])
def test_one_weight_for_all(drive, activation, weight):
    """A matrix of equal weights: its code and its range say different things."""
    rows = np.full((4, 2), weight)
    unit = packed(rows, pe=4, simd=1, activation=activation, device="ecp5")
    x = random_inputs(np.random.default_rng(5), unit, 8)
    assert np.array_equal(run(drive, unit, x).y, x @ rows.T)


@pytest.mark.parametrize("activation", ["bipolar", "i3"])
def test_folding_and_device_change_no_bit(drive, gaps, activation):
    rng = np.random.default_rng(3)
    w, bias = random_weights(rng, "i3", 4, 12), rng.integers(-9, 10, 4)
    x = random_inputs(rng, packed(w, pe=1, simd=1, activation=activation), 3)
    for number, (pe, simd) in enumerate([(1, 1), (1, 12), (2, 4), (4, 1), (4, 4), (4, 12), (2, 12)]):
        device = DEVICES[number % len(DEVICES)]
        unit = packed(w, pe=pe, simd=simd, activation=activation, bias=bias, device=device)
        done = run(drive, unit, x, o_gap=gaps("random", number))
        assert np.array_equal(done.y, x @ w.T + bias), (pe, simd, device)


def test_groups(drive, gaps):
    rng = np.random.default_rng(4)
    w, bias = random_weights(rng, "ternary", 12, 6), rng.integers(-9, 10, 12)
    unit = packed(w, pe=2, simd=3, activation="i3", bias=bias, groups=3, device="ecp5")
    x = random_inputs(rng, unit, 4)
    parts = [x[:, 6 * g : 6 * g + 6] @ w[4 * g : 4 * g + 4].T for g in range(3)]
    done = run(drive, unit, x, i_gap=gaps("random", 1), o_gap=gaps("random", 2))
    assert np.array_equal(done.y, np.concatenate(parts, axis=1) + bias)


@pytest.mark.parametrize(("pe", "simd", "n", "k"), [(2, 4, 2, 8), (3, 2, 6, 6), (1, 5, 3, 5), (4, 4, 4, 4)])
@pytest.mark.parametrize("stalls", ["flowing", "random", "blocked"])
def test_control(pe, simd, n, k, stalls):
    w = random_weights(np.random.default_rng(5), "full i3", n, k)
    for device in ("ecp5", "ice40"):
        unit = packed(w, pe=pe, simd=simd, activation="u8", device=device)
        usual = MatVec(w, pe=pe, simd=simd, activation=unit.activation, accumulator=unit.accumulator)
        tree = (simd - 1).bit_length() // 2
        stages = unit.packing.used.stages + tree
        assert unit.interval == usual.interval
        assert unit.depth == stages + (2 if n == pe else 3)
        assert_follows(unit, stalls=stalls, vectors=3)


@pytest.mark.parametrize(("kind", "activation", "device"), [("binary", "u3", "ecp5"), ("i3", "u8", "ecp5"),
                                                           ("full i3", "u3", "ice40")])  # fmt: skip
def test_every_stored_bit_matters(drive, kind, activation, device):
    rng = np.random.default_rng(6)
    w = random_weights(rng, kind, 3, 2)
    w[w == 0] = 1  # of a weight that is always 0, nothing is added
    unit = packed(w, pe=3, simd=2, activation=activation, device=device)
    x = np.vstack([random_inputs(rng, unit, 6), np.full((1, 2), bounds(unit.activation)[1])])
    correct = run(drive, unit, x).y
    assert np.array_equal(correct, x @ w.T)
    (word,) = unit.roms()["weights"].words
    width = unit.roms()["weights"].width
    for bit in range(width):
        damaged = packed(w, pe=3, simd=2, activation=activation, device=device)
        damaged._weight_rom = Rom([word ^ (1 << bit)], width)
        assert not np.array_equal(run(drive, damaged, x).y, correct), f"bit {bit} of {width}"


def test_weight_storage():
    """One bit for binary weights, two for ternary, and one more for lanes above one where a range is not narrow."""
    rng = np.random.default_rng(7)
    for kind, bits in (("binary", [1, 1]), ("ternary", [2, 2]), ("i4", [4, 4]), ("full i4", [4, 5]), ("bits", [1, 1])):
        w = random_weights(rng, kind, 2, 64)
        unit = packed(w, pe=2, simd=4, activation="u3", device="ecp5")
        assert unit.roms()["weights"].width == 4 * sum(bits), kind
        assert unit.roms()["weights"].depth == 16


def test_features():
    w = np.array([[-7, 7, 3, 1]] * 6)
    unit = packed(w, pe=3, simd=2, activation="u8", device="ecp5")
    counted = unit.features()
    assert unit.packing.offsets == (0, 12) and unit.multipliers == 4
    assert (counted["multipliers"], counted["correction_bits"], counted["overlap_bits"]) == (4, 2, 0)
    # one adder per lane, of −7·255 … 7·255 in one step and 0 … 4·255 in the other
    assert counted["adder_bits"] == sum(shape_of_range(-7 * 255 - lacks, 7 * 255).width for lacks in (0, 1, 0))
    whole = packed(w[:1], pe=1, simd=4, activation="u8", device="ice40").features()
    assert whole["multipliers"] == 2 and "constant_multipliers" not in whole
    ternary = packed(np.array([[-1, 1]] * 3), pe=3, simd=1, activation="u8", device="ecp5")
    assert ternary.features()["overlap_bits"] == 2
    assert ternary.features()["register_bits"] == 8 + 2 * 2


def test_inferred(synthesize):
    w = random_weights(np.random.default_rng(8), "full i4", 4, 8)
    unit = packed(w, pe=4, simd=2, activation="u8")
    assert synthesize(unit, "ecp5")["MULT18X18D"] == unit.multipliers == 4


def test_errors():
    w = np.array([[1, -1], [0, 1]])
    options = {"pe": 1, "simd": 1, "activation": unsigned(8), "accumulator": signed(12)}
    with pytest.raises(ValueError, match="device must be one of ecp5, ice40, gowin, dsp48e1, dsp48e2, not 'nexus'"):
        PackedMatVec(w, device="nexus", **options)
    with pytest.raises(ValueError, match=r"weights must be of at most 16 bits \(signed\), not -1 … 70000, .* on ice40"):
        PackedMatVec(np.array([[70000, -1]]), device="ice40", **options)
    with pytest.raises(ValueError, match="PE must divide the 2 output elements, not 3"):
        PackedMatVec(w, **options | {"pe": 3})
