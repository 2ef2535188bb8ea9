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
    """

    multiplier: np.ndarray
    offset: np.ndarray
    shift: int
    y_min: int
    y_max: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "multiplier", integers(self.multiplier))
        object.__setattr__(self, "offset", integers(self.offset))

    def check(self, *operands: Tensor) -> None:
        """Constants per channel or for all, products below 2^62, outputs that fit."""
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

    def evaluate(self, *operands: np.ndarray) -> np.ndarray:
        """The requantized values."""
        return np.clip((operands[0] * self.multiplier + self.offset) >> self.shift, self.y_min, self.y_max)

    def ranges(self, *operands: Range) -> Range:
        """Monotone."""
        lo, hi = (self.evaluate(bound[None])[0] for bound in operands[0])
        return lo, hi

    def details(self) -> str:
        """Multipliers and shift."""
        m = f"multipliers up to {self.multiplier.max()}, " if np.any(self.multiplier != 1) else ""
        return f"{m}shift {self.shift}, {self.y_min} to {self.y_max}"
