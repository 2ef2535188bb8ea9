"""Bisection finds what a scan of the whole range finds, and refuses what is not monotone."""

import numpy as np
import pytest

from bitloom import WorkError
from bitloom.quant.train.bisect import Levels, find_thresholds


def scan(f: Levels, lo: np.ndarray, hi: np.ndarray, levels: int) -> np.ndarray:
    rows = np.arange(lo.min(), hi.max() + 1)[:, None]
    values = f(np.clip(rows, lo, hi))

    def first(c: int, level: int) -> int:
        return next((x for x in range(lo[c], hi[c] + 1) if values[x - rows[0, 0], c] >= level), hi[c] + 1)

    return np.array([[first(c, k) for k in range(1, levels + 1)] for c in range(len(lo))])


@pytest.mark.parametrize("seed", range(20))
def test_random_staircases(seed: int) -> None:
    rng = np.random.default_rng(seed)
    channels, levels = int(rng.integers(1, 9)), int(rng.integers(1, 16))
    lo = rng.integers(-300, 100, channels)
    hi = lo + rng.integers(0, 300, channels)
    edges = np.sort(rng.integers(-350, 450, (channels, levels)), axis=1)

    def staircase(x: np.ndarray) -> np.ndarray:
        assert np.all((x >= lo) & (x <= hi)), "never asked outside its range"
        return (x[..., None] >= edges).sum(axis=-1)

    found = find_thresholds("f", staircase, lo, hi, levels)
    assert np.array_equal(found, scan(staircase, lo, hi, levels))
    assert np.array_equal(found, np.clip(edges, lo[:, None], hi[:, None] + 1))


def test_a_long_range_takes_few_questions() -> None:
    asked = []

    def step(x: np.ndarray) -> np.ndarray:
        asked.append(x.size)
        return (x >= 12345).astype(np.int64)

    assert find_thresholds("f", step, np.array([-(2**24)]), np.array([2**24]), 1).tolist() == [[12345]]
    assert len(asked) <= 30


def test_a_function_that_falls_is_refused() -> None:
    lo, hi = np.array([-10, -10]), np.array([10, 10])
    with pytest.raises(WorkError, match=r"act7: an activation must be monotone .* and channel 1 is not"):
        find_thresholds("act7", lambda x: np.where([True, False], x > 0, x < 0).astype(np.int64), lo, hi, 1)
