"""Pools: the greatest of a window, or its sum, whose division is a pending step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..formats import Format
from ..operators import Pool
from ..operators.spatial import extents
from .arrange import ground, last, mirrored
from .context import Context, operator
from .elementwise import applied
from .layout import channel_axes, channel_axis
from .linear import affine_operand, product
from .op import Op
from .ratios import spread
from .shapes import listed
from .spatial import Axes, Pads, entering, geometry, leaving, padded, placed
from .values import Value, floats
from .weights import Weights


def _framed(op: Op, spatial: Axes) -> tuple[Axes, Axes, Pads]:
    """Kernel, stride and padding of a pool; a global one has a window as large as its input."""
    if op.kind.startswith("Global"):
        return spatial, (1,) * len(spatial), ((0, 0),) * len(spatial)
    kernel = op.axes("kernel_shape", None)
    if kernel is None:
        op.fail("needs a kernel_shape", "export the model again")
    stride, dilation, pads = geometry(op, spatial, kernel)
    if any(d != 1 for d in dilation):
        op.fail(f"dilations {dilation} of a pool are not supported", "use dilation 1")
    return kernel, stride, pads


def _ceiled(op: Op, spatial: Axes, extent: Axes, stride: Axes, pads: Pads) -> Pads:
    """The padding with what ``ceil_mode`` adds behind, so that its windows fit."""
    if not op.flag("ceil_mode", 0):
        return pads
    done = []
    for n, e, s, (before, after) in zip(spatial, extent, stride, pads):
        count = -(-(n + before + after - e) // s) + 1
        if (count - 1) * s >= n + before:  # a window must not start behind the input
            count -= 1
        done.append((before, max(after, (count - 1) * s + e - n - before)))
    return tuple(done)


def _trimmed(spatial: Axes, extent: Axes, stride: Axes, pads: Pads) -> Axes:
    """How many windows there are."""
    return tuple((n + sum(p) - e) // s + 1 for n, e, s, p in zip(spatial, extent, stride, pads))


@operator("MaxPool", "MaxPoolNHWC", "GlobalMaxPool")
def import_max_pool(ctx: Context, op: Op) -> Value:
    """The greatest real number of each window: the greatest integer where the function behind it rises."""
    nhwc = op.kind == "MaxPoolNHWC"
    value = ctx.elements(op)
    value = entering(op, replace(value, index=np.moveaxis(value.index, -1, 1)) if nhwc else value)
    spatial = value.index.shape[2:]
    if any(ctx.model.readers[name] for name in op.outputs[1:] if name):
        op.fail("gives no indices", "export the model again without indices")
    op.ignore("storage_order")  # of the indices
    kernel, stride, given = _framed(op, spatial)
    value = _rising(ctx, op, last(ctx, op, value))
    pads = _ceiled(op, spatial, kernel, stride, given)
    value = padded(ctx, value, pads, int(ctx.ranges[value.node][0].min()))
    shape = (*_trimmed(spatial, kernel, stride, pads), value.channels)
    form = ctx.nodes[value.node].output
    name = ctx.emit("pool", Pool, (value.node,), shape, form.format, value.scale, kind="max", kernel=kernel,
                    stride=stride)
    made = replace(placed(name, shape), scale=value.scale, zero=value.zero, offset=value.offset, steps=value.steps,
                   type=value.type)
    made = replace(made, index=np.moveaxis(made.index, 1, -1)) if nhwc else made
    return leaving(op, made)


def _rising(ctx: Context, op: Op, value: Value) -> Value:
    """``value`` with the sums of falling channels negated, so that greater integers stand for greater numbers."""
    if not value.monotone:
        op.fail("the function in front of it neither rises nor falls throughout", "put a quantizer in front of it")
    lo, hi = (value.real(end[None])[0] for end in ctx.ranges[value.node])
    signs = np.where(hi < lo, -1, 1)
    if np.all(signs > 0):
        return value
    value = mirrored(ctx, value, signs)
    return replace(value, scale=value.scale * signs, zero=value.zero * signs)


@operator("AveragePool", "GlobalAveragePool")
def import_average_pool(ctx: Context, op: Op) -> Value:
    """The sum of each window, divided behind it."""
    return leaving(op, averaged(ctx, op, entering(op, ctx.value(op))))


def averaged(ctx: Context, op: Op, value: Value) -> Value:
    """The mean of each window of ``value`` (1, channels, *spatial)."""
    spatial = value.index.shape[2:]
    kernel, stride, pads = _framed(op, spatial)
    wide = _ceiled(op, spatial, kernel, stride, pads)
    inner = np.ones(spatial)
    if op.flag("count_include_pad", 0):
        inner = np.pad(inner, pads, constant_values=1.0)
        counted = np.pad(inner, tuple((0, w[1] - p[1]) for w, p in zip(wide, pads)))
    else:
        counted = np.pad(inner, wide)
    return _averaged(ctx, op, last(ctx, op, value), kernel, stride, wide, counted)


def summed(ctx: Context, op: Op, value: Value) -> Value:
    """The sum over all positions of ``value`` (1, channels, *spatial)."""
    spatial = value.index.shape[2:]
    return _averaged(ctx, op, last(ctx, op, value), spatial, (1,) * len(spatial), ((0, 0),) * len(spatial), None)


def pooled(ctx: Context, op: Op, value: Value, kernel: Axes, stride: Axes) -> Value:
    """The sum of each window of ``value`` (1, channels, *spatial), without padding."""
    return _averaged(ctx, op, last(ctx, op, value), kernel, stride, ((0, 0),) * len(kernel), None)


def _windows(grid: np.ndarray, kernel: Axes, stride: Axes) -> np.ndarray:
    """The sum of each window of ``grid``, without channels."""
    view = np.lib.stride_tricks.sliding_window_view(grid, kernel)
    view = view[tuple(slice(None, None, s) for s in stride)]
    return np.asarray(view.sum(axis=tuple(range(-len(kernel), 0))))


def _averaged(ctx: Context, op: Op, value: Value, kernel: Axes, stride: Axes, pads: Pads,
              counted: np.ndarray | None) -> Value:
    """Sums of windows of ``value`` (*spatial, channels), divided by what ``counted`` says (nothing if None)."""
    value, a, b = affine_operand(ctx, op, value)
    spatial = value.shape[:-1]
    offsets = floats(np.array(spread(b, value.channels), object))
    held = _windows(np.pad(np.ones(spatial), pads), kernel, stride)
    value = padded(ctx, value, pads, 0)
    shape = (*_trimmed(spatial, extents(kernel, (1,) * len(kernel)), stride, pads), value.channels)
    name = ctx.emit("pool", Pool, (value.node,), shape, None, value.scale, kind="sum", kernel=kernel, stride=stride)
    made = placed(name, shape)
    scale = floats(a)
    if np.any(offsets) and np.all(held == held.ravel()[0]):
        made = replace(made, scale=scale, offset=np.asarray(floats(b) * held.ravel()[0]))
    else:
        made = replace(made, scale=scale)
        if np.any(offsets):
            sums = (held[..., None] * offsets).transpose(-1, *range(len(spatial)))[None]
            made, (shift,) = ground(ctx, op, made, sums)
            made = replace(made, offset=shift)
    if counted is None:
        return made
    divisor = _windows(counted, kernel, stride)
    if np.all(divisor == divisor.ravel()[0]):
        return made if divisor.ravel()[0] == 1 else applied(ctx, op, made, "Div", np.float32(divisor.ravel()[0]))
    return applied(ctx, op, made, "Div", divisor[None, None])


@operator("ReduceMean", "ReduceSum", "ReduceMax")
def import_reduce(ctx: Context, op: Op) -> Value:
    """A pool over whole axes of positions; sums and means over the channels are a product with ones."""
    value = ctx.elements(op) if op.kind == "ReduceMax" else ctx.value(op)
    old, ndim = value.index.shape, value.index.ndim
    axes = listed(ctx, op, "axes", 1)
    if op.flag("noop_with_empty_axes", 0) and not axes:
        op.fail("has no axes, and noop_with_empty_axes leaves all elements as they are", "export the model without it")
    if any(not -ndim <= a < ndim for a in axes or ()):
        op.fail(f"axes {axes} do not fit a tensor of shape {old}", "export the model again")
    reduced = sorted({a % ndim for a in axes}) if axes else list(range(ndim))
    still = [k for k in range(ndim) if k not in (*reduced, value.batch)]
    if value.batch in reduced:
        op.fail(f"reduces the axes {reduced} of a tensor of shape {old}, the batch too", "reduce other axes alone")
    channels = channel_axes(value)
    if op.kind != "ReduceMax" and (not still or (len(reduced) == 1 and channels and not set(channels) & set(still))):
        made = _over_channels(ctx, op, value, reduced)
    else:
        if ndim not in (3, 4) or not still:
            op.fail(f"reduces the axes {reduced} of a tensor of shape {old}", "reduce positions alone")
        made = _over_positions(ctx, op, value, reduced, channel_axis(value, still))
    shape = [1 if k in reduced else n for k, n in enumerate(old)]
    if not op.flag("keepdims", 1):
        shape = [n for k, n in enumerate(shape) if k not in reduced]
    return replace(made, index=made.index.reshape(shape))


def _over_positions(ctx: Context, op: Op, value: Value, reduced: list[int], channel: int) -> Value:
    """A pool whose windows are as long as the input along ``reduced`` axes: the tensor with 1 in their place."""
    kernel = tuple(n if k in reduced else 1 for k, n in enumerate(value.index.shape) if k not in (0, channel))
    moved = last(ctx, op, replace(value, index=np.moveaxis(value.index, channel, 1)))
    if op.kind == "ReduceMax":
        rising = _rising(ctx, op, moved)
        shape = (*(n // k for n, k in zip(rising.shape, kernel)), rising.channels)
        name = ctx.emit("pool", Pool, (rising.node,), shape, ctx.nodes[rising.node].output.format, rising.scale,
                        kind="max", kernel=kernel, stride=kernel)
        made = replace(placed(name, shape), scale=rising.scale, zero=rising.zero, offset=rising.offset,
                       steps=rising.steps, type=rising.type)
    else:
        counted = np.ones(moved.shape[:-1]) if op.kind == "ReduceMean" else None
        made = _averaged(ctx, op, moved, kernel, kernel, ((0, 0),) * len(kernel), counted)
    return replace(made, index=np.moveaxis(made.index, 1, channel))


def _over_channels(ctx: Context, op: Op, value: Value, reduced: list[int]) -> Value:
    """A product with ones: over the channels at each position, or over all elements."""
    rows = value.index.reshape(1, -1) if len(reduced) > 1 else np.moveaxis(value.index, reduced[0], -1)
    count = rows.shape[-1]
    ones = np.ones((1, count), np.int64)
    made = product(ctx, op, replace(value, index=rows), Weights(ones, ones.astype(np.float64), Format(1)), "sum")
    return applied(ctx, op, made, "Div", np.float32(count)) if op.kind == "ReduceMean" else made
