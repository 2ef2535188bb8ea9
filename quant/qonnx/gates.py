"""Products of two activations: element by element, or with a gate that serves all positions or all channels."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from ..operators import Multiply
from .arrange import arrange
from .context import Context
from .op import Op
from .ratios import spread, whole
from .settle import settle
from .values import Value, floats


def gated(ctx: Context, op: Op, left: Value, right: Value) -> Value:
    """``left`` times ``right``; one of them may be repeated along axes on which it has one element."""
    try:
        shape = np.broadcast_shapes(left.index.shape, right.index.shape)
    except ValueError:
        op.fail(f"tensors of shapes {left.index.shape} and {right.index.shape} cannot be multiplied", "export again")
    if left.index.size < int(np.prod(shape)):
        left, right = right, left
    if left.index.size != int(np.prod(shape)):
        op.fail(f"tensors of shapes {left.index.shape} and {right.index.shape} would both have to be repeated",
                "one of them must have the shape of the product")
    left, right = settle(ctx, op, left), settle(ctx, op, right)
    if left.index.size != left.size:
        op.fail("what it multiplies is part of another tensor", "multiply whole tensors")
    order = np.empty(left.size, np.int64)  # the gate's element for each of the node's
    order[left.index.ravel()] = np.broadcast_to(right.index, shape).ravel()
    right = arrange(ctx, op, right, _least(order.reshape(left.shape)))
    (a, p), (b, q) = _parts(left), _parts(right)
    zeros = [_zero(op, at, spread(x, v.channels), spread(y, v.channels))
             for at, x, y, v in ((1, a, p, left), (2, b, q, right))]
    unit = [x * y for x, y in zip(spread(a, left.channels), spread(b, right.channels) * (
        left.channels if right.channels == 1 else 1))]
    scale = floats(np.array(unit[:1] if len(set(unit)) == 1 else unit, object))
    scale = scale[0] if len(scale) == 1 else scale
    ctx.note(f"node {op.name!r} ({op.kind}): a product of two activations is not yet mapped onto a unit; the network "
             "can be run and compared, and not compiled")
    name = ctx.emit("gate", Multiply, (left.node, right.node), left.shape, None, np.asarray(scale),
                    offsets=(zeros[0], zeros[1]))
    return Value(name, left.shape, left.index.reshape(shape), scale=np.asarray(scale), batch=left.batch)


def _least(order: np.ndarray) -> np.ndarray:
    """``order`` with one element on each axis along which it does not change, if those are all or none of a kind."""
    positions = tuple(range(order.ndim - 1))
    once = order[(0,) * len(positions)].reshape(*(1,) * len(positions), -1)
    if positions and np.all(order == once):
        return np.asarray(once)
    return order[..., :1] if np.all(order == order[..., :1]) else order


def _parts(value: Value) -> tuple[np.ndarray, np.ndarray]:
    parts = value.affine()
    assert parts is not None
    return parts


def _zero(op: Op, at: int, factors: list[Fraction], offsets: list[Fraction]) -> int:
    """What is added to the integers of operand number ``at`` so that 0 stands for 0."""
    found = {whole(y / x) if x else None for x, y in zip(factors, offsets)}
    zero = found.pop() if len(found) == 1 else None
    if zero is None:
        op.fail(f"0 is no integer of its operand {at}, or not the same in each channel",
                "quantize it with one zero point that is an integer")
    return int(zero)
