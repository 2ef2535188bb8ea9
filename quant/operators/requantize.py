"""Requantize: integer multiply, add, shift and clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..graph import Node, Range, Tensor, integers


@dataclass(frozen=True, eq=False)
class Requantize(Node):
    """y[c] = clip((x[c] · multiplier[c] + offset[c]) ≫ shift, y_min, y_max), the shift rounding down.

    A dyadic multiplier; with multiplier 1 a plain shift. ``multiplier`` (at least 1) and ``offset`` are int64 of shape
    (channels,) or (1,), which serves all. Rounding to nearest is an offset of 2^(shift − 1).

    ``late``, where there is one, corrects the line: int64 (channels or 1, y_max − y_min), an entry for each output
    above y_min, which begins so many integers after the line has reached it. The line reaches at most one output in
    each step of ``late`` + 1 integers, hence late · multiplier ≤ 2^shift. A shift that rounds half to even is one whose
    odd outputs are 1 late: at a tie the line has reached the upper one.
    """

    multiplier: np.ndarray
    offset: np.ndarray
    shift: int
    y_min: int
    y_max: int
    late: np.ndarray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "multiplier", integers(self.multiplier))
        object.__setattr__(self, "offset", integers(self.offset))
        if self.late is not None:
            object.__setattr__(self, "late", integers(self.late))

    def check(self, *operands: Tensor) -> None:
        """Constants per channel or for all, products below 2^62, outputs that fit, one output reached at a time."""
        (x,) = operands
        for name, values in (("multiplier", self.multiplier), ("offset", self.offset)):
            if values.shape not in ((1,), (x.shape[-1],)):
                self.fail(f"{name} must have shape ({x.shape[-1]},) or (1,), not {values.shape}")
        if np.any(self.multiplier < 1) or not 0 <= self.shift < 62:
            self.fail(f"multipliers must be at least 1, the shift 0 to 61, not {self.multiplier.min()}, {self.shift}")
        peak = max(abs(x.format.lo), abs(x.format.hi)) * int(self.multiplier.max()) + int(np.abs(self.offset).max())
        if peak >= 1 << 62:
            self.fail("products must stay below 2^62; take smaller multipliers")
        y = self.output.format
        if self.y_min > self.y_max or not y.holds(np.array([self.y_min, self.y_max])) or y.bipolar:
            self.fail(f"outputs {self.y_min} to {self.y_max} do not fit {y}")
        if x.shape != self.output.shape:
            self.fail(f"a requantization keeps the shape, {x.shape} is not {self.output.shape}")
        if self.late is not None:
            self._check_late(self.late, x.shape[-1])

    def _check_late(self, late: np.ndarray, channels: int) -> None:
        levels = self.y_max - self.y_min
        if late.ndim != 2 or late.shape[0] not in (1, channels) or late.shape[1] != levels or not levels:
            self.fail(f"late must have shape ({channels} or 1, {levels}), with an output at least, not {late.shape}")
        if late.min() < 0 or int((late.max(axis=1) * self.multiplier).max()) > 1 << self.shift:
            self.fail(f"late must be 0 to 2^shift / multiplier, not {late.min()} … {late.max()}")

    def evaluate(self, *operands: np.ndarray) -> np.ndarray:
        """The requantized values."""
        line = operands[0] * self.multiplier + self.offset
        y = line >> self.shift
        if self.late is not None:
            at = np.clip(y - self.y_min - 1, 0, self.late.shape[1] - 1)
            rows = np.arange(len(self.late)) if len(self.late) > 1 else 0
            y = y - (line - (y << self.shift) < self.late[rows, at] * self.multiplier)
        return np.clip(y, self.y_min, self.y_max)

    def ranges(self, *operands: Range) -> Range:
        """Monotone."""
        lo, hi = (self.evaluate(bound[None])[0] for bound in operands[0])
        return lo, hi

    def details(self) -> str:
        """Multipliers and shift, how many outputs begin late."""
        m = f"multipliers up to {self.multiplier.max()}, " if np.any(self.multiplier != 1) else ""
        late = "" if self.late is None else f", {np.count_nonzero(self.late)} late"
        return f"{m}shift {self.shift}, {self.y_min} to {self.y_max}{late}"
