"""The integers behind a layer's constant weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..formats import BIPOLAR, Format
from .context import format_of
from .op import Op
from .types import computed
from .values import Const

LIMIT_BITS = 32
"""Bits that a weight may have."""


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights = scale · ints; both of the constant's shape. ``format`` is what the quantizer declared."""

    ints: np.ndarray
    scale: np.ndarray
    format: Format

    def fitting(self, ints: np.ndarray) -> Format:
        """The declared format if ``ints`` lie in it, else the least one."""
        if np.all(np.abs(ints) == 1):
            return BIPOLAR
        return self.format if self.format.holds(ints) and not self.format.bipolar else format_of(ints)


def weights_of(op: Op, const: Const, name: str) -> Weights:
    """The integers of the constant ``name``; refused where it is made of none."""
    quantized, array = const.quantized, computed(op, const.array, name)
    if quantized is not None and np.abs(quantized.zero).max(initial=0) < 1 << LIMIT_BITS:
        zero = np.rint(quantized.zero).astype(np.int64)
        if np.array_equal(zero, quantized.zero):
            ints = quantized.ints - zero
            return Weights(ints, quantized.scale, format_of(ints) if np.any(zero) else quantized.format)
    found = recognized(array)
    if found is None:
        op.fail(f"its weights {name!r} are floats without a quantizer", "quantize them (Brevitas: weight_quant=…)")
    ints, scale = found
    return Weights(ints, np.broadcast_to(np.float64(scale), ints.shape), format_of(ints))


def recognized(array: np.ndarray) -> tuple[np.ndarray, float] | None:
    """(integers, scale) if all floats are small integers (8 bits at most) times one scale, to float32 accuracy."""
    values = np.asarray(array, np.float64)
    sizes = np.unique(np.abs(values))
    sizes = sizes[sizes > 0]
    if not len(sizes):
        return np.zeros(values.shape, np.int64), 1.0
    for parts in range(1, 17):
        scale = sizes[0] / parts
        ints = np.rint(values / scale)
        if np.abs(ints).max() <= 255 and np.all(np.abs(ints * scale - values) <= 2.0**-23 * np.abs(values)):
            return ints.astype(np.int64), float(scale)
    return None
