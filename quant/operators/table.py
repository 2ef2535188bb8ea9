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

    @property
    def bipolar(self) -> bool:
        """Whether the operand is bipolar: of three entries, the one for 0 is never read."""
        return self.x_min == -1 and self.table.shape[1] == 3

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
        lo, hi = (np.clip(bound - self.x_min, 0, self.table.shape[1] - 1) for bound in operands[0])
        rows = self.table[:, [0, 0, 2]] if self.bipolar else self.table
        channels = np.broadcast_to(np.arange(lo.shape[-1]) if len(rows) > 1 else 0, lo.shape)
        spans, at = np.unique(np.stack([channels, lo, hi], axis=-1).reshape(-1, 3), axis=0, return_inverse=True)
        parts = [rows[c, first : last + 1] for c, first, last in spans]
        low, high = np.array([part.min() for part in parts]), np.array([part.max() for part in parts])
        return low[at].reshape(lo.shape), high[at].reshape(lo.shape)

    def details(self) -> str:
        """The entries."""
        return f"{self.table.shape[1]} entries"
