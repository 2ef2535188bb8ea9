"""The other quantizers: truncation, explicit thresholds, and ONNX' own linear quantization."""

from __future__ import annotations

import numpy as np

from ..formats import BIPOLAR, Format
from .activation import quantize, take_input
from .arrange import ground
from .context import Context, operator
from .elementwise import applied, channelwise
from .model import Op
from .quantizers import ROUNDING, Quantizer, positive, range_of
from .values import Const, Quantized, Value

F = np.float32


@operator("MultiThreshold")
def import_multi_threshold(ctx: Context, op: Op) -> Value:
    """How many thresholds of its channel a number reaches, times ``out_scale``, plus ``out_bias``."""
    value, table = ctx.value(op), np.asarray(ctx.array(op, 1), F)
    ndim = value.index.ndim
    layout = op.text("data_layout", "") or {2: "NC", 3: "NWC", 4: "NCHW"}.get(ndim, "NC")
    axis = layout.index("C") if "C" in layout else 1
    if table.ndim != 2 or not table.size or axis >= ndim or len(table) not in (1, value.index.shape[axis]):
        op.fail(f"thresholds of shape {table.shape} do not fit a tensor of shape {value.index.shape}", "export again")
    scale, bias = op.number("out_scale", 1.0), op.number("out_bias", 0.0)
    if scale <= 0:
        op.fail(f"out_scale must be positive, not {scale}", "export the model again")
    table = np.sort(table, axis=1)
    value, (channel,) = ground(ctx, op, value, channelwise(op, value, np.arange(len(table)), axis))
    levels = table.shape[1]
    least, rest = divmod(bias, scale)
    if rest or abs(least) > 1 << 31:
        least, offset = 0.0, np.asarray(bias)
    else:
        offset = np.zeros(())

    def integer(constants: tuple[np.ndarray, ...], x: np.ndarray) -> np.ndarray:
        rows = table[constants[0]]
        count = np.zeros(x.shape, np.int64)
        for k in range(levels):
            count += x >= rows[..., k]
        return start + step * count

    if levels == 1 and scale == 2 and bias == -1:
        start, step, form, unit, offset = -1, 2, BIPOLAR, np.ones(()), np.zeros(())
    else:
        start, step, unit = int(least), 1, np.asarray(scale)
        form = Format.of_range(start, start + levels)
    made = Quantizer(integer, (channel,), form, start, step, levels, unit, offset=offset)
    return quantize(ctx, op, value, made)


@operator("Trunc")
def import_trunc(ctx: Context, op: Op) -> Value:
    """Fewer bits of what is an integer already, as QONNX defines it in both its versions."""
    value = ctx.value(op)
    scale, zero = positive(op, ctx.array(op, 1)), np.asarray(ctx.array(op, 2), F)
    version = 2 if len(op.inputs) >= 6 else 1
    mode = op.text("rounding_mode", "FLOOR").upper()
    if mode not in ROUNDING:
        op.fail(f"rounding_mode {mode!r} is unknown", f"use one of {', '.join(ROUNDING)}")
    bits_in = np.asarray(ctx.array(op, 3), F)
    if version == 2:
        target, bits = positive(op, ctx.array(op, 4)), ctx.array(op, 5)
        factor = np.asarray(2 ** np.round(np.log2(target / scale)), F)
    else:
        bits = ctx.array(op, 4)
        target, factor = scale, np.asarray(2.0 ** (bits_in - np.asarray(bits, F)), F)
    span = range_of(op, bits, "FLOOR")
    value, (s, z, t, f) = ground(ctx, op, value, scale, zero, target, factor)

    def integer(constants: tuple[np.ndarray, ...], x: np.ndarray) -> np.ndarray:
        own_scale, own_zero, own_factor = constants
        y = np.round(x / own_scale + own_zero) / own_factor
        if version == 2:
            y = np.clip(y, F(span.low), F(span.high))
        return ROUNDING[mode](y)

    shifted = z / f if version == 2 else z
    constants = (s, z, f)
    if version == 2:
        low, high, form = span.low, span.high, span.format
    else:
        lo, hi = (value.real(end[None]) for end in ctx.ranges[value.node])
        ends = [integer(constants, end) for end in (lo, hi)]
        low, high = int(min(e.min() for e in ends)), int(max(e.max() for e in ends))
        form = Format(span.bits, span.signed or low < 0)
        form = form if form.holds(np.array([low, high])) else Format.of_range(low, high)
    made = Quantizer(integer, constants, form, low, 1, max(1, high - low), t.astype(np.float64),
                     shifted.astype(np.float64))
    return quantize(ctx, op, value, made)


def _linear(ctx: Context, op: Op, ndim: int) -> tuple[np.ndarray, np.ndarray, np.dtype]:
    """Scale, zero point and integer type of ONNX' linear quantization, along its axis."""
    scale = positive(op, ctx.array(op, 1))
    zero = ctx.optional(op, 2)
    kind = np.dtype(np.uint8) if zero is None else zero.dtype
    if kind.kind not in "iu":
        op.fail(f"zero points of type {kind} are not supported", "use integers of 8 or 16 bits")
    zero = np.zeros((), kind) if zero is None else zero
    if scale.size > 1:
        axis = op.flag("axis", 1) % ndim
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

    def integer(constants: tuple[np.ndarray, ...], x: np.ndarray) -> np.ndarray:
        return np.clip(np.round(x / constants[0]) + constants[1], F(span.min), F(span.max))

    form = Format(span.bits, kind.kind == "i")
    made = Quantizer(integer, (s, z), form, span.min, 1, span.max - span.min)
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
