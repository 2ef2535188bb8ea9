"""MatMul: a matrix product with constant weights, at every position alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ..formats import Format
from ..graph import Node, Range, Tensor, integers

EXACT = 1 << 53
"""float64 holds every integer up to this, so that a sum bounded by it is exact in any order."""


def product(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """x · weightsᵀ over the last axes, in exact integers.

    Where no sum can leave what float64 holds exactly, the product runs in float64, many times faster than in int64.
    """
    if x.size and weights.size:
        bound = int(np.abs(x).max()) * int(np.abs(weights).sum(axis=-1).max())
        if bound < EXACT:
            return np.asarray(np.rint(x.astype(np.float64) @ weights.astype(np.float64).T), dtype=np.int64)
    return np.asarray(x @ weights.T)


@dataclass(frozen=True, eq=False)
class MatMul(Node):
    """y[…, o] = Σ_k weights[o, k] · x[…, g·K + k] + bias[o], g = o // (N / groups): x (…, groups·K), y (…, N).

    ``weights`` is int64 (N, K), ``bias`` (N,). Leading axes are positions, each multiplied alike. With ``groups``, the
    outputs and the inputs fall into that many equal parts in order, each output reading its own part alone.
    """

    weights: np.ndarray
    weight_format: Format
    bias: np.ndarray | None = None
    groups: int = 1

    ARITY: ClassVar[int | None] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", integers(self.weights))
        if self.bias is not None:
            object.__setattr__(self, "bias", integers(self.bias))

    def check(self, *operands: Tensor) -> None:
        """Weights, bias and groups fit one another, the operand and the output."""
        (x,) = operands
        if self.weights.ndim != 2 or 0 in self.weights.shape:
            self.fail(f"weights must have shape (outputs, inputs), not {self.weights.shape}")
        outputs, inputs = self.weights.shape
        if self.groups < 1 or outputs % self.groups:
            self.fail(f"groups must divide the {outputs} outputs, not {self.groups}")
        if x.shape[-1] != inputs * self.groups or self.output.shape != (*x.shape[:-1], outputs):
            self.fail(f"weights {self.weights.shape} do not map {x.shape} to {self.output.shape}")
        check_weights(self, self.weights, self.weight_format, self.bias)

    def evaluate(self, *operands: np.ndarray) -> np.ndarray:
        """The sums."""
        (x,) = operands
        if self.groups == 1:
            y = product(x, self.weights)
        else:
            parts, rows = np.split(x, self.groups, axis=-1), np.split(self.weights, self.groups)
            y = np.concatenate([product(part, row) for part, row in zip(parts, rows)], axis=-1)
        return y if self.bias is None else y + self.bias

    def ranges(self, *operands: Range) -> Range:
        """Each weight meets its own worst input."""
        return linear_ranges(self, self.weights, operands[0])

    def details(self) -> str:
        """Weight format and shape."""
        groups = f" in {self.groups} groups" if self.groups > 1 else ""
        return f"weights {self.weight_format}{list(self.weights.shape)}{groups}"


def check_weights(node: Node, weights: np.ndarray, weight_format: Format, bias: np.ndarray | None) -> None:
    """The weights lie in their format and there is one bias per output (the first axis of ``weights``)."""
    if not weight_format.holds(weights):
        node.fail(f"weights must lie in {weight_format}, and {weights.min()} to {weights.max()} occur")
    if bias is not None and bias.shape != weights.shape[:1]:
        node.fail(f"bias must have shape ({weights.shape[0]},), not {bias.shape}")


def linear_ranges(node: Node, weights: np.ndarray, x: Range) -> Range:
    """Interval arithmetic of a node that is linear in ``weights`` (a field of it) up to its bias."""
    zero = replace(node, bias=None)  # type: ignore[call-arg]
    positive = replace(zero, weights=np.maximum(weights, 0))  # type: ignore[call-arg]
    negative = replace(zero, weights=np.minimum(weights, 0))  # type: ignore[call-arg]
    lo, hi = (bound[None] for bound in x)
    low = positive.evaluate(lo) + negative.evaluate(hi)
    high = positive.evaluate(hi) + negative.evaluate(lo)
    bias = getattr(node, "bias", None)
    shift = 0 if bias is None else bias
    return low[0] + shift, high[0] + shift
