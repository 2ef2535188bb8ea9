"""How much of the range of a node's integers the samples of a comparison reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..graph import Range
from ..operators import Table, Threshold

if TYPE_CHECKING:
    from ..graph import Node

COUNTED = 1 << 20
"""Levels that are counted one by one; of wider integers the least and the greatest are kept alone."""


class Reached(NamedTuple):
    """``seen`` of ``levels`` levels, from ``least`` to ``greatest``; both counts are None where there are too many."""

    seen: int | None
    levels: int | None
    least: int
    greatest: int

    @property
    def share(self) -> float:
        """The part of the levels that was seen; all, where nobody counts."""
        return self.seen / self.levels if self.seen is not None and self.levels else 1.0

    def __str__(self) -> str:
        span = f"{self.least} … {self.greatest}" if self.least != self.greatest else f"{self.least} alone"
        return span if self.seen is None else f"{self.seen:,} of {self.levels:,} levels, {span}"


class Reach:
    """What was seen of integers from ``low`` to ``high``, ``levels`` of which can be; None counts none of them."""

    def __init__(self, low: int, high: int, levels: int | None) -> None:
        self._low, self._levels = low, levels if high - low < COUNTED else None
        self._seen = np.zeros(0 if self._levels is None else high - low + 1, bool)
        self._ends: tuple[int, int] | None = None

    @classmethod
    def of(cls, node: Node, proven: Range) -> Reach:
        """For the levels of ``node``, given the least and the greatest value of each of its channels."""
        form = node.output.format
        low, high = max(int(proven[0].min()), form.lo), min(int(proven[1].max()), form.hi)
        if isinstance(node, Threshold):
            return cls(low, high, min(node.thresholds.shape[1], (high - low) // node.y_step) + 1)
        if isinstance(node, Table):
            return cls(low, high, len(np.unique(node.table[(node.table >= low) & (node.table <= high)])))
        return cls(low, high, 2 if form.bipolar else high - low + 1)

    def add(self, integers: np.ndarray) -> None:
        """Take note of ``integers``."""
        least, greatest = int(integers.min()), int(integers.max())
        ends = self._ends or (least, greatest)
        self._ends = min(ends[0], least), max(ends[1], greatest)
        if self._levels is not None:
            places = integers.ravel() - self._low
            if least < self._low or greatest >= self._low + len(self._seen):
                places = places[(places >= 0) & (places < len(self._seen))]  # what float32 alone has
            self._seen |= np.bincount(places, minlength=len(self._seen)).astype(bool)

    @property
    def reached(self) -> Reached:
        """What was seen so far."""
        least, greatest = self._ends or (0, 0)
        if self._levels is None:
            return Reached(None, None, least, greatest)
        seen = int(self._seen.sum())
        return Reached(seen, max(self._levels, seen), least, greatest)

