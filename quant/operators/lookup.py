"""Lookup: rows of a table, chosen by tokens or categories."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..graph import Node, Range, Tensor, integers


@dataclass(frozen=True, eq=False)
class Lookup(Node):
    """y[…, k·D + d] = table[min(x[…, k], rows − 1), d]: x (…, K), y (…, K·D), an embedding.

    ``table`` is int64 (rows, D), for tokens from 0 on; a token beyond the last row reads the last one.
    """

    table: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", integers(self.table))

    def check(self, *operands: Tensor) -> None:
        """Tokens are not negative; as many columns as the output has for each, of values that fit it."""
        (x,) = operands
        if self.table.ndim != 2 or 0 in self.table.shape:
            self.fail(f"the table must have shape (rows, columns), not {self.table.shape}")
        if x.format.lo < 0:
            self.fail(f"tokens must be unsigned, not {x.format}")
        expected = (*x.shape[:-1], x.shape[-1] * self.table.shape[1])
        if self.output.shape != expected:
            self.fail(f"the output's shape must be {expected}, not {self.output.shape}")
        if not self.output.format.holds(self.table):
            self.fail(f"entries {self.table.min()} to {self.table.max()} do not fit {self.output.format}")

    def evaluate(self, *operands: np.ndarray) -> np.ndarray:
        """The rows, side by side."""
        (x,) = operands
        rows = self.table[np.clip(x, 0, len(self.table) - 1)]
        return rows.reshape(*x.shape[:-1], -1)

    def ranges(self, *operands: Range) -> Range:
        """The least and greatest entry of each column among the rows that the tokens reach."""
        lo, hi = (np.clip(bound, 0, len(self.table) - 1) for bound in operands[0])
        low, high = (np.empty((*lo.shape, self.table.shape[1]), np.int64) for _ in range(2))
        for at in np.ndindex(lo.shape):
            part = self.table[lo[at] : hi[at] + 1]
            low[at], high[at] = part.min(axis=0), part.max(axis=0)
        shape = self.output.shape[-1:] if lo.ndim == 1 else (*lo.shape[:-1], -1)
        return low.reshape(shape), high.reshape(shape)

    def details(self) -> str:
        """The table's size."""
        return f"{self.table.shape[0]} rows of {self.table.shape[1]}"
