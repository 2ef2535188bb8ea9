"""Window: the patches that a convolution sees, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from ..graph import Node, Range, Tensor
from .spatial import Axes, check_windows, windows


@dataclass(frozen=True, eq=False)
class Window(Node):
    """y[p, (g, k, c)] = x[stride·p + dilation·k, g·C/groups + c]: x (*spatial, C), y (*positions, C·Πkernel).

    Each window is one row, groups outermost, then the kernel in row-major order, then the channels of the group: a
    convolution is this and a matrix product (im2col). Lowering makes it; networks do not contain it.
    """

    kernel: Axes
    stride: Axes
    dilation: Axes
    groups: int = 1

    def check(self, *operands: Tensor) -> None:
        """Windows fit, and the values keep their format."""
        (x,) = operands
        count = check_windows(self, x, self.kernel, self.stride, self.dilation)
        if self.groups < 1 or x.shape[-1] % self.groups:
            self.fail(f"groups must divide the {x.shape[-1]} channels, not {self.groups}")
        expected = Tensor((*count, x.shape[-1] * prod(self.kernel)), x.format)
        if (self.output.shape, self.output.format) != (expected.shape, expected.format):
            self.fail(f"the output must be {expected}, not {self.output}")

    def evaluate(self, *operands: np.ndarray) -> np.ndarray:
        """The patches."""
        (x,) = operands
        dims = len(self.kernel)
        patches = windows(x, self.kernel, self.stride, self.dilation)  # (samples, *positions, C, *kernel)
        grouped = patches.reshape(*patches.shape[: 1 + dims], self.groups, -1, *self.kernel)
        ordered = np.moveaxis(grouped, 2 + dims, -1)
        return ordered.reshape(*patches.shape[: 1 + dims], -1)

    def ranges(self, *operands: Range) -> Range:
        """Those of the positions seen."""
        lo, hi = (self.evaluate(bound[None])[0] for bound in operands[0])
        return lo, hi

    def details(self) -> str:
        """Kernel, stride, dilation."""
        return f"kernel {list(self.kernel)}, stride {list(self.stride)}, dilation {list(self.dilation)}"
