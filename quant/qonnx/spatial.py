"""Convolution and padding: windows over positions."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from ..formats import Format
from ..operators import Conv, Pad, Requantize
from ..operators.spatial import extents
from .arrange import last
from .context import Context, operator
from .elementwise import applied, channelwise
from .layout import channel_axes, channel_axis
from .linear import Folded, affine_operand, base, fold
from .op import Op
from .ratios import integer_ratio, spread, whole
from .shapes import chosen, listed
from .values import Value, natural
from .weights import Weights, weights_of
from .widen import widened

Axes = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]

PADS_LIMIT = 1 << 10
"""Positions that a border may have on one side."""

REGRID_BITS = 16
"""Bits that an activation may have whose grid is refined so that 0 lies on it."""


def entering(op: Op, value: Value, second: bool = False) -> Value:
    """``value`` with the axes (1, channels, *spatial), one or two spatial ones; ``second`` if they stand so already."""
    if op.channels_last and not second:
        value = replace(value, index=np.moveaxis(value.index, -1, 1))
    if value.index.ndim not in (3, 4) or value.index.shape[0] != 1:
        op.fail(f"works on one or two spatial axes, and its operand has shape {value.index.shape}",
                "only 1-D and 2-D networks are supported")
    return value


def leaving(op: Op, value: Value) -> Value:
    """``value``, whose axes are (1, channels, *spatial), in the operation's own layout."""
    return replace(value, index=np.moveaxis(value.index, 1, -1)) if op.channels_last else value


def placed(name: str, shape: tuple[int, ...], **fields: Any) -> Value:
    """A value (1, channels, *spatial) of the node ``name`` of ``shape`` (*spatial, channels)."""
    value = natural(name, shape)
    return replace(value, index=np.moveaxis(value.index, -1, 0)[None], **fields)


def geometry(op: Op, spatial: Axes, kernel: Axes) -> tuple[Axes, Axes, Pads]:
    """Stride, dilation and padding of an operation with windows."""
    n = len(spatial)
    stride = op.axes("strides", (1,) * n) or (1,) * n
    dilation = op.axes("dilations", (1,) * n) or (1,) * n
    if len(stride) != n or len(dilation) != n or len(kernel) != n or min(*stride, *dilation, *kernel) < 1:
        op.fail(f"kernel {kernel}, strides {stride} and dilations {dilation} must be {n} numbers of at least 1",
                "export the model again")
    auto = op.choice("auto_pad", "NOTSET", ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"))
    asked = op.axes("pads", (0,) * 2 * n) or (0,) * 2 * n
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        lacking = [_lacking(size, k, s) for size, k, s in zip(spatial, extents(kernel, dilation), stride)]
        if min(lacking) < 0 and ("Pool" in op.kind or max(dilation) > 1):  # plain convolutions pad nothing there
            op.fail(f"auto_pad {auto} of windows {kernel} at strides {stride} is a padding of {min(lacking)}, which "
                    "ONNX Runtime refuses and others take for a shift", "export with pads, without auto_pad")
        pads = tuple(_same(total, auto) for total in lacking)
    else:
        given = asked if auto == "NOTSET" else (0,) * 2 * n
        if len(given) != 2 * n or min(given) < 0 or max(given) > PADS_LIMIT:
            op.fail(f"pads {given} must be {2 * n} numbers of 0 to {PADS_LIMIT}", "export the model again")
        pads = tuple(zip(given[:n], given[n:]))
    for size, k, (before, after) in zip(spatial, extents(kernel, dilation), pads):
        if k > size + before + after:
            op.fail(f"a window spans {k} positions, and the padded input has {size + before + after}",
                    "use a larger input or a smaller kernel")
    return stride, dilation, pads


def _lacking(size: int, extent: int, stride: int) -> int:
    """How many positions the windows of SAME need beyond those that there are."""
    return (-(-size // stride) - 1) * stride + extent - size


def _same(lacking: int, auto: str) -> tuple[int, int]:
    total = max(0, lacking)
    half = total // 2
    return (half, total - half) if auto == "SAME_UPPER" else (total - half, half)


def padded(ctx: Context, value: Value, pads: Pads, border: int) -> Value:
    """``value`` (*spatial, channels) with a border of one integer; its format widens where it has to."""
    if not any(any(p) for p in pads):
        return value
    form = ctx.nodes[value.node].output.format
    lo, hi = ctx.ranges[value.node]
    if form.bipolar and border == 0:
        form = Format(2, signed=True)
    elif not form.holds(np.array([border])):
        form = Format.of_range(min(int(lo.min()), form.lo, border), max(int(hi.max()), form.hi, border))
    shape = (*(n + sum(p) for n, p in zip(value.shape, pads)), value.channels)
    name = ctx.emit("pad", Pad, (value.node,), shape, form, value.scale, padding=pads, value=border)
    return replace(placed(name, shape), scale=value.scale, zero=value.zero, offset=value.offset, steps=value.steps,
                   type=value.type)


def zero_padded(ctx: Context, op: Op, value: Value, pads: Pads, real: Fraction = Fraction(0)) -> Value:
    """``value`` with a border that stands for the number ``real``, on a finer grid where that is needed."""
    if not any(any(p) for p in pads):
        return value
    value, a, b = affine_operand(ctx, op, value)
    factors, offsets = spread(a, value.channels), spread(b, value.channels)
    borders = {whole((real - y) / x) if x else 0 if y == real else None for x, y in zip(factors, offsets)}
    if len(borders) == 1 and (border := borders.pop()) is not None:
        return padded(ctx, value, pads, border)
    return _regridded(ctx, op, value, pads, factors, [y - real for y in offsets], real)


def _regridded(ctx: Context, op: Op, value: Value, pads: Pads, factors: list[Fraction], offsets: list[Fraction],
               real: Fraction) -> Value:
    """``value`` as integers of which 0 stands for ``real``: q' = m · q + b, channel by channel."""
    found = {pair: integer_ratio(list(pair), REGRID_BITS) for pair in dict.fromkeys(zip(factors, offsets))}
    picked = [found[pair] for pair in zip(factors, offsets)]
    lo, hi = ctx.ranges[value.node]
    way_out = "quantize its input with a zero point that is an integer"
    if any(c is None for c in picked):
        op.fail(f"pads with {float(real):g}, which no integer of its input stands for", way_out)
    multipliers = np.array([c[0][0] for c in picked if c], np.int64)
    shift = np.array([c[0][1] for c in picked if c], np.int64)
    if np.any(multipliers < 1):
        op.fail(f"pads with {float(real):g}, which no integer of its input stands for", way_out)
    low, high = int((lo * multipliers + shift).min()), int((hi * multipliers + shift).max())
    form = Format.of_range(low, high)
    if form.bits > REGRID_BITS:
        op.fail(f"pads with {float(real):g}, which no integer of {REGRID_BITS} bits stands for", way_out)
    if np.all(multipliers == multipliers[0]) and np.all(shift == shift[0]):
        multipliers, shift = multipliers[:1], shift[:1]
    name = ctx.emit("rescale", Requantize, (value.node,), value.shape, form, multiplier=multipliers, offset=shift,
                    shift=0, y_min=low, y_max=high)
    units = np.array([float(c[1]) for c in picked if c])
    scale = np.asarray(units[0]) if np.all(units == units[0]) else units
    fine = replace(value, node=name, scale=scale, zero=np.zeros(()), offset=np.asarray(float(real)), steps=())
    return padded(ctx, fine, pads, 0)


@operator("Conv")
def import_conv(ctx: Context, op: Op) -> Value:
    """A convolution with constant weights (outputs, channels per group, *kernel), in the data's layout."""
    value = entering(op, ctx.value(op))
    weights = weights_of(op, ctx.const(op, 1), op.inputs[1])
    if op.channels_last:
        weights = replace(weights, ints=np.moveaxis(weights.ints, -1, 1), scale=np.moveaxis(weights.scale, -1, 1))
    made = convolution(ctx, op, value, weights)
    bias = ctx.optional(op, 2)
    if bias is not None and np.any(bias):
        made = applied(ctx, op, made, "Add", channelwise(op, made, np.asarray(bias, np.float32)))
    return leaving(op, made)


def convolution(ctx: Context, op: Op, value: Value, weights: Weights) -> Value:
    """``value`` (1, channels, *spatial) under ``weights``, with the geometry that ``op`` states."""
    spatial = value.index.shape[2:]
    if weights.ints.ndim != 2 + len(spatial):
        op.fail(f"its weights of shape {weights.ints.shape} do not fit {len(spatial)} spatial axes", "export again")
    groups, channels = op.flag("group", 1), value.index.shape[1]
    outputs, each, *kernel = weights.ints.shape
    if groups < 1 or outputs % groups or each * groups != channels:
        op.fail(f"{groups} groups of {each} do not fit {channels} channels and {outputs} outputs", "export again")
    if tuple(op.axes("kernel_shape", None) or kernel) != tuple(kernel):
        op.fail(f"kernel_shape {op.axes('kernel_shape', None)} does not fit weights of shape {weights.ints.shape}",
                "export the model again")
    stride, dilation, pads = geometry(op, spatial, tuple(kernel))
    return convolved(ctx, op, value, weights, groups, stride, dilation, pads)


def convolved(ctx: Context, op: Op, value: Value, weights: Weights, groups: int, stride: Axes, dilation: Axes,
              pads: Pads) -> Value:
    """``value`` (1, channels, *spatial) under ``weights`` (outputs, channels per group, *kernel)."""
    channels = value.index.shape[1]
    outputs, each, *kernel = weights.ints.shape
    value = last(ctx, op, value)
    value = zero_padded(ctx, op, value, pads)
    value, a, b = affine_operand(ctx, op, value)
    rows, scales = np.moveaxis(weights.ints, 1, -1), np.moveaxis(weights.scale, 1, -1)
    factors, offsets = spread(a, channels), spread(b, channels)
    count, outer = int(np.prod(kernel)), outputs // groups
    parts = [fold(ctx, op, rows[o : o + outer].reshape(outer, -1), scales[o : o + outer].reshape(outer, -1),
                  factors[c : c + each] * count, offsets[c : c + each] * count)
             for o, c in zip(range(0, outputs, outer), range(0, channels, each))]
    folded = Folded(*(np.concatenate([getattr(p, f) for p in parts]) for f in ("ints", "scale", "zero", "offset")))
    own = folded.ints.reshape(rows.shape)
    shape = (*((n - e) // s + 1 for n, e, s in zip(value.shape, extents(tuple(kernel), dilation), stride)), outputs)
    name = ctx.emit("conv", Conv, (value.node,), shape, None, base(folded)["scale"], weights=own,
                    weight_format=weights.fitting(own), stride=stride, dilation=dilation, groups=groups)
    return placed(name, shape, **base(folded))


@operator("Pad")
def import_pad(ctx: Context, op: Op) -> Value:
    """A constant border around the positions, channels of one constant, and what negative pads cut off."""
    if op.text("mode", "constant") != "constant":
        op.fail(f"mode {op.text('mode', 'constant')!r} is not supported", "pad with a constant")
    value = ctx.elements(op)
    pads, ndim = listed(ctx, op, "pads", 1) or (), value.index.ndim
    axes = tuple(a % ndim for a in listed(ctx, op, "axes", 3) or range(ndim))
    border = ctx.optional(op, 2)
    number = op.number("value", 0.0) if border is None else float(border.ravel()[0])
    if len(pads) != 2 * len(axes) or max(pads, default=0) > PADS_LIMIT:
        op.fail(f"pads {pads} do not fit a tensor of shape {value.index.shape}; each must be at most {PADS_LIMIT}",
                "export the model again")
    full = [(0, 0)] * ndim
    for i, axis in enumerate(axes):
        full[axis] = (pads[i], pads[i + len(axes)])
    if full[value.batch] != (0, 0):
        op.fail(f"pads {full} must leave the batch as it is", "pad positions or channels")
    if any(min(pair) < 0 for pair in full):
        cut = tuple(slice(max(0, -before), n - max(0, -after)) for n, (before, after) in zip(value.index.shape, full))
        value = chosen(ctx, op, value, value.index[cut])
        full = [(max(0, before), max(0, after)) for before, after in full]
    if not any(any(p) for p in full):
        return value
    real = Fraction(float(number))
    still = [k for k, pair in enumerate(full) if pair == (0, 0)]
    known = channel_axes(value)
    axis = channel_axis(value, still if set(known) & set(still) or not known else known)
    value = replace(value, index=np.moveaxis(value.index, axis, 1))
    outer = tuple(p for i, p in enumerate(full) if i not in (0, axis))
    if any(any(p) for p in outer):
        value = zero_padded(ctx, op, last(ctx, op, entering(op, value, True)), outer, real)
    if full[axis] != (0, 0):
        value = widened(ctx, op, last(ctx, op, value), *([real] * n for n in full[axis]))
    return replace(value, index=np.moveaxis(value.index, 1, axis))
