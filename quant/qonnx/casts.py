"""Changes of type: what they do to numbers is done, and types that nothing is computed in are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .context import Context, operator
from .op import Op
from .types import FLOAT, INTEGERS, WHOLE, name_of
from .values import Const, Value
from .written import rounded


@operator("Cast", "CastLike")
def import_cast(ctx: Context, op: Op) -> Value:
    """The same numbers in another type; towards 0 where floats become integers, which must hold them."""
    value = ctx.elements(op)
    op.ignore("saturate", "round_mode")  # of float8, which is refused
    if op.kind == "Cast":
        kind = name_of(op.flag("to", 0))
    else:
        like = ctx.operand(op, 1)
        kind = like.array.dtype.name if isinstance(like, Const) else like.type
    if kind == value.type:
        return value
    if kind in INTEGERS:
        return _integer(ctx, op, value, kind)
    if kind not in (FLOAT, "float64"):
        op.fail(f"makes {kind} of {value.type}, and all is computed in {FLOAT}", "export the model without it")
    if value.type in INTEGERS:
        low, high = ctx.extremes(op, value)
        if max(abs(low), abs(high)) > WHOLE:
            op.fail(f"makes floats of integers up to {max(abs(low), abs(high)):.0f}, which they do not hold exactly",
                    "quantize to 24 bits at most")
    return replace(value, type=kind)


def _integer(ctx: Context, op: Op, value: Value, kind: str) -> Value:
    """``value`` in a type of integers."""
    low, high = (np.trunc(end) for end in ctx.extremes(op, value))
    form = INTEGERS[kind]
    if not form.lo <= low <= high <= form.hi:
        op.fail(f"makes {kind} of numbers from {low:.0f} to {high:.0f}, and what does not fit is left open",
                "clip in front of it")
    return replace(value if value.type in INTEGERS else rounded(ctx, op, value, "Cast"), type=kind)
