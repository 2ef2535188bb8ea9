"""Add: two branches become one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..graph import Node, Range, Tensor


@dataclass(frozen=True, eq=False)
class Add(Node):
    """y = Σ_i multipliers[i] · x_i, element by element, over two operands of one shape.

    The multipliers are positive or negative integers, not 0: they bring branches of unequal scales to a common one.
    """

    multipliers: tuple[int, ...] = (1, 1)

    ARITY: ClassVar[int | None] = 2

    def check(self, *operands: Tensor) -> None:
        """One shape, one multiplier for each operand."""
        a, b = operands
        if a.shape != b.shape or self.output.shape != a.shape:
            self.fail(f"operands and output must have one shape, not {a.shape}, {b.shape} and {self.output.shape}")
        if len(self.multipliers) != 2 or any(type(m) is not int or m == 0 for m in self.multipliers):
            self.fail(f"multipliers must be two integers other than 0, not {self.multipliers}")

    def evaluate(self, *operands: np.ndarray) -> np.ndarray:
        """The sums."""
        a, b = operands
        return self.multipliers[0] * a + self.multipliers[1] * b

    def ranges(self, *operands: Range) -> Range:
        """Interval arithmetic."""
        low, high = (0, 0)
        for m, (lo, hi) in zip(self.multipliers, operands):
            low, high = low + min(m, 0) * hi + max(m, 0) * lo, high + max(m, 0) * hi + min(m, 0) * lo
        return np.asarray(low), np.asarray(high)

    def details(self) -> str:
        """The multipliers, where they matter."""
        return "" if self.multipliers == (1, 1) else f"multipliers {list(self.multipliers)}"
