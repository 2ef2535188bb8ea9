"""Slopes that separate points: against brute force over fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from bitloom.codegen.passes.separation import separating_slopes, simplest_between

SLOPES = sorted({Fraction(n, d) for d in range(1, 13) for n in range(1, 40)})


def separates(slope: Fraction, below: np.ndarray, above: np.ndarray) -> bool:
    return max(slope * int(a) + int(b) for a, b in below.T) < min(slope * int(a) + int(b) for a, b in above.T)


def test_against_brute_force() -> None:
    found = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        below, above = rng.integers(-12, 13, (2, 2, int(rng.integers(1, 6))))
        above = above + np.array([[0], [int(rng.integers(0, 25))]])
        interval = separating_slopes((below[0], below[1]), (above[0], above[1]), 50)
        inside = [slope for slope in SLOPES if separates(slope, below, above)]
        if interval is None:
            assert inside == []
        else:
            found += 1
            assert inside == [slope for slope in SLOPES if interval[0] < slope < interval[1]]
            assert all(not separates(end, below, above) for end in interval if 0 < end < 50)
    assert 30 < found < 120


def test_nothing_to_separate() -> None:
    none = np.array([], np.int64)
    assert separating_slopes((none, none), (np.array([1]), np.array([1])), 7) == (0, 7)


def test_numbers_beyond_64_bits_are_given_up() -> None:
    huge = np.array([1 << 61, 0]), np.array([0, 1])
    assert separating_slopes(huge, huge, 7) is None


@pytest.mark.parametrize("seed", range(40))
def test_the_simplest_fraction(seed: int) -> None:
    rng = np.random.default_rng(seed)
    low, high = sorted(Fraction(int(n), int(d)) for n, d in zip(rng.integers(0, 60, 2), rng.integers(1, 60, 2)))
    high += Fraction(1, int(rng.integers(50, 4000))) if seed % 2 or low == high else 0
    best = simplest_between(low, high)
    assert low < best < high
    for denominator in range(1, best.denominator + 1):
        least = int(low * denominator) + 1
        assert Fraction(least, denominator) >= high or denominator == best.denominator
        assert denominator < best.denominator or least == best.numerator
