"""Positions out of positions or channels: nearest-neighbour upsampling and depth to space."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from ..formats import Format
from ..operators import Conv, Upsample
from .arrange import depth_to_space, last
from .context import Context, operator
from .layout import channel_axis
from .model import ELEMENTS_LIMIT
from .op import Op
from .shapes import full_shape
from .spatial import Axes, entering, leaving, placed
from .values import Value


@operator("Resize", "Upsample")
def import_resize(ctx: Context, op: Op) -> Value:
    """Nearest neighbour by whole factors, along all axes but the batch's and the channels'."""
    value = ctx.elements(op)
    mode = op.text("mode", "nearest")
    if mode != "nearest":
        op.fail(f"mode {mode!r} is not supported", "upsample to the nearest neighbour")
    old = value.index.shape
    sizes = _sizes(ctx, op, value)
    if prod(sizes) > ELEMENTS_LIMIT:
        op.fail(f"its result has {prod(sizes)} elements", f"{ELEMENTS_LIMIT} are the limit")
    factors = tuple(new // n for n, new in zip(old, sizes))
    still = [k for k in range(1, len(old)) if sizes[k] == old[k]]
    if sizes[0] != old[0] or not still or any(
            new != n * f or f < 1 or not np.array_equal(_nearest(op, n, new), np.arange(new) // f)
            for n, new, f in zip(old, sizes, factors)):
        op.fail(f"from {old} to {tuple(sizes)} is no repetition of each position by whole factors",
                "use whole factors, coordinate_transformation_mode 'asymmetric' and nearest_mode 'floor'")
    if all(f == 1 for f in factors):
        return value
    axis = channel_axis(value, still)
    value = last(ctx, op, entering(op, replace(value, index=np.moveaxis(value.index, axis, 1)), True))
    factors = tuple(f for k, f in enumerate(factors) if k not in (0, axis))
    shape = (*(n * f for n, f in zip(value.shape, factors)), value.channels)
    form = ctx.nodes[value.node].output.format
    name = ctx.emit("up", Upsample, (value.node,), shape, form, value.scale, factors=factors)
    return replace(value, node=name, shape=shape, index=np.moveaxis(placed(name, shape).index, 1, axis))


def _sizes(ctx: Context, op: Op, value: Value) -> tuple[int, ...]:
    """The shape of the result for one sample; refused where scales are no whole numbers."""
    op.choice("keep_aspect_ratio_policy", "stretch", ("stretch",))
    op.ignore("antialias", "cubic_coeff_a", "exclude_outside", "extrapolation_value")  # of other modes
    old = op.kind == "Upsample" or len(op.inputs) == 2
    if not old:
        op.ignore(inputs=[1])  # of another coordinate_transformation_mode
    shape, batch = full_shape(ctx, value), value.batch
    axes = tuple(a % len(shape) for a in op.axes("axes", None) or range(len(shape)))
    sizes, scales = ctx.optional(op, 3), ctx.optional(op, 1 if old else 2)
    if scales is None and (listed := op.attribute("scales")) is not None:
        scales = np.asarray(listed, np.float64)
    given = [a for a in (sizes, scales) if a is not None and a.size]
    if len(given) != 1 or given[0].size != len(axes) or len(set(axes)) != len(axes):
        op.fail(f"needs one scale or one size for each of the axes {axes}", "export the model again")
    whole = list(shape)
    for axis, number in zip(axes, given[0].ravel()):
        scaled = given[0] is scales
        if scaled and (number != int(number) or (axis == batch and number != 1)):
            op.fail(f"scales {given[0].ravel()[:8]} are no whole numbers", "use whole factors for positions alone")
        whole[axis] = int(shape[axis] * number) if scaled else int(number)
    if whole[batch] != shape[batch] and (ctx.model.batch > 1 or value.index.shape[batch] > 1):
        op.fail(f"would make {whole[batch]} samples of {shape[batch]}", "use whole factors for positions alone")
    whole[batch] = value.index.shape[batch]
    return tuple(whole)


def _nearest(op: Op, size: int, new: int) -> np.ndarray:
    """The position that each new one takes, as ONNX defines it."""
    at, scale = np.arange(new, dtype=np.float64), new / size
    mode = op.text("coordinate_transformation_mode", "half_pixel" if op.kind == "Resize" else "asymmetric")
    if mode == "asymmetric" or op.kind == "Upsample":
        x = at / scale
    elif mode == "pytorch_half_pixel" and new == 1:
        x = at * 0
    elif mode in ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric"):
        x = (at + 0.5) / scale - 0.5
    elif mode == "align_corners":
        x = at * (size - 1) / max(1, new - 1)
    else:
        op.fail(f"coordinate_transformation_mode {mode!r} is not supported", "use 'asymmetric'")
    rounding = "floor" if op.kind == "Upsample" else op.text("nearest_mode", "round_prefer_floor")
    known = {"floor": np.floor(x), "ceil": np.ceil(x), "round_prefer_floor": np.ceil(x - 0.5),
             "round_prefer_ceil": np.floor(x + 0.5)}
    if rounding not in known:
        op.fail(f"nearest_mode {rounding!r} is unknown", f"use one of {', '.join(known)}")
    return np.clip(known[rounding], 0, size - 1)


@operator("DepthToSpace")
def import_depth_to_space(ctx: Context, op: Op) -> Value:
    """Blocks of channels as blocks of positions."""
    value = entering(op, ctx.elements(op))
    block, mode = op.flag("blocksize", 0), op.text("mode", "DCR")
    _, channels, *spatial = value.index.shape
    if block < 1 or channels % block**2 or len(spatial) != 2 or mode not in ("DCR", "CRD"):
        op.fail(f"blocksize {block} and mode {mode!r} do not fit a tensor of shape {value.index.shape}", "export again")
    value = last(ctx, op, value)
    if not value.uniform:
        op.fail("channels of unequal scales or functions would meet in one channel", "put a quantizer in front of it")
    shape = (spatial[0] * block, spatial[1] * block, channels // block**2)
    return leaving(op, depth_to_space(ctx, value, shape, block, mode, placed("", shape).index))


@operator("SpaceToDepth")
def import_space_to_depth(ctx: Context, op: Op) -> Value:
    """Blocks of positions as blocks of channels: a convolution with one-hot weights."""
    value = entering(op, ctx.elements(op))
    block = op.flag("blocksize", 0)
    _, channels, *spatial = value.index.shape
    if block < 1 or len(spatial) != 2 or any(n % block for n in spatial):
        op.fail(f"blocksize {block} does not fit a tensor of shape {value.index.shape}", "export again")
    value = last(ctx, op, value)
    weights = np.zeros((block, block, channels, block, block, channels), np.int64)
    i, j, c = np.indices((block, block, channels))
    weights[i, j, c, i, j, c] = 1
    shape: Axes = (spatial[0] // block, spatial[1] // block, channels * block**2)
    name = ctx.emit("select", Conv, (value.node,), shape, None, weights=weights.reshape(-1, block, block, channels),
                    weight_format=Format(1), stride=(block, block), dilation=(1, 1))
    old = np.tile(np.arange(channels), block**2)
    return leaving(op, value.with_channels(name, shape, placed(name, shape).index, old))
