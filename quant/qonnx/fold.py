"""Constants computed from constants, shape arithmetic included."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from ..formats import Format
from .context import Context, operator
from .op import Op
from .shapes import MOVES
from .types import INTEGERS, WHOLE
from .values import Const, Quantized, bare

ELEMENTS = 1 << 26
"""Elements that a computed constant may have."""

BYTES = 1 << 30
"""Bytes that all computed constants of a file may have together."""

ROUNDED = ("Round", "Floor", "Ceil", "Sign", "Clip", "Max", "Min", "Relu", "Where")
"""Operators that make integers of floats, or leave them integers."""

UNKNOWN = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial")
"""Operators whose result is not a constant, though they read nothing else."""


@operator("Constant")
def import_constant(ctx: Context, op: Op) -> Const:
    """A constant written as a node."""
    for name in ("value", "value_float", "value_int", "value_floats", "value_ints"):
        if (value := op.attribute(name)) is not None:
            kind = None if isinstance(value, np.ndarray) else np.float32 if "float" in name else np.int64
            return Const(np.asarray(value, dtype=kind))
    op.fail("holds no number", "export the model again")


def fold(ctx: Context, op: Op) -> tuple[Const, ...]:
    """What a standard operator computes of constants; integers behind them go along where it moves values alone."""
    operands = [ctx.const(op, at) if name else None for at, name in enumerate(op.inputs)]
    if op.channels_last:
        op.fail("is an operator of constants with channels last", "fold constants first")
    if op.kind in UNKNOWN:
        op.fail("gives random numbers", "a network must be deterministic to become hardware")
    _bounded(op, [o.array for o in operands if o is not None])
    results = [Const(np.asarray(r)) for r in _run(ctx, op, [None if o is None else o.array for o in operands])]
    ctx.folded += sum(result.array.nbytes for result in results)
    if ctx.folded > BYTES:
        op.fail(f"constants computed up to here have {ctx.folded} bytes", f"{BYTES} are the limit; fold them before")
    first = operands[0].quantized if operands and operands[0] is not None else None
    if op.kind == "Clip" and operands[0] is not None and (kind := operands[0].array.dtype.name) in INTEGERS:
        results[0] = _narrowed(operands, INTEGERS[kind] if first is None else first.format, results[0])
    elif op.kind == "Cast":
        kept = np.array_equal(results[0].array.astype(np.float64), ctx.const(op, 0).array.astype(np.float64))
        results[0] = _whole(results[0]) if first is None else Const(results[0].array, first) if kept else results[0]
    elif first is not None and op.kind in MOVES and op.kind != "Concat":
        results[0] = _moved(ctx, op, operands, first, results[0])
    elif op.kind in ("Mul", "Div") and len(results) == 1:
        results[0] = _scaled(op, operands, results[0])
    elif op.kind in ("Add", "Sub") and len(results) == 1:
        results[0] = _shifted(op, operands, results[0])
    elif op.kind in ROUNDED:
        results[0] = _whole(results[0])
    return tuple(results)


def _whole(result: Const) -> Const:
    """A constant of small whole numbers, and these as its integers."""
    array = result.array
    if array.dtype.kind != "f" or not array.size or not np.all(np.abs(array) <= WHOLE) or np.any(array % 1):
        return result
    ints = array.astype(np.int64)
    return Const(array, bare(ints, Format.of_range(int(ints.min()), int(ints.max()))))


def _narrowed(operands: list[Const | None], form: Format, result: Const) -> Const:
    """Clipped integers, of which as many bits are left as the bounds need."""
    low, high = (edge if o is None else choose(edge, int(o.array.ravel()[0])) for edge, choose, o in zip(
        (form.lo, form.hi), (max, min), [*operands[1:], None, None]))
    narrow = Format.of_range(low, high) if low < high else form
    return Const(result.array, bare(result.array.astype(np.int64), narrow if narrow.bits < form.bits else form))


def _moved(ctx: Context, op: Op, operands: list[Const | None], q: Quantized, result: Const) -> Const:
    """The integers behind a constant, moved as the constant is."""
    rest = [None if o is None else o.array for o in operands[1:]]
    ints, scale, zero = (np.asarray(_run(ctx, op, [part, *rest])[0]) for part in (q.ints, q.scale, q.zero))
    return Const(result.array, Quantized(ints, scale, zero, q.format)) if ints.shape == result.array.shape else result


def _scaled(op: Op, operands: list[Const | None], result: Const) -> Const:
    """A quantized constant times or over another: the same integers on another scale."""
    left, right = operands
    if left is None or right is None or (left.quantized is None) == (right.quantized is None):
        return result
    quantized, factor = (left, right) if left.quantized is not None else (right, left)
    if quantized is right and op.kind == "Div":
        return result
    q, f = quantized.quantized, factor.array.astype(np.float64)
    assert q is not None
    if q.ints.shape != result.array.shape or not np.all(f > 0):
        return result
    scale = q.scale * f if op.kind == "Mul" else q.scale / f
    return Const(result.array, replace(q, scale=scale))


def _shifted(op: Op, operands: list[Const | None], result: Const) -> Const:
    """A quantized constant and a whole number of its steps: the same integers on another zero point."""
    left, right = operands
    if left is None or right is None or left.quantized is None or right.quantized is not None:
        return result
    q, by = left.quantized, right.array.astype(np.float64)
    if q.ints.shape != result.array.shape or not np.all(by % 1 == 0) or not np.all(q.scale == 1):
        return result
    return Const(result.array, replace(q, zero=q.zero - by if op.kind == "Add" else q.zero + by))


def _bounded(op: Op, arrays: list[np.ndarray]) -> None:
    """Refuse what could fill the memory."""
    size = max((a.size for a in arrays), default=1)
    if op.kind in ("ConstantOfShape", "Expand", "Tile", "Range", "Pad", "Resize", "OneHot", "Einsum", "MatMul"):
        numbers = [abs(float(v)) for a in arrays if a.size <= 16 for v in a.ravel() if np.isfinite(v)]
        if op.kind == "MatMul" and len(arrays) == 2 and arrays[0].size and arrays[1].size:
            size = arrays[0].size * arrays[1].size // max(arrays[0].shape[-1:] or (1,))
        elif op.kind == "Range" and len(numbers) == 3 and numbers[2]:
            size = int((numbers[0] + numbers[1]) / numbers[2])
        else:
            size = int(min(size * float(np.prod([max(1.0, n) for n in numbers])), 2.0**62))
    else:
        size = max(size, _spread(arrays))
    if size > ELEMENTS:
        op.fail(f"would make a constant of {size} elements", f"{ELEMENTS} are the limit")


def _spread(arrays: list[np.ndarray]) -> int:
    """How many elements operands have that are broadcast against one another; 0 where they cannot be."""
    try:
        return int(np.prod(np.broadcast_shapes(*(a.shape for a in arrays)), dtype=np.float64))
    except ValueError:
        return 0


def _run(ctx: Context, op: Op, arrays: list[np.ndarray | None]) -> list[np.ndarray]:
    """What ONNX' reference implementation computes."""
    names = [f"i{i}" if a is not None else "" for i, a in enumerate(arrays)]
    outputs = [f"o{i}" for i in range(len(op.outputs))]
    node = onnx.NodeProto()
    node.CopyFrom(op.proto)
    del node.input[:], node.output[:]
    node.domain = ""
    node.input.extend(names)
    node.output.extend(outputs)
    feed = {n: a for n, a in zip(names, arrays) if a is not None}
    entries = [onnx.helper.make_tensor_value_info(n, onnx.helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
               for n, a in feed.items()]
    leaving = [onnx.helper.make_tensor_value_info(n, 0, None) for n in outputs]
    graph = onnx.helper.make_graph([node], "fold", entries, leaving)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", ctx.model.opset)])
    with np.errstate(all="ignore"):
        return [np.asarray(r) for r in ReferenceEvaluator(model).run(None, feed)]
