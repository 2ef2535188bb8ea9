"""Concat: branches side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..graph import Node, Range, Tensor


@dataclass(frozen=True, eq=False)
class Concat(Node):
    """The operands one after the other along the channels; other axes are equal. The values stay what they are."""

    ARITY: ClassVar[int | None] = None

    def check(self, *operands: Tensor) -> None:
        """Equal positions, and an output format that holds every operand's values."""
        if any(x.shape[:-1] != operands[0].shape[:-1] for x in operands):
            self.fail(f"operands must differ in channels alone, not {', '.join(str(x.shape) for x in operands)}")
        expected = (*operands[0].shape[:-1], sum(x.shape[-1] for x in operands))
        if self.output.shape != expected:
            self.fail(f"the output's shape must be {expected}, not {self.output.shape}")
        y = self.output.format
        for x in operands:
            if y.lo > x.format.lo or y.hi < x.format.hi or (y.bipolar and not x.format.bipolar):
                self.fail(f"the output format {y} must hold the values of {x.format}")

    def evaluate(self, *operands: np.ndarray) -> np.ndarray:
        """The operands, joined."""
        return np.concatenate(operands, axis=-1)

    def ranges(self, *operands: Range) -> Range:
        """Those of the operands."""
        return np.concatenate([lo for lo, _ in operands], -1), np.concatenate([hi for _, hi in operands], -1)
