"""Channels of constants beside those of an activation: padded channels, constants that are joined to it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from ..formats import Format
from ..operators import MatMul
from .context import Context
from .op import Op
from .ratios import spread, whole
from .settle import settle
from .values import Value

CONSTANT_BITS = 16
"""Bits that a constant channel may have on the grid of the others; else it is 0 there and has an offset of its own."""


def widened(ctx: Context, op: Op, value: Value, before: list[Fraction], after: list[Fraction]) -> Value:
    """``value`` with constant channels in front of its own and behind them: a product with a one-hot matrix.

    Its tensor has the axes (1, channels, *spatial), in the order of its node's elements, or is flat.
    """
    if not before and not after:
        return value
    value = settle(ctx, op, value)
    parts = value.affine()
    assert parts is not None
    a, b = (spread(part, value.channels) for part in parts)
    constants = [*before, *after]
    ints: list[int | None] = [None]
    if value.uniform and a[0]:
        ints = [whole((k - b[0]) / a[0]) for k in constants]
    if all(i is not None and abs(i) < 1 << CONSTANT_BITS for i in ints):
        own = np.array(ints, np.int64)
    else:  # a function of their own, of the integer 0
        own = np.zeros(len(constants), np.int64)
        unit = next((f for f in a if f), Fraction(1))
        a = [unit] * len(before) + a + [unit] * len(after)
        b = before + b + after
        value = value.settled(np.array(a, object), np.array(b, object))
    channels, count = value.channels, value.channels + len(constants)
    weights = np.eye(count, channels, -len(before), dtype=np.int64)
    bias = np.concatenate([own[: len(before)], np.zeros(channels, np.int64), own[len(before) :]])
    shape = (*value.shape[:-1], count)
    name = ctx.emit("widen", MatMul, (value.node,), shape, None, value.scale, weights=weights,
                    weight_format=Format(1), bias=bias if np.any(bias) else None)
    axis = 1 if value.index.ndim > 1 else 0
    tensor = np.moveaxis(np.arange(int(np.prod(shape))).reshape(shape), -1, 0)
    index = tensor.reshape(*value.index.shape[:axis], count, *value.index.shape[axis + 1 :])
    return replace(value, node=name, shape=shape, index=index, trail=())
