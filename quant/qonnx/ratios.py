"""Integers in the ratio of real numbers: every float is a fraction, so that exact ones always exist."""

from __future__ import annotations

from fractions import Fraction
from math import gcd, lcm

import numpy as np

SMALL = 1024
"""Ratios of numbers this small are taken for what was meant if they round to the floats that are there."""


def integer_ratio(numbers: list[Fraction], bits: int) -> tuple[list[int], Fraction] | None:
    """Integers m and a positive unit with numbers = m · unit; None if an integer needs more than ``bits`` bits.

    Small integers that give the numbers to float32 accuracy are preferred: 0.1 and 0.3 are 1 and 3, which their floats
    are not. Otherwise the unit is the exact greatest common divisor.
    """
    sizes = [abs(n) for n in numbers if n]
    if not sizes:
        return [0] * len(numbers), Fraction(1)
    least = min(sizes)
    if all(s == least for s in sizes):
        return [_sign(n) for n in numbers], least
    return _small(numbers, least) or _exact(numbers, bits)


def whole(number: Fraction) -> int | None:
    """The integer that ``number`` is to float32 accuracy, or None."""
    nearest = round(number)
    return nearest if abs(number - nearest) <= abs(number) * Fraction(1, 1 << 24) else None


def _sign(n: Fraction) -> int:
    return (n > 0) - (n < 0)


def _small(numbers: list[Fraction], least: Fraction) -> tuple[list[int], Fraction] | None:
    values = np.array([float(n / least) for n in numbers])
    if np.abs(values).max() > SMALL:
        return None
    for parts in range(1, 17):
        exact = values * parts
        whole = np.rint(exact)
        if np.all(np.abs(whole) <= SMALL) and np.all(np.abs(whole - exact) <= 2.0**-24 * np.abs(exact)):
            integers = [int(w) for w in whole]
            common = gcd(*integers)
            return [i // common for i in integers], least * common / parts
    return None


def _exact(numbers: list[Fraction], bits: int) -> tuple[list[int], Fraction] | None:
    denominator = lcm(*(n.denominator for n in numbers))
    integers = [int(n * denominator) for n in numbers]
    common = gcd(*integers)
    integers = [i // common for i in integers]
    if max(abs(i).bit_length() for i in integers) > bits:
        return None
    return integers, Fraction(common, denominator)


def spread(values: np.ndarray, channels: int) -> list[Fraction]:
    """Fractions of shape () or (channels,) as a list of one per channel."""
    return list(np.broadcast_to(values, (channels,)))
