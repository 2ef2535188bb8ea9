"""ONNX' own linear quantization: integers, and real numbers of them again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..formats import Format
from ..rules import Kind, Rule
from .activation import quantize, take_input
from .arrange import ground
from .context import Context, operator
from .elementwise import applied
from .op import Op
from .quantizers import Quantizer, positive
from .scores import quantized_behind
from .types import FLOAT, INTEGERS, WHOLE, dtype_of, name_of
from .values import ONE, ZERO, Const, Quantized, Value, bare
from .written import Bounds, following

F = np.float32


@dataclass(frozen=True, eq=False)
class Linear:
    """A linear quantization: scale and zero point (float32) that broadcast against the tensor, the integers' type."""

    scale: np.ndarray
    zero: np.ndarray
    type: str


def _linear(ctx: Context, op: Op, shape: tuple[int, ...], type: str) -> Linear:
    """What ``op`` says of a tensor of ``shape``; ``type`` where it has no zero point."""
    scale = positive(op, ctx.array(op, 1))
    zero = ctx.const(op, 2).array if op.has(2) else None
    kind = type if zero is None else zero.dtype.name
    if kind not in INTEGERS or INTEGERS[kind].bits > 32:
        op.fail(f"integers of type {kind} are not supported", "use integers of 4, 8, 16 or 32 bits")
    op.ignore("saturate")  # of float8
    block = op.flag("block_size", 0)
    zero = np.zeros(scale.shape, F) if zero is None else zero.astype(F)
    if zero.size == scale.size == 1:
        op.ignore("axis")
        return Linear(scale.reshape(()), zero.reshape(()), kind)
    axis = op.axis("axis", 1, len(shape))
    if zero.shape != scale.shape:
        op.fail(f"zero points of shape {zero.shape} do not fit scales of shape {scale.shape}", "export again")
    return Linear(_along(op, scale, shape, axis, block), _along(op, zero, shape, axis, block), kind)


def _along(op: Op, parameter: np.ndarray, shape: tuple[int, ...], axis: int, block: int) -> np.ndarray:
    """One parameter per index of ``axis``, or per block of ``block`` of them, to broadcast against a tensor."""
    if block:
        blocks = tuple(-(-n // block) if i == axis else n for i, n in enumerate(shape))
        if block < 0 or parameter.shape != blocks:
            op.fail(f"parameters of shape {parameter.shape} do not fit blocks of {block} along axis {axis} of a tensor "
                    f"of shape {shape}", "export the model again")
        return np.repeat(parameter, block, axis=axis).take(np.arange(shape[axis]), axis=axis)
    if parameter.shape != (shape[axis],):
        op.fail(f"parameters of shape {parameter.shape} do not fit axis {axis} of a tensor of shape {shape}",
                "export the model again")
    return parameter.reshape(-1, *(1,) * (len(shape) - 1 - axis))


def _stated(op: Op) -> str:
    """The type that the attribute ``output_dtype`` states, or empty."""
    code = op.flag("output_dtype", 0)
    return name_of(code) if code else ""


@operator("QuantizeLinear")
def import_quantize_linear(ctx: Context, op: Op) -> Value | Const:
    """ONNX' own quantizer: integers, which ``DequantizeLinear`` makes real again."""
    operand = ctx.operand(op, 0)
    if isinstance(operand, Value) and operand.host is not None:
        return quantized_behind(ctx, op, operand)
    stated, precision = _stated(op), op.flag("precision", 0)
    if precision and name_of(precision) != FLOAT:
        op.fail(f"divides in {name_of(precision)}", f"quantize in {FLOAT}")
    shape = operand.array.shape if isinstance(operand, Const) else operand.index.shape
    linear = _linear(ctx, op, shape, stated or "uint8")
    if stated not in ("", linear.type):
        op.fail(f"output_dtype {stated} and zero points of type {linear.type} differ", "export the model again")
    form = INTEGERS[linear.type]
    if form.bits > 16:
        op.fail(f"makes integers of type {linear.type}", "quantize to at most 16 bits")
    if isinstance(operand, Const):
        return _constant(ctx, op, linear, form)
    return quantized(ctx, op, ctx.value(op), linear)


def _constant(ctx: Context, op: Op, linear: Linear, form: Format) -> Const:
    """The integers of a constant."""
    x = np.asarray(ctx.array(op, 0), F)
    ints = np.broadcast_to(Rule("QuantizeLinear", form.lo, form.hi)((linear.scale, linear.zero), x), x.shape)
    ints = ints.astype(np.int64)
    return Const(ints.astype(np.int8 if form.bits < 8 else linear.type).astype(dtype_of(linear.type)),
                 bare(ints, form))


def quantized(ctx: Context, op: Op, value: Value, linear: Linear, kind: Kind = "QuantizeLinear") -> Value:
    """The integers of an activation, with the bounds that a clip behind them sets.

    They are bare; in the graph they stand for the real numbers that a ``DequantizeLinear`` behind them makes.
    """
    form = INTEGERS[linear.type]
    found = following(ctx, op.outputs[0], form.lo, form.hi)
    if found.shift:  # integers wrap around
        found = Bounds(form.lo, form.hi, op.outputs[0])
    ctx.absorbed.update(found.ops)
    low, high = int(found.low), int(found.high)
    back = _made_real(ctx, found.tensor, value.index.shape)
    real = back[1] if back else Linear(ONE, ZERO, linear.type)
    value, (s, z, scale, zero) = ground(ctx, op, value, linear.scale, linear.zero, real.scale, real.zero)
    narrow = form if (low, high) == (form.lo, form.hi) else Format.of_range(low, high)
    rule, ends = Rule(kind, low, high), (scale.astype(np.float64), zero.astype(np.float64))
    made = Quantizer(rule, (s, z), narrow, low, 1, high - low, *ends)
    tensor = back[0] if back else found.tensor
    done = take_input(ctx, op, value, made, tensor) if op is ctx.direct else quantize(ctx, op, value, made, tensor)
    return replace(done, scale=ONE, zero=ZERO, type=linear.type)


def _made_real(ctx: Context, tensor: str, shape: tuple[int, ...]) -> tuple[str, Linear] | None:
    """The real tensor that every reader of ``tensor`` makes of it, and how; None where they do not agree on it."""
    readers = ctx.model.reading(tensor)
    if not readers or tensor == ctx.model.output or any(
            r.kind != "DequantizeLinear" or r.inputs[0] != tensor or r.inputs[1:] != readers[0].inputs[1:]
            or r.attributes != readers[0].attributes for r in readers):
        return None
    if not all(isinstance(ctx.tensors.get(name), Const) for name in filter(None, readers[0].inputs[1:])):
        return None
    return readers[0].outputs[0], _linear(ctx, readers[0], shape, "int32")


@operator("DequantizeLinear")
def import_dequantize_linear(ctx: Context, op: Op) -> Value | Const:
    """Integers as real numbers: scale · (q − zero point)."""
    operand = ctx.operand(op, 0)
    if isinstance(operand, Value) and operand.host is not None:
        return quantized_behind(ctx, op, operand)
    if (stated := _stated(op)) not in ("", FLOAT):
        op.fail(f"makes {stated}, and all is computed in {FLOAT}", f"export the model in {FLOAT}")
    if isinstance(operand, Const):
        return _weights(ctx, op, operand)
    value = ctx.elements(op)
    linear = _linear(ctx, op, value.index.shape, value.type)
    return dequantized(ctx, op, value, linear)


def dequantized(ctx: Context, op: Op, value: Value, linear: Linear) -> Value:
    """Integers less their zero point, times their scale, in float32."""
    _alike(op, linear, value.type)
    value = replace(value, type=FLOAT)
    lo, hi = ctx.ranges[value.node]
    plain = not value.steps and all(c.ndim == 0 for c in (value.scale, value.zero, value.offset)) and (
        value.scale, value.zero, value.offset) == (1, 0, 0)
    if plain and max(abs(int(lo.min())), abs(int(hi.max()))) + np.abs(linear.zero).max() <= WHOLE:
        value, (scale, zero) = ground(ctx, op, value, linear.scale, linear.zero)
        return replace(value, scale=scale.astype(np.float64), zero=zero.astype(np.float64))
    value = applied(ctx, op, value, "Sub", linear.zero) if np.any(linear.zero) else value
    return value if np.all(linear.scale == 1) else applied(ctx, op, value, "Mul", linear.scale)


def _weights(ctx: Context, op: Op, operand: Const) -> Const:
    """The real numbers of constant integers, which are kept behind them."""
    kind, shape = operand.array.dtype.name, operand.array.shape
    linear = _linear(ctx, op, shape, kind)
    _alike(op, linear, kind)
    ints = operand.array.astype(np.int64)
    real = ((ints - linear.zero.astype(np.int64)).astype(F) * linear.scale).astype(F)
    form = INTEGERS[kind] if operand.quantized is None else operand.quantized.format
    wide, origin = (np.broadcast_to(np.asarray(a, np.float64), shape) for a in (linear.scale, linear.zero))
    return Const(real, Quantized(ints, wide, origin, form))


def _alike(op: Op, linear: Linear, kind: str) -> None:
    if linear.type != kind:
        op.fail(f"integers of type {kind} and zero points of type {linear.type} differ", "export the model again")
