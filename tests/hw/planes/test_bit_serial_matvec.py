# amaranth: UnusedElaboratable=no
"""BitSerialMatVec: bits at every precision, timing contract, words written while it runs.

| testpoint | stage | test |
| --- | --- | --- |
| equals its model: 1 … 8 bits, all kinds of activations, foldings, biases, stalls; fixed and writable | full | test_equals_model |
| extreme weights and inputs reach exactly the accumulator's bounds | full | test_extremes |
| every ready and valid of every cycle is as `control` says | full | test_control |
| interval SF·NF·bits without bubbles, latency, depth at any pace | smoke | test_interval_and_latency |
| the precision changes between vectors, with all the words | full | test_precision_at_run_time |
| the bits that come with a vector's first beat are that vector's | full | test_bits_belong_to_a_vector |
| words are written while vectors run; a step waits for the word that is being written | full | test_writes_while_it_runs |
| what is written is read by later steps alone | full | test_later_steps_read_what_is_written |
| starts are left out, shared or stored as needed; one stored bit per weight and plane | smoke | test_storage |
| every weight bit reaches the output | full | test_every_stored_bit_matters |
| no multipliers; fewer LUTs than all planes at once | full | test_synthesis |
| features count what there is, and make no words | smoke | test_features |
| bad parameters are refused with the way out | smoke | test_errors, test_image_errors |
"""  # noqa: E501

import re

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from amaranth.sim import Simulator
from support.control import assert_follows
from support.streams import pack, unpack

from bitloom.hw import BitSerialMatVec, MatVec
from bitloom.hw.parameters import bounds, shape_of_range
from bitloom.hw.planes.bit_planes import BitPlanes, range_of

U3 = unsigned(3)
STALLS = (("none", "none"), ("random", "random"), ("heavy", "none"), ("none", "heavy"))


def random_weights(rng, bits, n, k):
    lo, hi = range_of(bits)
    return rng.choice([-1, 1], (n, k)) if bits == 1 else rng.integers(lo, hi + 1, (n, k))


def random_inputs(rng, unit, vectors):
    lo, hi = unit._sums.lo, unit._sums.hi
    x = rng.integers(lo, hi + 1, (vectors, unit.weights.shape[1]))
    return np.where(x < 0, -1, 1) if unit.bipolar_activation else x


def sum_range(w, activation, bias=0):
    lo, hi = (-1, 1) if activation == "bipolar" else bounds(activation)
    low, high = np.minimum(w * lo, w * hi).sum(1) + bias, np.maximum(w * lo, w * hi).sum(1) + bias
    return int(low.min()), int(high.max())


def unit_of(w, *, pe, simd, activation=U3, bias=None, accumulator=None, **options):
    """A unit with the narrowest accumulator for inputs of any value."""
    bipolar = activation == "bipolar"
    found = shape_of_range(*sum_range(w, activation, 0 if bias is None else bias))
    shape = unsigned(1) if bipolar else activation
    options |= {"bipolar_activation": bipolar, "bias": bias}
    return BitSerialMatVec(w, pe=pe, simd=simd, activation=shape, accumulator=accumulator or found, **options)


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


OPTIONS = {
    "fixed": lambda bits: {"bits": bits},
    "writable": lambda bits: {"bits": bits, "writable": True},
    "run time": lambda bits: {"bits": bits, "writable": True, "max_bits": min(8, bits + 2)},
}


@pytest.mark.parametrize("kind", OPTIONS)
@pytest.mark.parametrize("bits", range(1, 9))
def test_equals_model(drive, gaps, bits, kind):
    rng = np.random.default_rng(bits)
    for activation in ("bipolar", unsigned(int(rng.integers(1, 9))), signed(int(rng.integers(1, 9)))):
        pe, simd, nf, sf = (int(rng.integers(1, top)) for top in (4, 7, 4, 4))
        w = random_weights(rng, bits, pe * nf, simd * sf)
        bias = rng.integers(-60, 61, pe * nf) if rng.integers(2) else None
        for gap in STALLS if bits < 4 else STALLS[:2]:
            options = OPTIONS[kind](bits) | {"plane": str(rng.choice(["and", "table"]))}
            unit = unit_of(w, pe=pe, simd=simd, activation=activation, bias=bias, **options)
            x = random_inputs(rng, unit, 3)
            done = run(drive, unit, x, i_gap=gaps(gap[0], bits), o_gap=gaps(gap[1], bits + 1))
            reference = x @ w.T + (0 if bias is None else bias)
            assert np.array_equal(done.y, reference), (bits, activation, pe, simd, nf, sf)
            assert np.array_equal(unit.model(x), reference)


@pytest.mark.parametrize("activation", ["bipolar", unsigned(1), unsigned(8), signed(1), signed(3), signed(8)], ids=str)
@pytest.mark.parametrize("plane", ["and", "table"])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_extremes(drive, bits, plane, activation):
    """All −1, all +1, all 0, the least and the greatest weights; inputs at the bounds, against and with the signs."""
    rng = np.random.default_rng(5)
    lo, hi = range_of(bits)
    rows = [np.full(6, value) for value in ((-1, 1, -1, 1) if bits == 1 else (-1, min(1, hi), lo, hi))]
    rows += [rng.choice([lo, hi], 6), np.full(6, 1 if bits == 1 else 0)]
    w = np.array(rows)
    unit = unit_of(w, pe=2, simd=3, activation=activation, bits=bits, plane=plane)
    least, most = unit._sums.lo, unit._sums.hi
    x = np.concatenate([np.where(w > 0, least, most), np.where(w > 0, most, least), [least], [most]])
    y = run(drive, unit, x).y
    assert np.array_equal(y, x @ w.T)
    low, high = sum_range(w, activation)
    assert (y.min(), y.max()) == (low, high)
    with pytest.raises(ValueError, match=re.escape(f"accumulator must hold the sums {low} … {high}")):
        narrow = shape_of_range(low, high)
        shape = signed(narrow.width - 1) if narrow.signed and narrow.width > 1 else unsigned(1)
        unit_of(w, pe=2, simd=3, activation=activation, bits=bits, accumulator=shape)


FOLDINGS = [
    (2, 5, 1, 1, 1),
    (1, 4, 1, 3, 1),
    (2, 3, 3, 2, 1),
    (1, 3, 1, 1, 2),
    (2, 17, 1, 2, 3),
    (1, 2, 3, 1, 4),
    (2, 2, 2, 4, 2),
]


def folded(pe, simd, nf, sf, bits, kind="fixed"):
    w = random_weights(np.random.default_rng(2), bits, pe * nf, simd * sf)
    return unit_of(w, pe=pe, simd=simd, **OPTIONS[kind](bits))


@pytest.mark.parametrize("kind", OPTIONS)
@pytest.mark.parametrize("folding", FOLDINGS)
def test_control(folding, kind):
    for seed, stalls in enumerate(("flowing", "random", "starved", "blocked", "bursts")):
        assert_follows(folded(*folding, kind), stalls=stalls, seed=seed, vectors=3)


@pytest.mark.parametrize("kind", OPTIONS)
@pytest.mark.parametrize("folding", FOLDINGS)
def test_interval_and_latency(drive, gaps, folding, kind):
    _, _, nf, sf, bits = folding
    unit = folded(*folding, kind)
    assert (unit.interval, unit.weight_bits) == (nf * sf * bits, bits)
    x = random_inputs(np.random.default_rng(1), unit, 6)
    done = run(drive, unit, x)
    assert done.o_cycles[0] - done.i_cycles[0] == unit.latency
    assert set(np.diff(done.o_cycles)) == {sf * bits}
    assert set(np.diff(np.array(done.i_cycles)[::sf][2:])) == {unit.interval}
    for pace in ("period 3", "heavy"):
        done = run(drive, folded(*folding, kind), x[:2], i_gap=gaps(pace, 4))
        assert done.o_cycles[0] - done.i_cycles[sf - 1] == unit.depth


class Bench:
    """Writes and vectors into a writable unit; ``events`` in order: ("write", image), ("bits", b), ("send", x), and
    ("drain",), which waits until all that was sent has come out. The source pauses, the sink blocks."""

    def __init__(self, unit, seed=0):
        self.unit, self.rng, self.y, self.sent = unit, np.random.default_rng(seed), [], 0

    def run(self, events):
        simulator = Simulator(self.unit)
        simulator.add_clock(1e-6)
        simulator.add_testbench(self._sink, background=True)

        async def source(ctx):
            for kind, *what in events:
                await getattr(self, f"_{kind}")(ctx, *what)

        simulator.add_testbench(source)
        simulator.run()
        flat = [value for beat in self.y for value in beat]
        return np.array(flat, dtype=np.int64).reshape(-1, len(self.unit.weights))

    async def _sink(self, ctx):
        stream = self.unit.o
        while True:
            ready = bool(self.rng.random() < 0.7)
            ctx.set(stream.ready, ready)
            if ready and ctx.get(stream.valid):
                self.y.append(unpack(ctx.get(stream.p.as_value()), self.unit.accumulator, self.unit.pe))
            await ctx.tick()

    async def _bits(self, ctx, bits):
        ctx.set(self.unit.bits, bits)

    async def _write(self, ctx, image):
        for address, word in image:
            ctx.set(self.unit.w.p, {"address": address, "data": word})
            ctx.set(self.unit.w.valid, 1)
            await ctx.tick()
            ctx.set(self.unit.w.valid, 0)

    async def _send(self, ctx, x):
        for beat in x.reshape(-1, self.unit.simd):
            while self.rng.random() < 0.3:
                await ctx.tick()
            wire = (beat + 1) // 2 if self.unit.bipolar_activation else beat
            ctx.set(self.unit.i.p.as_value(), pack(wire, self.unit.activation.width))
            ctx.set(self.unit.i.valid, 1)
            await ctx.tick().until(self.unit.i.ready)
            ctx.set(self.unit.i.valid, 0)
        self.sent += len(x)

    async def _drain(self, ctx):
        beats = self.sent * len(self.unit.weights) // self.unit.pe
        for _ in range(3000):
            if len(self.y) == beats:
                return
            await ctx.tick()
        raise AssertionError(f"{len(self.y)} of {beats} output beats have come")


@pytest.mark.parametrize("activation", ["bipolar", unsigned(3), signed(8)], ids=str)
@pytest.mark.parametrize(("pe", "simd", "nf", "sf"), [(2, 3, 2, 2), (1, 5, 1, 1), (3, 2, 1, 3), (2, 2, 3, 1)])
def test_precision_at_run_time(activation, pe, simd, nf, sf):
    rng = np.random.default_rng(pe)
    n, k = pe * nf, simd * sf
    unit = unit_of(
        random_weights(rng, 1, n, k),
        pe=pe, simd=simd, activation=activation, accumulator=signed(20), writable=True, max_bits=8, port=7,
    )  # fmt: skip
    events, reference = [], []
    for bits in (None, 8, 1, 2, 5, 3, 8, 4, 1, 7, 6):
        w, bias = unit.weights, np.zeros(n, int)
        if bits is not None:
            w, bias = random_weights(rng, bits, n, k), rng.integers(-200, 200, n)
            events += [("write", unit.image(w, bias, bits=bits)), ("bits", bits)]
        x = random_inputs(rng, unit, 3)
        events += [("send", x), ("drain",)]
        reference.append(x @ w.T + bias)
    assert np.array_equal(Bench(unit).run(events), np.concatenate(reference))


@pytest.mark.parametrize(("simd", "sf"), [(3, 2), (6, 1), (2, 3)])
def test_bits_belong_to_a_vector(simd, sf):
    """The same words read as other numbers of planes, while the vectors before are still under way.

    Of weights that are not negative, the planes down to the b-th make w >> (bits − b); and no start is missing.
    """
    rng = np.random.default_rng(3)
    w = rng.integers(0, 16, (2, 6))
    options = {"activation": unsigned(4), "accumulator": signed(16), "bits": 5, "writable": True, "max_bits": 5}
    events, reference = [], []
    for bits in (5, 2, 3, 5, 4, 3, 2, 2, 5):
        x = rng.integers(0, 16, (1, 6))
        events += [("bits", bits), ("send", x)]
        reference.append(x @ (w >> (5 - bits)).T)
    for seed in range(4):
        unit = unit_of(w, pe=2, simd=simd, **options)
        assert np.array_equal(Bench(unit, seed).run([*events, ("drain",)]), np.concatenate(reference))


@pytest.mark.parametrize("bits", [1, 3])
def test_writes_while_it_runs(bits):
    """Words are written again and again as they are: now and then the one that a step reads, which then waits."""
    rng = np.random.default_rng(bits)
    unit = folded(2, 3, 2, 2, bits, "run time")
    x, clashes = random_inputs(rng, unit, 12), []

    class Busy(Bench):
        async def _sink(self, ctx):
            image = self.unit.image(self.unit.weights)
            while True:
                ctx.set(self.unit.w.p, dict(zip(("address", "data"), image[rng.integers(len(image))])))
                ctx.set(self.unit.w.valid, int(rng.integers(2)))
                ctx.set(self.unit.o.ready, int(rng.integers(3)))
                if ctx.get(self.unit.o.ready) and ctx.get(self.unit.o.valid):
                    self.y.append(unpack(ctx.get(self.unit.o.p.as_value()), self.unit.accumulator, self.unit.pe))
                clashes.append(ctx.get(self.unit._weight_rom.clash))
                await ctx.tick()

    assert np.array_equal(Busy(unit).run([("send", x), ("drain",)]), unit.model(x))
    assert sum(clashes) > 3


def test_later_steps_read_what_is_written():
    """While the sink holds the first neurons' beat, the words of the last ones are written, and used."""
    rng = np.random.default_rng(4)
    old, new = (random_weights(rng, 3, 8, 12) for _ in range(2))
    new[:6] = old[:6]
    bias = np.array([0] * 6 + [11, -17])
    unit = unit_of(old, pe=2, simd=3, activation=signed(3), accumulator=signed(12), writable=True)
    x, got = random_inputs(rng, unit, 1), []
    different = sorted(set(unit.image(new, bias=bias)) - set(unit.image(old)))
    assert len(different) > 10

    async def bench(ctx):
        for beat in x.reshape(-1, 3):
            ctx.set(unit.i.p.as_value(), pack(beat, 3))
            ctx.set(unit.i.valid, 1)
            await ctx.tick().until(unit.i.ready)
        ctx.set(unit.i.valid, 0)
        await ctx.tick().until(unit.o.valid)
        for address, word in different:
            ctx.set(unit.w.p, {"address": address, "data": word})
            ctx.set(unit.w.valid, 1)
            await ctx.tick()
        ctx.set(unit.w.valid, 0)
        ctx.set(unit.o.ready, 1)
        for _ in range(4):
            (beat,) = await ctx.tick().sample(unit.o.p.as_value()).until(unit.o.valid)
            got.extend(unpack(beat, unit.accumulator, 2))

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert got == (new @ x[0] + bias).tolist()
    assert got[:6] == (old @ x[0]).tolist()[:6]


def test_storage():
    w = np.array([[1, -1, 1, 1], [-1, -1, 1, -1]])
    unit = unit_of(w, pe=2, simd=4)
    assert (unit.weight_bits, unit.roms()["weights"].words) == (1, (0b01001101,))
    w = np.array([[3, -4, 0, -1], [1, 2, -2, 0]])
    unit = unit_of(w, pe=1, simd=2, memory="block")
    rom = unit.roms()["weights"]
    assert (rom.width, rom.memory, unit.weight_bits) == (2, "block", 3)
    #                neuron 0: planes 2, 1, 0, two beats each         neuron 1
    assert rom.words == (0b10, 0b10, 0b01, 0b10, 0b01, 0b10, 0b00, 0b01, 0b10, 0b01, 0b01, 0b00)
    for values, bits in (
        ([-1, 0, 1], 2),
        ([1, 1], 1),
        ([0, 0], 2),
        ([3, -3], 3),
        ([-4, 3], 3),
        ([4, 0], 4),
        ([-128, 5], 8),
    ):
        assert unit_of(np.array([values]), pe=1, simd=1).weight_bits == bits
    positive = np.arange(24).reshape(4, 6) % 4
    assert list(unit_of(positive, pe=2, simd=3).roms()) == ["weights"]
    assert unit_of(np.full((4, 6), -1), pe=2, simd=3).roms()["start"].depth == 1
    # Starts 5 and 6 at three planes: their bits 1 and 0 in this order, and 1 in two bits above.
    assert unit_of(positive, pe=1, simd=3, bits=3, bias=np.array([5, 6, 5, 6])).roms()["start"].words == (6, 5, 6, 5)
    unit = unit_of(positive, pe=2, simd=3, writable=True, max_bits=4)
    assert (unit.roms()["weights"].depth, unit.roms()["start"].depth) == (2 * 2 * 4, 2)
    image = dict(unit.image(positive, bits=4))
    assert (len(image), image[0], image[4], image[6]) == (16 + 2, 0, 0b011_100, 0b010_010)


@pytest.mark.parametrize("bits", [1, 3])
def test_every_stored_bit_matters(drive, bits):
    rng = np.random.default_rng(8)
    w = random_weights(rng, bits, 2, 4)
    rom = unit_of(w, pe=1, simd=2).roms()["weights"]
    x = random_inputs(rng, unit_of(w, pe=1, simd=2), 12)
    for word in range(rom.depth):
        for bit in range(rom.width):
            changed = unit_of(w, pe=1, simd=2, accumulator=signed(8))
            words = list(rom.words)
            words[word] ^= 1 << bit
            changed._weight_rom._words = tuple(words)
            assert not np.array_equal(run(drive, changed, x).y, x @ w.T), (word, bit)


def test_synthesis(synthesize):
    """Eight-bit weights: fewer LUTs than with all planes at once, fewer still with tables, and no multiplier."""
    w = random_weights(np.random.default_rng(0), 8, 4, 16)
    options = {"pe": 2, "simd": 8, "activation": signed(4), "accumulator": signed(16), "memory": "block"}
    options["buffer"] = "block"
    table, serial = (synthesize(BitSerialMatVec(w, **options, plane=plane), "ecp5") for plane in ("table", "and"))
    parallel = synthesize(MatVec(w, **options), "ecp5")
    assert not any("MULT" in cell for cell in table | serial)
    luts = [cells["LUT4"] + 2 * cells["CCU2C"] for cells in (table, serial, parallel)]
    assert luts[0] < 0.8 * luts[1] and luts[1] < 0.4 * luts[2], luts


def test_features(monkeypatch):
    monkeypatch.setattr(BitPlanes, "words", lambda self: pytest.fail("words were made"))
    w = random_weights(np.random.default_rng(0), 4, 8, 32)
    unit = unit_of(w, pe=2, simd=8, activation=signed(4), plane="and")
    count = unit.features()
    assert count["product_bits"] == 2 * 8 * 4
    assert count["adder_bits"] == 2 * (4 * 5 + 2 * 6 + 7) and count["register_bits"] == 2 * 2 * 6
    assert count["accumulator_bits"] == count["plane_bits"] == sum(shape.width for shape in unit._lane_shapes)
    assert count["rom_bits"] == 4 * 8 * 32 + 4 * unit.roms()["start"].width
    assert unit.buffers == [(8, 32, "block")] or unit.buffers == [(8, 32, "registers")]
    table = unit_of(w, pe=2, simd=8, activation=signed(4))
    assert (table.plane, unit.plane) == ("table", "and")
    assert table.features() | {"adder_bits": 4 * 5 + 2 * (2 * 6 + 7)} == table.features()
    assert table.features()["pair_bits"] == 2 * 4 * 5 and "product_bits" not in table.features()
    assert unit_of(w, pe=1, simd=8, activation=signed(4)).plane == "and"
    wide = unit_of(w, pe=2, simd=8, activation=signed(4), writable=True, max_bits=8, accumulator=signed(20)).features()
    assert wide["accumulator_bits"] == 40 and wide["block_bits"] >= 8 * 8 * 32
    binary = random_weights(np.random.default_rng(0), 1, 2, 8)
    fixed, written = (unit_of(binary, pe=2, simd=8, accumulator=signed(9), writable=w) for w in (False, True))
    assert fixed.interval == 1 and "constant_adder_bits" in fixed.features()
    assert "adder_bits" in written.features() and "constant_adder_bits" not in written.features()


GOOD = {"pe": 2, "simd": 3, "activation": unsigned(3), "accumulator": signed(12)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pe": 3}, "PE must divide the 4 output elements, not 3 (use 1, 2 or 4)"),
        ({"bits": 2}, "weights of bits = 2 must lie within -2 … 1, not reach 3 … 3 (use bits = 3)"),
        ({"bits": 1}, "weights of bits = 1 must be −1 or +1, not reach 3 … 3 (use bits = 3)"),
        ({"bits": 9}, "bits must be at most 8, not 9"),
        ({"bits": 0}, "bits must be at least 1, not 0"),
        ({"weights": np.full((4, 6), 200)}, "weights must have at most 8 bits, not 9"),
        ({"max_bits": 4}, "max_bits must be None where writable is False: other bits need other words"),
        ({"max_bits": 2, "writable": True}, "max_bits must be 3 (the bits at first) … 8, not 2"),
        ({"max_bits": 9, "writable": True}, "max_bits must be 3 (the bits at first) … 8, not 9"),
        ({"accumulator": unsigned(6)}, "accumulator must hold the sums 0 … 126 of these weights, not unsigned(6)"),
        ({"memory": "sram"}, "memory must be one of auto, block, distributed, not 'sram'"),
        ({"memory": "sram", "writable": True}, "memory must be one of auto, block, registers, not 'sram'"),
        ({"plane": "sum"}, "plane must be one of auto, and, table, not 'sum'"),
        ({"port": 0, "writable": True}, "port must be at least 1, not 0"),
        ({"buffer": "sram"}, "buffer must be one of auto, block, registers, distributed, not 'sram'"),
    ],
)
def test_errors(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        BitSerialMatVec(**({"weights": np.full((4, 6), 3)} | GOOD | change))


@pytest.mark.parametrize(
    ("options", "arguments", "message"),
    [
        ({}, {}, "weights can be written only where writable is True, not False"),
        ({"writable": True}, {"weights": np.ones((4, 3), int)}, "weights must have the shape (4, 6), not (4, 3)"),
        ({"writable": True}, {"bits": 4}, "bits must be 3, not 4 (construct with max_bits to choose them)"),
        ({"writable": True, "max_bits": 4}, {"bits": 5}, "bits must be at most max_bits = 4, not 5"),
        ({"writable": True}, {"weights": np.full((4, 6), 4)}, "weights of bits = 3 must lie within -4 … 3"),
        ({"writable": True}, {"bias": np.ones(3, int)}, "bias must have one value for each of the 4 outputs, not (3,)"),
        ({"writable": True}, {"bias": np.full(4, 2000)}, "accumulator must hold the sums 2000 … 2126"),
    ],
)
def test_image_errors(options, arguments, message):
    unit = BitSerialMatVec(np.full((4, 6), 3), **GOOD, **options)
    with pytest.raises(ValueError, match=re.escape(message)):
        unit.image(**({"weights": unit.weights} | arguments))
