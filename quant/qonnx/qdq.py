"""ONNX' own linear quantization: integers, and real numbers of them again."""

from __future__ import annotations

import numpy as np

from ..formats import Format
from ..rules import Rule
from .activation import quantize, take_input
from .arrange import ground
from .context import Context, operator
from .elementwise import applied
from .op import Op
from .quantizers import Quantizer, positive
from .values import Const, Quantized, Value

F = np.float32


def _linear(ctx: Context, op: Op, ndim: int) -> tuple[np.ndarray, np.ndarray, np.dtype]:
    """Scale, zero point and integer type of ONNX' linear quantization, along its axis."""
    scale = positive(op, ctx.array(op, 1))
    zero = ctx.optional(op, 2)
    op.ignore("saturate")  # it is about float8 alone
    if scale.size == 1:
        op.ignore("axis")
    kind = np.dtype(np.uint8) if zero is None else zero.dtype
    if kind.kind not in "iu":
        op.fail(f"zero points of type {kind} are not supported", "use integers of 8 or 16 bits")
    zero = np.zeros((), kind) if zero is None else zero
    if scale.size > 1:
        axis = op.axis("axis", 1, ndim)
        shape = (-1, *(1,) * (ndim - 1 - axis))
        scale, zero = scale.reshape(shape), zero.reshape(shape) if zero.size > 1 else zero
    return scale, zero, kind


@operator("QuantizeLinear")
def import_quantize_linear(ctx: Context, op: Op) -> Value | Const:
    """ONNX' own quantizer: integers, which ``DequantizeLinear`` makes real again."""
    operand = ctx.operand(op, 0)
    if isinstance(operand, Const):
        op.fail("quantizes a constant", "store its integers instead")
    scale, zero, kind = _linear(ctx, op, operand.index.ndim)
    span = np.iinfo(kind)
    value, (s, z) = ground(ctx, op, ctx.value(op), scale, np.asarray(zero, F))
    form = Format(span.bits, kind.kind == "i")
    made = Quantizer(Rule("QuantizeLinear", span.min, span.max), (s, z), form, span.min, 1, span.max - span.min)
    return take_input(ctx, op, value, made) if op is ctx.direct else quantize(ctx, op, value, made)


@operator("DequantizeLinear")
def import_dequantize_linear(ctx: Context, op: Op) -> Value | Const:
    """Integers as real numbers: scale · (q − zero point)."""
    operand = ctx.operand(op, 0)
    if isinstance(operand, Const):
        scale, zero, _ = _linear(ctx, op, operand.array.ndim)
        ints = operand.array.astype(np.int64)
        shape = ints.shape
        real = ((ints - zero.astype(np.int64)).astype(F) * scale).astype(F)
        form = Format(8 * operand.array.dtype.itemsize, operand.array.dtype.kind == "i")
        wide, origin = (np.broadcast_to(np.asarray(a, np.float64), shape) for a in (scale, zero))
        return Const(real, Quantized(ints, wide, origin, form))
    scale, zero, _ = _linear(ctx, op, operand.index.ndim)
    value = applied(ctx, op, ctx.value(op), "Sub", np.asarray(zero, F)) if np.any(zero) else ctx.value(op)
    return applied(ctx, op, value, "Mul", scale)
