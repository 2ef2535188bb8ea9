"""Transposed convolution: one convolution for each phase of the output, and depth to space."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import prod

import numpy as np

from ..operators import Reshape
from .arrange import depth_to_space
from .context import Context, operator
from .elementwise import applied, channelwise
from .op import Op
from .ratios import whole
from .shapes import chosen
from .spatial import Axes, convolved, entering, leaving, placed
from .values import Value
from .weights import Weights, weights_of


@operator("ConvTranspose")
def import_conv_transpose(ctx: Context, op: Op) -> Value:
    """A transposed convolution: as many times the outputs as its strides have phases, which become positions.

    Position s·m + r of the output reads input m + (r + pad − dilation·t) / s with weight t, wherever that is whole; so
    each phase r is a convolution of its own with some of the weights. Phases along the last axis alone become
    positions by a reshape, those of one stride along two axes by ``DepthToSpace``.
    """
    value = entering(op, ctx.value(op))
    weights = weights_of(op, ctx.const(op, 1), op.inputs[1])
    spatial, groups, stride, dilation, first, size = _geometry(op, value, weights)
    inputs, each, *kernel = weights.ints.shape
    taps = [_taps(k, d, s, f) for k, d, s, f in zip(kernel, dilation, stride, first)]
    low = [min(m for m, _ in t) for t in taps]
    wide = [max(m for m, _ in t) - n + 1 for t, n in zip(taps, low)]
    counts = tuple(-(-n // s) for n, s in zip(size, stride))
    pads = tuple((max(0, -m), max(0, c - 1 + m + w - max(0, m) - n))
                 for m, w, c, n in zip(low, wide, counts, spatial))
    if any(m > 0 for m in low):
        op.fail(f"pads {first} cut more than its kernel adds", "pad less")
    full = weights.ints.reshape(groups, inputs // groups, each, *kernel).swapaxes(1, 2)
    full = full.reshape(groups * each, inputs // groups, *kernel)
    phases = np.zeros((groups * each, *stride, inputs // groups, *wide), np.int64)
    for at in np.ndindex(*kernel):
        places = [taps[d][t] for d, t in enumerate(at)]
        where = [m - n for (m, _), n in zip(places, low)]
        phases[(slice(None), *(r for _, r in places), slice(None), *where)] = full[(slice(None), slice(None), *at)]
    scale, count = _scale(op, weights, groups), prod(stride)
    rows = phases.reshape(-1, count, *phases.shape[1 + len(stride) :])
    inner = count > 1 and _along_the_last(stride, spatial)
    if inner:  # phases outermost, so that they follow one another; groups are spelt out for that
        rows = np.swapaxes(_spelt_out(rows, groups), 0, 1)
        groups, scale = 1, np.tile(scale, count)
    else:
        scale = np.repeat(scale, count)
    rows = rows.reshape(-1, *rows.shape[2:])
    spread = np.broadcast_to(scale.reshape(-1, *(1,) * (rows.ndim - 1)), rows.shape)
    ones = (1,) * len(stride)
    made = convolved(ctx, op, value, Weights(rows, spread, weights.format), groups, ones, ones, pads)
    made = _centred(ctx, op, made)
    if count > 1:
        made = _following(ctx, made, stride) if inner else _unfolded(ctx, made, stride[0])
    if made.index.shape[2:] != tuple(size):  # what is beyond the output's size is cut off
        made = chosen(ctx, op, made, made.index[(slice(None), slice(None), *(slice(n) for n in size))])
    bias = ctx.optional(op, 2)
    if bias is not None and np.any(bias):
        made = applied(ctx, op, made, "Add", channelwise(op, made, np.asarray(bias, np.float32)))
    return leaving(op, made)


def _geometry(op: Op, value: Value, weights: Weights) -> tuple[Axes, int, Axes, Axes, Axes, Axes]:
    """Input size, groups, stride, dilation, padding in front, output size."""
    spatial = value.index.shape[2:]
    n = len(spatial)
    if weights.ints.ndim != 2 + n:
        op.fail(f"its weights of shape {weights.ints.shape} do not fit {n} spatial axes", "export again")
    groups, (inputs, _, *kernel) = op.flag("group", 1), weights.ints.shape
    if inputs != value.index.shape[1] or groups < 1 or inputs % groups:
        op.fail(f"weights of shape {weights.ints.shape} do not fit {value.index.shape[1]} channels", "export again")
    if tuple(op.axes("kernel_shape", None) or kernel) != tuple(kernel):
        op.fail(f"kernel_shape {op.axes('kernel_shape', None)} does not fit weights of shape {weights.ints.shape}",
                "export the model again")
    stride, dilation = (op.axes(name, None) or (1,) * n for name in ("strides", "dilations"))
    extra, pads = op.axes("output_padding", None) or (0,) * n, op.axes("pads", None) or (0,) * 2 * n
    if len(stride) != n or len(dilation) != n or min(*stride, *dilation) < 1 or max(stride) > 16 or (
            len(set(stride)) > 1 and not _along_the_last(stride, spatial)):
        op.fail(f"strides {stride} and dilations {dilation} must be from 1 on, the strides equal or 1 but for the last "
                "axis, and at most 16", "use one stride")
    if op.text("auto_pad", "NOTSET") != "NOTSET" or op.attribute("output_shape") or len(pads) != 2 * n or min(pads) < 0:
        op.fail("needs explicit pads", "export with pads, without output_shape and auto_pad")
    size = tuple(s * (m - 1) + e + d * (k - 1) + 1 - a - b for m, s, e, d, k, a, b in
                 zip(spatial, stride, extra, dilation, kernel, pads[:n], pads[n:]))
    if len(extra) != n or min(size) < 1 or min(extra) < 0 or max(extra) >= max(*stride, *dilation):
        op.fail(f"its output would have the size {size}", "export the model again")
    return spatial, groups, stride, dilation, pads[:n], size


def _along_the_last(stride: Axes, spatial: Axes) -> bool:
    """Whether phases follow one another in the stream: none but along the last axis of more than one position."""
    at = next((d for d in reversed(range(len(stride))) if spatial[d] > 1 or d == 0), 0)
    return all(s == 1 for d, s in enumerate(stride) if d != at) or len(stride) == 1


def _spelt_out(rows: np.ndarray, groups: int) -> np.ndarray:
    """``rows`` (outputs, phases, inputs of a group, *kernel) over all inputs, 0 for those of other groups."""
    outputs, count, each, *kernel = rows.shape
    whole = np.zeros((groups, outputs // groups, count, groups, each, *kernel), np.int64)
    for g in range(groups):
        whole[g, :, :, g] = rows.reshape(groups, -1, *rows.shape[1:])[g]
    return whole.reshape(outputs, count, groups * each, *kernel)


def _taps(kernel: int, dilation: int, stride: int, pad: int) -> list[tuple[int, int]]:
    """For each tap which input, from its position's own on, it reads in which phase: (m, r) with s·m = r + pad − d·t
    turned round: output s·i + d·t − pad = s·(i − m) + r."""
    return [(-((dilation * t - pad) // stride), (dilation * t - pad) % stride) for t in range(kernel)]


def _scale(op: Op, weights: Weights, groups: int) -> np.ndarray:
    """The scale of each output."""
    inputs, each, *_ = weights.scale.shape
    by_group = weights.scale.reshape(groups, inputs // groups, each, -1).swapaxes(1, 2).reshape(groups * each, -1)
    if not np.all(by_group == by_group[:, :1]):
        op.fail("its weights' scale changes within an output", "use one scale per output")
    return np.asarray(by_group[:, 0])


def _centred(ctx: Context, op: Op, value: Value) -> Value:
    """``value`` with its offset in the layer's bias: the phases of an output have one function then."""
    base = (np.broadcast_to(c, (value.channels,)) for c in (value.scale, value.zero, value.offset))
    bias = [whole(Fraction(float(o)) / Fraction(float(s)) - Fraction(float(z))) for s, z, o in zip(*base)]
    if any(b is None for b in bias):
        op.fail("0 is no integer of its input", "quantize its input with a zero point that is an integer")
    ctx.biased(value.node, np.array(bias, np.int64))
    return replace(value, zero=np.zeros(()), offset=np.zeros(()))


def _following(ctx: Context, value: Value, stride: Axes) -> Value:
    """Phases that follow one another in the stream already, as positions."""
    shape = (*(n * s for n, s in zip(value.shape, stride)), value.channels // prod(stride))
    name = ctx.emit("reshape", Reshape, (value.node,), shape, ctx.nodes[value.node].output.format)
    return value.with_channels(name, shape, placed(name, shape).index, np.arange(shape[-1]))


def _unfolded(ctx: Context, value: Value, s: int) -> Value:
    """Phases of one stride along two axes as positions."""
    height, width, channels = value.shape
    shape = (height * s, width * s, channels // s**2)
    form = depth_to_space(ctx, value, shape, s, "CRD", placed("", shape).index)
    return form.with_channels(form.node, shape, form.index, np.arange(shape[-1]) * s**2)
