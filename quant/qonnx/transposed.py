"""Transposed convolution: one convolution for each phase of the output, and depth to space."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

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
    """A transposed convolution in two dimensions with one stride s: s² times the outputs, which become positions.

    Position s·m + r of the output reads input m + (r + pad − dilation·t) / s with weight t, wherever that is whole; so
    each phase r is a convolution of its own with some of the weights.
    """
    value = entering(op, ctx.value(op))
    weights = weights_of(op, ctx.const(op, 1), op.inputs[1])
    spatial, groups, stride, dilation, first, size = _geometry(op, value, weights)
    inputs, each, *kernel = weights.ints.shape
    s = stride[0]
    taps = [_taps(k, d, s, f) for k, d, f in zip(kernel, dilation, first)]
    low = [min(m for m, _ in t) for t in taps]
    wide = [max(m for m, _ in t) - n + 1 for t, n in zip(taps, low)]
    phases = np.zeros((groups * each, s, s, inputs // groups, *wide), np.int64)
    full = weights.ints.reshape(groups, inputs // groups, each, *kernel).swapaxes(1, 2)
    full = full.reshape(groups * each, inputs // groups, *kernel)
    for ty, (my, ry) in enumerate(taps[0]):
        for tx, (mx, rx) in enumerate(taps[1]):
            phases[:, ry, rx, :, my - low[0], mx - low[1]] = full[:, :, ty, tx]
    scale = _scale(op, weights, groups)
    rows = phases.reshape(-1, *phases.shape[3:])
    spread = np.broadcast_to(np.repeat(scale, s * s).reshape(-1, 1, 1, 1), rows.shape)
    counts = tuple(-(-n // s) for n in size)
    pads = tuple((max(0, -m), max(0, c - 1 + m + w - max(0, m) - n))
                 for m, w, c, n in zip(low, wide, counts, spatial))
    if any(m > 0 for m in low):
        op.fail(f"pads {first} cut more than its kernel adds", "pad less")
    made = convolved(ctx, op, value, Weights(rows, spread, weights.format), groups, (1, 1), (1, 1), pads)
    made = _unfolded(ctx, op, _centred(ctx, op, made), s, size)
    bias = ctx.optional(op, 2)
    if bias is not None and np.any(bias):
        made = applied(ctx, op, made, "Add", channelwise(op, made, np.asarray(bias, np.float32)))
    return leaving(op, made)


def _geometry(op: Op, value: Value, weights: Weights) -> tuple[Axes, int, Axes, Axes, Axes, Axes]:
    """Input size, groups, stride, dilation, padding in front, output size."""
    spatial = value.index.shape[2:]
    if len(spatial) != 2 or weights.ints.ndim != 4:
        op.fail("is supported in two dimensions alone", "use Upsample and a convolution")
    groups, (inputs, _, *kernel) = op.flag("group", 1), weights.ints.shape
    if inputs != value.index.shape[1] or groups < 1 or inputs % groups:
        op.fail(f"weights of shape {weights.ints.shape} do not fit {value.index.shape[1]} channels", "export again")
    if tuple(op.axes("kernel_shape", None) or kernel) != tuple(kernel):
        op.fail(f"kernel_shape {op.axes('kernel_shape', None)} does not fit weights of shape {weights.ints.shape}",
                "export the model again")
    stride, dilation = (op.axes(name, (1, 1)) or (1, 1) for name in ("strides", "dilations"))
    extra, pads = op.axes("output_padding", (0, 0)) or (0, 0), op.axes("pads", (0,) * 4) or (0,) * 4
    if len(stride) != 2 or stride[0] != stride[1] or min(*stride, *dilation) < 1 or max(stride) > 16:
        op.fail(f"strides {stride} and dilations {dilation} must be from 1 on, the strides equal and at most 16",
                "use one stride")
    if op.text("auto_pad", "NOTSET") != "NOTSET" or op.attribute("output_shape") or len(pads) != 4 or min(pads) < 0:
        op.fail("needs explicit pads", "export with pads, without output_shape and auto_pad")
    size = tuple(s * (n - 1) + e + d * (k - 1) + 1 - a - b for n, s, e, d, k, a, b in
                 zip(spatial, stride, extra, dilation, kernel, pads[:2], pads[2:]))
    if min(size) < 1 or min(extra) < 0 or max(extra) >= max(*stride, *dilation):
        op.fail(f"its output would have the size {size}", "export the model again")
    return spatial, groups, stride, dilation, pads[:2], size


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


def _unfolded(ctx: Context, op: Op, value: Value, s: int, size: Axes) -> Value:
    """Phases as positions, and what is beyond the output's size cut off."""
    if s > 1:
        height, width, channels = value.shape
        shape = (height * s, width * s, channels // s**2)
        form = depth_to_space(ctx, value, shape, s, "CRD", placed("", shape).index)
        value = form.with_channels(form.node, shape, form.index, np.arange(shape[-1]) * s**2)
    if value.index.shape[2:] == tuple(size):
        return value
    return chosen(ctx, op, value, value.index[:, :, : size[0], : size[1]])
