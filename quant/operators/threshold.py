"""Threshold: requantization and any monotone activation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..graph import Node, Range, Tensor, integers


@dataclass(frozen=True, eq=False)
class Threshold(Node):
    """y[c] = y_min + y_step · Σ_k [x[c] ≥ thresholds[c, k]]: requantization and any monotone activation at once.

    ``thresholds`` is int64 of shape (channels, levels), each row ascending; one row serves every channel alike.
    ``y_step`` is 2 for bipolar outputs and 1 otherwise.
    """

    thresholds: np.ndarray
    y_min: int = 0
    y_step: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "thresholds", integers(self.thresholds))

    def check(self, *operands: Tensor) -> None:
        """Rows ascend, one per channel or one for all; the outputs fit their format."""
        (x,) = operands
        rows, y = self.thresholds, self.output
        if rows.ndim != 2 or rows.shape[0] not in (1, x.shape[-1]):
            self.fail(f"thresholds must have shape ({x.shape[-1]} or 1, levels), not {rows.shape}")
        if np.any(np.diff(rows, axis=1) < 0):
            self.fail("each row of thresholds must be in ascending order")
        top = self.y_min + self.y_step * rows.shape[1]
        if self.y_step < 1 or not y.format.holds(np.arange(self.y_min, top + 1, self.y_step)):
            self.fail(f"outputs {self.y_min} to {top} in steps of {self.y_step} do not fit {y.format}")
        if x.shape != y.shape:
            self.fail(f"a threshold keeps the shape, {x.shape} is not {y.shape}")

    def evaluate(self, *operands: np.ndarray) -> np.ndarray:
        """The levels reached."""
        (x,) = operands
        rows = self.thresholds
        if len(rows) == 1:
            levels = np.searchsorted(rows[0], x, side="right")
        else:
            levels = np.stack([np.searchsorted(row, x[..., c], side="right") for c, row in enumerate(rows)], axis=-1)
        return self.y_min + self.y_step * levels.astype(np.int64)

    def ranges(self, *operands: Range) -> Range:
        """Monotone."""
        lo, hi = (self.evaluate(bound[None])[0] for bound in operands[0])
        return lo, hi

    def details(self) -> str:
        """How many levels."""
        return f"{self.thresholds.shape[1]} levels from {self.y_min}"
