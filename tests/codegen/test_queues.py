"""The schedule behind the queues' depths: only some steps are laid out, and it is that of all steps.

| testpoint | stage | test |
| --- | --- | --- |
| cycles of beats taken and given, units over inputs and over buffers | full | test_as_if_every_step_were_laid_out |
| room for long folds | full | test_a_long_fold_takes_no_room |
"""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from bitloom.codegen import queues
from bitloom.hw.control import Buffered, Control, Steps


def random_control(rng: np.random.Generator) -> tuple[Control, list[int]]:
    """A control, and the beats that each of its inputs brings for one vector."""
    steps = int(rng.integers(1, 30))
    emits = rng.random(steps) < rng.choice([0.1, 0.5, 1.0])
    emits[rng.integers(steps)] = True
    depth = int(rng.integers(1, 5))
    if rng.integers(2):
        takes = rng.random((int(rng.integers(1, 3)), steps)) < rng.choice([0.2, 0.6, 1.0])
        takes[:, rng.integers(steps)] = True
        return Steps(takes, emits, depth), [int(row.sum()) for row in takes]
    beats = int(rng.integers(1, 12))
    needs = np.sort(rng.integers(0, beats + 1, steps))
    frees = np.minimum(np.sort(rng.integers(0, beats + 1, steps)), needs)
    needs[-1] = frees[-1] = beats
    return Buffered(beats, int(rng.integers(beats, 3 * beats + 1)), needs, frees, emits, depth), [beats]


@pytest.mark.parametrize("seed", range(6))
def test_as_if_every_step_were_laid_out(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng, marked = np.random.default_rng(seed), queues._marked
    for _ in range(60):
        control, beats = random_control(rng)
        repeats, pace = int(rng.integers(1, 5)), float(rng.choice([1, 1.5, 2, 3, 7]))
        own = max(len(control.emits), *beats) * repeats  # type: ignore[union-attr]
        interval = int(own * rng.choice([1, 1.3, 2]))
        arrivals = [queues._spaced(queues.even(count * repeats, interval).valid + rng.integers(9) +
                                   np.tile(rng.integers(0, 6, count * repeats), queues.SAMPLES)) for count in beats]
        for eager in (True, False):
            some = queues.run(control, repeats, arrivals, interval, eager, pace)
            burst = queues.burst_depth(control, repeats, own, interval, pace)
            monkeypatch.setattr(queues, "_marked", lambda control: np.arange(len(control.emits)))
            every = queues.run(control, repeats, arrivals, interval, eager, pace)
            assert burst == queues.burst_depth(control, repeats, own, interval, pace)
            monkeypatch.setattr(queues, "_marked", marked)
            assert all(np.array_equal(a, b) for a, b in zip(some[0], every[0], strict=True))
            assert np.array_equal(some[1].valid, every[1].valid) and np.array_equal(some[1].issued, every[1].issued)


def test_a_long_fold_takes_no_room() -> None:
    steps, positions = 20_000, 2_500  # 50 million steps a sample, 400 MB for each array of four samples of them
    needs, frees = np.full(steps, 4), np.zeros(steps, dtype=np.int64)
    needs[:4], frees[-4:] = [1, 2, 3, 4], [1, 2, 3, 4]
    emits = np.zeros(steps, dtype=bool)
    emits[-1] = True
    control, interval = Buffered(4, 8, needs, frees, emits, 3), steps * positions
    tracemalloc.start()
    (taken,), given = queues.run(control, positions, [queues.even(4 * positions, interval).valid], interval, True, 1)
    assert tracemalloc.get_traced_memory()[1] < 100_000_000
    tracemalloc.stop()
    assert len(taken) == 4 * positions * queues.SAMPLES and len(given.valid) == positions * queues.SAMPLES


def test_a_unit_that_its_buffer_holds_up_has_no_time_to_stand_still() -> None:
    # Six steps, nine beats, room for five of them: a vector each 10 cycles, and its two beats follow one another.
    needs, frees = np.array([4, 4, 8, 8, 9, 9]), np.array([4, 4, 5, 5, 9, 9])
    control = Buffered(9, 5, needs, frees, np.array([0, 0, 0, 0, 1, 1], dtype=bool), 3)
    assert queues.burst_depth(control, 18, 180, 180, 2) > 0
    assert queues.burst_depth(control, 18, 180, 198, 2) == 0
