# amaranth: UnusedElaboratable=no
"""MatVec: bits, timing contract, storage.

| testpoint | stage | test |
| --- | --- | --- |
| equals its model over random shapes, formats, foldings, biases, stalls | full | test_equals_model |
| groups: each output sees its own part, in one interval of groups·SF·NF, bubble-free | full | test_groups |
| bits depend neither on folding nor on stalls nor on where the memories are | full | test_folding_changes_no_bit |
| extreme inputs reach exactly the accumulator's bounds, which one bit less refuses | full | test_extremes |
| first output `depth` cycles after the last input beat, at any pace | full | test_depth_at_any_pace |
| interval SF·NF without bubbles; latency SF − 1 + depth | smoke | test_interval_and_latency |
| output beats exactly max(SF, sink) apart | full | test_spacing |
| the next vector loads while this one is computed | full | test_buffer_takes_two_vectors |
| one stored word per step, fewest bits per weight | smoke | test_weight_storage |
| starts are left out, shared or stored as needed | smoke | test_start_rom |
| no multipliers; buffer in block memory without bypass logic | full | test_synthesis |
| every weight bit reaches the output | full | test_every_stored_bit_matters |
| features count what there is, and make no words | smoke | test_features |
| the widths of the adder trees are those of a tree built number by number | smoke | test_tree_widths |
| bad parameters are refused with the way out | smoke | test_errors |
"""

import re

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned

from bitloom.hw import MatVec
from bitloom.hw.arithmetic.dot import Peaks, bit_lengths
from bitloom.hw.arithmetic.weights import FoldedWeights, WeightCode
from bitloom.hw.parameters import bounds, pack, shape_of_range

WEIGHTS = {"binary": None, "ternary": (-1, 1), "i3": (-3, 3), "full i3": (-4, 3), "bits": (0, 1), "i5": (-13, 15)}
ACTIVATIONS = {"bipolar": unsigned(1), "u1": unsigned(1), "u3": unsigned(3), "i3": signed(3), "i1": signed(1)}


def random_weights(rng, kind, n, k):
    if kind == "binary":
        return rng.choice([-1, 1], (n, k))
    lo, hi = WEIGHTS[kind]
    return rng.integers(lo, hi + 1, (n, k))


def sum_range(w, activation, bipolar, bias=None):
    lo, hi = (-1, 1) if bipolar else bounds(activation)
    bias = 0 if bias is None else bias
    low = np.minimum(w * lo, w * hi).sum(1) + bias
    high = np.maximum(w * lo, w * hi).sum(1) + bias
    return int(low.min()), int(high.max())


def matvec(w, *, pe, simd, activation="u3", bias=None, **options):
    """A unit with the narrowest accumulator for inputs of any value."""
    bipolar, shape = activation == "bipolar", ACTIVATIONS[activation]
    return MatVec(
        w,
        pe=pe,
        simd=simd,
        activation=shape,
        accumulator=shape_of_range(*sum_range(w, shape, bipolar, bias)),
        bipolar_activation=bipolar,
        bias=bias,
        **options,
    )


def random_inputs(rng, unit, vectors):
    k = unit.groups * unit.weights.shape[1]
    if unit.bipolar_activation:
        return rng.choice([-1, 1], (vectors, k))
    lo, hi = bounds(unit.activation)
    return rng.integers(lo, hi + 1, (vectors, k))


def run(drive, unit, x, **stalls):
    return drive(
        unit,
        x,
        len(unit.weights),
        i_shape=unit.activation,
        i_lanes=unit.simd,
        o_shape=unit.accumulator,
        o_lanes=unit.pe,
        bipolar=(unit.bipolar_activation, False),
        **stalls,
    )


@pytest.mark.parametrize("seed", range(30))
def test_equals_model(drive, gaps, seed):
    rng = np.random.default_rng(seed)
    kind, activation = rng.choice(list(WEIGHTS)), rng.choice(list(ACTIVATIONS))
    pe, simd, nf, sf = (int(rng.integers(1, top)) for top in (5, 8, 5, 5))
    w = random_weights(rng, kind, pe * nf, simd * sf)
    bias = rng.integers(-30, 31, pe * nf) if rng.integers(2) else None
    for i_gap, o_gap in [("none", "none"), ("random", "random"), ("heavy", "none"), ("none", "heavy")]:
        unit = matvec(w, pe=pe, simd=simd, activation=activation, bias=bias)
        x = random_inputs(rng, unit, 5)
        done = run(drive, unit, x, i_gap=gaps(i_gap, seed), o_gap=gaps(o_gap, seed + 1))
        reference = x @ w.T + (0 if bias is None else bias)
        assert np.array_equal(done.y, reference), (kind, activation, pe, simd, nf, sf)
        assert np.array_equal(unit.model(x), reference)
        assert np.diff(done.o_cycles).min(initial=sf) >= sf


@pytest.mark.parametrize(
    ("pe", "simd", "nf", "sf"), [(2, 3, 2, 2), (1, 2, 3, 1), (3, 2, 1, 3), (2, 5, 1, 1), (1, 1, 2, 4)]
)
@pytest.mark.parametrize("groups", [2, 3])
def test_groups(drive, gaps, groups, pe, simd, nf, sf):
    rng = np.random.default_rng(groups)
    n, k = pe * nf, simd * sf
    for kind, activation, gap in (("i3", "i3", "none"), ("binary", "bipolar", "random"), ("ternary", "u3", "heavy")):
        w = random_weights(rng, kind, groups * n, k)
        bias = rng.integers(-9, 10, groups * n)
        unit = matvec(w, pe=pe, simd=simd, activation=activation, bias=bias, groups=groups)
        assert (unit.interval, unit.neuron_fold, unit.synapse_fold) == (groups * nf * sf, nf, sf)
        x = random_inputs(rng, unit, 4)
        parts = [x[:, g * k : (g + 1) * k] @ w[g * n : (g + 1) * n].T for g in range(groups)]
        done = run(drive, unit, x, i_gap=gaps(gap, 1), o_gap=gaps(gap, 2))
        assert np.array_equal(done.y, np.concatenate(parts, axis=1) + bias)
        assert np.array_equal(unit.model(x), done.y)
        if gap == "none":
            assert done.o_cycles[0] - done.i_cycles[0] == unit.latency
            assert set(np.diff(done.o_cycles)) == {sf}
            assert set(np.diff(done.i_cycles[:: groups * sf])[2:]) == {unit.interval}


def test_range_of_each_group():
    """Each group has the ranges of its own inputs: a group whose inputs stay small does not widen the accumulator."""
    w = np.array([[1, 1], [3, 3]])
    low, high = np.zeros(4, int), np.array([7, 7, 1, 1])
    shapes = {"activation": unsigned(3), "accumulator": unsigned(4)}
    unit = MatVec(w, pe=1, simd=2, activation_range=(low, high), groups=2, **shapes)
    assert unit.model(np.array([[7, 7, 1, 1]])).tolist() == [[14, 6]]
    with pytest.raises(ValueError, match="x must lie within 0 … 7, not 2 … 7"):
        unit.model(np.array([[7, 7, 2, 2]]))


@pytest.mark.parametrize("activation", ["bipolar", "i3"])
def test_folding_changes_no_bit(drive, gaps, activation):
    rng = np.random.default_rng(3)
    w = random_weights(rng, "i3", 4, 12)
    bias = rng.integers(-9, 10, 4)
    x = random_inputs(rng, matvec(w, pe=1, simd=1, activation=activation), 3)
    for pe in (1, 2, 4):
        for simd in (1, 4, 12):
            for memory, buffer, gap in (("block", "block", "none"), ("distributed", "registers", "random")):
                unit = matvec(w, pe=pe, simd=simd, activation=activation, bias=bias, memory=memory, buffer=buffer)
                done = run(drive, unit, x, i_gap=gaps(gap, 1), o_gap=gaps(gap, 2))
                assert np.array_equal(done.y, x @ w.T + bias), (pe, simd)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kind", ["binary", "ternary", "i3", "full i3"])
def test_extremes(drive, kind, activation):
    rng = np.random.default_rng(11)
    w = random_weights(rng, kind, 4, 9)
    bipolar, shape = activation == "bipolar", ACTIVATIONS[activation]
    lo, hi = (-1, 1) if bipolar else bounds(shape)
    x = np.concatenate([np.where(w > 0, lo, hi), np.where(w > 0, hi, lo)])
    low, high = sum_range(w, shape, bipolar)
    unit = matvec(w, pe=2, simd=3, activation=activation)
    y = run(drive, unit, x).y
    assert (y.min(), y.max()) == (low, high)
    assert bounds(unit.accumulator)[0] <= low and high <= bounds(unit.accumulator)[1]
    narrow = shape_of_range(low, high)
    narrow = signed(narrow.width - 1) if narrow.signed else unsigned(narrow.width - 1)
    if narrow.width:
        with pytest.raises(ValueError, match=re.escape(f"accumulator must hold the sums {low} … {high}")):
            MatVec(w, pe=2, simd=3, activation=shape, accumulator=narrow, bipolar_activation=bipolar)


FOLDINGS = [(1, 1, 1, 1), (1, 4, 1, 4), (2, 3, 3, 2), (2, 5, 2, 1), (1, 1, 4, 5), (3, 16, 2, 2), (2, 33, 1, 3)]


def folded(pe, simd, nf, sf, kind="i3"):
    return matvec(random_weights(np.random.default_rng(2), kind, pe * nf, simd * sf), pe=pe, simd=simd)


@pytest.mark.parametrize("folding", FOLDINGS)
@pytest.mark.parametrize("pace", ["none", "period 2", "period 7", "random", "heavy"])
def test_depth_at_any_pace(drive, gaps, folding, pace):
    unit = folded(*folding)
    x = random_inputs(np.random.default_rng(1), unit, 2)
    done = run(drive, unit, x, i_gap=gaps(pace, 4))
    assert done.o_cycles[0] - done.i_cycles[unit.synapse_fold - 1] == unit.depth


@pytest.mark.parametrize("kind", ["ternary", "i5"])
@pytest.mark.parametrize("folding", FOLDINGS)
def test_interval_and_latency(drive, folding, kind):
    unit = folded(*folding, kind)
    assert unit.interval == folding[2] * folding[3]
    done = run(drive, unit, random_inputs(np.random.default_rng(1), unit, 6))
    assert done.o_cycles[0] - done.i_cycles[0] == unit.latency
    assert set(np.diff(done.o_cycles)) == {unit.synapse_fold}
    starts = np.array(done.i_cycles)[:: unit.synapse_fold]
    assert set(np.diff(starts[2:])) == {unit.interval}


@pytest.mark.parametrize("sink", [1, 2, 3, 5, 11])
@pytest.mark.parametrize("folding", FOLDINGS)
def test_spacing(drive, folding, sink):
    """The sink takes a beat ``sink`` cycles after the one before, as a unit with that interval does."""
    unit = folded(*folding)
    x = random_inputs(np.random.default_rng(1), unit, 3)
    done = run(drive, unit, x, o_interval=sink)
    assert set(np.diff(done.o_cycles)) == {max(unit.synapse_fold, sink)}


def test_buffer_takes_two_vectors(drive, gaps):
    """While the sink blocks for good, the buffer fills with two vectors, then ``ready`` falls."""
    unit = folded(2, 3, 4, 5)
    x = random_inputs(np.random.default_rng(1), unit, 4)
    done = run(drive, unit, x, o_gap=lambda cycle: cycle < 100)
    early = [cycle for cycle in done.i_cycles if cycle < 100]
    assert early == list(range(10))
    assert np.array_equal(done.y, unit.model(x))


def test_weight_storage():
    w = np.array([[1, -1, 1, 1], [-1, -1, 1, -1]])
    assert matvec(w, pe=2, simd=4).roms()["weights"].words == (0b10110010,)
    rom = matvec(w, pe=1, simd=2, memory="block").roms()["weights"]
    assert (rom.words, rom.width, rom.memory) == ((0b10, 0b00, 0b11, 0b10), 2, "block")
    for values, kind, bits in [
        ([-1, 0, 1], "ternary", 2),
        ([0, 0], "ternary", 2),
        ([-3, 3], "magnitude", 3),
        ([-4, 3], "complement", 3),
        ([2, 1], "magnitude", 3),
        ([-2, 0], "complement", 2),
        ([-128, 5], "complement", 8),
    ]:
        values = np.array([values])
        code = WeightCode.of(values)
        assert (code.kind, code.bits) == (kind, bits)
        stored = code.encode(values)
        assert stored.max() < 1 << bits
        sign = np.where(values < 0, -1, 1)
        digits = np.stack(code.digits(values)).astype(int) << np.arange(code.planes)[:, None, None]
        if kind == "complement":
            digits[-1] *= -1
            sign = 1
        assert np.array_equal(sign * digits.sum(0), values)


def test_start_rom():
    rng = np.random.default_rng(0)
    positive = rng.integers(0, 4, (4, 6))
    assert list(matvec(positive, pe=2, simd=3).roms()) == ["weights"]
    binary = random_weights(rng, "binary", 4, 6)
    assert matvec(binary, pe=2, simd=3, activation="bipolar").roms()["start"].depth == 1
    bias = np.arange(4)
    assert matvec(positive, pe=2, simd=3, bias=bias).roms()["start"].words == (pack((0, 1), 3), pack((2, 3), 3))


@pytest.mark.parametrize("activation", ["u3", "bipolar"])
@pytest.mark.parametrize("kind", ["binary", "ternary", "i3", "full i3"])
def test_every_stored_bit_matters(drive, kind, activation):
    """Flip bits of the stored words: the outputs change (a sign bit of a zero weight alone says nothing)."""
    rng = np.random.default_rng(8)
    w = random_weights(rng, kind, 2, 4)
    unit = matvec(w, pe=1, simd=2, activation=activation)
    rom = unit.roms()["weights"]
    x = random_inputs(rng, unit, 24)
    bits = WeightCode.of(w).bits
    order = w.reshape(-1, 2)
    for word in range(rom.depth):
        for bit in range(rom.width):
            if kind in ("ternary", "i3") and bit % bits == bits - 1 and order[word, bit // bits] == 0:
                continue
            changed = matvec(w, pe=1, simd=2, activation=activation)
            words = list(rom.words)
            words[word] ^= 1 << bit
            changed.roms()["weights"]._words = tuple(words)
            assert not np.array_equal(run(drive, changed, x).y, x @ w.T), (word, bit)


def test_synthesis(synthesize):
    w = random_weights(np.random.default_rng(0), "i3", 8, 32)
    found = synthesize(matvec(w, pe=1, simd=8, memory="block", buffer="block"), "ice40")
    registers = sum(count for cell, count in found.items() if cell.startswith("SB_DFF"))
    assert found["SB_RAM40_4K"] == 2 + 2
    assert found["SB_LUT4"] <= 200 and registers <= 70, found
    binary = random_weights(np.random.default_rng(0), "binary", 16, 64)
    found = synthesize(matvec(binary, pe=1, simd=4, memory="block", buffer="block", activation="bipolar"), "ice40")
    assert found["SB_LUT4"] <= 68, found  # control that counts beats takes half as much again
    found = synthesize(matvec(w, pe=8, simd=8), "ecp5")
    assert "MULT18X18D" not in found and found["CCU2C"] > 0


def test_features():
    w = random_weights(np.random.default_rng(0), "i3", 8, 32)
    count = matvec(w, pe=2, simd=8, memory="block", buffer="block").features()
    assert count["product_bits"] == 2 * 8 * 2 * 3
    assert count["block_bits"] == 8 * 32 * 3 + 2 * 4 * 8 * 3
    assert count["blocks"] == 3 + 2
    assert count["accumulator_bits"] <= 2 * matvec(w, pe=2, simd=8).accumulator.width
    constant = matvec(w, pe=8, simd=32).features()
    assert "product_bits" not in constant and constant["constant_bits"] >= 8 * 32 * 3
    assert all(value >= 0 for value in (count | constant).values())


def test_features_make_no_words(monkeypatch):
    monkeypatch.setattr(FoldedWeights, "words", lambda self: pytest.fail("words were made"))
    for pe, simd in ((1, 1), (8, 32), (2, 4)):
        assert matvec(random_weights(np.random.default_rng(0), "i3", 8, 32), pe=pe, simd=simd).features()


@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.parametrize(("pe", "simd"), [(3, 300), (2, 100), (6, 1)])
def test_tree_widths(kind, pe, simd):
    w = random_weights(np.random.default_rng(simd), kind, 6, 300)
    code = WeightCode.of(w)
    for lane in range(pe):
        steps = w[lane::pe].reshape(-1, simd)
        planes = [[[int(d) * 7 for d in step] for step in plane] for plane in code.digits(steps)]
        found, products, adders = Peaks.of(FoldedWeights(w, code, pe, simd)).lane(lane), 0, 0
        for tree, plane in zip(found.trees, planes):
            used = np.array(plane).max(0) > 0
            products += 3 * int(used.sum())
            for level, node in enumerate(tree):
                assert (node[0] * 7).tolist() == np.max(plane, axis=0).tolist(), level
                assert bit_lengths(node[0] * 7).tolist() == [int(v).bit_length() for v in node[0] * 7]
                plane = [[sum(step[j : j + 2]) for j in range(0, len(step), 2)] for step in plane]
                used, below = np.array(plane).max(0) > 0, used
                if level + 1 < len(tree):
                    both = [bool(below[2 * j : 2 * j + 2].sum() == 2) for j in range(len(used))]
                    adders += sum(int(v).bit_length() for v, b in zip(np.max(plane, axis=0), both) if b)
        tops = np.array([[sum(step) << i for step in plane] for i, plane in enumerate(planes)])
        assert found.root[-1][0, 0] * 7 == tops.sum(0).max()
        assert found.features(3)["product_bits"] == products
        if code.planes == 1:
            assert found.features(3)["adder_bits"] == adders


def test_bit_lengths():
    values = [0, 1, 2, 3, 255, 256, (1 << 53) - 1, (1 << 53) + 1, (1 << 60) - 1, 1 << 60, (1 << 62) + 7]
    assert bit_lengths(np.array(values)).tolist() == [v.bit_length() for v in values]


GOOD = {"pe": 2, "simd": 3, "activation": unsigned(3), "accumulator": signed(9)}


@pytest.mark.parametrize(
    ("weights", "change", "error", "message"),
    [
        (np.ones((4, 27), int), {"simd": 4}, ValueError, "SIMD must divide the 27 input elements, not 4 (use 1, 3, 9"),
        (np.ones((4, 27), int), {"pe": 3}, ValueError, "PE must divide the 4 output elements, not 3 (use 1, 2 or 4)"),
        (np.ones((4, 27), int), {"pe": 0}, ValueError, "PE must be at least 1, not 0"),
        (np.ones((4, 27), int), {"pe": "2"}, TypeError, "PE must be an integer, not '2'"),
        (np.ones((4, 27)), {}, TypeError, "weights must be a NumPy array of integers, not of float64"),
        ([[1]], {}, TypeError, "weights must be a NumPy array of integers, not of list"),
        (np.ones(27, int), {}, ValueError, "weights must have 2 axes, none empty, not the shape (27,)"),
        (
            np.ones((4, 27), int),
            {"accumulator": unsigned(7)},
            ValueError,
            "accumulator must hold the sums 0 … 189 of these weights, not unsigned(7) (use unsigned(8))",
        ),
        (np.ones((4, 27), int), {"activation": 3}, TypeError, "activation must be an Amaranth shape"),
        (
            np.ones((4, 27), int),
            {"bipolar_activation": True},
            ValueError,
            "activation must be unsigned(1) where it is bipolar, not unsigned(3)",
        ),
        (np.ones((4, 27), int), {"bias": np.ones(3, int)}, ValueError, "one value for each of the 4 outputs, not (3,)"),
        (np.ones((4, 27), int), {"groups": 3}, ValueError, "groups must divide the 4 output elements, not 3 (use 1, 2"),
        (
            np.ones((4, 27), int),
            {"groups": 2, "pe": 4},
            ValueError,
            "PE must divide the 2 output elements of each of the 2 groups, not 4 (use 1 or 2)",
        ),
        (np.ones((4, 27), int), {"memory": "sram"}, ValueError, "memory must be one of auto, block, distributed"),
        (np.ones((4, 27), int), {"buffer": "sram"}, ValueError, "buffer must be one of auto, block, registers"),
    ],
)
def test_errors(weights, change, error, message):
    with pytest.raises(error, match=re.escape(message)):
        MatVec(weights, **(GOOD | change))


def test_model_refuses_what_cannot_arrive():
    unit = folded(1, 2, 1, 2)
    with pytest.raises(ValueError, match="x must lie within 0 … 7, not 0 … 8"):
        unit.model(np.array([[0, 8, 1, 1]]))
    with pytest.raises(ValueError, match="x must have 4 elements per vector, not 3"):
        unit.model(np.zeros((1, 3), int))
