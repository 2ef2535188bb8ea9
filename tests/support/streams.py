"""Driving a stream component in simulation: beats in, beats out, stalls on both sides, the protocol checked."""

from dataclasses import dataclass, field

import numpy as np
from amaranth.hdl import Shape
from amaranth.sim import Simulator


def pack(elements, width: int) -> int:
    """A beat's payload: element 0 lowest, each modulo 2^width."""
    return sum((int(element) & ((1 << width) - 1)) << (lane * width) for lane, element in enumerate(elements))


def unpack(payload: int, shape: Shape, lanes: int) -> list[int]:
    """The elements of a beat."""
    values = [(payload >> (lane * shape.width)) & ((1 << shape.width) - 1) for lane in range(lanes)]
    return [v - (1 << shape.width) if shape.signed and v >> (shape.width - 1) else v for v in values]


@dataclass
class Run:
    """What a simulation saw: the output vectors and the cycle of every transfer."""

    y: np.ndarray
    i_cycles: list[int] = field(default_factory=list)
    o_cycles: list[int] = field(default_factory=list)


def drive(dut, x, outputs, *, i_shape, i_lanes, i_gap=None, bipolar=(False, False), **rest):
    """Send the vectors ``x`` through the input ``i`` of ``dut`` and collect as many vectors of ``outputs`` elements.

    ``i_gap(cycle)`` and ``o_gap(cycle)`` say whether the source has nothing new, and whether the sink blocks; the sink
    also blocks until ``o_interval`` cycles after the last transfer.
    """
    source = Source(dut.i, x, i_shape, i_lanes, bipolar[0], i_gap)
    return drive_all(dut, [source], outputs, o_bipolar=bipolar[1], **rest)


class Source:
    """What goes into one input stream: the beats of ``x``, with pauses; ``cycles`` are those of the transfers."""

    def __init__(self, stream, x, shape, lanes, bipolar=False, gap=None):
        self.stream, self.vectors, self.gap = stream, len(x), gap
        wire = (np.asarray(x) + 1) // 2 if bipolar else np.asarray(x)
        self.beats = [pack(beat, shape.width) for beat in wire.reshape(-1, lanes)]
        self.cycles: list[int] = []
        self.offered = False

    @property
    def done(self) -> bool:
        return len(self.cycles) == len(self.beats)

    def offer(self, ctx, cycle: int) -> None:
        if not self.offered and not self.done and not (self.gap and self.gap(cycle)):
            self.offered = True
            ctx.set(self.stream.p.as_value(), self.beats[len(self.cycles)])
        ctx.set(self.stream.valid, self.offered)

    def note(self, ctx, cycle: int) -> None:
        if self.offered and ctx.get(self.stream.ready):
            self.cycles.append(cycle)
            self.offered = False


def drive_all(dut, sources, outputs, *, o_shape, o_lanes, o_gap=None, o_interval=1, o_bipolar=False):
    """As :func:`drive`, with a :class:`Source` for each input; ``i_cycles`` are those of the first."""
    vectors, beats = sources[0].vectors, sum(len(source.beats) for source in sources)
    wanted = vectors * outputs // o_lanes
    run = Run(np.zeros(0), sources[0].cycles)
    got = []

    async def bench(ctx):
        held = None
        limit = 200 + 40 * (beats + wanted) + dut.interval * 20 * vectors
        for cycle in range(limit):
            for source in sources:
                source.offer(ctx, cycle)
            blocked = bool(o_gap and o_gap(cycle))
            if run.o_cycles and cycle < run.o_cycles[-1] + o_interval:
                blocked = True
            ctx.set(dut.o.ready, blocked)
            before = ctx.get(dut.o.valid)
            ctx.set(dut.o.ready, not blocked)
            valid, payload = ctx.get(dut.o.valid), ctx.get(dut.o.p.as_value())
            assert valid == before, f"cycle {cycle}: valid depends on ready"
            if held is not None:
                assert valid and payload == held, f"cycle {cycle}: valid or payload changed before the transfer"
            held = payload if valid and blocked else None
            for source in sources:
                source.note(ctx, cycle)
            if valid and not blocked:
                run.o_cycles.append(cycle)
                got.append(payload)
            await ctx.tick()
            done = all(source.done for source in sources)
            if len(got) >= wanted and done and cycle > run.o_cycles[-1] + dut.interval + 8:
                return
        sent = sum(len(source.cycles) for source in sources)
        raise AssertionError(f"after {limit} cycles: {sent} of {beats} beats in, {len(got)} of {wanted} out")

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert len(got) == wanted, f"{len(got)} beats left, {wanted} were due"
    y = np.array([unpack(payload, o_shape, o_lanes) for payload in got], dtype=np.int64).reshape(vectors, outputs)
    run.y = 2 * y - 1 if o_bipolar else y
    return run


def gaps(kind: str, seed: int):
    """A stall pattern: ``none``, ``random``, ``heavy``, or ``period <p>`` (open in one cycle of p)."""
    if kind == "none":
        return None
    if kind.startswith("period"):
        period = int(kind.split()[1])
        return lambda cycle: cycle % period != 0
    rng = np.random.default_rng(seed)
    share = {"random": 0.4, "heavy": 0.85}[kind]
    return lambda cycle: rng.random() < share
