"""Upsample: each position several times (nearest neighbour)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..graph import Node, Range, Tensor
from .spatial import Axes


@dataclass(frozen=True, eq=False)
class Upsample(Node):
    """y[p, c] = x[p // factors, c]: every position ``factors[d]`` times along spatial axis d."""

    factors: Axes

    def check(self, *operands: Tensor) -> None:
        """One factor per spatial axis."""
        (x,) = operands
        if len(self.factors) != len(x.shape) - 1 or len(x.shape) not in (2, 3) or any(f < 1 for f in self.factors):
            self.fail(f"factors must be one number from 1 on for each spatial axis of {x.shape}, not {self.factors}")
        expected = Tensor((*(n * f for n, f in zip(x.shape, self.factors)), x.shape[-1]), x.format)
        if (self.output.shape, self.output.format) != (expected.shape, expected.format):
            self.fail(f"the output must be {expected}, not {self.output}")

    def evaluate(self, *operands: np.ndarray) -> np.ndarray:
        """The repeated positions."""
        (x,) = operands
        for axis, factor in enumerate(self.factors, start=1):
            x = np.repeat(x, factor, axis=axis)
        return x

    def ranges(self, *operands: Range) -> Range:
        """Those of the operand."""
        lo, hi = (self.evaluate(bound[None])[0] for bound in operands[0])
        return lo, hi

    def details(self) -> str:
        """The factors."""
        return f"factors {list(self.factors)}"
