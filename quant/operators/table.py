"""Table: any function of few bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..graph import Node, Range, Tensor, integers


@dataclass(frozen=True, eq=False)
class Table(Node):
    """y[c] = table[c, x[c] − x_min]: an elementwise function of few bits, monotone or not.

    ``table`` is int64 of shape (channels, entries) or (1, entries), which serves every channel; its entries cover every
    value from ``x_min`` on that the operand's format has.
    """

    table: np.ndarray
    x_min: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", integers(self.table))

    def check(self, *operands: Tensor) -> None:
        """An entry for each value of the operand's format; the entries fit the output."""
        (x,) = operands
        entries = x.format.hi - x.format.lo + 1
        if self.table.shape not in ((1, entries), (x.shape[-1], entries)) or self.x_min != x.format.lo:
            self.fail(f"the table must have shape ({x.shape[-1]} or 1, {entries}) from {x.format.lo} on, "
                      f"not {self.table.shape} from {self.x_min} on")
        if not self.output.format.holds(self.table):
            self.fail(f"entries {self.table.min()} to {self.table.max()} do not fit {self.output.format}")
        if x.shape != self.output.shape:
            self.fail(f"a table keeps the shape, {x.shape} is not {self.output.shape}")

    def evaluate(self, *operands: np.ndarray) -> np.ndarray:
        """The entries."""
        (x,) = operands
        channels = np.arange(x.shape[-1]) if len(self.table) > 1 else 0
        return self.table[channels, x - self.x_min]

    def ranges(self, *operands: Range) -> Range:
        """The least and greatest entry within the operand's range."""
        lo, hi = operands[0]
        low, high = np.empty_like(lo), np.empty_like(hi)
        for at in np.ndindex(lo.shape):
            row = self.table[at[-1] if len(self.table) > 1 else 0]
            part = row[lo[at] - self.x_min : hi[at] - self.x_min + 1]
            low[at], high[at] = part.min(), part.max()
        return low, high

    def details(self) -> str:
        """The entries."""
        return f"{self.table.shape[1]} entries"
