"""Which slopes separate points from points above them: the geometry behind exact small multipliers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

Points = tuple[np.ndarray, np.ndarray]
"""Integer coordinates a and b of points, int64."""

BOUND = 1 << 61
"""Products stay below this."""


def separating_slopes(below: Points, above: Points, limit: int) -> tuple[Fraction, Fraction] | None:
    """The slopes α in 0 … ``limit`` with max(α·a + b) over ``below`` < min(α·a + b) over ``above``: an open interval.

    The difference of the two sides is a concave, piecewise linear function of α, so that the slopes where it is
    positive are one interval; its ends are found by Newton's method in rational numbers, which ends after finitely many
    steps (Dinkelbach, *On nonlinear fractional programming*, 1967). None if no slope separates the points, or if the
    numbers leave 64 bits.
    """
    if not len(below[0]) or not len(above[0]):
        return Fraction(0), Fraction(limit)
    low = _edge(below, above, Fraction(0), 1)
    high = _edge(below, above, Fraction(limit), -1)
    if low is None or high is None or low >= high:
        return None
    between = _gap(below, above, (low + high) / 2)
    return (low, high) if between is not None and between[0] > 0 else None


def simplest_between(low: Fraction, high: Fraction) -> Fraction:
    """The fraction strictly between that has the least numerator and the least denominator (Stern and Brocot)."""
    whole = low.numerator // low.denominator
    if whole + 1 < high:
        return Fraction(whole + 1)
    rest = high - whole
    if low == whole:
        return whole + Fraction(1, rest.denominator // rest.numerator + 1)
    return whole + 1 / simplest_between(1 / rest, 1 / (low - whole))


def _edge(below: Points, above: Points, slope: Fraction, direction: int) -> Fraction | None:
    """From ``slope`` on in ``direction``, where the gap becomes 0; ``slope`` itself if it is not negative there."""
    while True:
        gap = _gap(below, above, slope)
        if gap is None:
            return None
        size, rise, start = gap
        if size >= 0:
            return slope
        if rise * direction <= 0:
            return None
        slope = Fraction(-start, rise)


def _gap(below: Points, above: Points, slope: Fraction) -> tuple[int, int, int] | None:
    """min over ``above`` − max over ``below`` at ``slope``, times its denominator, and that line: rise and start."""
    n, d = slope.numerator, slope.denominator
    largest = max(int(np.abs(p[0]).max()) * n + int(np.abs(p[1]).max()) * d for p in (below, above))
    if largest >= BOUND:
        return None
    under, over = n * below[0] + d * below[1], n * above[0] + d * above[1]
    i, j = int(under.argmax()), int(over.argmin())
    return int(over[j] - under[i]), int(above[0][j] - below[0][i]), int(above[1][j] - below[1][i])
