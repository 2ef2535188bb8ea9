"""Conv: convolution in one or two dimensions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from ..formats import Format
from ..graph import Node, Range, Tensor, integers
from .matmul import check_weights, linear_ranges, product
from .spatial import Axes, check_windows, windows

BLOCK = 1 << 22
"""Elements of patches that are laid out in memory at once."""


def _blocks(patches: np.ndarray) -> Iterator[tuple[slice, slice]]:
    """Samples, and positions along the first axis, of at most :data:`BLOCK` elements of patches together, or of one."""
    samples, positions = patches.shape[:2]
    line = max(1, patches[:1, :1].size)
    lines = max(1, BLOCK // line)
    at_once, length = max(1, lines // max(1, positions)), min(lines, positions)
    for sample in range(0, samples, at_once):
        for start in range(0, positions, max(1, length)):
            yield slice(sample, sample + at_once), slice(start, start + length)


@dataclass(frozen=True, eq=False)
class Conv(Node):
    """y[p, o] = Σ_{k, c} weights[o, k, c] · x[stride·p + dilation·k, g·C/groups + c] + bias[o], g = o // (N / groups).

    x (*spatial, C), y (*positions, N), one or two spatial axes. ``weights`` is int64 (N, *kernel, C / groups), ``bias``
    (N,). There is no padding: :class:`Pad` goes before.
    """

    weights: np.ndarray
    weight_format: Format
    bias: np.ndarray | None = None
    stride: Axes = (1, 1)
    dilation: Axes = (1, 1)
    groups: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", integers(self.weights))
        if self.bias is not None:
            object.__setattr__(self, "bias", integers(self.bias))

    @property
    def kernel(self) -> Axes:
        """The window's size."""
        return self.weights.shape[1:-1]

    @property
    def depthwise(self) -> bool:
        """Whether each output channel reads just the input channel of its number."""
        return self.weights.shape[-1] == 1 and self.groups == self.weights.shape[0]

    def check(self, *operands: Tensor) -> None:
        """Windows fit; weights, bias and groups fit one another, the operand and the output."""
        (x,) = operands
        if self.weights.ndim not in (3, 4) or 0 in self.weights.shape:
            self.fail(f"weights must have shape (outputs, *kernel, inputs per group), not {self.weights.shape}")
        count = check_windows(self, x, self.kernel, self.stride, self.dilation)
        outputs = self.weights.shape[0]
        if self.groups < 1 or outputs % self.groups or x.shape[-1] != self.groups * self.weights.shape[-1]:
            self.fail(f"{self.groups} groups of {self.weights.shape[-1]} input channels and {outputs} outputs "
                      f"do not fit the {x.shape[-1]} channels")
        if self.output.shape != (*count, outputs):
            self.fail(f"the output's shape must be {(*count, outputs)}, not {self.output.shape}")
        check_weights(self, self.weights, self.weight_format, self.bias)

    def evaluate(self, *operands: np.ndarray) -> np.ndarray:
        """The sums."""
        (x,) = operands
        patches = windows(x, self.kernel, self.stride, self.dilation)
        dims = len(self.kernel)
        patches = np.moveaxis(patches, 1 + dims, -1)  # (samples, *positions, *kernel, C)
        rows = self.weights.reshape(self.groups, -1, prod(self.weights.shape[1:]))
        y = np.empty((*patches.shape[: 1 + dims], len(self.weights)), np.int64)
        for place in _blocks(patches):
            parts = [product(part.reshape(*part.shape[: 1 + dims], -1), row)
                     for part, row in zip(np.split(patches[place], self.groups, axis=-1), rows)]
            y[place] = np.concatenate(parts, axis=-1)
        return y if self.bias is None else y + self.bias

    def ranges(self, *operands: Range) -> Range:
        """Each weight meets its own worst input."""
        return linear_ranges(self, self.weights, operands[0])

    def details(self) -> str:
        """Weights and windows."""
        groups = f", {self.groups} groups" if self.groups > 1 else ""
        return (f"weights {self.weight_format}{list(self.weights.shape)}, stride {list(self.stride)}, "
                f"dilation {list(self.dilation)}{groups}")
