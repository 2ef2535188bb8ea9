"""Queue depths, computed from a periodic schedule of the units.

Every unit gets a schedule that repeats with the pipeline's interval I. A unit that works on its inputs as they come
takes each step as soon as they are there. A unit that works on a buffer does so too (*eager*), or takes its S steps
evenly, step k at offset + ⌊k·I / S⌋ with the least offset at which every beat is there in time (*even*). The depth of
the queue ahead of a unit is the most beats that the unit ahead of it has then issued and that could not be passed on at
once. Either way of scheduling gives depths that are enough; the one that needs fewer bits is taken.

A pipeline with such queues that runs as soon as it can is never slower than this schedule, because its units are
monotone: a beat that comes earlier makes nothing later. So no queue is searched for by simulation. Sources: Wiggers,
Bekooij and Smit, *Computation of buffer capacities for throughput constrained and data dependent inter-task
communication*, 2007; Baccelli, Cohen, Olsder and Quadrat, *Synchronization and Linearity*, 1992.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bitloom.hw.control import Buffered, Control, Slice, Steps

SAMPLES = 4
"""Consecutive samples laid out; the last shows the periodic regime."""

EAGER_ROUNDS = 64
"""Rounds in which the eager schedule of a unit (steps wait for beats, beats for room) must settle."""

QUEUE_LATENCY = 2
"""Cycles that a beat spends in an empty queue."""


@dataclass(frozen=True)
class Emissions:
    """When a unit gives its beats: ``valid`` the first cycle in which each can be taken, ``issued`` when its step is.

    int64, one entry per beat of :data:`SAMPLES` samples.
    """

    valid: np.ndarray
    issued: np.ndarray

    def later(self, cycles: int) -> Emissions:
        """The same behind something that adds latency."""
        return Emissions(self.valid + cycles, self.issued)


def even(beats: int, interval: int) -> Emissions:
    """A source that gives ``beats`` per interval, evenly."""
    index = np.arange(SAMPLES * beats)
    times = index // beats * interval + index % beats * interval // beats
    return Emissions(times, times)


def converted(arrivals: np.ndarray, a: int, b: int, step: int) -> np.ndarray:
    """When beats of ``b`` lanes are there, made of beats of ``a`` lanes that come at ``arrivals``, by ``step``."""
    pieces = a // step
    if pieces > 1:
        index = np.arange(len(arrivals) * pieces)
        # Piece j of a beat leaves j + 1 cycles after the beat came, and one piece leaves per cycle.
        arrivals = _spaced(np.repeat(arrivals, pieces) + 1 + index % pieces)
    if b > step:
        arrivals = arrivals[b // step - 1 :: b // step] + 1
    return arrivals


def _spaced(times: np.ndarray) -> np.ndarray:
    """The earliest times not before ``times`` of which no two are closer than a cycle."""
    index = np.arange(len(times))
    return np.asarray(np.maximum.accumulate(times - index) + index)


def depth_needed(come: np.ndarray, taken: np.ndarray, issued: np.ndarray, a: int, b: int) -> int:
    """Beats of ``a`` lanes that wait: the most that are issued and not yet taken. Zero if none comes before its turn.

    :param come: when each beat of ``b`` lanes could be taken.
    :param taken: when it is taken.
    :param issued: when each beat of ``a`` lanes is issued.
    """
    if np.array_equal(come, taken):
        return 0
    index = np.arange(len(issued))
    # Beat k of a lanes is out of the queue when the beat of b lanes that holds its last element is taken.
    done = taken[np.minimum(((index + 1) * a - 1) // b, len(taken) - 1)]
    out = np.searchsorted(np.sort(done), issued, side="right")
    return int((index + 1 - out).max()) + 1


def run(
    control: Control, repeats: int, arrivals: list[np.ndarray], interval: int, eager: bool
) -> tuple[list[np.ndarray], Emissions]:
    """When a unit takes each beat of its inputs, which come at ``arrivals``, and when it gives its own.

    :param repeats: vectors per sample.
    :param eager: whether units that work on a buffer take their steps as soon as they can, or evenly.
    """
    if isinstance(control, Buffered):
        taken, steps = _buffered(control, repeats, arrivals[0], interval, eager)
        return [taken], _emitted(control.emits, control.depth, repeats, steps)
    if isinstance(control, Slice):
        taken = _spaced(arrivals[0])
        return [taken], Emissions(taken + 1, taken)
    assert isinstance(control, Steps)
    steps = _asap(control, repeats, arrivals)
    taken_by = [steps[np.tile(np.asarray(row, dtype=bool), SAMPLES * repeats)] for row in np.atleast_2d(control.takes)]
    return taken_by, _emitted(control.emits, control.depth, repeats, steps)


def _emitted(emits: np.ndarray, depth: int, repeats: int, steps: np.ndarray) -> Emissions:
    issued = steps[np.tile(np.asarray(emits, dtype=bool), SAMPLES * repeats)]
    return Emissions(issued + depth, issued)


def _asap(control: Steps, repeats: int, arrivals: list[np.ndarray]) -> np.ndarray:
    """The cycle of every step: as soon as its beats are there, one step per cycle."""
    ready = np.zeros(SAMPLES * repeats * len(control.emits), dtype=np.int64)
    for row, times in zip(np.atleast_2d(control.takes), arrivals):
        takes = np.tile(np.asarray(row, dtype=bool), SAMPLES * repeats)
        ready[takes] = np.maximum(ready[takes], times)
    return _spaced(ready)


def _buffered(
    control: Buffered, repeats: int, arrivals: np.ndarray, interval: int, eager: bool
) -> tuple[np.ndarray, np.ndarray]:
    """When each beat is written, which is when it comes if there is room, and the cycle of every step."""
    count, beats = len(control.needs) * repeats, control.beats * repeats
    sample = np.repeat(np.arange(SAMPLES), count)
    base = np.repeat(np.arange(SAMPLES * repeats), len(control.needs)) * control.beats
    needs, frees = np.tile(control.needs, SAMPLES * repeats) + base, np.tile(control.frees, SAMPLES * repeats) + base
    room = np.arange(SAMPLES * beats) - control.capacity + 1  # beats that must have been freed
    freeing = np.minimum(np.searchsorted(frees, room, side="left"), len(frees) - 1)

    def written(steps: np.ndarray) -> np.ndarray:
        return _spaced(np.maximum(arrivals, np.where(room > 0, steps[freeing] + 1, arrivals.min())))

    taken = _spaced(arrivals)
    for _ in range(EAGER_ROUNDS if eager else 0):
        steps = _spaced(np.where(needs > 0, taken[np.maximum(needs, 1) - 1] + 1, arrivals.min()))
        after = written(steps)
        if np.array_equal(after, taken):
            return taken, steps
        taken = after
    relative = arrivals.reshape(SAMPLES, beats) - interval * np.arange(SAMPLES)[:, None]
    latest = np.maximum.accumulate(relative.max(axis=0))
    own = np.arange(count) * interval // count
    some = needs[:count] > 0
    offset = int((latest[needs[:count][some] - 1] + 1 - own[some]).max())
    steps = offset + np.tile(own, SAMPLES) + sample * interval
    return written(steps), steps
