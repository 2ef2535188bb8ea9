"""The end of a network: scores as integers in whose order the real ones are, and the index of the greatest."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from ..formats import Format
from ..operators import ArgMax, Requantize
from .arrange import arrange, mirrored
from .context import Context, View, operator
from .failure import ImportFailure
from .op import Op
from .ratios import integer_ratio, spread
from .settle import settle
from .steps import SMOOTH, Elementwise
from .values import ONE, Host, Value, floats, natural

EXACT_BITS = 40
"""Bits within which scores are brought to one common scale."""

HOST = ("Softmax", "LogSoftmax", "QLinearSoftmax")
"""Functions at the end that keep the order of the scores and are left to the host."""


@operator(*HOST)
def import_softmax(ctx: Context, op: Op) -> Value:
    """Nothing: the greatest stays the greatest."""
    rounded = op.kind == "QLinearSoftmax"
    value = ctx.elements(op) if rounded else ctx.value(op)
    op.ignore(inputs=range(1, 5) if rounded else ())
    flattened, ndim = op.flag("opset", 13) < 13 if rounded else ctx.model.opset < 13, value.index.ndim
    axis = op.axis("axis", 1 if flattened and not rounded else -1, ndim)
    alike = range(axis, ndim) if flattened else (axis,)
    lead = [1 if i in alike else n for i, n in enumerate(value.index.shape)]
    groups = np.zeros(value.size, np.int64)
    groups[value.index] = np.arange(int(np.prod(lead))).reshape(lead)
    ctx.note(f"node {op.name!r}: {op.kind} is left to the host; the graph gives the scores in front of it")
    return replace(value, host=Host(op.kind, (op.inputs[0], value.index), groups, rounded))


def quantized_behind(ctx: Context, op: Op, value: Value) -> Value:
    """``value``, left to the host, behind a quantizer of its: that is left to the host as well."""
    host = value.host
    assert host is not None
    op.ignore(*op.attributes, inputs=range(len(op.inputs)))
    ctx.note(f"node {op.name!r}: {op.kind} behind {host.kind} is left to the host as well")
    return replace(value, host=replace(host, rounded=True))


@operator("ArgMax")
def import_argmax(ctx: Context, op: Op) -> Value:
    """The index of the greatest along one axis."""
    if op.flag("select_last_index", 0):
        op.fail("gives the last index on ties", "export it with select_last_index=0")
    return index_of_greatest(ctx, op, 0, bool(op.flag("keepdims", 1)))


@operator("TopK")
def import_top_k(ctx: Context, op: Op) -> tuple[Value | None, ...]:
    """The index of the greatest, for k = 1."""
    k = int(ctx.array(op, 1).ravel()[0]) if op.has(1) else op.flag("k", 1)
    op.ignore("sorted")  # there is but one
    values = op.outputs[0]
    if k != 1 or not op.flag("largest", 1) or ctx.model.readers[values] or values == ctx.model.output:
        op.fail(f"gives the {k} greatest and their values", "only the index of the greatest (k = 1) is supported")
    return None, index_of_greatest(ctx, op, -1, True)


def index_of_greatest(ctx: Context, op: Op, default: int, keep: bool) -> Value:
    """``ArgMax`` of the tensor's axis that the attribute ``axis`` names, at each position of the others."""
    value = ctx.operand(op, 0)
    assert isinstance(value, Value)
    shape = list(value.index.shape)
    axis = op.axis("axis", default, len(shape))
    order = np.moveaxis(value.index, axis, -1)
    lead = [n for n in order.shape[:-1] if n > 1]
    if value.host is not None and value.host.rounded:
        op.fail(f"takes the greatest of what a quantizer behind {value.host.kind} may have made equal",
                f"take it in front of {value.host.kind}")
    if value.host is not None and np.any(np.diff(value.host.groups[order], axis=-1)):
        op.fail(f"takes the greatest along another axis than the {value.host.kind} before it", "use one axis for both")
    value = arrange(ctx, op, replace(value, host=None), order.reshape(*lead, order.shape[-1]))
    value = ordered(ctx, op, value)
    classes = value.channels
    name = ctx.emit("argmax", ArgMax, (value.node,), (*lead, 1), Format.of_range(0, classes - 1), ONE)
    shape = [1 if i == axis else n for i, n in enumerate(shape)] if keep else shape[:axis] + shape[axis + 1 :]
    made = natural(name, (*lead, 1), tuple(shape), type="int64")
    ctx.views[name] = View(op.outputs[-1], made)
    return made


def ordered(ctx: Context, op: Op, value: Value) -> Value:
    """``value`` with integers in the order of the real numbers across channels, ties included."""
    value = settle(ctx, op, _without_rising(ctx, op, value))
    a, b = _lists(value)
    if len(set(a)) == 1 and len(set(b)) == 1 and a[0] > 0:
        return value
    signs = np.array([(f > 0) - (f < 0) for f in a])
    least = min((abs(f) for f in a if f), default=Fraction(1))
    a = [abs(f) or least for f in a]  # where the factor is 0 the integer will be, too
    found = _common(a, b)
    lo, hi = ctx.ranges[value.node]
    peak = max(abs(int(lo.min())), abs(int(hi.max())))
    if found is None or peak * max(found[0]) + max(abs(n) for n in found[1]) >= 1 << 62:
        op.fail("its scores have scales and offsets that no integers of 62 bits can order",
                "quantize the last layer with one scale")
    if np.any(signs < 1):
        value = mirrored(ctx, value, signs)
    value = value.settled(np.array(a, object), np.array(b, object))
    if len(set(a)) == 1 and len(set(b)) == 1:
        return value.settled(_one(np.array(a, object)), _one(np.array(b, object)))
    return _multiplied(ctx, value, a, b, *(np.array(v, np.int64) for v in found))


def _lists(value: Value) -> tuple[list[Fraction], list[Fraction]]:
    """Factor and offset of each channel of a value that is affine."""
    parts = value.affine()
    assert parts is not None
    return spread(parts[0], value.channels), spread(parts[1], value.channels)


def _common(a: list[Fraction], b: list[Fraction]) -> tuple[list[int], list[int]] | None:
    """(m, n): m·q + n orders the channels as a·q + b does; exactly proportional, or by ranks where that is smaller.

    With a = unit · m' and b = unit · (whole + fraction), m' · q + whole are integers, so that the fractions decide
    only between equal ones; their ranks 0, 1, … below M, a power of two, do the same: M · (m' · q + whole) + rank.
    """
    both = integer_ratio([*a, *b], EXACT_BITS)
    ratio = integer_ratio(a, EXACT_BITS)
    if ratio is None:
        return None
    multipliers, unit = ratio
    wholes = [f // unit for f in b]
    rests = [f / unit - w for f, w in zip(b, wholes)]
    ranks = {rest: i for i, rest in enumerate(sorted(set(rests)))}
    places = 1 << (len(ranks) - 1).bit_length()
    if both is not None and max(both[0][: len(a)]) <= max(multipliers) * places:
        return both[0][: len(a)], both[0][len(a) :]
    return [m * places for m in multipliers], [int(w) * places + ranks[r] for w, r in zip(wholes, rests)]


def _multiplied(ctx: Context, value: Value, a: list[Fraction], b: list[Fraction], multipliers: np.ndarray,
                bias: np.ndarray) -> Value:
    """Multiply the scores and add to them: a mere addition in the layer that gives them, anything else behind it."""
    if np.any(multipliers != 1) or not ctx.rescaled(value, multipliers, bias):
        lo, hi = ctx.ranges[value.node]
        low, high = int((lo * multipliers + bias).min()), int((hi * multipliers + bias).max())
        name = ctx.emit("score", Requantize, (value.node,), value.shape, Format.of_range(low, high),
                        multiplier=multipliers, offset=bias, shift=0, y_min=low, y_max=high)
        value = replace(value, node=name, trail=())
    scale = np.array([x / int(m) for x, m in zip(a, multipliers)], object)
    offset = np.array([y - x * int(n) for x, y, n in zip(scale, b, bias)], object)
    return value.settled(_one(scale), _one(offset))


def _one(row: np.ndarray) -> np.ndarray:
    single = np.empty((), object)
    single[()] = row[0]
    return single if np.all(row == row[0]) else row


def _without_rising(ctx: Context, op: Op, value: Value) -> Value:
    """``value`` without functions at its end that rise strictly and are one for all channels."""
    steps = value.steps
    while steps:
        step, _ = steps[-1]
        if not isinstance(step, Elementwise) or not SMOOTH.get(step.op, False) or any(c.ndim for c in step.constants):
            break
        ctx.note(f"node {op.name!r}: {step.op} in front of it does not change the order and is left out")
        steps = steps[:-1]
    return replace(value, steps=steps)


def finish(ctx: Context, value: Value) -> Value:
    """The network's result: integers in the real scores' order; what no integers can do is left to the host."""
    before = (ctx.model.output, value.index)
    if value.host is not None:
        before = value.host.before
        value = replace(value, host=None)
    elif value.node in ctx.views and not value.steps:
        return value
    op = next(op for op in ctx.model.ops if before[0] in op.outputs)
    try:
        value = settle(ctx, op, value)
    except ImportFailure:
        at = next(i for i, (step, _) in enumerate(value.steps) if step.affine() is None)
        behind = ctx.tensors.get(value.steps[at][1][0])
        if not isinstance(value.steps[at][0], Elementwise) or getattr(behind, "node", None) != value.node:
            raise  # no tensor of the file is what stands before it
        kinds = ", ".join(s.op if isinstance(s, Elementwise) else "a function" for s, _ in value.steps[at:])
        ctx.note(f"output {ctx.model.output!r}: {kinds} at its end is left to the host")
        before = value.steps[at][1]
        value = replace(value, steps=value.steps[:at])
    value = replace(value, index=before[1])
    if int(np.prod(value.index.shape)) == value.channels:
        value = ordered(ctx, op, value)
    parts = value.affine()
    assert parts is not None
    if ctx.nodes[value.node].inputs:  # the input stays what it is
        ctx.views[value.node] = View(before[0], value.settled(*parts))
    scale, offset = (np.ravel(floats(part)) for part in parts)
    ctx.note(f"output {before[0]!r} is left as integers: real = {_shown(scale)} · integer + {_shown(offset)}")
    return value


def _shown(numbers: np.ndarray) -> str:
    return f"{numbers[0]:.9g}" if np.all(numbers == numbers[0]) else f"{numbers.min():.6g} … {numbers.max():.6g}"

