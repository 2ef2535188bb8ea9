"""Products with stored multipliers, in radix 4: half as many rows to add as bits, and one look-up table per bit."""

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Cat, Const, Mux, Shape, Value, signed

from ..parameters import bounds
from .shift_add import Term

NEGATIVE = 3
"""The code of the digit −1; the others are their own."""


def recode(multipliers: np.ndarray) -> np.ndarray:
    """The digits −1, 0, 1, 2 of each multiplier in radix 4, (multipliers, digits), the lowest first.

    Two bits select among 0, x, 2x and ~x, which is one look-up table of four inputs per bit of the product's row; a
    digit 3 is −1 and a carry. After Booth's recoding in radix 4 (MacSorley, *High-speed arithmetic in binary
    computers*, 1961), whose digits −2 … 2 would take three bits.
    """
    rest, digits = np.array(multipliers, np.int64), []
    while np.any(rest):
        low = rest & 3
        digits.append(np.where(low == NEGATIVE, -1, low))
        rest = (rest - digits[-1]) >> 2
    return np.stack(digits, axis=-1)


def code(digits: np.ndarray) -> list[int]:
    """The word of each multiplier's digits: two bits for each."""
    return [sum(int(digit & 3) << 2 * k for k, digit in enumerate(row)) for row in digits]


def missing(digits: np.ndarray) -> np.ndarray:
    """What is to be added to the rows of each multiplier: 1 where ~x stands for −x."""
    return ((digits < 0) << 2 * np.arange(digits.shape[-1])).sum(-1)


def rows(x: Value | None, shape: Shape, word: Value | None, digits: np.ndarray) -> list[Term]:
    """The rows of x · multiplier, to be added by :func:`bitloom.hw.arithmetic.shift_add.total`; what is ``missing``
    comes on top.

    :param x: the factor of ``shape``, or None where only widths are asked for. :param word: the :func:`code`.
    :param digits: those of all multipliers that occur.
    """
    lo, hi = bounds(shape)
    ends = [(0, 0), (lo, hi), (2 * lo, 2 * hi), (-hi - 1, -lo - 1)]
    ranges = [_span([ends[digit] for digit in set((column & 3).tolist())]) for column in digits.T]
    found = []
    for k in range(len(ranges)):
        value = None if x is None or word is None else _row(x, shape, word.word_select(k, 2)) << 2 * k
        found.append(Term(value, tuple(4**k * (j == k) for j in range(len(ranges))), tuple(ranges)))
    return found


def row_bits(shape: Shape, digits: np.ndarray) -> int:
    """Look-up tables of the rows."""
    return digits.shape[-1] * (shape.width + 1)


def _span(ends: Sequence[tuple[int, int]]) -> tuple[int, int]:
    return min(lo for lo, _ in ends), max(hi for _, hi in ends)


def _row(x: Value, shape: Shape, digit: Value) -> Value:
    """0, x, 2x or ~x."""
    wide = signed(shape.width + (1 if shape.signed else 2))
    once = Cat(x, *([x[-1] if shape.signed else Const(0, 1)] * (wide.width - shape.width)))
    twice = Cat(Const(0, 1), once[:-1])
    bits = Mux(digit[1], Mux(digit[0], ~once, twice), Mux(digit[0], once, 0))
    return bits[: wide.width].as_signed()
