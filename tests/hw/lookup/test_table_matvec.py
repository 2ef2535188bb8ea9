# amaranth: UnusedElaboratable=no
"""TableMatVec: bits, timing contract, storage.

| testpoint | stage | test |
| --- | --- | --- |
| every group is looked up once, neighbours on the walk differ by one trit | smoke | test_build_path |
| the closed form of an entry's range is that of all sums | smoke | test_entry_bounds |
| equals its model over random shapes, formats, foldings, builds, memories, biases, stalls | full | test_equals_model |
| every combination of group, build and memories | full | test_builds, test_long_walks |
| weights and activations all −1, all +1, all zero, extreme; sums at the accumulator's bounds | full | test_extremes |
| tails: slices that do not fill, lanes that are too many | full | test_tails |
| every ready and valid of every cycle is as `control` says | full | test_control |
| interval and latency are the closed forms, without bubbles | smoke | test_interval_and_latency |
| weights take 4, 5, 7 and 8 bits per group; one word per step | smoke | test_weight_storage |
| every weight bit reaches the output | full | test_every_stored_bit_matters |
| tables in LUT memory, no multipliers, one LUT for each bit of adder | full | test_synthesis |
| features count what there is, and make no words | smoke | test_features |
| bad parameters are refused with the way out | smoke | test_errors |
"""

import re
from itertools import product

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from support.control import STALLS, assert_follows

from bitloom.hw import TableMatVec
from bitloom.hw.lookup.trit_codes import TritWeights, build_path, entries, entry_bounds, index_bits, numbers
from bitloom.hw.parameters import bounds, shape_of_range

ACTIVATIONS = {"bipolar": unsigned(1), "u1": unsigned(1), "u3": unsigned(3), "i3": signed(3), "i8": signed(8)}
PARTIALS = ("block", "distributed", "registers")


def table_matvec(w, *, activation="i3", bias=None, **options):
    """A unit with the narrowest accumulator for inputs of any value."""
    bipolar, shape = activation == "bipolar", ACTIVATIONS[activation]
    lo, hi = (-1, 1) if bipolar else bounds(shape)
    low, high = (least(w * lo, w * hi).sum(1) + (0 if bias is None else bias) for least in (np.minimum, np.maximum))
    accumulator = shape_of_range(low.min(), high.max())
    return TableMatVec(
        w, activation=shape, bipolar_activation=bipolar, bias=bias, accumulator=accumulator, **options
    )  # fmt: skip


def ternary(rng, n, k):
    return rng.integers(-1, 2, (n, k))


def random_inputs(rng, unit, vectors):
    k = unit.weights.shape[1]
    if unit.bipolar_activation:
        return rng.choice([-1, 1], (vectors, k))
    lo, hi = bounds(unit.activation)
    return rng.integers(lo, hi + 1, (vectors, k))


def run(drive, unit, x, **stalls):
    """What came out; the surplus lanes of the last beat are 0 and left out."""
    done = drive(unit, x, unit.neuron_fold * unit.pe, i_shape=unit.activation, i_lanes=unit.simd,
                 o_shape=unit.accumulator, o_lanes=unit.pe, bipolar=(unit.bipolar_activation, False),
                 **stalls)  # fmt: skip
    n = len(unit.weights)
    assert not done.y[:, n:].any()
    done.y = done.y[:, :n]
    return done


def random_unit(rng, **fixed):
    """A unit of random shape and folding, with what ``fixed`` says."""
    group = fixed.pop("group", int(rng.choice([2, 2, 3, 3, 4, 5])))
    serial = bool(rng.integers(2)) and group < 5
    simd, pe, tables = int(rng.integers(1, 4)), int(rng.integers(1, 4)), int(rng.integers(1, 6))
    folds = int(rng.integers(0, 4)) + (entries(group) if serial else 1)
    n = pe * folds - int(rng.integers(0, pe))
    k = simd * int(rng.integers(1, 3 * group * tables // simd + 2))
    tables = min(tables, -(-k // group))
    if group * tables < k and group * tables % simd:
        simd = 1
    options = {
        "pe": pe, "simd": simd, "group": group, "tables": tables,
        "build": str(rng.choice(["auto", "serial" if serial else "parallel"])),
        "partials": str(rng.choice(PARTIALS)) if -(-n // pe) >= 3 else "auto",
        "table_memory": str(rng.choice(["auto", "registers"])),
        "memory": str(rng.choice(["block", "distributed"])),
        "activation": str(rng.choice(list(ACTIVATIONS))),
        "bias": rng.integers(-30, 31, n) if rng.integers(2) else None,
    } | fixed  # fmt: skip
    return table_matvec(ternary(rng, n, k), **options)


@pytest.mark.parametrize("group", [2, 3, 4, 5])
def test_build_path(group):
    path = build_path(group)
    assert sorted(numbers(path)) == list(range(entries(group)))
    assert not path[0].any() and set(np.abs(np.diff(path, axis=0)).sum(1)) == {1}


@pytest.mark.parametrize(("lo", "hi"), [(0, 1), (-1, 0), (-4, 3), (0, 7), (-1, 1)])
@pytest.mark.parametrize("group", [2, 3, 4])
def test_entry_bounds(group, lo, hi):
    corners = np.array(list(product((lo, hi), repeat=group)))
    sums = build_path(group) @ corners.T
    assert entry_bounds(lo, hi, group) == (sums.min(), sums.max())


@pytest.mark.parametrize("seed", range(16))
def test_equals_model(drive, gaps, seed):
    rng = np.random.default_rng(seed)
    unit = random_unit(rng)
    bias = 0 if unit.bias is None else unit.bias
    for i_gap, o_gap in [("none", "none"), ("random", "random"), ("heavy", "heavy")][: 1 + 2 * (seed % 3 == 0)]:
        x = random_inputs(rng, unit, 3)
        done = run(drive, unit, x, i_gap=gaps(i_gap, seed), o_gap=gaps(o_gap, seed + 1))
        assert np.array_equal(done.y, x @ unit.weights.T + bias)
        assert np.array_equal(unit.model(x), done.y)


@pytest.mark.parametrize("partials", PARTIALS)
@pytest.mark.parametrize(
    ("group", "build", "table_memory"),
    [(2, "serial", "distributed"), (2, "serial", "registers"), (3, "serial", "distributed"), (3, "serial", "registers"),
     (2, "parallel", "auto"), (3, "parallel", "auto"), (4, "parallel", "auto"), (5, "parallel", "auto")],
)  # fmt: skip
def test_builds(drive, gaps, group, build, table_memory, partials):
    """Also bits do not depend on stalls."""
    rng = np.random.default_rng(group)
    folds = entries(group) if build == "serial" else 3
    w, bias = ternary(rng, 2 * folds, 6 * group), rng.integers(-9, 10, 2 * folds)
    unit = table_matvec(w, pe=2, simd=group, group=group, tables=3, bias=bias, build=build, table_memory=table_memory,
                        partials=partials)  # fmt: skip
    assert (unit.build, unit.partials) == (build, partials)
    x = random_inputs(rng, unit, 3)
    done = run(drive, unit, x, i_gap=gaps("random", 1), o_gap=gaps("random", 2))
    assert np.array_equal(done.y, x @ w.T + bias)


@pytest.mark.parametrize("group", [4, 5])
def test_long_walks(drive, group):
    rng = np.random.default_rng(group)
    w = ternary(rng, entries(group), 2 * group + 1)
    unit = table_matvec(w, pe=1, simd=1, group=group, tables=1)
    assert (unit.build, unit.table_memory) == ("serial", "distributed")
    x = random_inputs(rng, unit, 2)
    assert np.array_equal(run(drive, unit, x).y, x @ w.T)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("group", "build"), [(2, "serial"), (3, "parallel"), (4, "parallel"), (5, "parallel")])
def test_extremes(drive, group, build, activation):
    rng = np.random.default_rng(11)
    w = ternary(rng, 10, 2 * group + 1)
    w[:3] = np.array([[-1], [0], [1]])
    bipolar = activation == "bipolar"
    lo, hi = (-1, 1) if bipolar else bounds(ACTIVATIONS[activation])
    same = np.array([[lo], [hi], [hi if bipolar else 0]]).repeat(w.shape[1], 1)
    x = np.concatenate([np.where(w > 0, lo, hi), np.where(w > 0, hi, lo), same])
    unit = table_matvec(w, pe=2, simd=1, activation=activation, group=group, tables=2, build=build)
    y = run(drive, unit, x).y
    assert np.array_equal(y, x @ w.T)
    low, high = np.minimum(w * lo, w * hi).sum(1).min(), np.maximum(w * lo, w * hi).sum(1).max()
    assert (y.min(), y.max()) == (low, high)
    with pytest.raises(ValueError, match=re.escape(f"accumulator must hold the sums {low} … {high}")):
        TableMatVec(w, pe=2, simd=1, activation=ACTIVATIONS[activation], bipolar_activation=bipolar, group=group,
                    accumulator=signed(shape_of_range(low, high).width - 1 or 1))  # fmt: skip


@pytest.mark.parametrize(("n", "pe"), [(5, 1), (11, 2), (13, 5)])
@pytest.mark.parametrize(("k", "simd", "tables"), [(13, 1, 2), (14, 2, 3), (5, 5, 3), (9, 1, 1), (10, 2, 1)])
def test_tails(drive, n, pe, k, simd, tables):
    rng = np.random.default_rng(k)
    unit = table_matvec(ternary(rng, n, k), pe=pe, simd=simd, group=2, tables=tables)
    x = random_inputs(rng, unit, 3)
    assert np.array_equal(run(drive, unit, x).y, x @ unit.weights.T)


CONTROLS = {
    "one spare beat": {"n": 10, "k": 13, "pe": 2, "simd": 1, "group": 2, "tables": 3},
    "one slice": {"n": 5, "k": 4, "pe": 1, "simd": 2, "group": 2, "tables": 2},
    "slice held by the buffer": {"n": 8, "k": 13, "pe": 1, "simd": 1, "group": 2, "tables": 1},
    "slice in a register": {"n": 12, "k": 13, "pe": 2, "simd": 1, "group": 2, "tables": 2},
    "tables in registers": {"n": 6, "k": 8, "pe": 1, "simd": 4, "group": 2, "tables": 2, "table_memory": "registers"},
    "three trits": {"n": 14, "k": 13, "pe": 1, "simd": 1, "group": 3, "tables": 2, "partials": "block"},
    "unfolded": {"n": 3, "k": 12, "pe": 3, "simd": 6, "group": 3, "tables": 2},
    "all at once": {"n": 3, "k": 5, "pe": 3, "simd": 5, "group": 3, "tables": 2},
    "two folds": {"n": 4, "k": 12, "pe": 2, "simd": 6, "group": 3, "tables": 2},
    "short last slice": {"n": 6, "k": 10, "pe": 2, "simd": 1, "group": 2, "tables": 4},
    "two stages": {"n": 4, "k": 25, "pe": 1, "simd": 5, "group": 5, "tables": 2, "partials": "distributed"},
}
"""Each way in which steps, slices and tables can follow one another."""


def controlled(name):
    options = dict(CONTROLS[name])
    w = ternary(np.random.default_rng(3), options.pop("n"), options.pop("k"))
    return table_matvec(w, **options)


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("name", CONTROLS)
def test_control(name, stalls):
    assert_follows(controlled(name), stalls=stalls, vectors=3)


@pytest.mark.parametrize("name", CONTROLS)
def test_interval_and_latency(drive, name):
    unit = controlled(name)
    beats = -(-unit.weights.shape[1] // unit.simd)
    steps = unit.neuron_fold * unit.synapse_fold
    assert unit.interval >= max(steps, beats)
    assert unit.interval == max(steps, beats) or unit.beats[-1] < unit.neuron_fold < unit.beats[0]
    done = run(drive, unit, random_inputs(np.random.default_rng(1), unit, 4))
    assert done.o_cycles[0] - done.i_cycles[0] == unit.latency
    assert set(np.diff(done.o_cycles[:: unit.neuron_fold])) == {unit.interval}
    if unit.synapse_fold == 1:
        assert done.o_cycles[0] - done.i_cycles[beats - 1] == unit.depth


def test_weight_storage():
    w = np.array([[1, -1, 0, 1, -1, 0], [0, 0, -1, 1, 1, 1]])  # v = −2, 3 | −1 and 0, 2 | 4
    words = table_matvec(w, pe=1, simd=1, group=2, tables=2).roms()["weights"].words
    # A slice's two signs: the first one's own, and whether the second differs. The last slice stands in table 1.
    assert words == (0b1_011_1_010, 0b0_010_0_000, 0b1_001_0_000, 0b0_100_0_000)
    assert [index_bits(group) + 1 for group in (2, 3, 4, 5)] == [4, 5, 7, 8]
    w = ternary(np.random.default_rng(0), 30, 60)
    unit = table_matvec(w, pe=2, simd=3, group=3, tables=4, memory="block")
    rom = unit.roms()["weights"]
    assert (rom.depth, rom.width, rom.memory) == (15 * 5, 2 * 4 * 5, "block")


@pytest.mark.parametrize("partials", PARTIALS)
def test_every_stored_bit_matters(drive, partials):
    rng = np.random.default_rng(8)
    w = rng.choice([-1, 1], (6, 8))
    options = {"pe": 2, "simd": 2, "group": 2, "tables": 2, "partials": partials}
    unit = table_matvec(w, **options)
    x = random_inputs(rng, unit, 6)
    for path, rom in unit.roms().items():
        for word, bit in product(range(rom.depth), range(rom.width)):
            changed = table_matvec(w, **options)
            words = list(rom.words)
            words[word] ^= 1 << bit
            changed.roms()[path]._words = tuple(words)
            assert not np.array_equal(run(drive, changed, x).y, x @ w.T), (path, word, bit)


@pytest.mark.parametrize(
    ("family", "memory", "lut"), [("ecp5", "TRELLIS_DPR16X4", "LUT4"), ("xilinx", "RAM32M", "LUT")]
)
def test_synthesis(synthesize, family, memory, lut):
    w = ternary(np.random.default_rng(0), 15, 24)
    unit = table_matvec(w, pe=3, simd=2, group=2, tables=4, activation="i8", memory="block", partials="block")
    count, found = unit.features(), synthesize(unit, family)
    width = count["lookup_bits"] // (3 * 4)
    assert found[memory] == {"xilinx": 4 * -(-width // 2), "ecp5": 3 * 4 * -(-width // 4)}[family]
    carries = count["adder_bits"] + count["accumulator_bits"] + count["builder_bits"] + 4
    luts = sum(number for cell, number in found.items() if cell.startswith(lut))
    # On xc7 an exclusive-or is in the LUT before the carry chain; ECP5 has one LUT for it, and the chain apart.
    assert luts <= carries + count["builder_mux_bits"] + 60, found
    assert not any(cell.startswith(("DSP", "MULT")) for cell in found)


def test_features(monkeypatch):
    monkeypatch.setattr(TritWeights, "words", lambda self: pytest.fail("words were made"))
    w = ternary(np.random.default_rng(0), 28, 48)
    options = {"pe": 2, "simd": 1, "group": 3, "tables": 4, "memory": "block", "activation": "i8"}
    count = table_matvec(w, partials="block", **options).features()
    assert count["lookup_bits"] == 2 * 4 * 10
    assert count["adder_bits"] == 2 * (11 + 11 + 12)
    assert count["blocks"] >= 3
    registers = table_matvec(w, table_memory="registers", **options).features()
    assert registers["lookup_mux_bits"] == 2 * 4 * 10 * 14 and "lookup_bits" not in registers
    parallel = table_matvec(w, build="parallel", **options).features()
    assert parallel["builder_bits"] == 4 * 10 * (13 - 3)
    assert all(value >= 0 for value in (count | registers | parallel).values())


GOOD = {"pe": 2, "simd": 3, "activation": unsigned(3), "accumulator": signed(9)}


@pytest.mark.parametrize(
    ("weights", "change", "error", "message"),
    [
        (np.full((4, 27), 2), {}, ValueError, "weights must be −1, 0 or +1, not 2 … 2 (use MatVec for others)"),
        (np.ones((4, 27)), {}, TypeError, "weights must be a NumPy array of integers, not of float64"),
        (np.ones((4, 27), int), {"simd": 4}, ValueError, "SIMD must divide the 27 input elements, not 4 (use 1, 3, 9"),
        (
            np.ones((4, 27), int),
            {"simd": 9, "tables": 2},
            ValueError,
            "SIMD must divide the 6 elements of a slice (group 3 · tables 2), not 9 (use one of 1, 3, or other tables)",
        ),
        (np.ones((4, 27), int), {"pe": 5}, ValueError, "PE must be at most the 4 output elements, not 5"),
        (np.ones((4, 27), int), {"pe": "2"}, TypeError, "PE must be an integer, not '2'"),
        (np.ones((4, 27), int), {"group": 6}, ValueError, "group must be 2 to 5, not 6"),
        (np.ones((4, 27), int), {"tables": 10}, ValueError, "tables must be at most 9, for 27 inputs in groups of 3"),
        (np.ones((4, 27), int), {"build": "serial"}, ValueError, "fewer than the 14 entries of a table of 3"),
        (np.ones((4, 27), int), {"build": "fast"}, ValueError, "build must be one of auto, serial, parallel"),
        (
            np.ones((4, 27), int),
            {"table_memory": "distributed"},
            ValueError,
            "table_memory must be registers where the build is parallel, not distributed",
        ),
        (
            np.ones((4, 27), int),
            {"partials": "block"},
            ValueError,
            "partials must be registers where there are fewer than 3 folds of the outputs, not block with 2",
        ),
        (
            np.ones((4, 27), int),
            {"accumulator": unsigned(7)},
            ValueError,
            "accumulator must hold the sums 0 … 189 of these weights, not unsigned(7) (use unsigned(8))",
        ),
        (np.ones((4, 27), int), {"bias": np.ones(3, int)}, ValueError, "one value for each of the 4 outputs, not (3,)"),
        (
            np.ones((4, 27), int),
            {"bipolar_activation": True},
            ValueError,
            "activation must be unsigned(1) where it is bipolar, not unsigned(3)",
        ),
        (np.ones((4, 27), int), {"memory": "sram"}, ValueError, "memory must be one of auto, block, distributed"),
    ],
)
def test_errors(weights, change, error, message):
    with pytest.raises(error, match=re.escape(message)):
        TableMatVec(weights, **(GOOD | change))


def test_model_refuses_what_cannot_arrive():
    unit = table_matvec(np.ones((3, 4), int), pe=1, simd=2, group=2, activation="u3")
    with pytest.raises(ValueError, match="x must lie within 0 … 7, not 0 … 8"):
        unit.model(np.array([[0, 8, 1, 1]]))
    with pytest.raises(ValueError, match="x must have 4 elements per vector, not 3"):
        unit.model(np.zeros((1, 3), int))
