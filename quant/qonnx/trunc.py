"""Truncation: fewer bits of what is an integer already."""

from __future__ import annotations

import numpy as np

from ..formats import Format
from ..rules import ROUNDING
from .activation import quantize
from .arrange import ground
from .context import Context, operator
from .op import Op
from .quantizers import Quantizer, positive, range_of, rounding_of
from .values import Value

F = np.float32


@operator("Trunc")
def import_trunc(ctx: Context, op: Op) -> Value:
    """Fewer bits of what is an integer already, as QONNX defines it in both its versions."""
    value = ctx.value(op)
    scale, zero = positive(op, ctx.array(op, 1)), np.asarray(ctx.array(op, 2), F)
    version = 2 if len(op.inputs) >= 6 else 1
    mode = rounding_of(op, "FLOOR")
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
