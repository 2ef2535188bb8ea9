"""Quantizers written out as arithmetic: divide, clip, round, multiply, as LSQ, HAWQ and others are exported.

What rounds makes integers. If few are possible, it is the quantizer, together with the functions in front of it and the
bounds behind it; if a quantizer of the file follows anyway, rounding is one more function in front of that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..formats import Format
from ..rules import Rule
from .activation import quantize, take_input
from .context import Context, operator
from .elementwise import applied
from .op import Op
from .quantizers import Quantizer
from .shapes import SHAPES
from .steps import EXACT, SMOOTH, Elementwise
from .types import FLOAT
from .values import Const, Value

ROUNDINGS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "Round": (np.round, "ROUND"), "Floor": (np.floor, "FLOOR"), "Ceil": (np.ceil, "CEIL"), "Cast": (np.trunc, "DOWN")}
"""Operator that makes integers of floats → its function, and QONNX's name of it."""

QUANTIZERS = ("Quant", "IntQuant", "BipolarQuant", "QuantizeLinear")
"""Quantizers that may stand right behind the input."""

FUNCTIONS = {*EXACT, *SMOOTH, *SHAPES, "Relu", "PRelu", "Max", "Min", "BatchNormalization"}
"""What may stand between rounding and a quantizer that takes it up."""

BOUNDED, FREE = 1 << 16, 1 << 8
"""How many integers a written quantizer may make: where something clips, and where nothing does."""


@dataclass(frozen=True)
class Bounds:
    """What follows a rounding: ``shift`` is added, and ``low`` … ``high`` are left, in ``tensor`` behind ``ops``."""

    low: float
    high: float
    tensor: str
    shift: int = 0
    ops: tuple[Op, ...] = ()


def bounds_of(ctx: Context, op: Op, tensor: str) -> tuple[float, float] | None:
    """Between which numbers ``op`` leaves those of ``tensor``, if it is a bound and nothing else."""
    given: list[object]
    if op.kind == "Relu" and not op.attributes:
        return 0.0, np.inf
    if op.kind == "Clip" and op.inputs[0] == tensor and len(op.inputs) <= 3 and set(op.attributes) <= {"min", "max"}:
        given = [_number(ctx, op, at) if op.has(at) else op.attributes.get(name, free)
                 for at, name, free in ((1, "min", -np.inf), (2, "max", np.inf))]
    elif op.kind in ("Max", "Min") and len(op.inputs) == 2 and not op.attributes:
        bound = _number(ctx, op, 1 - op.inputs.index(tensor))
        given = [bound, np.inf] if op.kind == "Max" else [-np.inf, bound]
    else:
        return None
    low, high = (float(g) if isinstance(g, (int, float)) else np.nan for g in given)
    return (low, high) if low <= high else None


def _number(ctx: Context, op: Op, at: int) -> float | None:
    """The constant operand number ``at``, if it is one number."""
    operand = ctx.tensors.get(op.inputs[at])
    return float(operand.array.ravel()[0]) if isinstance(operand, Const) and operand.array.size == 1 else None


def _sole(ctx: Context, tensor: str) -> Op | None:
    """The only operation that reads ``tensor``."""
    readers = ctx.model.reading(tensor)
    alone = len(readers) == 1 and tensor != ctx.model.output and readers[0].inputs.count(tensor) == 1
    return readers[0] if alone else None


def following(ctx: Context, tensor: str, low: float = -np.inf, high: float = np.inf) -> Bounds:
    """What bounds the integers ``low`` … ``high`` of ``tensor``: clips at integers, whole numbers added between."""
    found, shift, ops = Bounds(low, high, tensor), 0, []
    while (op := _sole(ctx, tensor)) is not None:
        limits = bounds_of(ctx, op, tensor)
        added = _added(ctx, op, tensor) if limits is None else 0
        if added is None or (limits is not None and any(np.isfinite(v) and v % 1 for v in limits)):
            break
        ops.append(op)
        low, high, shift, tensor = low + added, high + added, shift + added, op.outputs[0]
        if limits is not None:
            low, high = max(low, limits[0]), min(high, limits[1])
            if low >= high:
                break
            found = Bounds(low, high, tensor, shift, tuple(ops))
    return found


def _added(ctx: Context, op: Op, tensor: str) -> int | None:
    """The whole number that ``op`` adds to ``tensor``, if it does that."""
    if op.kind not in ("Add", "Sub") or op.attributes or (op.kind == "Sub" and op.inputs[0] != tensor):
        return None
    number = _number(ctx, op, 1 - op.inputs.index(tensor))
    return None if number is None or number % 1 else int(number) * (1 if op.kind == "Add" else -1)


def behind_input(ctx: Context) -> Op | None:
    """The quantizer right behind the input that alone reads it, but for shapes: one of the file's, or a written one."""
    tensor, seen = ctx.model.input, ""
    low, high = -np.inf, np.inf
    while (op := _sole(ctx, tensor)) is not None:
        limits = bounds_of(ctx, op, tensor)
        if op.kind in QUANTIZERS and op.inputs[0] == tensor:
            return None if seen else op
        if op.kind in ("Round", "Floor", "Ceil") and seen:
            made = following(ctx, op.outputs[0], low, high)
            if not np.isfinite(made.high - made.low) or made.shift or not 0 < made.high - made.low <= BOUNDED:
                return None
            ctx.bounds[op] = made
            return op
        if limits is not None and seen and not any(np.isfinite(v) and v % 1 for v in limits):
            low, high = max(low, limits[0]), min(high, limits[1])
            seen += "c"
        elif op.kind == "Div" and not seen and op.inputs[0] == tensor and _positive(ctx, op):
            seen = "d"
        elif op.kind == "Add" and seen == "d" and isinstance(
                ctx.tensors.get(op.inputs[1 - op.inputs.index(tensor)]), Const):
            seen += "a"
        elif op.kind not in SHAPES and not (op.kind == "Cast" and op.attributes.get("to") == 1):
            return None
        tensor = op.outputs[0]
    return None


def _positive(ctx: Context, op: Op) -> bool:
    operand = ctx.tensors.get(op.inputs[1])
    return isinstance(operand, Const) and operand.array.dtype.name == FLOAT and bool(np.all(operand.array > 0))


@operator("Round", "Floor", "Ceil")
def import_rounding(ctx: Context, op: Op) -> Value:
    """Whole numbers: a quantizer, or a function in front of one."""
    value = ctx.value(op)
    return _entry(ctx, op, value) if op is ctx.direct else rounded(ctx, op, value, op.kind)


def _entry(ctx: Context, op: Op, value: Value) -> Value:
    """The input's own quantizer: x / scale + zero, clipped and rounded."""
    own = {step.op: step.constants[0] for step, _ in value.steps if isinstance(step, Elementwise)}
    scale, zero, found = own["Div"], own.get("Add", np.zeros((), np.float32)), ctx.bounds[op]
    low, high = int(found.low), int(found.high)
    ctx.absorbed.update(found.ops)
    rule = Rule("Quant", low, high, ROUNDINGS[op.kind][1])
    made = Quantizer(rule, (scale, zero), Format.of_range(low, high), low, 1, high - low)
    return take_input(ctx, op, replace(value, steps=()), made, found.tensor)


def rounded(ctx: Context, op: Op, value: Value, kind: str) -> Value:
    """``value`` rounded as ``kind`` does; a node of its own, unless a quantizer follows or too many are possible."""
    if whole(value):
        return value
    pending = applied(ctx, op, value, kind)
    narrow = pending.monotone or int((np.subtract(*reversed(ctx.ranges[pending.node]))).max()) < BOUNDED
    if _taken_up(ctx, op.outputs[0]) or not narrow:
        return pending
    found = following(ctx, op.outputs[0], *ctx.extremes(op, pending))
    clipped = found.ops or any(isinstance(step, Elementwise) and step.op == "Clip" for step, _ in value.steps)
    if found.high - found.low > (BOUNDED if clipped else FREE):
        return pending
    low, high = int(found.low), int(max(found.high, found.low + 1))  # it may be the same for every sum

    def integer(constants: tuple[np.ndarray, ...], x: np.ndarray) -> np.ndarray:
        return np.clip(ROUNDINGS[kind][0](x) + found.shift, low, high)

    ctx.absorbed.update(found.ops)
    made = Quantizer(integer, (), Format.of_range(low, high), low, 1, high - low)
    return quantize(ctx, op, value, made, found.tensor)


def whole(value: Value) -> bool:
    """Whether all its numbers are integers already."""
    parts = value.affine()
    return parts is not None and all(f.denominator == 1 for part in parts for f in part.ravel())


def _taken_up(ctx: Context, tensor: str) -> bool:
    """Whether a quantizer of the file follows, with nothing but functions and moves between."""
    while (op := _sole(ctx, tensor)) is not None:
        if op.kind in (*QUANTIZERS, "Trunc", "MultiThreshold", "Sign"):
            return True
        others = [name for name in op.inputs if name and name != tensor]
        if op.kind not in FUNCTIONS or not all(
                isinstance(ctx.tensors.get(name), Const) for name in others):
            return False
        tensor = op.outputs[0]
    return False
