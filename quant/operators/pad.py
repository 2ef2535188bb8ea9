"""Pad: a border of one value around the positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..graph import Node, Range, Tensor


@dataclass(frozen=True, eq=False)
class Pad(Node):
    """``padding[d]`` = (before, after) positions of ``value`` on each spatial axis d; channels are not padded."""

    padding: tuple[tuple[int, int], ...]
    value: int = 0

    def check(self, *operands: Tensor) -> None:
        """One pair per spatial axis; the output format holds the operand's values and the border's."""
        (x,) = operands
        if len(self.padding) != len(x.shape) - 1 or len(x.shape) not in (2, 3):
            self.fail(f"padding must be one pair for each spatial axis of {x.shape}, not {self.padding}")
        if any(p < 0 for pair in self.padding for p in pair):
            self.fail(f"padding must be at least 0, not {self.padding}")
        expected = (*(n + sum(pair) for n, pair in zip(x.shape, self.padding)), x.shape[-1])
        if self.output.shape != expected:
            self.fail(f"the output's shape must be {expected}, not {self.output.shape}")
        y = self.output.format
        if y.lo > x.format.lo or y.hi < x.format.hi or (y.bipolar and not x.format.bipolar):
            self.fail(f"the output format {y} must hold the values of {x.format}")
        if not y.holds(np.array([self.value])):
            self.fail(f"the border's value {self.value} must lie in the output format {y}")

    def evaluate(self, *operands: np.ndarray) -> np.ndarray:
        """The padded operand."""
        return np.pad(operands[0], ((0, 0), *self.padding, (0, 0)), constant_values=self.value)

    def ranges(self, *operands: Range) -> Range:
        """Those of the operand, and the border's value."""
        lo, hi = (self.evaluate(bound[None])[0] for bound in operands[0])
        return lo, hi

    def details(self) -> str:
        """The border."""
        return f"{[list(pair) for pair in self.padding]} of {self.value}"
