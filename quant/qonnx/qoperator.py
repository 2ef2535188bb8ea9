"""ONNX Runtime's quantized operators: sums of integers, brought to the integers of the result by one multiplication.

They are computed as ONNX Runtime does it: Σ (x − x₀)·(w − w₀) + bias in 32-bit integers, times x_scale · w_scale /
y_scale in float32, rounded half to even, y₀ added (in sums, products and means added before it is rounded), clamped.
ONNX' own reference adds y₀ before it rounds throughout, and so differs on ties under an odd y₀.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..rules import Kind
from .branches import concatenated, join
from .context import Context, format_of, operator
from .elementwise import applied, channelwise
from .linear import product
from .op import Op
from .pools import averaged, summed
from .qdq import Linear, dequantized, quantized
from .quantizers import positive
from .spatial import convolution, entering, leaving
from .types import FLOAT, INTEGERS
from .values import Const, Value
from .weights import Weights

F = np.float32
ROUNDED_LAST: Kind = "QuantizeLinear"
ADDED_FIRST: Kind = "Quant"


def _linear(ctx: Context, op: Op, scale: int, zero: int, kind: str | None = None) -> Linear:
    """Scale and zero point, operands number ``scale`` and ``zero``: one each, or one each per channel."""
    array = ctx.const(op, zero).array if op.has(zero) else np.zeros((), kind or "uint8")
    if array.dtype.name not in INTEGERS or INTEGERS[array.dtype.name].bits > 16:
        op.fail(f"integers of type {array.dtype.name} are not supported", "use integers of 8 or 16 bits")
    if kind not in (None, array.dtype.name):
        op.fail(f"integers of type {kind} and zero points of type {array.dtype.name} differ", "export the model again")
    return Linear(positive(op, ctx.array(op, scale)), array.astype(F), array.dtype.name)


def _single(op: Op, linear: Linear) -> Linear:
    """``linear`` where it is one for the whole tensor."""
    if linear.scale.size != 1 or linear.zero.size != 1:
        op.fail("its activations have several scales or zero points", "quantize activations per tensor, or export the "
                "model with QuantizeLinear and DequantizeLinear (QuantFormat.QDQ)")
    return Linear(linear.scale.reshape(()), linear.zero.reshape(()), linear.type)


def _integers(ctx: Context, op: Op, at: int, zero: int, scale: int | None = None) -> tuple[Value, Linear]:
    """The activation number ``at`` less its zero point, still on scale 1; and its scale."""
    value = ctx.elements(op, at)
    linear = _single(op, _linear(ctx, op, at + 1 if scale is None else scale, zero, value.type))
    return dequantized(ctx, op, value, replace(linear, scale=np.ones((), F))), linear


def _real(ctx: Context, op: Op, at: int) -> Value | np.ndarray:
    """The operand number ``at`` with scale and zero point behind it, as real numbers."""
    operand = ctx.operand(op, at)
    kind = operand.type if isinstance(operand, Value) else operand.array.dtype.name
    linear = _single(op, _linear(ctx, op, at + 1, at + 2, kind))
    if isinstance(operand, Const):
        return np.asarray((operand.array.astype(F) - linear.zero) * linear.scale, F)
    return dequantized(ctx, op, ctx.elements(op, at), linear)


def _weights(ctx: Context, op: Op, at: int, channel: int) -> tuple[Weights, np.ndarray]:
    """The weights number ``at`` less their zero points, on scale 1; and their scales, along the axis ``channel``."""
    array = ctx.const(op, at).array
    linear = _linear(ctx, op, at + 1, at + 2, array.dtype.name)
    shape = [-1 if axis == channel % array.ndim else 1 for axis in range(array.ndim)]
    if any(p.size not in (1, array.shape[channel]) for p in (linear.scale, linear.zero)):
        op.fail(f"{linear.scale.size} scales and {linear.zero.size} zero points do not fit weights of shape "
                f"{array.shape}", "export the model again")
    ints = array.astype(np.int64) - linear.zero.astype(np.int64).reshape(shape)
    form = format_of(ints) if np.any(linear.zero) else INTEGERS[array.dtype.name]
    return Weights(ints, np.ones(ints.shape), form), linear.scale.ravel()


def _biased(ctx: Context, op: Op, at: int, value: Value) -> Value:
    """``value`` with the constant number ``at``, integers of the sums' scale, in its layer's bias."""
    if op.has(at):
        bias = ctx.array(op, at).astype(np.int64).ravel()
        if bias.size not in (1, value.channels):
            op.fail(f"a bias of {bias.size} elements does not fit {value.channels} outputs", "export the model again")
        ctx.biased(value.node, np.broadcast_to(bias, (value.channels,)))
    return value


def _requantized(ctx: Context, op: Op, value: Value, factor: np.ndarray, result: Linear,
                 kind: Kind = ROUNDED_LAST) -> Value:
    """Integers times ``factor`` (float32, to broadcast against the tensor), as the result's integers."""
    return quantized(ctx, op, applied(ctx, op, value, "Mul", factor), replace(result, scale=np.ones((), F)), kind)


@operator("QLinearConv", "ConvInteger")
def import_integer_conv(ctx: Context, op: Op) -> Value:
    """A convolution of integers; ``ConvInteger`` leaves its sums as they are."""
    plain = op.kind == "ConvInteger"
    value = ctx.elements(op)
    if plain:
        value, weights, scale = *_bare(ctx, op, 0), np.ones(1, F)
    else:
        value, x = _integers(ctx, op, 0, 2)
        weights, scale = _weights(ctx, op, 3, 0)
    made = convolution(ctx, op, entering(op, value), weights)
    if plain:
        return leaving(op, replace(made, type="int32"))
    result = _single(op, _linear(ctx, op, 6, 7, x.type))
    factor = channelwise(op, made, x.scale * scale / result.scale)
    return leaving(op, _requantized(ctx, op, _biased(ctx, op, 8, made), factor, result))


@operator("QLinearMatMul", "MatMulInteger")
def import_integer_matmul(ctx: Context, op: Op) -> Value:
    """A matrix product of integers; ``MatMulInteger`` leaves its sums as they are."""
    if op.kind == "MatMulInteger":
        value, weights = _bare(ctx, op, -1)
        return replace(product(ctx, op, value, _turned(op, weights)), type="int32")
    value, x = _integers(ctx, op, 0, 2)
    weights, scale = _weights(ctx, op, 3, -1)
    result = _single(op, _linear(ctx, op, 6, 7, x.type))
    return _requantized(ctx, op, product(ctx, op, value, _turned(op, weights)), x.scale * scale / result.scale, result)


def _bare(ctx: Context, op: Op, axis: int) -> tuple[Value, Weights]:
    """Activation and weights, of outputs along ``axis``, less their zero points, operands number 2 and 3; no scales."""
    value, array = ctx.elements(op), ctx.const(op, 1).array
    kinds, parts = (value.type, array.dtype.name), []
    for at, kind in enumerate(kinds):
        point = ctx.const(op, 2 + at).array if op.has(2 + at) else np.zeros((), kind)
        if point.dtype.name != kind or kind not in ("int8", "uint8") or (at == 0 and point.size != 1):
            op.fail(f"integers of type {kind} and zero points of type {point.dtype.name} do not fit", "export again")
        parts.append(point.astype(np.int64))
    shape = [-1 if k == axis % array.ndim else 1 for k in range(array.ndim)]
    ints = array.astype(np.int64) - (parts[1].reshape(shape) if parts[1].size > 1 else parts[1].reshape(()))
    value = dequantized(ctx, op, value, Linear(np.ones((), F), parts[0].astype(F).reshape(()), value.type))
    return value, Weights(ints, np.ones(ints.shape), format_of(ints))


def _turned(op: Op, weights: Weights) -> Weights:
    if weights.ints.ndim != 2:
        op.fail(f"its weights must be a matrix, not of shape {weights.ints.shape}", "reshape them")
    return Weights(weights.ints.T, weights.scale.T, weights.format)


@operator("QGemm")
def import_integer_gemm(ctx: Context, op: Op) -> Value:
    """alpha · A · B + C of integers, A the activation; real numbers where no result's scale is given."""
    value, x = _integers(ctx, op, 0, 2)
    alpha, turned = op.number("alpha", 1.0), op.flag("transB", 0)
    if op.flag("transA", 0):
        op.fail("transposes its activation", "export the model with transA = 0")
    weights, scale = _weights(ctx, op, 3, 0 if turned else -1)
    made = _biased(ctx, op, 6, product(ctx, op, value, weights if turned else _turned(op, weights)))
    if not op.has(7):
        return applied(ctx, op, made, "Mul", F(alpha) * x.scale * scale)
    result = _single(op, _linear(ctx, op, 7, 8, x.type))
    return _requantized(ctx, op, made, F(alpha) * x.scale * scale / result.scale, result)


@operator("QLinearAdd")
def import_integer_add(ctx: Context, op: Op) -> Value:
    """The sum of two branches, or of one and a constant."""
    left, right = (_real(ctx, op, at) for at in (0, 3))
    result = _single(op, _linear(ctx, op, 6, 7))
    if isinstance(left, Value) and isinstance(right, Value):
        return quantized(ctx, op, join(ctx, op, left, right, "Add"), result, ADDED_FIRST)
    value, constant = (left, right) if isinstance(left, Value) else (right, left)
    assert isinstance(value, Value) and isinstance(constant, np.ndarray)
    return quantized(ctx, op, applied(ctx, op, value, "Add", constant), result, ADDED_FIRST)


@operator("QLinearMul")
def import_integer_mul(ctx: Context, op: Op) -> Value:
    """The product with a constant."""
    at = 0 if isinstance(ctx.operand(op, 0), Value) else 3
    array = ctx.const(op, 3 - at).array
    value, x = _integers(ctx, op, at, at + 2)
    other = _single(op, _linear(ctx, op, 4 - at, 5 - at, array.dtype.name))
    result, scales = _single(op, _linear(ctx, op, 6, 7, x.type)), (x.scale, other.scale)
    value = applied(ctx, op, value, "Mul", array.astype(F) - other.zero)
    factor = (scales[0] if at == 0 else scales[1]) * (scales[1] if at == 0 else scales[0]) / result.scale
    return _requantized(ctx, op, value, factor, result, ADDED_FIRST)


@operator("QLinearGlobalAveragePool", "QLinearAveragePool")
def import_integer_average(ctx: Context, op: Op) -> Value:
    """The mean of integers."""
    everywhere = op.kind == "QLinearGlobalAveragePool"
    result = _single(op, _linear(ctx, op, 3, 4))
    value = _integers(ctx, op, 0, 2)[0] if everywhere else _real(ctx, op, 0)
    assert isinstance(value, Value)
    last = bool(op.flag("channels_last", 0))
    value = replace(value, index=np.moveaxis(value.index, -1, 1)) if last else value
    value = entering(op, value)
    if everywhere:
        count = F(np.prod(value.index.shape[2:]))
        factor = ctx.array(op, 1).astype(F).reshape(()) / (result.scale * count)
        made = _requantized(ctx, op, summed(ctx, op, value), factor, result)
    else:
        made = quantized(ctx, op, averaged(ctx, op, value), result, ADDED_FIRST)
    return replace(made, index=np.moveaxis(made.index, 1, -1)) if last else made


@operator("QLinearConcat")
def import_integer_concat(ctx: Context, op: Op) -> Value:
    """Tensors side by side, brought to one scale."""
    result = _single(op, _linear(ctx, op, 0, 1))
    parts = [_real(ctx, op, at) for at in range(2, len(op.inputs), 3)]
    if not all(isinstance(part, Value) for part in parts):
        op.fail("joins a constant to an activation", "export the model with QuantizeLinear and DequantizeLinear")
    values = [part for part in parts if isinstance(part, Value)]
    axis = op.axis("axis", 1, values[0].index.ndim)
    return quantized(ctx, op, concatenated(ctx, op, values[0], list(values), axis), result, ROUNDED_LAST)


@operator("QLinearLeakyRelu", "QLinearSigmoid")
def import_integer_function(ctx: Context, op: Op) -> Value:
    """A function between two scales."""
    value, result = _real(ctx, op, 0), _single(op, _linear(ctx, op, 3, 4))
    assert isinstance(value, Value) and value.type == FLOAT
    if op.kind == "QLinearSigmoid":
        made = applied(ctx, op, value, "Sigmoid", opset=ctx.model.opset)
    else:
        made = applied(ctx, op, value, "LeakyRelu", F(op.number("alpha", 0.01)))
    return quantized(ctx, op, made, result, ROUNDED_LAST)
