"""Matrix products: constant weights on an activation, zero points and scales of its channels folded exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from ..operators import MatMul
from .arrange import arrange, flat
from .context import Context, operator
from .elementwise import applied
from .op import Op
from .ratios import integer_ratio, spread
from .ratios import whole as integer
from .settle import settle
from .values import Value, natural
from .weights import LIMIT_BITS, Weights, weights_of

MULTIPLIER_BITS = 32
"""Bits that a multiplier of weights may have."""

LEVEL_BITS = 12
"""Bits that the ratio of scales within one row of weights may have."""

WIDE = 16
"""Multipliers from here on are worth a note."""


@dataclass(frozen=True, eq=False)
class Folded:
    """Weights over a node's integers: real sum = scale[o] · (ints · q − zero[o]) + offset[o]."""

    ints: np.ndarray
    scale: np.ndarray
    zero: np.ndarray
    offset: np.ndarray


def fold(ctx: Context, op: Op, ints: np.ndarray, scale: np.ndarray, a: list[Fraction], b: list[Fraction]) -> Folded:
    """Weights scale · ints (outputs, elements) on elements a[k] · q[k] + b[k] as integers on q alone.

    The scale of a row must be one, up to factors that are the same for all rows; factors of elements must be in the
    ratio of integers of few bits.
    """
    row, column = scale[:, :1], scale[:1] / scale[:1, :1]
    if not np.allclose(row * column, scale, rtol=2.0**-40, atol=0):
        ints, scale = _levelled(op, ints, scale)
        row, column = scale[:, :1], scale[:1] / scale[:1]
    factors = [f * Fraction(float(c)) for f, c in zip(a, column[0])]
    used = np.any(ints != 0, axis=0)
    ratio = integer_ratio([f if u else Fraction(0) for f, u in zip(factors, used)], MULTIPLIER_BITS)
    if ratio is None:
        op.fail(f"the scales of its input's elements are in no ratio of integers of {MULTIPLIER_BITS} bits",
                "put a quantizer in front of it")
    multipliers, unit = ratio
    if max(multipliers) >= WIDE:
        ctx.note(f"node {op.name!r} ({op.kind}): the scales of its inputs differ, and its weights take multipliers of "
                 f"up to {max(multipliers)}; one scale for the branches that meet makes them small")
    whole = ints * np.array(multipliers, np.int64)
    if np.abs(whole).max() >> LIMIT_BITS:
        op.fail(f"its weights times its input's scales need over {LIMIT_BITS} bits", "put a quantizer in front of it")
    shift = _shift(ints, [y * Fraction(float(c)) / unit for y, c in zip(b, column[0])])
    zero = [integer(s) for s in shift]
    scales = row[:, 0] * float(unit)
    if any(z is None for z in zero):
        return Folded(whole, scales, np.zeros(len(ints)), scales * np.array([float(s) for s in shift]))
    return Folded(whole, scales, -np.array(zero, np.float64), np.zeros(len(ints)))


def _levelled(op: Op, ints: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same weights with one scale per row, where scales within it are in the ratio of integers of few bits."""
    rows, units = [], []
    for row, own in zip(ints, scale):
        ratio = integer_ratio([Fraction(float(s)) if i else Fraction(0) for i, s in zip(row, own)], LEVEL_BITS)
        if ratio is None:
            op.fail("its weights' scale changes within rows and columns", "use one scale per output, or scales that "
                    "are powers of two")
        rows.append(row * np.array(ratio[0], np.int64))
        units.append(float(ratio[1]))
    return np.array(rows), np.broadcast_to(np.array(units)[:, None], scale.shape)


def _shift(ints: np.ndarray, terms: list[Fraction]) -> list[Fraction]:
    """What the offsets of the elements, ``terms``, come to in each row of ``ints``."""
    distinct = list(dict.fromkeys(terms))
    if distinct == [0]:
        return [Fraction(0)] * len(ints)
    place = np.array([distinct.index(t) for t in terms])
    counts = [ints[:, place == i].sum(axis=1) for i in range(len(distinct))]
    return [sum((int(n) * t for n, t in zip(row, distinct)), Fraction(0)) for row in np.stack(counts, axis=1)]


def base(folded: Folded) -> dict[str, Any]:
    """A value's base fields behind ``folded``: scalars where all outputs agree."""
    fields = {"scale": folded.scale, "zero": folded.zero, "offset": folded.offset}
    return {k: np.asarray(v[0] if np.all(v == v[0]) else v) for k, v in fields.items()}


def affine_operand(ctx: Context, op: Op, value: Value) -> tuple[Value, np.ndarray, np.ndarray]:
    """``value`` with what is not affine put into a node, and its factor and offset."""
    value = settle(ctx, op, value)
    parts = value.affine()
    assert parts is not None
    return value, *parts


def product(ctx: Context, op: Op, value: Value, weights: Weights, kind: str = "fc") -> Value:
    """``value`` (…, K) times ``weights`` (outputs, K) along the tensor's last axis."""
    outputs, inputs = weights.ints.shape
    lead = value.index.shape[:-1]
    if value.index.shape[-1] != inputs:
        op.fail(f"{inputs} inputs do not fit a tensor of shape {value.index.shape}", "export the model again")
    if int(np.prod(lead)) == 1:
        value = flat(ctx, op, value)
        order = value.index.ravel()
        ints, scale = np.zeros((outputs, value.size), np.int64), np.repeat(weights.scale[:, :1], value.size, axis=1)
        if len(np.unique(order)) == len(order):
            ints[:, order] = weights.ints
        else:  # an element occurs twice
            np.add.at(ints.T, order, weights.ints.T)
        scale[:, order] = weights.scale
        shape: tuple[int, ...] = (outputs,)
    else:
        value = arrange(ctx, op, value, _positions(value.index))
        ints, scale = weights.ints, weights.scale
        shape = (*value.shape[:-1], outputs)
    value, a, b = affine_operand(ctx, op, value)
    folded = fold(ctx, op, ints, scale, spread(a, value.channels), spread(b, value.channels))
    form = weights.fitting(folded.ints)
    name = ctx.emit(kind, MatMul, (value.node,), shape, None, base(folded)["scale"], weights=folded.ints,
                    weight_format=form)
    return natural(name, shape, (*lead, outputs), batch=value.batch, **base(folded))


def _positions(index: np.ndarray) -> np.ndarray:
    """The order of a tensor's elements under at most two axes of positions."""
    spatial = [n for n in index.shape[:-1] if n > 1]
    if len(spatial) > 2:
        spatial = [int(np.prod(spatial))]
    return index.reshape(*spatial, index.shape[-1])


@operator("MatMul")
def import_matmul(ctx: Context, op: Op) -> Value:
    """A product with a constant on either side."""
    left = ctx.operand(op, 0)
    if isinstance(left, Value):
        weights = weights_of(op, ctx.const(op, 1), op.inputs[1])
        if weights.ints.ndim != 2:
            op.fail(f"its weights must be a matrix, not of shape {weights.ints.shape}", "reshape them")
        _sums_within(op, left, left.index.ndim - 1)
        return product(ctx, op, ctx.value(op), _transposed(weights))
    weights, value = weights_of(op, ctx.const(op, 0), op.inputs[0]), ctx.value(op, 1)
    if weights.ints.ndim != 2 or value.index.ndim < 2:
        op.fail(f"its weights must be a matrix, not of shape {weights.ints.shape}", "reshape them")
    _sums_within(op, value, value.index.ndim - 2)
    made = product(ctx, op, replace(value, index=np.swapaxes(value.index, -1, -2)), weights)
    return replace(made, index=np.swapaxes(made.index, -1, -2), batch=value.batch)


def _sums_within(op: Op, value: Value, axis: int) -> None:
    """Refuse a sum along the axis of the samples."""
    if value.index.ndim > 1 and value.batch == axis:
        op.fail("sums up the samples of a batch", "export a network that works on each sample by itself")


def _transposed(weights: Weights) -> Weights:
    return Weights(weights.ints.T, weights.scale.T, weights.format)


@operator("Gemm")
def import_gemm(ctx: Context, op: Op) -> Value:
    """alpha · A · B + beta · C, A the activation."""
    value, weights = ctx.value(op), weights_of(op, ctx.const(op, 1), op.inputs[1])
    alpha, beta = op.number("alpha", 1.0), op.number("beta", 1.0)
    op.ignore("broadcast")  # of the first opsets: what later ones always do
    if op.flag("transA", 0):
        value = replace(value, index=value.index.T)
    made = product(ctx, op, value, weights if op.flag("transB", 0) else _transposed(weights))
    if alpha != 1.0:
        made = applied(ctx, op, made, "Mul", np.float32(alpha))
    bias = ctx.optional(op, 2)
    if bias is None or not np.any(bias):
        return made
    return applied(ctx, op, made, "Add", np.asarray(bias, np.float32) * np.float32(beta))
