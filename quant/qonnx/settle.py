"""Functions between a quantizer and a layer: what they make of the integers must itself be integers of one scale."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from ..formats import Format
from ..operators import Requantize, Table
from .context import Context
from .op import Op
from .ratios import spread, whole
from .steps import Elementwise
from .values import Value
from .weights import recognized

F = np.float32
TABLE_BITS = 10
"""Bits of the argument of a table."""


def settle(ctx: Context, op: Op, value: Value) -> Value:
    """``value`` with affine steps alone: clips at integers become ``Requantize``, functions of few bits ``Table``."""
    while value.affine() is None:
        at = next(i for i, (step, _) in enumerate(value.steps) if step.affine() is None)
        step, before = value.steps[at]
        head, tail = replace(value, steps=value.steps[:at]), value.steps[at + 1 :]
        done = _clipped(ctx, head, step) if isinstance(step, Elementwise) and step.op == "Clip" else None
        if done is None:
            done = _table(ctx, replace(value, steps=value.steps[: at + 1]))
        if done is None:
            name = step.op if isinstance(step, Elementwise) else "a function"
            op.fail(f"{name} of tensor {before[0]!r} in front of it gives numbers that are not integers of one scale",
                    "put a quantizer in front of it")
        value = replace(done, steps=tail)
    return value


def _clipped(ctx: Context, value: Value, step: Elementwise) -> Value | None:
    """A clip whose bounds are the same integers in every channel."""
    parts = value.affine()
    assert parts is not None
    a, b = (spread(part, value.channels) for part in parts)
    if min(a) <= 0:
        return None
    lo, hi = ctx.ranges[value.node]
    low, high = int(lo.min()), int(hi.max())
    bounds = []
    for bound, free in zip(step.constants, (low, high)):
        channels = {_integer(float(v), x, y) for v, x, y in zip(np.broadcast_to(bound, len(a)), a, b)}
        if channels == {None} and not np.all(np.isinf(bound)):
            return None
        if len(channels) != 1:
            return None
        found = channels.pop()
        bounds.append(free if found is None else found)
    low, high = max(low, bounds[0]), min(high, bounds[1])
    if low > high:
        return None
    form = Format.of_range(low, high)
    name = ctx.emit("clip", Requantize, (value.node,), value.shape, form, value.scale,
                    multiplier=np.array([1]), offset=np.array([0]), shift=0, y_min=low, y_max=high)
    return replace(value, node=name, trail=()).settled(*parts)


def _integer(bound: float, a: Fraction, b: Fraction) -> int | None:
    """The integer that stands for ``bound``; None if none does."""
    if not np.isfinite(bound):
        return None
    return whole((Fraction(bound) - b) / a)


def _table(ctx: Context, value: Value) -> Value | None:
    """Any function of few bits whose values are integers of one scale."""
    form = ctx.nodes[value.node].output.format
    if form.bits > TABLE_BITS:
        return None
    lo, hi = ctx.ranges[value.node]
    channels = 1 if value.uniform else value.channels
    if channels == 1:
        lo, hi = lo.min(keepdims=True), hi.max(keepdims=True)
    q = np.clip(np.arange(form.lo, form.hi + 1)[:, None], lo, hi)
    real = value.real(q)
    if not np.all(np.isfinite(real)):
        return None
    scale = value.scale.ravel()[0]
    ints = np.rint(real / scale)
    found: tuple[np.ndarray, float] | None
    if value.scale.ndim == 0 and np.abs(ints).max() < 1 << 16 and np.array_equal((ints * scale).astype(F), real):
        found = ints.astype(np.int64), float(scale)
    else:
        found = recognized(real)
    if found is None:
        return None
    ints, unit = found
    output = Format.of_range(int(ints.min()), int(ints.max()))
    name = ctx.emit("table", Table, (value.node,), value.shape, output, np.asarray(unit), table=ints.T, x_min=form.lo)
    return replace(value, node=name, scale=np.asarray(unit), zero=np.zeros(()), offset=np.zeros(()), steps=(), trail=())


