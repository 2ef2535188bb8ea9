# amaranth: UnusedElaboratable=no
"""MatVec with named codes and with weights that are written while it runs.

| testpoint | stage | test |
| --- | --- | --- |
| every code computes the same, dense one cycle later | full | test_codes |
| any weights of the code after writing; the first vector after the last write is all new | full | test_rewriting |
| each step sees the writes up to two cycles before it, piece by piece, and no others | full | test_each_step |
| extreme weights reach the accumulator's bounds, which one bit less refuses | full | test_extremes |
| ready and valid as `control` says, dense and writable too | full | test_control |
| nothing but the first contents depends on the first weights | smoke | test_first_weights_do_not_matter |
| synthesis keeps the weights in block memory without logic per bit | full | test_synthesis |
| features count decoders and memories | smoke | test_features |
| bad parameters are refused with the way out | smoke | test_errors |
"""

import re

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import signed, unsigned
from support.control import assert_follows
from support.streams import drive, gaps
from support.traffic import Traffic

from bitloom.hw import MatVec
from bitloom.hw.memory.weight_memory import WeightMemory

CODES = ("binary", "ternary", "dense", 4)
SHAPES = {"bipolar": unsigned(1), "u1": unsigned(1), "u3": unsigned(3), "i3": signed(3)}


def random_weights(rng, code, shape):
    if code == "binary":
        return rng.choice([-1, 1], shape)
    peak = 7 if code == 4 else 1
    return rng.integers(-peak, peak + 1, shape)


def matvec(w, code, activation="u3", **options):
    shape, bipolar = SHAPES[activation], activation == "bipolar"
    options = {"accumulator": signed(14), "writable": True} | options
    return MatVec(w, code=code, activation=shape, bipolar_activation=bipolar, **options)


def random_inputs(rng, activation, shape):
    if activation == "bipolar":
        return rng.choice([-1, 1], shape)
    width = SHAPES[activation].width
    low = -(1 << (width - 1)) if SHAPES[activation].signed else 0
    return rng.integers(low, low + (1 << width), shape)


@pytest.mark.parametrize("activation", SHAPES)
@pytest.mark.parametrize("folding", [(2, 3, 2, 2), (1, 7, 1, 3), (3, 5, 1, 1), (1, 1, 3, 4)])
def test_codes(activation, folding):
    pe, simd, nf, sf = folding
    rng = np.random.default_rng(simd)
    w = random_weights(rng, "binary", (pe * nf, simd * sf))
    x, bias = random_inputs(rng, activation, (4, simd * sf)), rng.integers(-9, 10, pe * nf)
    units = {code: matvec(w, code, activation, pe=pe, simd=simd, bias=bias, writable=False) for code in CODES}
    units["auto"] = matvec(w, "auto", activation, pe=pe, simd=simd, bias=bias, writable=False)
    for code, unit in units.items():
        shapes = {"i_shape": unit.activation, "o_shape": unit.accumulator, "bipolar": (activation == "bipolar", False)}
        for gap in ("none", "random"):
            stalls = {"i_gap": gaps(gap, 1), "o_gap": gaps(gap, 2)}
            done = drive(unit, x, pe * nf, i_lanes=simd, o_lanes=pe, **shapes, **stalls)
            assert np.array_equal(done.y, x @ w.T + bias), code
            if gap == "none":
                assert done.o_cycles[0] - done.i_cycles[0] == unit.latency
    assert units["dense"].depth == units["ternary"].depth + 1 == units["auto"].depth + 1
    assert units["dense"].roms()["weights"].width == 8 * -(-pe * simd // 5)


@pytest.mark.parametrize("gap", ["none", "random"])
@pytest.mark.parametrize("memory", ["block", "distributed"])
@pytest.mark.parametrize(
    ("code", "activation", "folding", "groups"),
    [
        ("binary", "bipolar", (2, 8, 2, 2), 1),
        ("ternary", "u3", (1, 5, 3, 4), 1),
        ("dense", "i3", (2, 7, 2, 3), 1),
        (4, "u1", (3, 3, 1, 2), 1),
        ("dense", "u1", (3, 9, 1, 1), 1),
        ("ternary", "i3", (1, 3, 2, 2), 2),
    ],
)
def test_rewriting(code, activation, folding, groups, memory, gap):
    pe, simd, nf, sf = folding
    rng = np.random.default_rng(pe + simd)
    shape = (groups * pe * nf, simd * sf)
    sets = [(random_weights(rng, code, shape), rng.integers(-40, 41, shape[0])) for _ in range(4)]
    unit = matvec(sets[0][0], code, activation, pe=pe, simd=simd, bias=sets[0][1], memory=memory, groups=groups, port=8)
    pause, writes, ends = 5 * unit.interval + 70, [], []
    vectors = 4 * pause // unit.interval
    x = random_inputs(rng, activation, (vectors, groups * simd * sf))
    for k, (w, bias) in enumerate(sets[1:], 1):
        image = unit.image(w, bias)
        writes += [(k * pause, *write) for write in image]
        ends.append(len(writes))
    done = Traffic(unit, x, writes, gap, 3)
    first = done.i_cycles[:: len(done.beats) // vectors]
    last = done.o_cycles[len(done.got) // vectors - 1 :: len(done.got) // vectors]
    results = []
    for w, bias in sets:
        parts = [p @ v.T for p, v in zip(np.split(x, groups, axis=1), np.split(w, groups))]
        results.append(np.concatenate(parts, axis=1) + bias)
    exact = np.zeros(len(sets), int)
    for k, result in enumerate(results):
        start = -1 if k == 0 else done.w_cycles[ends[k - 1] - 1] + 2
        begin = ends[k - 1] if k else 0
        end = done.w_cycles[begin] if begin < len(done.w_cycles) else 1 << 30
        for v in range(vectors):
            if first[v] >= start and last[v] <= end:
                exact[k] += 1
                assert np.array_equal(done.y[v], result[v]), (k, v)
    assert exact[0] and exact[-1] and exact.sum() > 20, exact


@pytest.mark.parametrize("gap", ["none", "random"])
@pytest.mark.parametrize("code", ["ternary", "dense", "binary"])
def test_each_step(code, gap):
    """With one neuron fold a step is taken with its beat; weights are written all the time, start words never."""
    rng = np.random.default_rng(2)
    pe, simd, sf, vectors = 2, 6, 4, 120
    w = random_weights(rng, code, (pe, simd * sf))
    unit = matvec(w, code, pe=pe, simd=simd)
    x = random_inputs(rng, "u3", (vectors, simd * sf))
    writes, versions, now = [], [], w
    assert unit.roms()["weights"].pieces == 1
    for _ in range(400):
        step = int(rng.integers(sf))
        now = now.copy()
        now[:, step * simd : (step + 1) * simd] = random_weights(rng, code, (pe, simd))
        writes.append((0, *unit.image(now)[step]))
        versions.append(now)
    done = Traffic(unit, x, writes, gap, 7)
    w_cycles, waited = np.array(done.w_cycles), 0
    expected = np.tile(7 * np.minimum(w, 0).sum(1), (vectors, 1))
    for beat, cycle in enumerate(done.i_cycles):
        v, s = divmod(beat, sf)
        seen = int((w_cycles <= cycle - 2).sum())
        columns = slice(s * simd, (s + 1) * simd)
        part = (versions[seen - 1] if seen else w)[:, columns]
        expected[v] += x[v, columns] @ part.T - 7 * np.minimum(part, 0).sum(1)
        waited += bool(np.any(w_cycles == cycle - 1))
    assert np.array_equal(done.y, expected) and waited > 30
    if gap == "none":
        assert len(done.i_cycles) < done.i_cycles[-1]  # some steps have waited


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("activation", SHAPES)
def test_extremes(code, activation):
    rng = np.random.default_rng(0)
    peak, shape = (7 if code == 4 else 1), (2, 10)
    low = {"bipolar": -1, "u1": 0, "u3": 0, "i3": -4}[activation]
    most = {"bipolar": 1, "u1": 1, "u3": 7, "i3": 4}[activation]
    bound = 10 * peak * most
    accumulator = signed(bound.bit_length() + 1)
    first = random_weights(rng, code, shape)
    unit = matvec(first, code, activation, pe=1, simd=5, accumulator=accumulator)
    x = np.full((60, 10), low if activation == "i3" else most)
    sets = [np.full(shape, peak), np.full(shape, -peak)]
    writes = [(k * 40, *write) for k, w in enumerate(sets, 1) for write in unit.image(w)]
    y = Traffic(unit, x, writes, "none", 0).y
    assert np.array_equal(y[0], x[0] @ first.T)
    turn = -1 if activation == "i3" else 1
    assert np.all(y == turn * bound, axis=1).any() and np.all(y[-1] == -turn * bound)
    with pytest.raises(ValueError, match=re.escape(f"accumulator must hold the sums {-bound} … {bound}")):
        matvec(first * 0 + 1, code, activation, pe=1, simd=5, accumulator=signed(accumulator.width - 1))


@pytest.mark.parametrize("stalls", ["flowing", "random", "blocked"])
@pytest.mark.parametrize("folding", [(2, 3, 2, 2), (1, 7, 1, 3), (3, 5, 1, 1)])
def test_control(folding, stalls):
    pe, simd, nf, sf = folding
    w = random_weights(np.random.default_rng(0), "ternary", (pe * nf, simd * sf))
    for code, writable in (("dense", False), ("dense", True), ("ternary", True)):
        assert_follows(matvec(w, code, pe=pe, simd=simd, writable=writable), stalls=stalls)


def test_first_weights_do_not_matter():
    rng = np.random.default_rng(1)
    texts = set()
    for w in (np.zeros((4, 6), int), random_weights(rng, "ternary", (4, 6))):
        text = rtlil.convert(matvec(w, "ternary", pe=2, simd=3, accumulator=signed(8)), name="top", emit_src=False)
        text = re.sub(r"(?s)  cell \$meminit_v2.*?  end\n", "", text)
        texts.add(text)
    assert len(texts) == 1


@pytest.mark.parametrize("family", ["ice40", "ecp5", "gowin"])
def test_synthesis(synthesize, family):
    w = random_weights(np.random.default_rng(1), "ternary", (16, 128))
    fixed = synthesize(matvec(w, "ternary", pe=1, simd=16, writable=False, memory="block"), family)
    found = synthesize(matvec(w, "ternary", pe=1, simd=16, memory="block"), family)
    luts, before = (sum(n for cell, n in cells.items() if "LUT" in cell) for cells in (found, fixed))
    assert luts - before < 110, (luts, before)


def test_features():
    w = np.ones((4, 50), int)
    count, packed = (matvec(w, code, pe=2, simd=10, writable=False).features() for code in ("ternary", "dense"))
    assert packed["decoder_bytes"] == 4 and "decoder_bytes" not in count
    assert packed["register_bits"] - count["register_bits"] == 2 * 20 + 3 * 10
    assert packed["rom_bits"] == 10 * 32 and count["rom_bits"] == 10 * 40
    unit = matvec(w, "dense", pe=2, simd=10, memory="block", buffer="registers")
    assert isinstance(unit.roms()["weights"], WeightMemory) and unit.roms()["start"].depth == 2
    assert unit.features()["block_bits"] == 10 * 32 and unit.roms()["start"].memory == "registers"
    assert "constant_product_bits" not in matvec(w, "dense", pe=4, simd=50).features()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"code": "auto"},
            ValueError,
            "code must say what writable weights can be, binary, ternary, dense or a number",
        ),
        ({"code": "base3"}, ValueError, "code must be one of auto, binary, ternary, dense, not 'base3'"),
        ({"code": 1}, ValueError, "code must have 2 to 32 bits of sign and magnitude, not 1"),
        ({"code": 2.0}, TypeError, "code must be one of auto, binary, ternary, dense or a number of bits, not 2.0"),
        ({"code": "binary"}, ValueError, "weights must be −1 or +1 with code 'binary', not -1 … 1 with zeros"),
        ({"weights": np.full((2, 6), 2)}, ValueError, "weights must be within -1 … 1 with code 'ternary', not 2 … 2"),
        ({"weights": np.full((2, 6), -8), "code": 4}, ValueError, "weights must be within -7 … 7 with code 4, not -8"),
        ({"port": 0}, ValueError, "port must be at least 1, not 0"),
        ({"accumulator": unsigned(9)}, ValueError, "accumulator must hold the sums -42 … 42"),
    ],
)
def test_errors(change, error, message):
    w = np.array([[0, 1, -1, 1, 1, 0]] * 2)
    options = {"weights": w, "code": "ternary", "pe": 1, "simd": 3} | change
    with pytest.raises(error, match=re.escape(message)):
        matvec(options.pop("weights"), options.pop("code"), **options)


def test_image_errors():
    unit = matvec(np.zeros((2, 6), int), "ternary", pe=1, simd=3, accumulator=signed(7))
    with pytest.raises(ValueError, match=re.escape("weights must have the shape (2, 6), not (6, 2)")):
        unit.image(np.zeros((6, 2), int))
    with pytest.raises(ValueError, match="weights must be within -1 … 1 with code 'ternary'"):
        unit.image(np.full((2, 6), 2))
    with pytest.raises(ValueError, match=re.escape("bias must have one value for each of the 2 outputs, not (3,)")):
        unit.image(np.zeros((2, 6), int), np.zeros(3, int))
    with pytest.raises(ValueError, match="accumulator must hold the sums 0 … 72"):
        unit.image(np.ones((2, 6), int), np.array([0, 30]))
    with pytest.raises(ValueError, match="weights can be written only where writable is True, not False"):
        matvec(np.zeros((2, 6), int), "ternary", pe=1, simd=3, writable=False).image(np.zeros((2, 6), int))
