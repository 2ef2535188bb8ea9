"""Reshape: the same elements in the same order under another shape."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from ..graph import Node, Range, Tensor


@dataclass(frozen=True, eq=False)
class Reshape(Node):
    """The elements in row-major order, channels last, under the output's shape: a stream does not notice it."""

    def check(self, *operands: Tensor) -> None:
        """As many elements, of the same format."""
        (x,) = operands
        if prod(x.shape) != prod(self.output.shape) or x.format != self.output.format:
            self.fail(f"{x} cannot be reshaped to {self.output}")

    def evaluate(self, *operands: np.ndarray) -> np.ndarray:
        """The same elements."""
        return operands[0].reshape(len(operands[0]), *self.output.shape)

    def ranges(self, *operands: Range) -> Range:
        """Those of the operand."""
        lo, hi = operands[0]
        return lo.reshape(self.output.shape), hi.reshape(self.output.shape)
