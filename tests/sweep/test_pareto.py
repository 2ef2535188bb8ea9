"""Pareto fronts, against their definition, and one per network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bitloom.sweep import Outcome, front, fronts


def test_a_front_is_what_nothing_beats() -> None:
    costs = np.random.default_rng(0).integers(0, 6, (60, 3))
    kept = front(costs)
    for i, row in enumerate(costs):
        beaten = any((other <= row).all() and (other < row).any() for other in costs)
        assert kept[i] == (not beaten)
    assert 0 < kept.sum() < len(costs)


def test_equal_points_stay_together() -> None:
    assert front(np.array([[1, 2], [1, 2], [2, 2], [2, 1]])).tolist() == [True, True, False, True]
    assert front(np.zeros((1, 2))).tolist() == [True]


def test_each_network_has_a_front_of_good_points(fake: Callable[..., Outcome]) -> None:
    small, fast, slow = fake(1000, 10), fake(2000, 500), fake(1500, 5)
    other = fake(3000, 1, model="digits-binary")
    late = fake(500, 1e6, status="misses timing")
    assert fronts([fast, small, slow, other, late]) == {"digits": [small, fast], "digits-binary": [other]}
