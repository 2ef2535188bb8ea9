"""Operators of integers that FINN's own transformations write: averages by a shift, binary products by counting."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..formats import Format
from ..operators import Requantize
from .context import Context, operator
from .elementwise import applied
from .linear import product
from .op import Op
from .pools import pooled
from .spatial import entering
from .values import Value
from .weights import Weights


@operator("QuantAvgPool2d")
def import_quant_average(ctx: Context, op: Op) -> Value:
    """The sum of each window, shifted right by the bits that its greatest has beyond ``obits``, rounded down."""
    last = op.choice("data_layout", "NCHW", ("NCHW", "NHWC")) == "NHWC"
    value = ctx.value(op)
    value = entering(op, replace(value, index=np.moveaxis(value.index, -1, 1)) if last else value)
    kernel, stride, bits, wanted = (op.flag(name, 0) for name in ("kernel", "stride", "ibits", "obits"))
    op.ignore("signed")  # says of what type the result is, not what it is
    if min(kernel, stride, bits, wanted) < 1 or max(bits, wanted) > 32 or value.index.ndim != 4 or (
            kernel > min(value.index.shape[2:])):
        op.fail(f"kernel {kernel}, stride {stride}, ibits {bits} and obits {wanted} do not fit a tensor of shape "
                f"{value.index.shape}", "export the model again")
    shift = max(0, int(((1 << bits) - 1) * kernel**2).bit_length() - wanted)
    made = pooled(ctx, op, value, (kernel, kernel), (stride, stride))
    plain = not made.steps and made.uniform and (made.scale, made.zero, made.offset) == (1, 0, 0)
    if plain:
        lo, hi = ctx.ranges[made.node]
        low, high = int(lo.min()) >> shift, int(hi.max()) >> shift
        name = ctx.emit("shift", Requantize, (made.node,), made.shape, Format.of_range(low, high), np.ones(()),
                        multiplier=np.array([1]), offset=np.array([0]), shift=shift, y_min=low, y_max=high)
        made = replace(made, node=name, trail=())
    else:  # of numbers that are no integers, the sum is rounded
        made = applied(ctx, op, applied(ctx, op, made, "Round"), "Mul", np.float32(2.0**-shift))
        made = applied(ctx, op, made, "Floor")
    return replace(made, index=np.moveaxis(made.index, 1, -1)) if last or op.channels_last else made


@operator("XnorPopcountMatMul")
def import_xnor(ctx: Context, op: Op) -> Value:
    """How many of the products of bits are alike: Σ x·(2w − 1) + Σ (1 − w), bits 0 and 1 for −1 and +1."""
    bits = np.asarray(ctx.array(op, 1), np.float64)
    if bits.ndim != 2 or not np.all((bits == 0) | (bits == 1)):
        op.fail(f"its weights {op.inputs[1]!r} must be a matrix of 0 and 1", "binarize them")
    ints = (2 * bits - 1).astype(np.int64).T
    made = product(ctx, op, ctx.value(op), Weights(ints, np.ones(ints.shape), Format(1, True, True)))
    return applied(ctx, op, made, "Add", np.asarray((1 - bits).sum(axis=0), np.float32))
