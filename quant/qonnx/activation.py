"""Quantizers of activations become thresholds; functions that are not monotone become tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..formats import BIPOLAR, Format
from ..graph import Input, Tensor
from ..operators import Reshape, Table, Threshold
from . import fixed
from .context import Context, View, operator
from .op import Op
from .quantizers import Quantizer, bipolar_quant, constant_quant, quant
from .sharing import shared
from .thresholds import bisect, pieces
from .values import Const, Value

TABLE_BITS = 10
"""Bits of the argument of a table."""

ENTRIES = 1 << 24
"""Thresholds that a node may have."""

SEARCH = 1 << 26
"""Evaluations that the search of a function that is not monotone may take."""


@operator("Quant", "IntQuant", "BipolarQuant")
def import_quant(ctx: Context, op: Op) -> Value | Const:
    """A quantizer with constant parameters, of a constant or of an activation."""
    operand = ctx.operand(op, 0)
    if isinstance(operand, Const):
        return constant_quant(ctx, op, ctx.array(op, 0))
    value, quantizer = (bipolar_quant if op.kind == "BipolarQuant" else quant)(ctx, op, ctx.value(op))
    if op is ctx.direct:
        return take_input(ctx, op, value, quantizer)
    return quantize(ctx, op, value, quantizer)


def take_input(ctx: Context, op: Op, value: Value, quantizer: Quantizer, tensor: str = "") -> Value:
    """The input's own quantizer: its integers are what the graph takes; ``tensor`` as in :func:`shown`."""
    node = ctx.nodes[value.node]
    scale = tuple(float(s) for s in np.atleast_1d(quantizer.scale))
    ctx.place(Input(node.name, (), Tensor(node.output.shape, quantizer.format, scale)), False)
    ctx.entry = quantizer
    made = replace(value, scale=quantizer.scale, zero=quantizer.zero, offset=quantizer.offset, steps=())
    return shown(ctx, op, made, tensor)


def shown(ctx: Context, op: Op, value: Value, tensor: str = "") -> Value:
    """``value``, remembered as what ``tensor`` of the file is made of; by default, what ``op`` gives."""
    ctx.views.setdefault(value.node, View(tensor or op.outputs[0], value))
    return replace(value, trail=())


def quantize(ctx: Context, op: Op, value: Value, quantizer: Quantizer, tensor: str = "") -> Value:
    """``value`` behind ``quantizer``: a threshold of its node, or what a function that is not monotone takes.

    ``tensor`` as in :func:`shown`.
    """
    lo, hi = ctx.ranges[value.node]
    if value.uniform and quantizer.uniform:
        lo, hi = lo.min(keepdims=True), hi.max(keepdims=True)
    ends = [quantizer.level(_finite(op, value, end)) for end in (lo[None], hi[None])]
    signs = np.where(ends[1][0] < ends[0][0], -1, 1)
    made = _direct(ctx, op, value, quantizer)
    if made is not None:
        pass
    elif value.monotone:
        made = fixed.line(ctx, op, value, quantizer, signs, lo, hi)
        made = made or _monotone(ctx, op, value, quantizer, signs, lo, hi)
    else:
        made = _searched(ctx, op, value, quantizer, lo, hi)
    if made is None:
        op.fail("the function between the sums and this quantizer neither rises nor falls throughout, and its "
                f"argument is too wide for a table of {TABLE_BITS} bits", "quantize before the function as well")
    result = replace(value, node=made, scale=quantizer.scale, zero=quantizer.zero, offset=quantizer.offset, steps=())
    return shown(ctx, op, result, tensor) if made != value.node else replace(result, trail=())


def _finite(op: Op, value: Value, q: np.ndarray) -> np.ndarray:
    x = value.real(q)
    if np.any(np.isnan(x)):
        op.fail("the function before it is not a number for some sums", "look for roots and variances below 0")
    return x


def _monotone(ctx: Context, op: Op, value: Value, quantizer: Quantizer, signs: np.ndarray, lo: np.ndarray,
              hi: np.ndarray) -> str | None:
    """Thresholds of a monotone function; where it falls the sums are negated, or the levels turned round behind."""
    flipped = np.any(signs < 0) and ctx.rescaled(value, np.broadcast_to(signs, (value.channels,)))
    low, high = np.where(signs < 0, -hi, lo), np.where(signs < 0, -lo, hi)
    least = int(quantizer.level(_finite(op, value, (low * signs)[None])).min())
    most = int(quantizer.level(_finite(op, value, (high * signs)[None])).max())
    levels = max(1, most - least)
    if most == least and least == quantizer.levels:
        least -= 1
    if levels * len(signs) > ENTRIES:
        op.fail(f"{levels} levels in {len(signs)} channels are more than {ENTRIES} thresholds", "use fewer bits")
    wanted = least + np.arange(1, levels + 1)[:, None]

    def reached(q: np.ndarray) -> np.ndarray:
        return np.asarray(quantizer.level(_finite(op, value, q * signs)) >= wanted)

    rows = bisect(reached, low, high, levels)
    if rows is None:
        return _searched(ctx, op, value, quantizer, lo, hi) if not flipped else None
    y_min = quantizer.least + quantizer.step * least
    if not flipped and np.any(signs < 0):
        return _turned(ctx, value, quantizer, rows, signs, y_min)
    return _emit(ctx, value, quantizer, rows, y_min)


def _direct(ctx: Context, op: Op, value: Value, quantizer: Quantizer) -> str | None:
    """A table, where the argument has fewer values than there are levels."""
    form = ctx.nodes[value.node].output.format
    if form.bits > TABLE_BITS or quantizer.step > 1:
        return None
    lo, hi = ctx.ranges[value.node]
    if value.uniform and quantizer.uniform:
        lo, hi = lo.min(keepdims=True), hi.max(keepdims=True)
    q = np.clip(np.arange(form.lo, form.hi + 1)[:, None], lo, hi)
    levels = quantizer.level(_finite(op, value, q))
    if levels.max() - levels.min() < len(levels):
        return None
    table = quantizer.least + levels.T
    return ctx.emit("act", Table, (value.node,), value.shape, quantizer.format, quantizer.scale, table=table,
                    x_min=form.lo)


def _emit(ctx: Context, value: Value, quantizer: Quantizer, rows: np.ndarray, y_min: int) -> str:
    """The threshold node, or the present node where the thresholds change nothing."""
    lo, hi = ctx.ranges[value.node]
    least, greatest = int(lo.min()), int(hi.max())
    if np.all(rows == rows[0]):
        rows = rows[:1]
    own = ctx.nodes[value.node].output.format
    top = y_min + rows.shape[1]
    if own.bipolar and quantizer.step == 2 and rows.shape == (1, 1) and -1 < rows[0, 0] <= 1:
        return value.node
    if quantizer.step == 1 and not own.bipolar and y_min <= least and greatest <= top and np.array_equal(
            np.clip(rows, least, greatest + 1), np.clip(np.arange(y_min + 1, top + 1), least, greatest + 1)[None]):
        return value.node
    return _thresholds(ctx, "act", value, rows, quantizer.format, quantizer.scale, y_min, quantizer.step)


def _thresholds(ctx: Context, prefix: str, value: Value, rows: np.ndarray, form: Format,
                scale: np.ndarray | None = None, y_min: int = 0, y_step: int = 1) -> str:
    """The threshold node over ``value``, its rows one per channel where positions can share them."""
    together = shared(ctx, value, rows)
    if together is None:
        return ctx.emit(prefix, Threshold, (value.node,), value.shape, form, scale, thresholds=rows, y_min=y_min,
                        y_step=y_step)
    node, rows = together
    name = ctx.emit(prefix, Threshold, (node,), ctx.nodes[node].output.shape, form, scale, thresholds=rows, y_min=y_min,
                    y_step=y_step)
    return ctx.emit("reshape", Reshape, (name,), value.shape, form)


def _turned(ctx: Context, value: Value, quantizer: Quantizer, rows: np.ndarray, signs: np.ndarray, y_min: int) -> str:
    """Thresholds of falling channels on the sums as they are, and a table that counts down where it must."""
    falls = signs[:, None] < 0
    levels = rows.shape[1]
    counted = np.where(falls, np.sort(1 - rows, axis=1), rows)
    index = Format.of_range(0, levels)
    name = _thresholds(ctx, "level", value, counted, index)
    up = np.minimum(np.arange(index.hi + 1), levels)[None]
    before, shape = ctx.nodes[name], value.shape
    if isinstance(before, Reshape):  # positions share the thresholds, and so they share the table
        name, = before.inputs
        shape = ctx.nodes[name].output.shape
        falls = falls[: shape[-1]]
    table = y_min + quantizer.step * np.where(falls, levels - up, up)
    made = ctx.emit("act", Table, (name,), shape, quantizer.format, quantizer.scale, table=table, x_min=0)
    return made if shape == value.shape else ctx.emit("reshape", Reshape, (made,), value.shape, quantizer.format)


def _searched(ctx: Context, op: Op, value: Value, quantizer: Quantizer, lo: np.ndarray, hi: np.ndarray) -> str | None:
    """Thresholds or a table of any function, by evaluating it at each argument."""
    if int((hi - lo + 1).sum()) > SEARCH:
        return None

    def level(q: np.ndarray, channel: int) -> np.ndarray:
        if len(lo) == 1:
            return quantizer.level(_finite(op, value, q[:, None]))[:, 0]
        at = np.array([channel])
        one = value.with_channels(value.node, (1,), value.index, at)
        return quantizer.moved(at).level(_finite(op, one, q[:, None]))[:, 0]

    found = pieces(level, lo, hi, (1 << TABLE_BITS) - 1)
    if found is None:
        return None
    starts, values = found
    form = ctx.nodes[value.node].output.format
    rises = np.all(np.diff(values, axis=1) == np.where(starts <= hi[:, None], 1, 0))
    if rises and np.all(values[:, 0] == values[0, 0]):
        first = int(values[0, 0])
        if first == quantizer.levels:  # the greatest level throughout
            starts, first = lo[:, None], first - 1
        return _emit(ctx, value, quantizer, starts, quantizer.least + quantizer.step * first)
    name = value.node
    if form.bits > TABLE_BITS or 1 << form.bits > 4 * values.shape[1]:
        form = Format.of_range(0, starts.shape[1])
        name = ctx.emit("level", Threshold, (value.node,), value.shape, form, thresholds=starts)
        table = values[:, np.minimum(np.arange(form.hi + 1), values.shape[1] - 1)]
    else:
        arguments = np.arange(form.lo, form.hi + 1)
        table = np.stack([row[np.searchsorted(start, arguments, side="right")] for start, row in zip(starts, values)])
    table = quantizer.least + quantizer.step * table
    return ctx.emit("act", Table, (name,), value.shape, quantizer.format, quantizer.scale, table=table, x_min=form.lo)


@operator("Sign")
def import_sign(ctx: Context, op: Op) -> Value:
    """−1, 0 or +1; bipolar where 0 cannot be."""
    value = ctx.value(op)

    def sign(constants: tuple[np.ndarray, ...], x: np.ndarray) -> np.ndarray:
        return np.sign(x)

    made = quantize(ctx, op, value, Quantizer(sign, (), Format(2, True), -1, 1, 2))
    node = ctx.nodes[made.node]
    if isinstance(node, Threshold) and node.y_min == -1 and node.thresholds.shape[1] == 2 and np.all(
            node.thresholds[:, 0] == node.thresholds[:, 1]):
        output = Tensor(node.output.shape, BIPOLAR, node.output.scale)
        ctx.place(replace(node, output=output, thresholds=node.thresholds[:, :1], y_step=2), False)
    return made

