"""A unit's ``control`` played as a cycle-by-cycle model, and held against the simulated hardware under random stalls.

:func:`model_of` turns a control into a :class:`Model` with the ports' handshakes and nothing else: which inputs are
ready and whether the output is valid, then a clock edge. :func:`assert_follows` offers both the same stalls and wants
every ready and every valid of every cycle, and so the cycle of every transfer, to be equal.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from amaranth.hdl import Value
from amaranth.sim import Simulator

from bitloom.hw.control import Buffered, Control, Slice, Steps

STALLS = {
    "flowing": (0.0, 0.0, 1),
    "random": (0.4, 0.4, 1),
    "starved": (0.8, 0.1, 1),
    "blocked": (0.1, 0.8, 1),
    "bursts": (0.5, 0.5, 25),
}
"""Shares of cycles in which a source has nothing new and in which the sink blocks; cycles that such a state lasts."""


class Model:
    """The handshakes of one unit: in each cycle ask :meth:`valid` and :meth:`ready`, then :meth:`tick`."""

    inputs = 1

    def valid(self) -> bool:
        """Whether the output is valid in this cycle."""
        raise NotImplementedError

    def ready(self, i_valid: Sequence[bool], o_ready: bool) -> list[bool]:
        """Whether each input is ready in this cycle."""
        raise NotImplementedError

    def tick(self, i_valid: Sequence[bool], o_ready: bool) -> None:
        """The clock edge at the end of this cycle."""
        raise NotImplementedError


class _Pipeline:
    """``depth`` registers that move together; the last is the output's ``valid``."""

    def __init__(self, depth: int):
        assert depth >= 1
        self.stages = deque([False] * depth, depth)

    def moves(self, o_ready: bool) -> bool:
        return o_ready or not self.stages[-1]

    def push(self, beat: bool) -> None:
        self.stages.appendleft(bool(beat))


class StepsModel(Model):
    """What :class:`Steps` says."""

    def __init__(self, control: Steps):
        self.takes, self.emits = np.asarray(control.takes), np.asarray(control.emits)
        assert self.takes.ndim == 2 and self.emits.shape == (self.takes.shape[1],)
        assert self.takes.dtype == self.emits.dtype == np.dtype(bool)
        self.inputs, self.steps = self.takes.shape
        self.step = 0
        self.pipeline = _Pipeline(control.depth)

    def valid(self) -> bool:
        return self.pipeline.stages[-1]

    def ready(self, i_valid: Sequence[bool], o_ready: bool) -> list[bool]:
        takes, moves = self.takes[:, self.step], self.pipeline.moves(o_ready)
        others = [all(i_valid[q] for q in range(self.inputs) if takes[q] and q != p) for p in range(self.inputs)]
        return [bool(moves and takes[p] and others[p]) for p in range(self.inputs)]

    def tick(self, i_valid: Sequence[bool], o_ready: bool) -> None:
        if not self.pipeline.moves(o_ready):
            return
        taken = all(i_valid[p] for p in range(self.inputs) if self.takes[p, self.step])
        self.pipeline.push(taken and self.emits[self.step])
        if taken:
            self.step = (self.step + 1) % self.steps


class BufferedModel(Model):
    """What :class:`Buffered` says; beats are counted from the first vector on."""

    def __init__(self, control: Buffered):
        self.control = control
        steps = len(control.emits)
        assert len(control.needs) == len(control.frees) == steps and np.asarray(control.emits).dtype == bool
        for counts in (control.needs, control.frees):
            assert np.all(np.diff(counts) >= 0) and counts[0] >= 0 and counts[-1] == control.beats
        self.step = self.base = self.written = self.freed = 0
        self.pipeline = _Pipeline(control.depth)

    def valid(self) -> bool:
        return self.pipeline.stages[-1]

    def ready(self, i_valid: Sequence[bool], o_ready: bool) -> list[bool]:
        return [self.written - self.freed < self.control.capacity]

    def tick(self, i_valid: Sequence[bool], o_ready: bool) -> None:
        control, write = self.control, i_valid[0] and self.ready(i_valid, o_ready)[0]
        if self.pipeline.moves(o_ready):
            taken = self.written >= self.base + control.needs[self.step]
            self.pipeline.push(taken and control.emits[self.step])
            if taken:
                self.freed = self.base + int(control.frees[self.step])
                self.step += 1
                if self.step == len(control.emits):
                    self.step, self.base = 0, self.base + control.beats
        self.written += write


class SliceModel(Model):
    """What :class:`Slice` says: an output register and a second one that catches a beat while the sink blocks."""

    def __init__(self):
        self.full = self.skid = False

    def valid(self) -> bool:
        return self.full

    def ready(self, i_valid: Sequence[bool], o_ready: bool) -> list[bool]:
        return [not self.skid]

    def tick(self, i_valid: Sequence[bool], o_ready: bool) -> None:
        beats = self.full + self.skid + (i_valid[0] and not self.skid) - (self.full and o_ready)
        self.full, self.skid = beats > 0, beats > 1


class QueueModel(Model):
    """A :class:`~bitloom.hw.StreamFIFO`: ``depth`` − 1 beats in memory and one in the output register."""

    def __init__(self, depth: int):
        self.depth, self.memory, self.output = depth, 0, False

    def valid(self) -> bool:
        return self.output

    def ready(self, i_valid: Sequence[bool], o_ready: bool) -> list[bool]:
        return [self.memory < self.depth - 1]

    def tick(self, i_valid: Sequence[bool], o_ready: bool) -> None:
        read = self.memory > 0 and (o_ready or not self.output)
        write = i_valid[0] and self.memory < self.depth - 1
        self.output = read or (self.output and not o_ready)
        self.memory += write - read


def model_of(control: Control) -> Model:
    """The model of a ``control``, as it stands after reset."""
    if isinstance(control, Steps):
        return StepsModel(control)
    return BufferedModel(control) if isinstance(control, Buffered) else SliceModel()


def ports(dut) -> list:
    """The input streams: ``i``, or ``i0``, ``i1``, …"""
    if "i" in dut.signature.members:
        return [dut.i]
    return [getattr(dut, name) for name in sorted(dut.signature.members, key=lambda n: (len(n), n)) if name[0] == "i"]


def beats_per_vector(control: Control) -> tuple[list[int], int]:
    """The beats of one vector: taken from each input, given by the output."""
    if isinstance(control, Steps):
        return [int(row.sum()) for row in control.takes], int(control.emits.sum())
    return [control.beats], control.beats if isinstance(control, Slice) else int(control.emits.sum())


@dataclass
class Stalls:
    """One side that pauses: in a share of the cycles, each state kept for ``hold`` cycles."""

    rng: np.random.Generator
    share: float
    hold: int
    left: int = 0
    paused: bool = field(default=False)

    def __call__(self) -> bool:
        if self.left == 0:
            self.paused, self.left = bool(self.rng.random() < self.share), self.hold
        self.left -= 1
        return self.paused


def assert_follows(
    dut, control: Control | None = None, *, model: Model | None = None, beats: int | None = None, vectors: int = 4,
    stalls: str = "random", seed: int = 0, settle: int = 1,
) -> None:  # fmt: skip
    """Run ``dut`` and the model of its ``control`` side by side until ``vectors`` vectors have left, random bits in.

    :param control: instead of ``dut.control``. :param model: instead of a control, with the output ``beats`` to wait
        for. :param stalls: a name in :data:`STALLS`. :param settle: cycles after reset before anything is offered (a
        unit that keeps the next constants at hand reads the first ones then).
    :raises AssertionError: a ready or a valid differs, naming port and cycle; or ``dut`` stands still.
    """
    if model is None:
        control = dut.control if control is None else control
        model, beats = model_of(control), vectors * beats_per_vector(control)[1]
    streams = ports(dut)
    assert len(streams) == model.inputs, f"{len(streams)} input streams, {model.inputs} in the control"
    rng = np.random.default_rng(seed)
    i_share, o_share, hold = STALLS[stalls]
    sources = [Stalls(rng, i_share, hold) for _ in streams]
    sink = Stalls(rng, o_share, hold)
    payloads = [Value.cast(stream.p) for stream in streams]

    async def bench(ctx):
        offered, given, idle = [False] * len(streams), 0, 0
        for _ in range(settle):
            await ctx.tick()
        cycle = 0
        while given < beats:
            for p, stream in enumerate(streams):
                if not offered[p] and not sources[p]():
                    offered[p] = True
                    bits = int.from_bytes(rng.bytes(len(payloads[p]) // 8 + 1), "little")
                    ctx.set(payloads[p], bits % (1 << len(payloads[p])))
                ctx.set(stream.valid, offered[p])
            o_ready = not sink()
            ctx.set(dut.o.ready, o_ready)
            valid, ready = bool(ctx.get(dut.o.valid)), [bool(ctx.get(stream.ready)) for stream in streams]
            expected = model.ready(offered, o_ready)
            assert valid == model.valid(), f"cycle {cycle}: o.valid is {valid}, {model.valid()} in the control"
            for p, (is_ready, due) in enumerate(zip(ready, expected)):
                assert is_ready == due, f"cycle {cycle}: i{p}.ready is {is_ready}, {due} in the control"
            model.tick(tuple(offered), o_ready)
            given += valid and o_ready
            moved = [a and b for a, b in zip(offered, ready)]
            idle = 0 if any(moved) or (valid and o_ready) else idle + 1
            assert idle < 2000, f"nothing has moved since cycle {cycle - idle}, {given} of {beats} beats have left"
            offered = [a and not b for a, b in zip(offered, moved)]
            await ctx.tick()
            cycle += 1

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
