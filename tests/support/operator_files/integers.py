"""Files with ONNX' operators on integers: products with a quantizer of their own, and sums of 32 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from .draft import Array, Draft, recipe
from .windows import window

KINDS = (np.int8, np.uint8)


def _entry(d: Draft, *shape: int) -> tuple[str, np.float32, Array]:
    """The network's input as integers, their scale and their zero point."""
    d.shape = (1, *shape)
    scale, zero = d.scale(), d.zero(d.pick(*KINDS))
    return str(d.add("QuantizeLinear", "x", scale, zero)), scale, zero


def _weights(d: Draft, *shape: int) -> Array:
    kind = d.pick(*KINDS)
    info = np.iinfo(kind)
    return np.asarray(d.rng.integers(info.min, info.max, shape, endpoint=True), kind)


def _real(d: Draft, x: Any, outputs: int, results: tuple[np.float32, Array] | None) -> str:
    """Integers as real numbers: by their quantizer's scale, or sums by one scale or one for each output."""
    d.quantized_end = results is None
    if results is not None:
        return str(d.add("DequantizeLinear", x, *results))
    return str(d.add("Mul", d.add("Cast", x, to=TensorProto.FLOAT), d.scale(0.002)))


@recipe("QLinearMatMul", "MatMulInteger", weight=3)
def product(d: Draft, kind: str) -> str:
    """Weights of either type, their parameters one or one for each output, zero points left out too."""
    inputs, outputs = d.number(1, 8), d.number(1, 5)
    x, scale, zero = _entry(d, inputs)
    w = _weights(d, inputs, outputs)
    each = (outputs,) if d.chance(0.3) else ()
    zeros = np.asarray(d.rng.integers(0, 7, each), w.dtype) if d.chance(0.6) else np.zeros(each, w.dtype)
    if kind == "MatMulInteger":
        given = (zero, zeros if d.chance(0.7) else None) if zero or d.chance(0.5) else (None, None)
        return _real(d, d.add(kind, x, w, *given), outputs, None)
    scales = np.broadcast_to(np.float32(d.scale(0.02)), each) * (1 + d.rng.random(each) * d.pick(0, 1))
    results = np.float32(d.scale(0.3)), d.zero(zero.dtype)
    made = d.add(kind, x, scale, zero, w, scales.astype(np.float32), zeros, *results)
    return _real(d, made, outputs, results)


@recipe("QLinearConv", "ConvInteger", weight=3)
def convolution(d: Draft, kind: str) -> str:
    """Windows of every kind, groups, a bias of 32 bits, parameters one or one for each output."""
    channels, spatial = d.number(1, 4), [d.number(2, 5) for _ in range(d.pick(1, 2, 2))]
    x, scale, zero = _entry(d, channels, *spatial)
    options = window(d, kind, tuple(spatial))
    groups = d.pick(*(g for g in range(1, channels + 1) if channels % g == 0))
    if groups > 1:
        options["group"] = groups
    outputs = groups * d.number(1, 2)
    w = _weights(d, outputs, channels // groups, *options["kernel_shape"])
    if kind == "ConvInteger":
        given = (zero, np.asarray(d.number(0, 5), w.dtype) if d.chance(0.5) else None) if zero else (None, None)
        return _real(d, d.add(kind, x, w, *given, **options), outputs, None)
    each = (outputs,) if d.chance(0.5) else ()
    scales = np.array([d.scale(0.02) for _ in range(outputs)], np.float32)[:outputs if each else 1].reshape(each)
    zeros = np.zeros(each, w.dtype) if each else np.asarray(d.pick(0, 3), w.dtype)
    bias = d.rng.integers(-3000, 3000, outputs).astype(np.int32) if d.chance(0.5) else None
    results = np.float32(d.scale(0.3)), d.zero(zero.dtype)
    made = d.add(kind, x, scale, zero, w, scales, zeros, *results, bias, **options)
    return _real(d, made, outputs, results)


@recipe("CastLike")
def cast(d: Draft, kind: str) -> str:
    """To the type of a constant."""
    like = d.pick(np.float32, np.float32, np.int8, np.int32, np.float16)
    made = d.add(kind, d.operand(), np.zeros(1, like))
    return str(made if like is np.float32 else d.add("Cast", made, to=TensorProto.FLOAT))


@recipe("Expand", "Tile", weight=2)
def repeated(d: Draft, kind: str) -> str:
    """Mostly no element twice; axes in front at times."""
    x = d.operand()
    ndim = len(d.shape_of(x))
    if kind == "Tile":
        return str(d.add(kind, x, np.array([d.pick(1, 1, 1, 1, 2) if a else 1 for a in range(ndim)], np.int64)))
    shape = [d.pick(n, n, 1) if n > 1 else d.pick(1, 1, 1, 2 if a else 1) for a, n in enumerate(d.shape_of(x))]
    return str(d.add(kind, x, np.array([*(1,) * d.pick(0, 0, 1), *shape], np.int64)))
