"""Lines that give the levels of thresholds: with how short a multiplier, and what they leave to correct.

Level k is reached from T_k on if and only if m·T_k + b ≥ v_k·2^s > m·(T_k − 1) + b with v_k the k-th output, hence a
real line of slope m / 2^s has to part points (T_k, v_k) from points (T_k − 1, v_k). Those slopes are an open interval,
whatever s: since the T_k are integers, an offset b exists for each dyadic slope in it. A line whose levels may be d
integers late has to part points (T_k, v_k) from (T_k − 1 − d, v_k), which leaves it far more room.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from bitloom.quant import Range, Threshold

from .ranges import channel_ranges
from .separation import Points, separating_slopes

MOST_SHIFT = 40
"""The largest shift."""

SPARE_SHIFT = 6
"""How much further than need be a product with one multiplier may shift, if that spares signed digits."""

TRIED = 256
"""How many multipliers are compared for each shift."""

Slopes = list[tuple[Fraction, Fraction]]
"""For each row the open interval of slopes."""


@dataclass(frozen=True)
class Line:
    """y = (x · multipliers + offsets) ≫ shift, level k ``late[k]`` integers later: a ``Requantize``."""

    multipliers: np.ndarray
    offsets: np.ndarray
    shift: int
    late: np.ndarray | None = None


class Lines:
    """The lines that compute ``steps`` for operands within ``bounds``, no level more than ``slack`` integers late."""

    def __init__(self, steps: Threshold, bounds: Range, slack: int = 0) -> None:
        own = channel_ranges(bounds, len(steps.thresholds))
        self.lo, self.hi = (bound[:, None] for bound in own)
        self.slack = slack
        self.rows = np.clip(steps.thresholds, self.lo, self.hi + 1)
        self.levels = steps.y_min + 1 + np.arange(self.rows.shape[1])
        self.points = [self._points(row, int(lo), int(hi)) for row, lo, hi in zip(self.rows, *own)]

    def _points(self, row: np.ndarray, lo: int, hi: int) -> tuple[Points, Points]:
        """(−x, level) where the line has reached a level, and where it has not: at each threshold, and before it."""
        reached, missed = row <= hi, row > lo
        return (-row[reached], self.levels[reached]), (1 + self.slack - row[missed], self.levels[missed])

    def slopes(self, bits: int) -> Slopes | None:
        """The slopes below 2 ^ ``bits`` of the lines there are for each row; None if a row has none."""
        found: Slopes = []
        for below, above in self.points:
            interval = separating_slopes(below, above, 1 << bits)
            if interval is None:
                return None
            found.append(interval)
        return found

    def shift(self, slopes: Slopes) -> Line | None:
        """The line without a multiplier."""
        low, high = _shared(slopes)
        for shift in range((self.slack or 1).bit_length() - 1, MOST_SHIFT + 1):
            if low < Fraction(1, 1 << shift) < high:
                return self._with_offsets([1], shift)
        return None

    def one(self, slopes: Slopes, bits: int) -> Line | None:
        """The line with one multiplier for all rows: of fewest signed digits, and of those of the least shift."""
        low, high = _shared(slopes)
        shifts = [shift for shift in range(MOST_SHIFT + 1) if self._between(low, high, shift, bits)][: SPARE_SHIFT + 1]
        options = [(m, shift) for shift in shifts for m in self._between(low, high, shift, bits)[:TRIED]]
        if not options:
            return None
        multiplier, shift = min(options, key=lambda option: (_digits(option[0]), option[1]))
        return self._with_offsets([multiplier], shift)

    def each(self, slopes: Slopes, bits: int) -> Line | None:
        """The line with a multiplier for each row and the least shift."""
        for shift in range(MOST_SHIFT + 1):
            multipliers = [self._between(low, high, shift, bits) for low, high in slopes]
            if all(multipliers):
                return self._with_offsets([m[0] for m in multipliers], shift)
        return None

    def _between(self, low: Fraction, high: Fraction, shift: int, bits: int) -> range:
        """The multipliers whose slope, with this shift, is strictly between, and that reach one level at a time."""
        first, last = int(low * (1 << shift)) + 1, -int(-high * (1 << shift) // 1) - 1
        most = min((1 << bits) - 1, (1 << shift) // self.slack) if self.slack else (1 << bits) - 1
        return range(first, min(last, most) + 1)

    def _with_offsets(self, multipliers: list[int], shift: int) -> Line:
        """The line with these multipliers; of the offsets that do those that end in most zeros, equal if they may."""
        every = multipliers * len(self.points) if len(multipliers) == 1 else multipliers
        ends = [_offsets(below, above, m, shift) for (below, above), m in zip(self.points, every)]
        shared = max(first for first, _ in ends), min(last for _, last in ends)
        offsets = [_roundest(*shared)] if shared[0] <= shared[1] else [_roundest(*end) for end in ends]
        line = Line(np.array(multipliers), np.array(offsets), shift)
        return Line(line.multipliers, line.offsets, shift, self._late(line)) if self.slack else line

    def _late(self, line: Line) -> np.ndarray | None:
        """How much later than the line each level begins: by the output's parity where that does; None if none is."""
        begins = -((line.offsets[:, None] - (self.levels << line.shift)) // line.multipliers[:, None])
        for late in (np.zeros((1, len(self.levels)), np.int64), self.levels[None] & 1, ~self.levels[None] & 1):
            if np.array_equal(np.clip(begins + late, self.lo, self.hi + 1), self.rows):
                return late if late.any() else None
        late = np.where(np.clip(begins, self.lo, self.hi + 1) == self.rows, 0, self.rows - begins)
        return late[:1] if np.all(late == late[:1]) else late


def by_parity(late: np.ndarray) -> bool:
    """Whether ``late`` says no more than that odd outputs are late, or even ones."""
    return bool(len(late) == 1 and late.max() == 1 and np.all(late[:, 1:] != late[:, :-1]))


def _shared(slopes: Slopes) -> tuple[Fraction, Fraction]:
    """The slopes that serve all rows."""
    return max(low for low, _ in slopes), min(high for _, high in slopes)


def _digits(number: int) -> int:
    """The digits other than 0 of a number written with the digits −1, 0 and 1, as few as can be."""
    return (number ^ 3 * number).bit_count()


def _offsets(below: Points, above: Points, multiplier: int, shift: int) -> tuple[int, int]:
    """The least and the greatest offset that part the points; a level's worth of them where only one side bounds it."""
    first = [(int(level) << shift) + multiplier * int(x) for x, level in zip(*below)]
    last = [(int(level) << shift) + multiplier * int(x) - 1 for x, level in zip(*above)]
    some = 1 << shift
    return max(first, default=min(last, default=0) - some), min(last, default=max(first, default=0) + some)


def _roundest(first: int, last: int) -> int:
    """The number of ``first`` … ``last`` that the highest power of two divides."""
    for power in range(62, -1, -1):
        number = -(-first >> power) << power
        if number <= last:
            return number
    return first
