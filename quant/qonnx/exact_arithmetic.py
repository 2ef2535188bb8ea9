"""Arithmetic of exact numbers with bounds on what float32 makes of them.

Errors of the operands are carried through, and that of the operation's own rounding is added. A sum of n products is
off by at most n units of the sum of their absolute values, in whatever order it is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from decimal import Context as Digits
from decimal import Decimal
from fractions import Fraction

from .exact import UNIT, Near, Unjudged

DIGITS = Digits(prec=60)
ZERO = Near(Fraction(0), 0.0)


def dot(pairs: Iterable[tuple[Near, Near]], start: Near = ZERO) -> Near:
    """Σ a·b + start."""
    total, size, carried, count = start.value, abs(float(start.value)), start.error, 1
    for (a, e), (b, f) in pairs:
        if a and b:
            total += a * b
        x, y = abs(float(a)), abs(float(b))
        size += x * y
        carried += x * f + y * e + e * f
        count += 1
    return Near(total, carried + count * UNIT * (size + carried))


def add(a: Near, b: Near, sign: int = 1) -> Near:
    """a + sign · b."""
    value = a.value + sign * b.value
    carried = a.error + b.error
    return Near(value, carried + UNIT * (abs(float(value)) + carried))


def multiply(a: Near, b: Near) -> Near:
    """a · b."""
    value, x, y = a.value * b.value, abs(float(a.value)), abs(float(b.value))
    carried = x * b.error + y * a.error + a.error * b.error
    return Near(value, carried + UNIT * (x * y + carried))


def divide(a: Near, b: Near) -> Near:
    """a / b."""
    least = abs(float(b.value)) - b.error
    if least <= 0:
        raise Unjudged("a divisor may be zero")
    value = a.value / b.value
    carried = (a.error + abs(float(value)) * b.error) / least
    return Near(value, carried + UNIT * (abs(float(value)) + carried))


def function(a: Near, f: Callable[[Fraction], Fraction], ulps: float, least: float = 0.0) -> Near:
    """A function of ``a``, monotone nearby, that float32 evaluates to within ``ulps`` units of its value.

    Where terms cancel, that is of ``least`` rather than of a smaller value.
    """
    value, low, high = (f(a.value + Fraction(shift)) for shift in (0.0, -a.error, a.error))
    carried = float(max(abs(high - value), abs(value - low)))
    return Near(value, carried + ulps * UNIT * (max(abs(float(value)), least) + carried))


def _decimal(value: Fraction) -> Decimal:
    return DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator))


def exponential(value: Fraction) -> Fraction:
    """e to ``value``, to 60 digits."""
    if abs(value) > 400:
        raise Unjudged("an exponent beyond what float32 holds")
    return Fraction(DIGITS.exp(_decimal(value)))


def sigmoid(value: Fraction) -> Fraction:
    """1 / (1 + e to −``value``), to 60 digits."""
    if abs(value) > 300:
        return Fraction(int(value > 0))
    return 1 / (1 + exponential(-value))


def root(value: Fraction) -> Fraction:
    """The square root, exact where it is rational, else to 60 digits."""
    if value < 0:
        raise Unjudged("the square root of a negative number")
    top, bottom = math.isqrt(value.numerator), math.isqrt(value.denominator)
    if top * top == value.numerator and bottom * bottom == value.denominator:
        return Fraction(top, bottom)
    return Fraction(DIGITS.sqrt(_decimal(value)))


def logarithm(value: Fraction) -> Fraction:
    """ln, to 60 digits."""
    if value <= 0:
        raise Unjudged("the logarithm of a number that is not positive")
    return Fraction(DIGITS.ln(_decimal(value)))


def extreme(choose: Callable[[Iterable[Fraction]], Fraction]) -> Callable[[list[Near]], Near]:
    """The maximum or minimum: as far off as the worst operand."""
    return lambda values: Near(choose(v.value for v in values), max(v.error for v in values))
