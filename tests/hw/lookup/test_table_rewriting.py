# amaranth: UnusedElaboratable=no
"""TableMatVec with weights and bias that are written while it runs.

| testpoint | stage | test |
| --- | --- | --- |
| any ternary weights after writing; vectors between two sets of writes are of one set | full | test_rewriting |
| a vector whose first beat comes two cycles after the last write is all new | full | test_soonest |
| look-ups read what is written as vectors wait inside | full | test_later_lookups_read_what_is_written |
| a look-up waits for the word that is being written, and nothing is lost or doubled | full | test_collisions |
| writes that no look-up meets cost no cycle | full | test_no_collisions |
| extreme weights reach the accumulator's bounds, which one bit less refuses | full | test_extremes |
| ready and valid as `control` says | full | test_control |
| nothing but the first contents depends on the first weights | smoke | test_first_weights_do_not_matter |
| synthesis keeps the weights in block memory without logic per bit | full | test_synthesis |
| start words in a memory of their own, features that count both | smoke | test_memories |
| bad parameters are refused with the way out | smoke | test_errors, test_image_errors |
"""

import re

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import signed, unsigned
from support.control import STALLS, assert_follows
from support.traffic import Traffic, assert_sets_follow

from bitloom.hw import TableMatVec
from bitloom.hw.memory.weight_memory import WeightMemory
from bitloom.hw.parameters import bounds

SHAPES = {"bipolar": unsigned(1), "u1": unsigned(1), "u3": unsigned(3), "i3": signed(3)}
CASES = {
    "serial": {"n": 11, "k": 14, "pe": 2, "simd": 2, "group": 2, "tables": 2},
    "serial, registers": {"n": 6, "k": 8, "pe": 1, "simd": 2, "group": 2, "tables": 3, "table_memory": "registers"},
    "serial, three trits": {"n": 14, "k": 9, "pe": 1, "simd": 3, "group": 3, "tables": 2},
    "parallel": {"n": 8, "k": 12, "pe": 2, "simd": 3, "group": 3, "tables": 3},
    "parallel, two folds": {"n": 3, "k": 9, "pe": 2, "simd": 1, "group": 2, "tables": 4},
    "parallel, two stages": {"n": 4, "k": 25, "pe": 1, "simd": 5, "group": 5, "tables": 2},
    "unfolded": {"n": 3, "k": 12, "pe": 3, "simd": 6, "group": 3, "tables": 2},
    "all at once": {"n": 3, "k": 5, "pe": 3, "simd": 5, "group": 4, "tables": 2},
}
PARTIALS = ("block", "distributed", "registers")


def ternary(rng, shape):
    return rng.integers(-1, 2, shape)


def unit_of(w, bias=None, activation="i3", **options):
    options = {"accumulator": signed(12), "writable": True} | options
    return TableMatVec(w, bias=bias, activation=SHAPES[activation], bipolar_activation=activation == "bipolar",
                       **options)  # fmt: skip


def case(name, rng, **more):
    """A unit as a case says, with random weights and bias."""
    options = CASES[name] | more
    shape = options.pop("n"), options.pop("k")
    folds = -(-shape[0] // options["pe"])
    if folds < 3 and options.get("partials") in ("block", "distributed"):
        options["partials"] = "auto"
    unit = unit_of(ternary(rng, shape), rng.integers(-40, 41, shape[0]), **options)
    assert unit.build == name.split(",")[0] or name in ("unfolded", "all at once")
    return unit


def random_inputs(rng, unit, vectors):
    if unit.bipolar_activation:
        return rng.choice([-1, 1], (vectors, unit.weights.shape[1]))
    lo, hi = bounds(unit.activation)
    return rng.integers(lo, hi + 1, (vectors, unit.weights.shape[1]))


def waiting(begin):
    """A pause until the cycle ``begin``."""
    return lambda cycle: cycle < begin


@pytest.mark.parametrize("gap", ["none", "random"])
@pytest.mark.parametrize("name", CASES)
def test_rewriting(name, gap):
    seed = list(CASES).index(name)
    rng = np.random.default_rng(seed)
    activation = list(SHAPES)[seed % len(SHAPES)]
    unit = case(name, rng, activation=activation, port=(5, 32, 8)[seed % 3], memory=("block", "distributed")[seed % 2],
                partials=PARTIALS[(seed + (gap == "none")) % 3])  # fmt: skip
    n, k = unit.weights.shape
    sets = [(unit.weights, unit.bias)] + [(ternary(rng, (n, k)), rng.integers(-40, 41, n)) for _ in range(3)]
    assert_sets_follow(unit, sets, lambda vectors: random_inputs(rng, unit, vectors), gap,
                       lambda x, w, bias: x @ w.T + bias)  # fmt: skip


@pytest.mark.parametrize("partials", PARTIALS)
@pytest.mark.parametrize("name", CASES)
def test_soonest(name, partials):
    rng = np.random.default_rng(4)
    unit = case(name, rng, partials=partials)
    w, bias = ternary(rng, unit.weights.shape), rng.integers(-40, 41, len(unit.weights))
    image, x = unit.image(w, bias), random_inputs(rng, unit, 3)
    soonest = len(image) - 1 + 2
    done = Traffic(unit, x, [(0, *write) for write in image], [waiting(soonest), None, None])
    assert done.i_cycles[0] == soonest == done.w_cycles[-1] + 2
    assert np.array_equal(done.y, x @ w.T + bias)
    assert done.o_cycles[0] - done.i_cycles[0] == unit.latency


def test_later_lookups_read_what_is_written():
    """While the sink holds the first outputs' beat, the words of the last outputs are written, and used."""
    rng = np.random.default_rng(9)
    old, new = rng.choice([-1, 1], (2, 8, 6))
    unit = unit_of(old, pe=1, simd=6, group=3, tables=2)
    assert (unit.synapse_fold, unit.neuron_fold) == (1, 8)
    new[:7] = old[:7]
    x = random_inputs(rng, unit, 1)
    done = Traffic(unit, x, [(40, *write) for write in unit.image(new)], [None, waiting(80), None])
    assert not np.array_equal(old @ x[0], new @ x[0]) and np.array_equal(done.y, x @ new.T)


@pytest.mark.parametrize("gap", ["none", "random", "heavy"])
@pytest.mark.parametrize("name", CASES)
def test_collisions(name, gap):
    """Words are written again and again as they are: now and then one that is looked up, which then waits."""
    rng = np.random.default_rng(5)
    unit = case(name, rng)
    x = random_inputs(rng, unit, 12)
    image = unit.image(unit.weights, unit.bias)
    writes = [(0, *image[j]) for j in rng.integers(0, len(image), 40 * unit.interval + 300)]
    quiet, done = Traffic(unit, x, [], gap, 1), Traffic(unit, x, writes, gap, 1)
    assert np.array_equal(done.y, x @ unit.weights.T + unit.bias) and np.array_equal(quiet.y, done.y)
    if gap == "none":
        assert done.o_cycles[-1] > quiet.o_cycles[-1]


@pytest.mark.parametrize("name", ["serial", "parallel", "unfolded"])
def test_no_collisions(name):
    """Start words never wait, nor do words at addresses that there are not."""
    unit = case(name, np.random.default_rng(6))
    x = random_inputs(np.random.default_rng(7), unit, 8)
    words = unit.roms()["weights"]
    image = unit.image(unit.weights, unit.bias)[words.depth * words.pieces :]
    unused = [(a, 0) for a in range(words.depth << words.piece_bits, 1 << words.address_bits)]
    writes = [(0, *write) for write in (image + unused) * 12]
    quiet, done = Traffic(unit, x, [], "random", 1), Traffic(unit, x, writes, "random", 1)
    assert (quiet.i_cycles, quiet.o_cycles, quiet.got) == (done.i_cycles, done.o_cycles, done.got)


@pytest.mark.parametrize("activation", SHAPES)
@pytest.mark.parametrize("name", ["serial", "parallel", "all at once"])
def test_extremes(name, activation):
    """Weights all +1, all −1 and all 0 are written; inputs are such that sums are at the bounds."""
    rng = np.random.default_rng(1)
    options = dict(CASES[name])
    n, k = options.pop("n"), options.pop("k")
    lo, hi = (-1, 1) if activation == "bipolar" else bounds(SHAPES[activation])
    bound = k * max(-lo, hi)
    accumulator = signed(bound.bit_length() + 1)
    unit = unit_of(ternary(rng, (n, k)), activation=activation, accumulator=accumulator, **options)
    x = np.full((3, k), lo if -lo > hi else hi)
    x[1] = hi if -lo > hi else lo
    reached = set()
    for sign in (1, -1, 0):
        w = np.full((n, k), sign)
        image = unit.image(w)
        done = Traffic(unit, x, [(0, *write) for write in image], [waiting(len(image) + 1), None, None])
        assert np.array_equal(done.y, x @ w.T)
        reached |= set(done.y.ravel().tolist())
    assert {-bound, bound, 0} <= reached
    with pytest.raises(ValueError, match=re.escape(f"accumulator must hold the sums {-bound} … {bound}")):
        unit_of(np.zeros((n, k), int), activation=activation, accumulator=signed(accumulator.width - 1), **options)


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("name", CASES)
def test_control(name, stalls):
    assert_follows(case(name, np.random.default_rng(3)), stalls=stalls, vectors=3)


@pytest.mark.parametrize("partials", PARTIALS)
@pytest.mark.parametrize("name", ["serial", "parallel"])
def test_first_weights_do_not_matter(name, partials):
    texts = set()
    for seed in range(3):
        unit = case(name, np.random.default_rng(seed), partials=partials)
        text = rtlil.convert(unit, name="top", emit_src=False)
        texts.add(re.sub(r"(?s)  cell \$meminit_v2.*?  end\n", "", text))
    assert len(texts) == 1


def test_synthesis(synthesize):
    w = ternary(np.random.default_rng(1), (40, 48))
    options = {"pe": 2, "simd": 6, "group": 3, "tables": 8, "memory": "block", "partials": "block"}
    fixed, found = (synthesize(unit_of(w, writable=kind, **options), "ecp5") for kind in (False, True))
    luts, before = (sum(n for cell, n in cells.items() if "LUT" in cell) for cells in (found, fixed))
    # Words have 80 bits, start words 24: these alone have a multiplexer per bit, those wait instead.
    assert found["DP16KD"] == fixed["DP16KD"] + 1 and luts - before < 80, (found, fixed)


def test_memories():
    w = ternary(np.random.default_rng(2), (40, 48))
    options = {"pe": 2, "simd": 6, "group": 3, "tables": 8, "memory": "block", "partials": "block"}
    fixed, unit = (unit_of(w, writable=kind, **options) for kind in (False, True))
    weights, starts = unit.roms()["weights"], unit.roms()["accumulators.start"]
    assert isinstance(weights, WeightMemory) and isinstance(starts, WeightMemory)
    assert "accumulators.start" not in fixed.roms()
    assert (weights.depth, weights.width, starts.depth, starts.width) == (40, 80, 20, 24)
    assert (20, 24, "block") in unit.buffers
    assert unit.features()["accumulator_bits"] == 24 and unit.features()["start_bits"] == 24
    image = unit.image(w)
    assert len(image) == 40 * 3 + 20 and image[40 * 3][0] == unit.image(w)[-20][0] == 1 << 8
    assert unit.writable and not fixed.writable and unit.port == 32


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"port": 0}, ValueError, "port must be at least 1, not 0"),
        ({"accumulator": unsigned(9)}, ValueError, "accumulator must hold the sums -24 … 24"),
        ({"weights": np.full((2, 6), 2)}, ValueError, "weights must be −1, 0 or +1, not 2 … 2 (use MatVec for others)"),
    ],
)
def test_errors(change, error, message):
    options = {"weights": np.ones((2, 6), int), "pe": 1, "simd": 3} | change
    with pytest.raises(error, match=re.escape(message)):
        unit_of(options.pop("weights"), **options)


def test_image_errors():
    zeros = np.zeros((2, 6), int)
    unit = unit_of(zeros, activation="u3", pe=1, simd=3, accumulator=signed(7))
    with pytest.raises(ValueError, match=re.escape("weights must have the shape (2, 6), not (6, 2)")):
        unit.image(zeros.T)
    with pytest.raises(ValueError, match=re.escape("weights must be −1, 0 or +1, not 2 … 2 (use MatVec for others)")):
        unit.image(np.full((2, 6), 2))
    with pytest.raises(ValueError, match=re.escape("bias must have one value for each of the 2 outputs, not (3,)")):
        unit.image(zeros, np.zeros(3, int))
    with pytest.raises(ValueError, match="accumulator must hold the sums 0 … 72"):
        unit.image(np.ones((2, 6), int), np.array([0, 30]))
    with pytest.raises(ValueError, match="weights can be written only where writable is True, not False"):
        unit_of(zeros, pe=1, simd=3, writable=False).image(zeros)
