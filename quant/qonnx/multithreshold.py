"""Explicit thresholds: quantizers as FINN writes them."""

from __future__ import annotations

import numpy as np

from ..formats import BIPOLAR, Format
from .activation import quantize
from .arrange import ground
from .context import Context, operator
from .elementwise import channelwise
from .op import Op
from .quantizers import Quantizer
from .values import Value

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
    op.ignore("out_dtype")  # it names what comes out, and changes nothing
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
