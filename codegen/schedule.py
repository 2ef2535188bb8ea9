"""When beats move: the pipeline's control, evaluated cycle by cycle from the closed forms of its units.

Each unit brings its ``control`` (:mod:`bitloom.hw.control`): the pattern in which it takes and gives beats. Queues,
width converters and forks have patterns of their own. Here they are joined as the accelerator joins its parts and
played, control only and no data: that gives the latency from idle and the level of every queue, exact to the cycle.
The interval needs no playing: it is the greatest of the units' and links' (:mod:`bitloom.codegen.plan`).

A channel is one stream: a valid and a ready per cycle. A cell drives the valid of the channels it writes (in the order
of the data) and the ready of those it reads (against it), then moves on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bitloom.hw.control import Buffered, Control, Slice, Steps


class Channels:
    """The valid and ready of every channel in the current cycle."""

    def __init__(self) -> None:
        self.valid: list[int] = []
        self.ready: list[int] = []

    def add(self) -> int:
        """A new channel's number."""
        self.valid.append(0)
        self.ready.append(0)
        return len(self.valid) - 1


class Cell:
    """A part of the pipeline: reads the channels ``inputs``, writes ``outputs``."""

    def __init__(self, channels: Channels, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        self.valid, self.ready = channels.valid, channels.ready
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)

    def offer(self) -> None:
        """Drive the valid of the outputs."""
        raise NotImplementedError

    def accept(self) -> None:
        """Drive the ready of the inputs."""
        raise NotImplementedError

    def tick(self) -> None:
        """Pass the clock edge."""
        raise NotImplementedError


def _integers(values: np.ndarray) -> memoryview:
    """``values`` as Python reads them one by one: a vector of a large map has millions of steps."""
    return np.ascontiguousarray(values, dtype=np.int64).data


class StepsCell(Cell):
    """A unit of :class:`~bitloom.hw.control.Steps`."""

    def __init__(self, channels: Channels, inputs: Sequence[int], outputs: Sequence[int], control: Steps) -> None:
        super().__init__(channels, inputs, outputs)
        takes = np.asarray(control.takes, dtype=bool)
        self._takes = [tuple(channel for channel, t in zip(self.inputs, column) if t) for column in takes.T]
        self._emits = _integers(control.emits)
        self._step = self._pipe = self._moves = self._issues = 0
        self._top = 1 << (control.depth - 1)

    def offer(self) -> None:
        self.valid[self.outputs[0]] = 1 if self._pipe & self._top else 0

    def accept(self) -> None:
        valid, ready = self.valid, self.ready
        self._moves = not self._pipe & self._top or ready[self.outputs[0]]
        for channel in self.inputs:
            ready[channel] = 0
        self._issues = 0
        if self._moves:
            taken = self._takes[self._step]
            missing = [channel for channel in taken if not valid[channel]]
            if not missing:
                self._issues = 1
                for channel in taken:
                    ready[channel] = 1
            elif len(missing) == 1:
                ready[missing[0]] = 1

    def tick(self) -> None:
        if self._moves:
            self._pipe = (self._pipe << 1) & (2 * self._top - 1)
            if self._issues:
                self._pipe |= self._emits[self._step]
                self._step = (self._step + 1) % len(self._emits)


class BufferedCell(Cell):
    """A unit of :class:`~bitloom.hw.control.Buffered`."""

    def __init__(self, channels: Channels, inputs: Sequence[int], outputs: Sequence[int], control: Buffered) -> None:
        super().__init__(channels, inputs, outputs)
        self._needs, self._frees = _integers(control.needs), _integers(control.frees)
        self._emits = _integers(control.emits)
        self._beats, self._capacity = control.beats, control.capacity
        self._step = self._pipe = self._moves = self._base = self._written = self._freed = 0
        self._top = 1 << (control.depth - 1)

    def offer(self) -> None:
        self.valid[self.outputs[0]] = 1 if self._pipe & self._top else 0

    def accept(self) -> None:
        self._moves = not self._pipe & self._top or self.ready[self.outputs[0]]
        self.ready[self.inputs[0]] = 1 if self._written - self._freed < self._capacity else 0

    def tick(self) -> None:
        step, written = self._step, self._written
        if self.ready[self.inputs[0]] and self.valid[self.inputs[0]]:
            self._written += 1
        if self._moves:
            self._pipe = (self._pipe << 1) & (2 * self._top - 1)
            if written >= self._base + self._needs[step]:
                self._pipe |= self._emits[step]
                self._freed = self._base + self._frees[step]
                self._step = step + 1
                if self._step == len(self._needs):
                    self._step = 0
                    self._base += self._beats


class SliceCell(Cell):
    """A :class:`~bitloom.hw.fabric.register_slice.RegisterSlice`."""

    _full = _skid = 0

    def offer(self) -> None:
        self.valid[self.outputs[0]] = self._full

    def accept(self) -> None:
        self.ready[self.inputs[0]] = 0 if self._skid else 1

    def tick(self) -> None:
        comes = self.valid[self.inputs[0]]
        if self.ready[self.outputs[0]] or not self._full:
            self._full = 1 if comes or self._skid else 0
            self._skid = 0
        elif comes:
            self._skid = 1


class QueueCell(Cell):
    """A :class:`~bitloom.hw.fabric.fifo.StreamFIFO` of ``depth`` beats; ``peak`` is the most that it has held."""

    def __init__(self, channels: Channels, source: int, sink: int, depth: int) -> None:
        super().__init__(channels, (source,), (sink,))
        self._room = depth - 1
        self._inner = self._shown = 0
        self.peak = 0

    def offer(self) -> None:
        self.valid[self.outputs[0]] = self._shown

    def accept(self) -> None:
        self.ready[self.inputs[0]] = 1 if self._inner != self._room else 0

    def tick(self) -> None:
        written = self.valid[self.inputs[0]] and self.ready[self.inputs[0]]
        taken = self.ready[self.outputs[0]]
        moved = self._inner and (not self._shown or taken)
        if moved:
            self._shown = 1
        elif taken:
            self._shown = 0
        self._inner += bool(written) - bool(moved)
        self.peak = max(self.peak, self._inner + self._shown)


class SplitCell(Cell):
    """A width converter that makes ``ratio`` narrow beats of each."""

    def __init__(self, channels: Channels, source: int, sink: int, ratio: int) -> None:
        super().__init__(channels, (source,), (sink,))
        self._ratio = ratio
        self._count = 0

    def offer(self) -> None:
        self.valid[self.outputs[0]] = 1 if self._count else 0

    def accept(self) -> None:
        self.ready[self.inputs[0]] = 1 if not self._count or (self._count == 1 and self.ready[self.outputs[0]]) else 0

    def tick(self) -> None:
        if self.ready[self.inputs[0]]:
            self._count = self._ratio if self.valid[self.inputs[0]] else 0
        elif self.ready[self.outputs[0]]:
            self._count -= 1


class GatherCell(Cell):
    """A width converter that makes one wide beat of ``ratio``."""

    def __init__(self, channels: Channels, source: int, sink: int, ratio: int) -> None:
        super().__init__(channels, (source,), (sink,))
        self._ratio = ratio
        self._count = 0

    def offer(self) -> None:
        self.valid[self.outputs[0]] = 1 if self._count == self._ratio else 0

    def accept(self) -> None:
        self.ready[self.inputs[0]] = 1 if self._count != self._ratio or self.ready[self.outputs[0]] else 0

    def tick(self) -> None:
        full = self._count == self._ratio
        if self.valid[self.inputs[0]] and self.ready[self.inputs[0]]:
            self._count = 1 if full else self._count + 1
        elif full and self.ready[self.outputs[0]]:
            self._count = 0


class ForkCell(Cell):
    """A :class:`~bitloom.hw.fabric.fork.Fork`: each output takes each beat once."""

    def __init__(self, channels: Channels, source: int, sinks: Sequence[int]) -> None:
        super().__init__(channels, (source,), sinks)
        self._taken = [0] * len(self.outputs)

    def offer(self) -> None:
        comes = self.valid[self.inputs[0]]
        for k, channel in enumerate(self.outputs):
            self.valid[channel] = 1 if comes and not self._taken[k] else 0

    def accept(self) -> None:
        done = all(taken or self.ready[channel] for taken, channel in zip(self._taken, self.outputs))
        self.ready[self.inputs[0]] = 1 if done else 0

    def tick(self) -> None:
        if self.valid[self.inputs[0]]:
            done = self.ready[self.inputs[0]]
            self._taken = [0 if done else int(taken or self.ready[channel])
                           for taken, channel in zip(self._taken, self.outputs)]


def unit_cell(channels: Channels, inputs: Sequence[int], output: int, control: Control) -> Cell:
    """The cell of a unit with this control."""
    if isinstance(control, Steps):
        return StepsCell(channels, inputs, (output,), control)
    if isinstance(control, Buffered):
        return BufferedCell(channels, inputs, (output,), control)
    assert isinstance(control, Slice)
    return SliceCell(channels, inputs, (output,))


@dataclass
class Timeline:
    """What playing showed: the cycles of each vector's first transfer at both ends, and the most each queue held."""

    starts_in: list[int] = field(default_factory=list)
    starts_out: list[int] = field(default_factory=list)
    peaks: dict[str, int] = field(default_factory=dict)

    @property
    def latency(self) -> int:
        """Cycles from the first input transfer to the first output transfer."""
        return self.starts_out[0] - self.starts_in[0]


@dataclass
class Pipeline:
    """Cells in the order of the data, and the channels at both ends with their beats per vector."""

    channels: Channels
    cells: list[Cell]
    source: int
    sink: int
    beats_in: int
    beats_out: int
    queues: dict[str, QueueCell]

    def play(self, vectors: int, patience: int, drain: bool = False) -> Timeline:
        """Offer input and take output in each cycle until ``vectors`` have begun to come out.

        :param patience: cycles without an output beat that count as a deadlock.
        :param drain: offer no more than these vectors, and go on until they have come out whole.
        """
        timeline = Timeline()
        valid, ready = self.channels.valid, self.channels.ready
        forward, backward = [cell.offer for cell in self.cells], [cell.accept for cell in reversed(self.cells)]
        ticks = [cell.tick for cell in self.cells]
        ready[self.sink] = 1
        cycle = came = went = last = 0
        while (went < vectors * self.beats_out) if drain else (len(timeline.starts_out) < vectors):
            valid[self.source] = 0 if drain and came == vectors * self.beats_in else 1
            for step in forward:
                step()
            for step in backward:
                step()
            if ready[self.source] and valid[self.source]:
                if came % self.beats_in == 0:
                    timeline.starts_in.append(cycle)
                came += 1
            if valid[self.sink]:
                if went % self.beats_out == 0:
                    timeline.starts_out.append(cycle)
                went, last = went + 1, cycle
            for step in ticks:
                step()
            cycle += 1
            if cycle - last > patience:
                raise AssertionError(f"no beat came out for {patience} cycles: the pipeline is stuck")
        timeline.peaks = {name: queue.peak for name, queue in self.queues.items()}
        return timeline
