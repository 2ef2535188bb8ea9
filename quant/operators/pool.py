"""Pool: the greatest value or the sum of each window, channel by channel."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from ..graph import Node, Range, Tensor
from .spatial import Axes, check_windows, windows

KINDS = ("max", "sum")


@dataclass(frozen=True, eq=False)
class Pool(Node):
    """y[p, c] = max or Σ over k of x[stride·p + k, c]: x (*spatial, C), y (*positions, C).

    An average is the sum, its division left to the thresholds behind. A kernel as large as the input pools globally.
    """

    kind: str
    kernel: Axes
    stride: Axes

    @property
    def dilation(self) -> Axes:
        """Windows of pooling are dense."""
        return (1,) * len(self.kernel)

    def covers(self, shape: tuple[int, ...]) -> bool:
        """Whether one window covers the whole of an operand of ``shape``."""
        return self.kernel == shape[:-1]

    def check(self, *operands: Tensor) -> None:
        """Windows fit; a maximum keeps the format."""
        (x,) = operands
        if self.kind not in KINDS:
            self.fail(f"kind must be {' or '.join(KINDS)}, not {self.kind!r}")
        count = check_windows(self, x, self.kernel, self.stride, self.dilation)
        if self.output.shape != (*count, x.shape[-1]):
            self.fail(f"the output's shape must be {(*count, x.shape[-1])}, not {self.output.shape}")
        if self.kind == "max" and self.output.format != x.format:
            self.fail(f"a maximum keeps the format {x.format}, not {self.output.format}")

    def evaluate(self, *operands: np.ndarray) -> np.ndarray:
        """The pooled values."""
        (x,) = operands
        patches = windows(x, self.kernel, self.stride, self.dilation)
        axes = tuple(range(-len(self.kernel), 0))
        return np.asarray(patches.max(axis=axes) if self.kind == "max" else patches.sum(axis=axes))

    def ranges(self, *operands: Range) -> Range:
        """Both kinds are monotone."""
        lo, hi = (self.evaluate(bound[None])[0] for bound in operands[0])
        return lo, hi

    def details(self) -> str:
        """Kind and windows."""
        return f"{self.kind} of {prod(self.kernel)}, kernel {list(self.kernel)}, stride {list(self.stride)}"
