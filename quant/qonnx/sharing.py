"""Thresholds that positions share although they divide by different numbers: averages over borders that do not count.

A sum q divided by d reaches a level where q ≥ T, with a T for each divisor; q · (L / d), L a multiple of all divisors,
reaches it from one common number on, wherever float32's roundings of the divisions leave one. Then a multiplier of few
bits per element stands in place of its thresholds.
"""

from __future__ import annotations

from math import lcm, prod

import numpy as np

from ..formats import Format
from ..operators import Pool, Requantize, Reshape
from .context import Context
from .steps import Elementwise
from .values import Value

MULTIPLIER_BITS = 8
"""Bits that the multiplier of an element may have."""

FREE = 1 << 61
"""Stands for no bound."""


def shared(ctx: Context, value: Value, rows: np.ndarray) -> tuple[str, np.ndarray] | None:
    """A node of the value's sums times L / d, of the shape (*positions, channels), and thresholds per channel for it.

    :param rows: thresholds (elements, levels) of a value that is flat since its divisors differ between positions.
    :returns: None where that is not so, or some level has no common threshold.
    """
    node = ctx.nodes[value.node]
    divisors = _divisors(value)
    if divisors is None or not isinstance(node, Reshape) or len(rows) != value.size or value.shape != (value.size,):
        return None
    shape = ctx.nodes[node.inputs[0]].output.shape
    common = lcm(*(int(d) for d in np.unique(divisors)))
    factors = common // divisors
    if len(shape) < 2 or factors.max() >> MULTIPLIER_BITS:
        return None
    lo, hi = (bound[:, None] for bound in ctx.ranges[value.node])
    least = np.where(rows <= lo, -FREE, (rows - 1) * factors[:, None] + 1)
    most = np.where(rows > hi, FREE, rows * factors[:, None])
    least, most = (bound.reshape(-1, shape[-1], rows.shape[1]) for bound in (least, most))
    least, most = least.max(axis=0), most.min(axis=0)
    if np.all(least.max(axis=0) <= most.min(axis=0)):  # one row for all channels
        least, most = least.max(axis=0, keepdims=True), most.min(axis=0, keepdims=True)
    chosen = np.maximum.accumulate(np.where(most < FREE, most, least), axis=1)
    if np.any(chosen < least) or np.any(chosen > most):
        return None
    low, high = _bounds(ctx, node, common, lo * factors[:, None], hi * factors[:, None])
    form = ctx.nodes[value.node].output.format
    name = ctx.emit("spread", Requantize, (value.node,), value.shape, Format.of_range(min(low, form.lo), high),
                    multiplier=factors, offset=np.array([0]), shift=0, y_min=low, y_max=high)
    return ctx.emit("reshape", Reshape, (name,), shape, ctx.nodes[name].output.format), chosen


def _divisors(value: Value) -> np.ndarray | None:
    """The whole number by which each element of the value is divided, if that is what makes its functions differ."""
    for step, _ in value.steps:
        if isinstance(step, Elementwise) and step.op == "Div" and step.constants[0].shape == value.shape:
            divisors = step.constants[0]
            if np.all(divisors >= 1) and np.all(divisors == np.rint(divisors)) and divisors.max() < 1 << 12:
                return np.asarray(divisors.astype(np.int64))
    return None


def _bounds(ctx: Context, node: Reshape, common: int, lo: np.ndarray, hi: np.ndarray) -> tuple[int, int]:
    """The least and greatest product. Sums of d elements of a window are at most d parts of the whole window's."""
    pool = ctx.nodes[node.inputs[0]]
    if isinstance(pool, Pool):
        count = prod(pool.kernel)
        low, high = (int(end) for end in (ctx.ranges[node.name][0].min(), ctx.ranges[node.name][1].max()))
        return -(-min(low, 0) * common // count), max(high, 0) * common // count
    return int(lo.min()), int(hi.max())
