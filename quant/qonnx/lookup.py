"""Embeddings: rows of a constant table, chosen by tokens or categories that the network computes or gets."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from ..formats import Format
from ..operators import Lookup
from .arrange import arrange
from .context import format_of
from .settle import settle
from .types import FLOAT
from .values import Const, Value
from .weights import Weights, weights_of

if TYPE_CHECKING:
    from .context import Context
    from .op import Op

PASSED = ("Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Cast", "Slice", "Split")
"""Operators through which tokens reach their table."""


def tokens(ctx: Context) -> Format | None:
    """The format of the network's input where it is tokens: unsigned, up to the last row of the smallest table."""
    names, rows = {ctx.model.input}, []
    for op in ctx.model.ops:
        if op.kind in (*PASSED, "Gather") and op.inputs[0] in names:
            names.update(op.outputs)
        elif op.kind == "Gather" and op.inputs[1] in names and isinstance(
                table := ctx.tensors.get(op.inputs[0]), Const):
            axis = op.attributes.get("axis", 0)
            rows.append(table.array.shape[axis if isinstance(axis, int) else 0])
    return Format.of_range(0, min(rows) - 1) if rows else None


def looked_up(ctx: Context, op: Op) -> Value:
    """``Gather`` of a constant by an activation whose real numbers are its integers."""
    const, value = ctx.const(op, 0), ctx.elements(op, 1)
    whole = const.array.dtype.kind in "iu"  # integers, which are dequantized behind it
    weights = _integers(const.array) if whole else weights_of(op, const, op.inputs[0])
    axis = op.axis("axis", 0, weights.ints.ndim)
    value = settle(ctx, op, value)
    parts = value.affine()
    assert parts is not None
    if any(a != 1 for a in np.ravel(parts[0])) or any(b != 0 for b in np.ravel(parts[1])):
        op.fail("what chooses its rows is scaled or shifted and no integer as it is", "let integers choose them")
    lo, _ = ctx.ranges[value.node]
    if lo.min() < 0:
        op.fail(f"rows are chosen by numbers from {int(lo.min())} on", "choose rows by unsigned integers from 0 on")
    table, scale = (np.moveaxis(part, axis, 0).reshape(weights.ints.shape[axis], -1)
                    for part in (weights.ints, weights.scale))
    if not np.all(scale == scale[0]):
        op.fail("its table's scale changes from row to row", "use one scale, or one per column")
    chosen, columns = value.index, table.shape[1]
    single = chosen.size == 1
    value = arrange(ctx, op, value, chosen.reshape(1) if single else chosen.reshape(-1, 1))
    shape = (columns,) if single else (chosen.size, columns)
    row = np.asarray(scale[0, 0] if np.all(scale == scale[0, 0]) else scale[0])
    name = ctx.emit("lookup", Lookup, (value.node,), shape, weights.fitting(table), row, table=table)
    ctx.note(f"node {op.name!r} ({op.kind}): its table has {len(table)} rows, for tokens of 0 to {len(table) - 1}")
    rest = np.delete(weights.ints.shape, axis)
    index = np.arange(prod(shape)).reshape(*chosen.shape, *rest)
    places = range(chosen.ndim)
    index = np.moveaxis(index, list(places), [axis + k for k in places])
    kind = const.array.dtype.name if whole else FLOAT
    return Value(name, shape, index, scale=row, batch=value.batch + axis, type=kind)


def _integers(array: np.ndarray) -> Weights:
    """Integers that stand for themselves."""
    ints = array.astype(np.int64)
    return Weights(ints, np.ones(ints.shape), format_of(ints))
