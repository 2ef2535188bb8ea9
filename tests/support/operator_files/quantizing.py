"""Files with quantizers: ONNX's own in every type and shape of parameters, and QONNX's operators."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from .draft import CHANNELS_LAST, QONNX, Array, Draft, recipe

ROUNDINGS = ("ROUND", "FLOOR", "CEIL", "HALF_UP", "HALF_DOWN", "UP", "DOWN", "HALF_EVEN")
SMALL = {TensorProto.INT4: (-8, 7), TensorProto.UINT4: (0, 15)}
PLAIN = {np.int8: TensorProto.INT8, np.uint8: TensorProto.UINT8, np.int16: TensorProto.INT16,
         np.uint16: TensorProto.UINT16}


def _zero(d: Draft, shape: tuple[int, ...]) -> str:
    """A zero point of any element type that this operator set allows."""
    small = d.opset >= 21 and d.chance(0.35)
    if small:
        kind = d.pick(*SMALL)
        low, high = SMALL[kind]
        return d.stored(np.full(shape, d.pick(0, d.number(low, high))), kind)
    if d.opset >= 19 and d.chance(0.1):
        return d.stored(np.zeros(shape, np.float32), TensorProto.FLOAT8E4M3FN)
    kind = d.pick(*PLAIN) if d.opset >= 21 else d.pick(np.int8, np.uint8)
    info = np.iinfo(kind)
    return d.const(np.asarray(d.rng.integers(info.min, info.max, shape, endpoint=True), kind))


@recipe("QuantizeLinear", "DequantizeLinear", weight=6)
def linear(d: Draft, kind: str) -> str:
    """Every element type, one scale, one per axis, one per block; a zero point or the type alone."""
    x = d.image() if d.chance(0.7) else d.flat()
    if d.chance(0.3):
        shape = d.shape_of(x)
        x = d.add("Mul", x, d.normal(shape[1], *(1,) * (len(shape) - 2)))
    shape = d.shape_of(x)
    options: dict[str, Any] = {}
    back: dict[str, Any] = {}
    parameters: tuple[int, ...] = ()
    if d.opset >= 13 and d.chance(0.4):
        axis = d.axis(len(shape), 1)
        parameters = (shape[axis],)
        options["axis"] = back["axis"] = axis
        if d.opset >= 21 and d.chance(0.2):
            size = d.pick(*(s for s in range(1, shape[axis] + 1) if shape[axis] % s == 0))
            parameters = tuple(n // size if i == axis % len(shape) else n for i, n in enumerate(shape))
            options["block_size"] = back["block_size"] = size
    scale = d.const(np.array([d.scale() for _ in range(int(np.prod(parameters)))], np.float32).reshape(parameters))
    zero: str | None = _zero(d, parameters) if d.chance(0.8) else None
    if zero is None and d.has("QuantizeLinear", "output_dtype") and d.chance(0.6):
        options["output_dtype"] = int(d.pick(*PLAIN.values(), *SMALL))
    if d.has("QuantizeLinear", "saturate") and d.chance(0.2):
        options["saturate"] = d.pick(0, 1)
    if d.has("QuantizeLinear", "precision") and d.chance(0.2):
        options["precision"] = int(TensorProto.FLOAT)
    if d.has("DequantizeLinear", "output_dtype") and d.chance(0.2):
        back["output_dtype"] = int(TensorProto.FLOAT)
    q = d.add("QuantizeLinear", x, scale, zero, **options)
    d.quantized_end = d.chance(0.5)
    if kind == "QuantizeLinear" and d.chance(0.15):
        d.quantized_end = False
        return str(q)
    return str(d.add("DequantizeLinear", q, scale, zero, **back))


def _own_input(d: Draft, *shape: int) -> str:
    d.shape, d.own = (1, *shape), True
    d.known["x"] = d.shape
    return d.pick(lambda: _quant(d, "x", d.scale(0.1), 6), lambda: _quant(d, "x", d.scale(0.1), 5, signed=0))()


def _quant(d: Draft, x: Any, scale: Any, bits: float, kind: str = "Quant", **options: Any) -> str:
    attributes = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND", **options}
    zero = np.float32(attributes.pop("zero", 0.0))
    made = str(d.add(kind, x, np.asarray(scale, np.float32), zero, np.float32(bits), domain=QONNX, **attributes))
    if isinstance(x, str) and x in d.known:
        d.known[made] = d.known[x]
    return made


def _own_sums(d: Draft) -> str:
    """Sums behind QONNX's own quantizers."""
    inputs, outputs = d.number(2, 6), d.number(1, 5)
    x = _own_input(d, inputs)
    w = _quant(d, d.normal(inputs, outputs, spread=0.5), d.pick(0.125, 0.11), d.number(2, 6), narrow=1)
    made = str(d.add("MatMul", x, w))
    d.known[made] = (1, outputs)
    if d.chance(0.4):
        kept, made = made, str(d.add("Mul", made, d.normal(outputs)))
        d.known[made] = d.known[kept]
    return made


@recipe("Quant", "IntQuant", weight=4)
def quantizer(d: Draft, kind: str) -> str:
    """Every rounding, narrow or not, scales and zero points per channel, bits of any number."""
    x = _own_sums(d)
    n = d.known[x][1]
    scale: Any = d.scale(0.2)
    if d.chance(0.3):
        scale = np.array([d.scale(0.2) for _ in range(n)]).reshape(d.pick((n,), (1, n)))
    options = {"signed": d.pick(0, 1), "narrow": d.pick(0, 0, 1), "rounding_mode": d.pick(*ROUNDINGS),
               "zero": d.pick(0.0, 0.0, 0.0, 2.0, 0.5, -3.0)}
    bits = d.pick(1, 2, 3, 4, 5, 8, 2.5 if d.chance(0.2) else 6)
    d.quantized_end = False
    return _quant(d, x, scale, bits, kind, **options)


@recipe("BipolarQuant", weight=2)
def bipolar(d: Draft, kind: str) -> str:
    """To −1 and +1."""
    x = _own_sums(d)
    made = str(d.add(kind, x, d.scale(0.5), domain=QONNX))
    d.known[made], d.quantized_end = d.known[x], False
    return made


@recipe("MultiThreshold", weight=2)
def thresholds(d: Draft, kind: str) -> str:
    """Rows for all channels or for each, scaled and shifted."""
    x = _own_sums(d)
    rows = d.pick(1, d.known[x][1])
    table: Array = np.sort(d.normal(rows, d.pick(1, 3, 7)), axis=1)
    options = {"out_dtype": "INT8"}
    if d.chance(0.5):
        options |= {"out_scale": d.pick(2.0, 0.5, 1.0), "out_bias": d.pick(-1.0, -4.0, 0.3, 0.0)}
    made = str(d.add(kind, x, table, domain=QONNX, **options))
    d.known[made], d.quantized_end = d.known[x], False
    return made


@recipe("Trunc", weight=2)
def truncated(d: Draft, kind: str) -> str:
    """Fewer bits of integers, in its first version and its second."""
    inputs = d.number(2, 6)
    d.shape, d.own = (1, inputs), True
    d.known["x"] = d.shape
    signed, scale, zero = d.pick(0, 1), d.scale(0.1), np.float32(d.pick(0.0, 0.0, 2.0))
    x = _quant(d, "x", scale, 8, signed=signed, zero=zero)
    out, mode = d.number(2, 7), d.pick(*ROUNDINGS)
    if d.chance(0.5):
        made = d.add(kind, x, scale, zero, np.float32(8), np.float32(out), domain=QONNX, rounding_mode=mode)
    else:
        d.own_version = 2
        target = np.float32(scale * 2.0 ** d.number(0, 8 - out))
        made = d.add(kind, x, scale, zero, np.float32(8), target, np.float32(out), domain=QONNX, rounding_mode=mode,
                     signed=signed, narrow=d.pick(0, 0, 1))
    d.known[made], d.quantized_end = d.known[x], False
    return str(made)


@recipe("DebugMarker", "HardTanh", "Hardtanh")
def marked(d: Draft, kind: str) -> str:
    """Operators outside of ONNX that do little."""
    x = _own_sums(d)
    options: dict[str, Any] = {"export_debug_name": "here"} if kind == "DebugMarker" else {
        "min_val": -0.5, "max_val": float(d.pick(0.5, 1.0))} if d.chance(0.6) else {}
    made = str(d.add(kind, x, domain=QONNX if kind == "DebugMarker" else "", **options))
    d.known[made], d.quantized_end = d.known[x], False
    return _quant(d, made, d.scale(0.2), 4)


@recipe("MaxPoolNHWC", weight=2)
def channels_last(d: Draft, kind: str) -> str:
    """Operators of QONNX with the channels last, and Conv and MaxPool in that domain."""
    h, w, c = d.number(2, 5), d.number(2, 5), d.number(1, 3)
    x = _own_input(d, h, w, c)
    k = d.number(1, min(2, h, w))
    stride = d.number(1, 2)
    which = d.pick(kind, kind, "Conv", "MaxPool")
    options: dict[str, Any] = {"kernel_shape": [k, k], "strides": [stride, stride], "pads": [0, 0, 0, 0]}
    outputs, constants = c, []
    if which == "Conv":
        outputs = d.number(1, 3)
        weights = _quant(d, d.normal(outputs, k, k, c, spread=0.5), 0.125, 4, narrow=1)
        d.known[weights] = (outputs, k, k, c)
        constants, options = [weights], options | {"group": 1, "dilations": [1, 1]}
    made = str(d.add(which, x, *constants, domain=QONNX if which == kind else CHANNELS_LAST, **options))
    d.known[made] = (1, (h - k) // stride + 1, (w - k) // stride + 1, outputs)
    d.quantized_end = False
    return _quant(d, made, d.scale(0.2), 4)
