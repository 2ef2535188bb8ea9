"""Layouts: which axis of a tensor is the channels, and in which order the host brings the input.

Behind a layer it is known, since a value says where each element stands in its node. The input has no order of its own:
it takes the one that the first operator wants which fixes one, seen through everything that moves elements on the way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from .context import HANDLERS, Context
from .failure import ImportFailure
from .fold import fold
from .model import Model
from .op import Op
from .values import Const, Value

SECOND = {"Conv", "ConvTranspose", "ConvInteger", "QLinearConv", "MaxPool", "AveragePool", "BatchNormalization",
          "GlobalAveragePool", "GlobalMaxPool", "QLinearAveragePool", "QLinearGlobalAveragePool", "DepthToSpace",
          "SpaceToDepth", "QuantAvgPool2d", "InstanceNormalization", "LpPool"}
"""Operators whose channels are the axis behind the batch, but for those of a domain that says otherwise."""

LAST = {"MatMul", "Gemm", "MaxPoolNHWC", "XnorPopcountMatMul", "QLinearMatMul", "MatMulInteger"}
"""Operators whose channels are the last axis."""

PRODUCTS = LAST - {"MaxPoolNHWC"}

REDUCED = {"ReduceMean", "ReduceSum", "ReduceMax"}

MOVED = {"Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Shape", "Size"}
"""Operators that are followed on the way from the input."""

FEW = 64
"""Elements up to which constants of integers are computed on that way: shapes have few."""


def channel_axes(value: Value) -> list[int]:
    """The axes of the tensor, but for the batch's, that may be the channels of the value's node as it is."""
    index, found = value.index, []
    for k in range(index.ndim):
        if k != value.batch and index.shape[k] == value.channels:
            order = np.moveaxis(index, k, -1).reshape(-1, value.channels)
            if np.array_equal(order % value.channels, np.broadcast_to(np.arange(value.channels), order.shape)) and (
                    np.all(np.diff(order[:, 0]) > 0)):
                found.append(k)
    return found


def channel_axis(value: Value, still: Iterable[int]) -> int:
    """The channels' axis among the axes ``still``, which an operator leaves as they are; the first where none is."""
    free = [k for k in still if k != value.batch]
    known = [k for k in channel_axes(value) if k in free]
    return (known or free or [1])[0]


def input_order(model: Model) -> np.ndarray:
    """The input's elements, numbered in the file's order, in the graph's: channels last."""
    shape = model.input_shape
    own = np.arange(int(np.prod(shape))).reshape(shape)
    found = _wanted(model, own)
    if found is None:
        found = own.reshape(-1) if own.ndim < 3 else np.moveaxis(own, 1, -1)[0]
    return found if found.ndim <= 3 else found.reshape(-1, found.shape[-1])


def _wanted(model: Model, own: np.ndarray) -> np.ndarray | None:
    """The order that the first operator wants which fixes one, or what others before it hint at."""
    ctx = Context(model)
    ctx.tensors.update((n, Const(a)) for n, a in model.constants.items())
    ctx.tensors[model.input] = Value("input", (own.size,), own)
    hint: np.ndarray | None = None
    for op in (replace(op, asked=set(), taken=set()) for op in model.ops):  # this reading of it counts for nothing
        read = [ctx.tensors.get(name) for name in op.inputs if name]
        at = next((i for i, operand in enumerate(read) if isinstance(operand, Value)), None)
        try:
            if at is None:
                _compute(ctx, op, read)
                continue
            value = read[at]
            assert isinstance(value, Value)
            if op.kind == "Gather" and at:
                return own.reshape(-1)  # tokens, in their own order
            axis = _fixed(ctx, op, at, value)
            if axis is not None and value.index.ndim > 1:
                order = _order(own, value, axis % value.index.ndim, op.kind in PRODUCTS)
                return hint if order is None else order
            axis = _hinted(ctx, op, read, value) if hint is None and value.index.ndim > 2 else None
            hint = hint if axis is None else _order(own, value, axis, False)
            ctx.tensors[op.outputs[0]] = _followed(ctx, op, value)
        except (ImportFailure, ValueError, IndexError, TypeError, KeyError, AssertionError):
            continue  # what is wrong with it is said where it is imported
    return hint


def _compute(ctx: Context, op: Op, read: list[Value | Const | None]) -> None:
    """Shape arithmetic: constants, and what is computed of few integers."""
    if op.kind == "Constant":
        made = HANDLERS[op.kind](ctx, op)
        assert isinstance(made, Const)
        ctx.tensors[op.outputs[0]] = made
    elif all(isinstance(o, Const) and o.array.dtype.kind in "iu" and o.array.size <= FEW for o in read):
        ctx.tensors.update(zip(op.outputs, fold(ctx, op)))


def _followed(ctx: Context, op: Op, value: Value) -> Value | Const:
    """What ``op`` makes of the order of elements."""
    if op.kind in MOVED:
        made = HANDLERS[op.kind](ctx, op)
        assert isinstance(made, Value | Const)
        return made
    if op.kind == "Gather":
        places = ctx.array(op, 1).astype(np.int64)
        return Value("input", value.shape, np.take(value.index, places, axis=op.flag("axis", 0)), batch=value.batch)
    return value


def _fixed(ctx: Context, op: Op, at: int, value: Value) -> int | None:
    """Which axis of its operand number ``at`` an operator takes for channels, if it says so."""
    ndim = value.index.ndim
    if op.kind in PRODUCTS and at:
        return ndim - 2
    if op.channels_last or op.kind in LAST or (op.kind == "QuantAvgPool2d"
                                               and op.text("data_layout", "NCHW") == "NHWC"):
        return ndim - 1
    if op.kind in SECOND and ndim > 2:
        return 1
    if op.kind in REDUCED:
        axes = ctx.optional(op, 1)
        given = op.axes("axes", None) if axes is None else tuple(int(a) for a in axes.ravel())
        kept = [k for k in range(1, ndim) if given and k not in {a % ndim for a in given}]
        return kept[0] if len(kept) == 1 else None
    return None


def _hinted(ctx: Context, op: Op, read: list[Value | Const | None], value: Value) -> int | None:
    """The axis that is probably the channels: that along which constants change, or the one that keeps its size."""
    shape = value.index.shape
    if op.kind == "Resize":
        scales, sizes = (ctx.optional(op, at) for at in (2, 3))
        given = np.zeros(len(shape)) if sizes is None or not sizes.size else sizes.ravel() / np.array(shape)
        given = scales.ravel() if scales is not None and scales.size == len(shape) else given
        still = [k for k in range(1, len(shape)) if given[k] == 1]
        return still[0] if len(still) == 1 else None
    for constant in (o.array for o in read if isinstance(o, Const) and op.kind not in MOVED):
        spread = (1,) * (len(shape) - constant.ndim) + constant.shape
        wide = [k for k in range(1, len(spread)) if spread[k] > 1]
        if len(spread) == len(shape) and len(wide) == 1 and spread[wide[0]] == shape[wide[0]]:
            return wide[0]
    return None


def _order(own: np.ndarray, value: Value, axis: int, product: bool) -> np.ndarray | None:
    """The input's elements in the order in which an operator with channels along ``axis`` reads ``value``."""
    wanted = np.moveaxis(value.index, axis, -1)
    if value.index.size != own.size or len(np.unique(wanted)) != own.size:  # some of the elements: whole axes then
        return _along(own, value.index, axis)
    rows = wanted.size // wanted.shape[-1]
    if product and own.ndim < 3:
        return own.reshape(-1)
    if product and rows == 1:  # its weights take any order
        moved = [np.moveaxis(own, k, -1) for k in range(1, own.ndim - 1)]
        return next((np.asarray(m[0]) for m in moved if np.array_equal(m.ravel(), wanted.ravel())), None)
    if wanted.ndim == 2:
        return _along(own, value.index, axis)
    places = [k for k in range(wanted.ndim) if k != axis and (k != value.batch or value.index.shape[k] > 1)]
    return wanted.reshape(*(value.index.shape[k] for k in (*places, axis)))


def _along(own: np.ndarray, index: np.ndarray, axis: int) -> np.ndarray | None:
    """The input with its axis as channels along which the ``axis`` of ``index`` runs."""
    if own.ndim < 3:
        return None
    line = np.moveaxis(index, axis, 0).reshape(index.shape[axis], -1)[:, 0]
    step = abs(int(line[1] - line[0])) if len(line) > 1 else 0
    strides = [int(np.prod(own.shape[k + 1 :])) for k in range(own.ndim)]
    fitting = [k for k in range(1, own.ndim) if (own.shape[k] > 1 and strides[k] == step) if step]
    single = [k for k in range(1, own.ndim) if own.shape[k] == 1]
    k = (fitting or ([] if step else single) or [1])[0]
    return np.asarray(np.moveaxis(own, k, -1)[0])
