"""DepthToSpace: channels become positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..graph import Node, Range, Tensor

MODES = ("DCR", "CRD")


@dataclass(frozen=True, eq=False)
class DepthToSpace(Node):
    """x (H, W, C) → y (H·b, W·b, C/b²) with b = ``block``, as ONNX defines it.

    Mode ``DCR`` (depth, column, row): y[h·b + i, w·b + j, c] = x[h, w, (i·b + j)·C/b² + c]; mode ``CRD``:
    … = x[h, w, (c·b + i)·b + j].
    """

    block: int
    mode: str = "DCR"

    def check(self, *operands: Tensor) -> None:
        """The channels are a multiple of block²."""
        (x,) = operands
        if self.mode not in MODES:
            self.fail(f"mode must be {' or '.join(MODES)}, not {self.mode!r}")
        if len(x.shape) != 3 or self.block < 1 or x.shape[-1] % self.block**2:
            self.fail(f"needs (height, width, channels) with a multiple of {self.block}² channels, not {x.shape}")
        h, w, c = x.shape
        expected = Tensor((h * self.block, w * self.block, c // self.block**2), x.format)
        if (self.output.shape, self.output.format) != (expected.shape, expected.format):
            self.fail(f"the output must be {expected}, not {self.output}")

    def evaluate(self, *operands: np.ndarray) -> np.ndarray:
        """The rearranged values."""
        (x,) = operands
        n, h, w, c = x.shape
        b = self.block
        if self.mode == "DCR":
            y = x.reshape(n, h, w, b, b, c // b**2).transpose(0, 1, 3, 2, 4, 5)
        else:
            y = x.reshape(n, h, w, c // b**2, b, b).transpose(0, 1, 4, 2, 5, 3)
        return y.reshape(n, h * b, w * b, c // b**2)

    def ranges(self, *operands: Range) -> Range:
        """Those of the operand."""
        lo, hi = (self.evaluate(bound[None])[0] for bound in operands[0])
        return lo, hi

    def details(self) -> str:
        """Block and mode."""
        return f"block {self.block}, {self.mode}"
