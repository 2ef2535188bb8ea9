"""ArgMax: the class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..formats import Format
from ..graph import Node, Range, Tensor


@dataclass(frozen=True, eq=False)
class ArgMax(Node):
    """The index of the greatest element along the last axis, the lowest index on ties: x (…, N), y (…, 1)."""

    def check(self, *operands: Tensor) -> None:
        """The output's format is the index's."""
        (x,) = operands
        expected = Tensor((*x.shape[:-1], 1), Format.of_range(0, x.shape[-1] - 1))
        if (self.output.shape, self.output.format) != (expected.shape, expected.format):
            self.fail(f"the index of {x.shape[-1]} scores is {expected}, not {self.output}")

    def evaluate(self, *operands: np.ndarray) -> np.ndarray:
        """The index."""
        return np.argmax(operands[0], axis=-1, keepdims=True).astype(np.int64)

    def ranges(self, *operands: Range) -> Range:
        """Any index."""
        lo, _ = operands[0]
        shape = self.output.shape
        return np.zeros(shape, np.int64), np.full(shape, lo.shape[-1] - 1)
