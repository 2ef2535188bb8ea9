"""Multiply: an activation times another, element by element or as a gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..graph import Node, Range, Tensor


@dataclass(frozen=True, eq=False)
class Multiply(Node):
    """y = (a + offsets[0]) · (b + offsets[1]), element by element.

    ``b`` has as many axes as ``a``; each is as long, or of one element that serves all along it: (1, 1, C) gates
    channels, (H, W, 1) positions. The offsets are what zero points come to.
    """

    offsets: tuple[int, int] = (0, 0)

    ARITY: ClassVar[int | None] = 2

    def check(self, *operands: Tensor) -> None:
        """The second operand's axes are those of the first, or of one element; two integers as offsets."""
        a, b = operands
        if len(a.shape) != len(b.shape) or any(m not in (n, 1) for n, m in zip(a.shape, b.shape)):
            self.fail(f"the second operand must have the shape {a.shape}, or 1 in place of some of it, not {b.shape}")
        if self.output.shape != a.shape:
            self.fail(f"the output's shape must be {a.shape}, not {self.output.shape}")
        if len(self.offsets) != 2 or any(type(o) is not int for o in self.offsets):
            self.fail(f"offsets must be two integers, not {self.offsets}")
        sizes = [max(abs(x.format.lo + o), abs(x.format.hi + o)) for x, o in zip(operands, self.offsets)]
        if sizes[0] * sizes[1] >= 1 << 62:
            self.fail("products must stay below 2^62; take fewer bits")

    def evaluate(self, *operands: np.ndarray) -> np.ndarray:
        """The products."""
        a, b = operands
        return (a + self.offsets[0]) * (b + self.offsets[1])

    def ranges(self, *operands: Range) -> Range:
        """The least and greatest product of two ends."""
        (a, b), (c, d) = ((lo + o, hi + o) for (lo, hi), o in zip(operands, self.offsets))
        ends = np.stack(np.broadcast_arrays(a * c, a * d, b * c, b * d))
        return ends.min(axis=0), ends.max(axis=0)

    def details(self) -> str:
        """The offsets, where there are any."""
        return "" if self.offsets == (0, 0) else f"offsets {list(self.offsets)}"
