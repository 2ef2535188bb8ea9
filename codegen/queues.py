"""Queue depths, computed from a periodic schedule of the units.

Every unit gets a schedule that repeats with the pipeline's interval I. A unit that works on its inputs as they come
takes each step as soon as they are there. A unit that works on a buffer does so too (*eager*), or takes its S steps
evenly, step k at offset + ⌊k·I / S⌋ with the least offset at which every beat is there in time (*even*). The depth of
the queue ahead of a unit is the most beats that have then been issued to it and that it has not taken. Either way of
scheduling gives depths that are enough; the one that needs fewer bits is taken.

A unit that cannot pass its beats on as quickly as it gives them stands still meanwhile. Where the time lost so within
its bursts is more than it has, its burst needs a queue as well (:func:`burst_depth`).

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

LATENCY = 2
"""Cycles that a beat spends in an empty queue."""

LEAST = 3
"""Beats of the smallest queue that takes a beat in each cycle."""


@dataclass(frozen=True)
class Emissions:
    """When a unit gives its beats: ``valid`` the first cycle in which each can be taken, ``issued`` when its step is.

    int64, one entry per beat of :data:`SAMPLES` samples.
    """

    valid: np.ndarray
    issued: np.ndarray

    @property
    def lag(self) -> int:
        """Cycles from a beat's step to the beat."""
        return int(self.valid[0] - self.issued[0])


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


def _spaced(times: np.ndarray, at: np.ndarray | None = None) -> np.ndarray:
    """The earliest times not before ``times``, each at least as long after another as their places ``at`` are apart.

    Without places, each is at least one cycle after the one before.
    """
    index = np.arange(len(times)) if at is None else at
    return np.asarray(np.maximum.accumulate(times - index) + index)


def depth_needed(come: np.ndarray, taken: np.ndarray, lag: int, interval: int) -> int:
    """The most beats that have been issued and are not yet taken; 0 if each is taken when it comes.

    :param come: when each beat could be taken.
    :param taken: when it is taken.
    :param lag: cycles that a beat is under way in the pipeline that gives it, and in the queue.
    :param interval: cycles per sample, with which the last sample laid out repeats.
    """
    if np.array_equal(come, taken):
        return 0
    waits = -(-int((taken - come).max() + lag) // interval) + 1  # samples that a beat may wait for
    come, taken = (_repeated(times, waits, interval) for times in (come, taken))
    index = np.arange(len(come))
    held = index + 1 - np.searchsorted(taken, come - lag, side="right")
    return int(held.max()) + 1  # the queue takes no beat in the cycle in which one leaves it when full


def _repeated(times: np.ndarray, samples: int, interval: int) -> np.ndarray:
    """``times`` and then those of its last sample, ``samples`` times more."""
    last = times[-(len(times) // SAMPLES) :]
    return np.concatenate([times, (last + interval * np.arange(1, samples + 1)[:, None]).ravel()])


def burst_depth(control: Control, repeats: int, own: int, interval: int, pace: float) -> int:
    """Beats of a queue behind a unit whose beats leave one each ``pace`` cycles; 0 if it can stand still meanwhile.

    A rigid pipeline that gives its beats in bursts, ``gap[j]`` cycles apart when nothing hinders it, takes
    Σ max(gap[j], pace) cycles for a sample if it stands still for each beat that cannot leave.

    :param own: cycles that the unit itself takes for a sample: its buffer may hold it up more than its steps and beats.
    """
    if isinstance(control, Slice) or pace <= 1:
        return 0
    at = _unhindered(control, repeats, own)
    gaps = np.diff(np.append(at, at[0] + own))
    if np.maximum(gaps, pace).sum() <= interval:
        return 0
    given = (at + interval * np.arange(SAMPLES)[:, None]).ravel()
    index = np.arange(len(given))
    left = np.maximum.accumulate(given - index * pace) + index * pace + control.depth + LATENCY
    return int((index + 1 - np.searchsorted(left, given - 1, side="right")).max())


def _unhindered(control: Steps | Buffered, repeats: int, own: int) -> np.ndarray:
    """When a unit gives its beats, for one sample, with input as quickly as it can take it and no hindrance."""
    marked = _marked(control)
    if isinstance(control, Buffered):
        _, every = _buffered(control, repeats, even(control.beats * repeats, own).valid, own, eager=True)
        times = every[-len(marked) * repeats :]
    else:
        times = _places(marked, len(control.emits), repeats)
    return times[np.tile(np.asarray(control.emits, dtype=bool)[marked], repeats)]


def _marked(control: Steps | Buffered) -> np.ndarray:
    """The steps of a vector whose cycles say those of all others, which follow in the cycles after them.

    That is the first and the last, those that take a beat, need or free more beats than the one before, or give a beat,
    and those just before that. A long fold between them costs nothing to lay out.
    """
    emits = np.asarray(control.emits, dtype=bool)
    marks = emits.copy()
    marks[:-1] |= emits[1:]
    marks[[0, -1]] = True
    if isinstance(control, Steps):
        marks |= np.atleast_2d(control.takes).any(axis=0)
    else:
        marks[1:] |= (np.diff(control.needs) != 0) | (np.diff(control.frees) != 0)
    return np.flatnonzero(marks)


def _places(marked: np.ndarray, length: int, vectors: int) -> np.ndarray:
    """The places of the ``marked`` steps of so many ``vectors`` of ``length`` steps, among all steps."""
    return (length * np.arange(vectors)[:, None] + marked).ravel()


def _paced(times: np.ndarray, at: np.ndarray, emits: np.ndarray, total: int, pace: float) -> np.ndarray:
    """The cycles of the steps at the places ``at`` of ``total``, moved so that those that give a beat are ``pace``
    cycles apart.

    :param emits: for each of these steps, whether it gives a beat.
    """
    if pace <= 1:
        return times
    given = at[emits]
    longer = np.zeros(len(at), dtype=np.int64)
    longer[emits] = np.maximum(0, int(np.ceil(pace)) - np.diff(given, prepend=given[-1] - total))
    return _spaced(times, at + np.cumsum(longer))


def passes_beat_by_beat(control: Control) -> bool:
    """Whether a unit with one input gives one beat for each that it takes, so that what blocks it blocks its source."""
    if isinstance(control, Slice):
        return True
    return isinstance(control, Steps) and len(control.takes) == 1 and bool(control.takes.all() and control.emits.all())


def run(
    control: Control, repeats: int, arrivals: list[np.ndarray], interval: int, eager: bool, pace: float
) -> tuple[list[np.ndarray], Emissions]:
    """When a unit takes each beat of its inputs, which come at ``arrivals``, and when it gives its own.

    :param repeats: vectors per sample.
    :param eager: whether units that work on a buffer take their steps as soon as they can, or evenly.
    :param pace: cycles from one beat that it gives to the next, at least.
    """
    if isinstance(control, Slice):
        taken = _spaced(arrivals[0])
        return [taken], Emissions(taken + 1, taken)
    if isinstance(control, Buffered):
        taken, times = _buffered(control, repeats, arrivals[0], interval, eager, pace)
        taken_by = [taken]
    else:
        taken_by, times = _asap(control, repeats, arrivals, pace)
    issued = times[np.tile(np.asarray(control.emits, dtype=bool)[_marked(control)], SAMPLES * repeats)]
    return taken_by, Emissions(issued + control.depth, issued)


def _asap(control: Steps, repeats: int, arrivals: list[np.ndarray], pace: float
          ) -> tuple[list[np.ndarray], np.ndarray]:
    """When each beat of each input is taken, and the cycle of every marked step: as soon as its beats are there."""
    marked, length, vectors = _marked(control), len(control.emits), SAMPLES * repeats
    at, emits = _places(marked, length, vectors), np.tile(np.asarray(control.emits, dtype=bool)[marked], vectors)
    takes = [np.tile(np.asarray(row, dtype=bool)[marked], vectors) for row in np.atleast_2d(control.takes)]
    ready = np.zeros(len(at), dtype=np.int64)
    for row, times in zip(takes, arrivals):
        ready[row] = np.maximum(ready[row], times)
    steps = _paced(_spaced(ready, at), at, emits, length * vectors, pace)
    return [steps[row] for row in takes], steps


def _buffered(
    control: Buffered, repeats: int, arrivals: np.ndarray, interval: int, eager: bool, pace: float = 1
) -> tuple[np.ndarray, np.ndarray]:
    """When each beat is written, which is when it comes if there is room, and the cycle of every marked step."""
    marked, length, vectors = _marked(control), len(control.emits), SAMPLES * repeats
    at, emits = _places(marked, length, vectors), np.tile(np.asarray(control.emits, dtype=bool)[marked], vectors)
    base = np.repeat(np.arange(vectors) * control.beats, len(marked))
    needs, frees = np.tile(control.needs[marked], vectors) + base, np.tile(control.frees[marked], vectors) + base
    count, beats = len(marked) * repeats, control.beats * repeats
    room = np.arange(SAMPLES * beats) - control.capacity + 1  # beats that must have been freed
    freeing = np.minimum(np.searchsorted(frees, room, side="left"), len(frees) - 1)
    del base, frees

    def written(steps: np.ndarray) -> np.ndarray:
        return _spaced(np.maximum(arrivals, np.where(room > 0, steps[freeing] + 1, arrivals.min())))

    taken = _spaced(arrivals)
    for _ in range(EAGER_ROUNDS if eager else 0):
        steps = _spaced(np.where(needs > 0, taken[np.maximum(needs, 1) - 1] + 1, arrivals.min()), at)
        steps = _paced(steps, at, emits, length * vectors, pace)
        after = written(steps)
        if np.array_equal(after, taken):
            return taken, steps
        taken = after
    relative = arrivals.reshape(SAMPLES, beats) - interval * np.arange(SAMPLES)[:, None]
    latest = np.maximum.accumulate(relative.max(axis=0))
    own = at[:count] * interval // (length * repeats)
    some = needs[:count] > 0
    offset = int((latest[needs[:count][some] - 1] + 1 - own[some]).max())
    steps = offset + (own + interval * np.arange(SAMPLES)[:, None]).ravel()
    steps = _paced(steps, at, emits, length * vectors, pace)
    return written(steps), steps
