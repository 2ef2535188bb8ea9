"""Files with what works on windows of positions, or makes positions of others: convolutions, pools, resizing."""

from __future__ import annotations

from typing import Any

import numpy as np

from .draft import Draft, recipe


def window(d: Draft, kind: str, spatial: tuple[int, ...]) -> dict[str, Any]:
    """Kernel, strides, dilations and padding in one of its variants."""
    n = len(spatial)
    kernel = [d.number(1, min(3, size)) for size in spatial]
    dilations = [d.pick(1, 1, 2) for _ in range(n)]
    options: dict[str, Any] = {"kernel_shape": kernel}
    if d.chance(0.6):
        options["strides"] = [d.number(1, 3) for _ in range(n)]
    if d.has(kind, "dilations") and d.chance(0.25):
        options["dilations"] = dilations
    else:
        dilations = [1] * n
    auto = d.pick("pads", "pads", "pads", "none", "SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET")
    if auto not in ("pads", "none"):
        options["auto_pad"] = auto
    if auto in ("pads", "NOTSET"):
        options["pads"] = [d.number(0, k - 1) for k in kernel] + [d.number(0, k - 1) for k in kernel]
    return options


@recipe("Conv", weight=4)
def convolution(d: Draft, kind: str) -> str:
    """Groups, strides, dilations, every way of padding, a float bias or one of integers."""
    x = d.image()
    channels, *spatial = d.shape_of(x)[1:]
    options = window(d, kind, tuple(spatial))
    groups = d.pick(*(g for g in range(1, channels + 1) if channels % g == 0))
    if groups > 1 or d.chance(0.3):
        options["group"] = groups
    outputs, kernel = groups * d.number(1, 3), options["kernel_shape"]
    if d.chance(0.3):
        del options["kernel_shape"]
    bias = d.pick(None, d.normal(outputs), d.add("DequantizeLinear", d.rng.integers(-99, 99, outputs, np.int32),
                                                 np.float32(0.01)))
    return str(d.add(kind, x, d.weights(outputs, channels // groups, *kernel), bias, **options))


@recipe("ConvTranspose", weight=3)
def transposed(d: Draft, kind: str) -> str:
    """Output padding, output shapes, groups, dilations, every way of padding."""
    x = d.image(most=4)
    channels, *spatial = d.shape_of(x)[1:]
    options = window(d, kind, tuple(spatial))
    if d.chance(0.6):
        options["strides"] = [d.number(1, 2)] * len(spatial)
    strides = options.get("strides", [1] * len(spatial))
    if d.chance(0.25):
        options["output_padding"] = [d.number(0, max(0, s - 1)) for s in strides]
    if d.chance(0.15):
        options["output_shape"] = [s * n + d.number(-1, 1) for s, n in zip(strides, spatial)]
    groups = d.pick(*(g for g in range(1, channels + 1) if channels % g == 0))
    if groups > 1:
        options["group"] = groups
    each, kernel = d.number(1, 2), options["kernel_shape"]
    bias = d.pick(None, d.normal(groups * each))
    return str(d.add(kind, x, d.weights(channels, each, *kernel, axis=1), bias, **options))


@recipe("MaxPool", weight=4)
def maximum(d: Draft, kind: str) -> str:
    """Ceil mode, dilations, storage order, indices."""
    x = d.image() if d.chance(0.7) else _sums(d)
    options = window(d, kind, d.shape_of(x)[2:])
    options |= d.options(kind, ceil_mode=lambda: d.pick(0, 1), storage_order=lambda: d.pick(0, 1))
    made = d.add(kind, x, outputs=1 + d.chance(0.1), **options)
    return str(made if isinstance(made, str) else made[0])


def _sums(d: Draft) -> str:
    """What a convolution gives, not quantized, some channels falling."""
    x = d.image()
    channels, *spatial = d.shape_of(x)[1:]
    x = d.add("Conv", x, d.weights(3, channels, *(1,) * len(spatial)))
    return str(d.add("Mul", x, d.normal(3, *(1,) * len(spatial))) if d.chance(0.5) else x)


@recipe("AveragePool", weight=4)
def average(d: Draft, kind: str) -> str:
    """Ceil mode, dilations, padding that counts or does not."""
    x = d.image() if d.chance(0.7) else _sums(d)
    options = window(d, kind, d.shape_of(x)[2:])
    options |= d.options(kind, ceil_mode=lambda: d.pick(0, 1), count_include_pad=lambda: d.pick(0, 1))
    return str(d.add(kind, x, **options))


@recipe("GlobalAveragePool", "GlobalMaxPool")
def overall(d: Draft, kind: str) -> str:
    """All positions."""
    return str(d.add(kind, d.image() if d.chance(0.7) else _sums(d)))


@recipe("ReduceMean", "ReduceSum", "ReduceMax", weight=3)
def reduced(d: Draft, kind: str) -> str:
    """Any axes, counted from either end, as an attribute or as an input, none at all, kept or not."""
    x = d.image(dims=(0, 1, 2, 2)) if d.chance(0.8) else _sums(d)
    ndim = len(d.shape_of(x))
    axes = [int(a) for a in d.rng.permutation(ndim)[: d.number(0, ndim)]]
    if d.chance(0.6):
        axes = list(range(2, ndim)) if d.chance(0.7) else list(range(1, ndim - 1))
    axes = [a - ndim if d.chance(0.3) else a for a in axes]
    options = d.options(kind, keepdims=lambda: d.pick(0, 1), noop_with_empty_axes=lambda: d.pick(0, 1))
    if d.has(kind, "axes"):
        return str(d.add(kind, x, **({"axes": axes} if axes and d.chance(0.9) else {}), **options))
    given = np.array(axes, np.int64) if axes or d.chance(0.5) else None
    return str(d.add(kind, x, given, **options))


@recipe("Resize", weight=5)
def resized(d: Draft, kind: str) -> str:
    """Scales or sizes, every mode, every way to compute coordinates and to round them, some axes alone."""
    x = d.image(most=4, dims=(1, 2, 2, 2))
    shape = d.shape_of(x)
    axes = list(range(len(shape)))
    options: dict[str, Any] = {}
    if d.chance(0.75):
        options["mode"] = d.pick("nearest", "nearest", "nearest", "linear", "cubic")
    modes = ["half_pixel", "asymmetric", "asymmetric", "align_corners", "pytorch_half_pixel", "tf_crop_and_resize"]
    modes += ["half_pixel_symmetric"] if d.opset >= 19 else ["tf_half_pixel_for_nn"] if d.opset < 13 else []
    options |= d.options(
        kind, coordinate_transformation_mode=lambda: d.pick(*modes),
        nearest_mode=lambda: d.pick("floor", "floor", "ceil", "round_prefer_floor", "round_prefer_ceil"),
        cubic_coeff_a=lambda: -0.5, exclude_outside=lambda: d.pick(0, 1))
    if d.has(kind, "antialias") and d.chance(0.2):
        options["antialias"] = 1
    if d.has(kind, "axes") and d.chance(0.4):
        axes = list(range(2, len(shape)))
        if d.chance(0.3):
            axes.reverse()
        options["axes"] = [a - len(shape) if d.chance(0.2) else a for a in axes]
    factors = [1.0 if a < 2 and d.chance(0.95) else d.pick(1.0, 2.0, 2.0, 3.0, 1.5, 0.5) for a in axes]
    roi = None
    if options.get("coordinate_transformation_mode") == "tf_crop_and_resize":
        roi = np.array([0.0] * len(axes) + [1.0] * len(axes), np.float32)
        options["extrapolation_value"] = 0.25
    if d.opset < 13 and roi is None:
        roi = np.zeros(0, np.float32)
    if d.chance(0.5):
        return str(d.add(kind, x, roi, np.array(factors, np.float32), **options))
    if d.has(kind, "keep_aspect_ratio_policy") and d.chance(0.3):
        options["keep_aspect_ratio_policy"] = d.pick("stretch", "not_larger", "not_smaller")
    sizes = np.array([max(1, int(shape[a] * f)) for a, f in zip(axes, factors)], np.int64)
    empty = np.zeros(0, np.float32) if d.opset < 13 else None
    return str(d.add(kind, x, roi, empty, sizes, **options))


@recipe("Upsample")
def upsampled(d: Draft, kind: str) -> str:
    """As it was until operator set 9."""
    x = d.image(most=4)
    scales = [1.0, 1.0, *(d.pick(1.0, 2.0, 3.0, 1.5) for _ in d.shape_of(x)[2:])]
    options = d.options(kind, mode=lambda: d.pick("nearest", "linear"))
    return str(d.add(kind, x, np.array(scales, np.float32), **options))


@recipe("DepthToSpace")
def shuffled(d: Draft, kind: str) -> str:
    """Blocks of channels as positions, in either order."""
    block = d.number(1, 3)
    x = d.entry(block * block * d.number(1, 2), d.number(1, 3), d.number(1, 3))
    return str(d.add(kind, x, blocksize=block, **d.options(kind, mode=lambda: d.pick("DCR", "CRD"))))


@recipe("SpaceToDepth")
def folded(d: Draft, kind: str) -> str:
    """Blocks of positions as channels."""
    block = d.number(1, 3)
    return str(d.add(kind, d.entry(d.number(1, 3), block * d.number(1, 2), block * d.number(1, 2)), blocksize=block))
