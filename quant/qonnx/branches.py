"""Branches that meet: sums of unequal scales, channels side by side."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import takewhile
from typing import Any

import numpy as np

from ..formats import Format
from ..operators import Add, Concat, Requantize
from .arrange import arrange, flat, positions_of
from .context import Context, operator
from .gates import gated
from .op import Op
from .ratios import integer_ratio, spread
from .settle import settle
from .steps import Pair, Side
from .values import Value, floats
from .widen import widened

MULTIPLIER_BITS = 32
"""Bits that a multiplier of a branch may have."""

WIDE = 16
"""Multipliers from here on are worth a note."""


def join(ctx: Context, op: Op, left: Value, right: Value, kind: str | None = None) -> Value:
    """Two values element by element: sums, differences and products of branches, any arithmetic of one value."""
    kind = kind or op.kind
    one = left.node == right.node and np.array_equal(left.index, right.index)
    affine = left.affine() is not None and right.affine() is not None
    if one and not (affine and kind in ("Add", "Sub")):
        same = all(np.array_equal(getattr(left, f), getattr(right, f)) for f in ("scale", "zero", "offset"))
        if same:
            sides = (tuple(step for step, _ in v.steps) for v in (left, right))
            return replace(left, steps=((Pair(kind, *sides), (op.inputs[0], left.index)),))
    if kind == "Mul":
        return gated(ctx, op, left, right)
    if kind not in ("Add", "Sub"):
        op.fail(f"{kind} of two activations is not supported", "only sums, differences and products of branches are, "
                "and functions of one and the same tensor")
    if left.index.shape != right.index.shape:
        op.fail(f"branches of shapes {left.index.shape} and {right.index.shape} would have to be repeated",
                "branches must have one shape")
    left, right = settle(ctx, op, left), settle(ctx, op, right)
    left, right = _aligned(ctx, op, left, right)
    return _sum(ctx, op, left, right, -1 if kind == "Sub" else 1)


def _aligned(ctx: Context, op: Op, left: Value, right: Value) -> tuple[Value, Value]:
    """Both branches over nodes of one shape and one order."""
    if left.shape == right.shape and np.array_equal(left.index, right.index):
        return left, right
    if left.index.size != left.size or right.index.size != right.size:
        op.fail("its branches are parts of other tensors in different orders", "add whole tensors")
    order = np.zeros(left.size, np.int64)  # right's elements in left's order
    order[left.index.ravel()] = right.index.ravel()
    return left, arrange(ctx, op, right, order.reshape(left.shape))


def _sum(ctx: Context, op: Op, left: Value, right: Value, sign: int) -> Value:
    one, other = left.affine(), right.affine()
    assert one is not None and other is not None
    (a, p), (b, r) = one, other
    channels = left.channels
    pairs = list(zip(spread(a, channels), (sign * f for f in spread(b, channels))))
    distinct = {pair: integer_ratio(list(pair), MULTIPLIER_BITS) for pair in dict.fromkeys(pairs)}
    if any(ratio is None or 0 in ratio[0] for ratio in distinct.values()):
        op.fail(f"the scales of its branches are in no ratio of integers of {MULTIPLIER_BITS} bits",
                "put a quantizer in front of it on both branches")
    found = [distinct[pair] for pair in pairs]
    multipliers = np.array([ratio[0] for ratio in found if ratio is not None], np.int64)
    units = np.array([ratio[1] for ratio in found if ratio is not None], object)
    if np.abs(multipliers).max() >= WIDE:
        ctx.note(f"node {op.name!r} ({op.kind}): the scales of its branches differ, and they take multipliers of up to "
                 f"{np.abs(multipliers).max()} ({_wider(ctx, multipliers, left, right)} bits more in the sum and in "
                 "each of its thresholds); one quantizer that both branches share makes them 1")
    if np.all(multipliers == multipliers[0]):
        factors = (int(multipliers[0, 0]), int(multipliers[0, 1]))
    else:
        factors = tuple(_common_sign(op, multipliers[:, i]) for i in (0, 1))  # type: ignore[assignment]
        left, right = (_multiplied(ctx, op, v, np.abs(multipliers[:, i])) for i, v in enumerate((left, right)))
    scale = floats(units[0] if np.all(units == units[0]) else units)
    offset = floats(np.asarray(p + sign * r, object))
    name = ctx.emit("add", Add, (left.node, right.node), left.shape, None, scale, multipliers=factors)
    return Value(name, left.shape, left.index, scale=scale, offset=offset, batch=left.batch)


def _wider(ctx: Context, multipliers: np.ndarray, left: Value, right: Value) -> int:
    """How many bits more the sum has than one with multipliers of 1."""
    bits = []
    for factors in (multipliers, np.sign(multipliers)):
        ends = [np.sort([bound * factors[:, at] for bound in ctx.ranges[value.node]], axis=0)
                for at, value in enumerate((left, right))]
        low, high = (int(side) for side in ((ends[0] + ends[1])[0].min(), (ends[0] + ends[1])[1].max()))
        bits.append(Format.of_range(low, high).bits)
    return bits[0] - bits[1]


def _common_sign(op: Op, multipliers: np.ndarray) -> int:
    signs = np.unique(np.sign(multipliers))
    if len(signs) != 1:
        op.fail("some channels of a branch have a negative scale and others a positive one", "put a quantizer in "
                "front of it")
    return int(signs[0])


def _multiplied(ctx: Context, op: Op, value: Value, multipliers: np.ndarray) -> Value:
    """The integers of ``value`` times one positive integer per channel."""
    if np.all(multipliers == 1):
        return value
    lo, hi = ctx.ranges[value.node]
    low, high = int((lo * multipliers).min()), int((hi * multipliers).max())
    name = ctx.emit("rescale", Requantize, (value.node,), value.shape, Format.of_range(low, high),
                    multiplier=multipliers, offset=np.array([0]), shift=0, y_min=low, y_max=high)
    return replace(value, node=name)


@operator("Concat")
def import_concat(ctx: Context, op: Op) -> Value:
    """Tensors one after the other along their channels, or flat ones along their only axis; constants among them."""
    operands = [ctx.operand(op, at) for at in range(len(op.inputs))]
    first = next(ctx.elements(op, at) for at, operand in enumerate(operands) if isinstance(operand, Value))
    axis = op.axis("axis", 1, first.index.ndim)
    if any((o.type if isinstance(o, Value) else o.array.dtype.name) != first.type for o in operands):
        op.fail("joins tensors of several types", "export the model again")
    parts = [ctx.elements(op, at) if isinstance(operand, Value) else _of_channels(ctx, op, first, at, axis)
             for at, operand in enumerate(operands)]
    return concatenated(ctx, op, first, parts, axis)


def concatenated(ctx: Context, op: Op, first: Value, parts: list[Value | list[Fraction]], axis: int) -> Value:
    """``parts`` one after the other along ``axis``, ``first`` being a value among them; constants by channel."""
    ndim = first.index.ndim
    shapes = {tuple(np.delete(v.index.shape, axis)) for v in parts
              if isinstance(v, Value) and v.index.ndim == ndim}
    if len(shapes) != 1 or axis == first.batch or any(isinstance(v, Value) and v.index.ndim != ndim for v in parts):
        listed = ", ".join(str(v.index.shape) for v in parts if isinstance(v, Value))
        op.fail(f"tensors of shapes {listed} do not fit side by side along axis {axis}", "export the model again")
    index: np.ndarray
    if int(np.prod(next(iter(shapes)))) == 1:
        values = _merged(ctx, op, [flat(ctx, op, v) if isinstance(v, Value) else v for v in parts], axis)
        starts = np.cumsum([0, *(v.size for v in values)])
        index = np.concatenate([v.index + start for v, start in zip(values, starts)], axis=axis)
    else:
        values = _merged(ctx, op, [_by_channel(ctx, op, v, axis) if isinstance(v, Value) else v for v in parts], axis)
        shape = (*values[0].shape[:-1], sum(v.channels for v in values))
        joined = (*np.delete(first.index.shape, axis), shape[-1])
        index = np.moveaxis(np.arange(int(np.prod(joined))).reshape(joined), -1, axis)
        if any(v.shape[:-1] != shape[:-1] for v in values):
            op.fail("its branches' positions differ", "join along the channels")
    return _side_by_side(ctx, op, values, index) if len(values) > 1 else replace(values[0], index=index)


def _of_channels(ctx: Context, op: Op, value: Value, at: int, axis: int) -> list[Fraction]:
    """The constant operand number ``at`` beside ``value``: one number for each of its channels."""
    array = ctx.array(op, at)
    rows = np.moveaxis(array, axis, -1).reshape(-1, array.shape[axis])
    if array.ndim != value.index.ndim or not np.all(rows == rows[0]):
        op.fail(f"constant {op.inputs[at]!r} differs from position to position", "join constants of one number per "
                "channel")
    return [Fraction(float(v)) for v in rows[0]]


def _merged(ctx: Context, op: Op, parts: list[Value | list[Fraction]], axis: int) -> list[Value]:
    """Values with the constants beside them as channels of their own."""
    values: list[Value] = []
    before: list[Fraction] = []
    for at, part in enumerate(parts):
        if isinstance(part, list):
            before += part if not values else []
            continue
        following = list(takewhile(lambda p: isinstance(p, list), parts[at + 1 :]))
        after = [k for constants in following if isinstance(constants, list) for k in constants]
        if before or after:
            part = _beside(ctx, op, part, before, after, axis)
        values.append(part)
        before = []
    return values


def _beside(ctx: Context, op: Op, value: Value, before: list[Fraction], after: list[Fraction], axis: int) -> Value:
    """``value``, whose node has the tensor's ``axis`` as channels or is flat, with constants around it."""
    if len(value.shape) == 1:
        whole = replace(value, index=np.arange(value.size).reshape(1, -1))
        made = widened(ctx, op, whole, before, after)
        ends = np.arange(len(before)), np.arange(made.size - len(after), made.size)
        shape = [-1 if k == axis else 1 for k in range(value.index.ndim)]
        first, last_ = (end.reshape(shape) for end in ends)
        return replace(made, index=np.concatenate([first, value.index + len(before), last_], axis=axis))
    moved = np.moveaxis(np.arange(value.size).reshape(value.shape), -1, 0)[None]
    return widened(ctx, op, replace(value, index=moved), before, after)


def _by_channel(ctx: Context, op: Op, value: Value, axis: int) -> Value:
    """``value`` over a node whose channels are the tensor's ``axis`` and whose elements are the tensor's."""
    order = np.moveaxis(value.index, axis, -1)
    spatial = [n for i, n in enumerate(order.shape[:-1]) if i > 0] or [1]
    done = arrange(ctx, op, value, order.reshape(*spatial, order.shape[-1]))
    return replace(done, index=positions_of(value, order))


def _side_by_side(ctx: Context, op: Op, values: list[Value], index: np.ndarray) -> Value:
    """One node of several values' channels; bases and steps stand side by side."""
    formats = [ctx.nodes[v.node].output.format for v in values]
    if all(f == formats[0] for f in formats):
        form = formats[0]
    else:
        form = Format.of_range(min(f.lo for f in formats), max(f.hi for f in formats))
    shape = (*values[0].shape[:-1], sum(v.channels for v in values))
    fields: dict[str, Any] = {f: _joined([getattr(v, f) for v in values], values) for f in ("scale", "zero", "offset")}
    name = ctx.emit("concat", Concat, tuple(v.node for v in values), shape, form, fields["scale"])
    steps: tuple = ()
    if any(v.steps for v in values):
        starts = np.cumsum([0, *(v.channels for v in values)])
        parts = tuple((np.arange(start, start + v.channels), tuple(step for step, _ in v.steps))
                      for v, start in zip(values, starts))
        steps = ((Side(parts), (op.inputs[0], values[0].index)),)
    return Value(name, shape, index, steps=steps, batch=values[0].batch, type=values[0].type, **fields)


def _joined(constants: list[np.ndarray], values: list[Value]) -> np.ndarray:
    row = np.concatenate([np.broadcast_to(c, (v.channels,)) for c, v in zip(constants, values)])
    return np.asarray(row[0]) if np.all(row == row[0]) else row
