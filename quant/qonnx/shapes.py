"""Operators that move elements or name them anew: no hardware, but for a choice of some of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from .arrange import arrange
from .context import Context, operator
from .lookup import looked_up
from .op import Op
from .values import Const, Value

MOVES = ("Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Cast", "Slice", "Gather",
         "Expand", "Split", "Concat")
"""Operators that keep the values of their first operand; on constants they keep the integers behind them too."""

SHAPES = ("Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Dropout")
"""Those that keep every element of it, once."""


@operator("Identity", "Dropout", "DebugMarker")
def import_identity(ctx: Context, op: Op) -> Value | tuple[Value | None, ...]:
    """Nothing to do."""
    value = _any(ctx, op)
    op.ignore("export_debug_name")
    if op.kind == "Dropout":
        op.ignore("ratio", "seed", inputs=[1])  # they say what training does
        training = ctx.optional(op, 2)
        if op.flag("is_test", int(ctx.model.opset >= 7)) == 0 or (training is not None and np.any(training)):
            op.fail("is in training mode", "export the model in eval mode")
    return (value, *(None,) * (len(op.outputs) - 1))


@operator("Reshape")
def import_reshape(ctx: Context, op: Op) -> Value:
    """The target shape, 0 and −1 resolved for as many samples as the file's input has."""
    value = _any(ctx, op)
    old = full_shape(ctx, value)
    target = list(listed(ctx, op, "shape", 1) or ())
    if not op.flag("allowzero", 0):
        target = [old[i] if v == 0 and i < len(old) else v for i, v in enumerate(target)]
    shape, axis = _fit(ctx, op, value, target)
    return replace(value, index=value.index.reshape(shape), batch=axis)


def _fit(ctx: Context, op: Op, value: Value, target: list[int]) -> tuple[tuple[int, ...], int]:
    """The shape that one sample takes, and the axis along which the samples lie then."""
    batch, size = ctx.model.batch, value.index.size
    shape = _resolved(target, batch * size)
    if shape is None and batch == 1 and len(target) > 1:  # a batch of the file's own, whose input leaves it open
        shape = _resolved([1, *target[1:]], size)
    before = int(np.prod(value.index.shape[: value.batch]))
    for axis in range(len(shape or ())):
        assert shape is not None
        if int(np.prod(shape[:axis])) == before and shape[axis] % batch == 0:
            return (*shape[:axis], shape[axis] // batch, *shape[axis + 1 :]), axis
    if batch == 1 and shape is not None:
        return shape, 0
    many = f"{batch} samples" if batch > 1 else "a sample"
    op.fail(f"{many} of shape {value.index.shape} do not fit the shape {target}", "export with a batch of 1")


def _resolved(target: list[int], size: int) -> tuple[int, ...] | None:
    """``target`` with its −1 resolved, if it has ``size`` elements."""
    rest = int(np.prod([v for v in target if v != -1]))
    if target.count(-1) == 1 and rest > 0 and size % rest == 0:
        target = [size // rest if v == -1 else v for v in target]
    return tuple(target) if int(np.prod(target)) == size and all(v > 0 for v in target) else None


def full_shape(ctx: Context, value: Value) -> tuple[int, ...]:
    """The tensor's shape in the file: that of one sample, times the samples along the batch's axis."""
    shape = list(value.index.shape)
    if shape:
        shape[value.batch] *= ctx.model.batch
    return tuple(shape)


def _any(ctx: Context, op: Op) -> Value:
    value = ctx.operand(op, 0)
    assert isinstance(value, Value)
    return value


@operator("Flatten")
def import_flatten(ctx: Context, op: Op) -> Value:
    """Two axes: those before ``axis``, and the others."""
    value = _any(ctx, op)
    axis = op.flag("axis", 1)
    if not -value.index.ndim <= axis <= value.index.ndim:
        op.fail(f"axis {axis} does not fit a tensor of shape {value.index.shape}", "export the model again")
    axis += value.index.ndim if axis < 0 else 0
    shape, batch = _fit(ctx, op, value, [int(np.prod(full_shape(ctx, value)[:axis])), -1])
    return replace(value, index=value.index.reshape(shape), batch=batch)


@operator("Transpose")
def import_transpose(ctx: Context, op: Op) -> Value:
    """Axes in another order."""
    value = _any(ctx, op)
    perm = op.axes("perm", None) or tuple(reversed(range(value.index.ndim)))
    if sorted(perm) != list(range(value.index.ndim)):
        op.fail(f"perm {perm} does not fit a tensor of shape {value.index.shape}", "export the model again")
    return replace(value, index=value.index.transpose(perm), batch=perm.index(value.batch))


@operator("Expand", "Tile")
def import_expand(ctx: Context, op: Op) -> Value:
    """Nothing, where no element is repeated: exporters write the tensor's own shape."""
    value = _any(ctx, op)
    shape, given = full_shape(ctx, value), [int(n) for n in ctx.array(op, 1).ravel()]
    if op.kind == "Expand":
        given = [1] * (len(shape) - len(given)) + given
        same = len(given) == len(shape) and all(n in (1, m) for n, m in zip(given, shape))
    else:
        same = all(n == 1 for n in given)
    if not same:
        op.fail(f"repeats elements of a tensor of shape {shape} ({given})", "leave it out in front of Mul, which "
                "repeats a gate by itself, or upsample with Resize")
    return value


def listed(ctx: Context, op: Op, name: str, at: int) -> tuple[int, ...] | None:
    """Integers that are an attribute in older opsets and an input in newer ones."""
    array = ctx.optional(op, at)
    if array is not None:
        return tuple(int(v) for v in array.ravel())
    return op.axes(name, None)


@operator("Squeeze", "Unsqueeze")
def import_squeeze(ctx: Context, op: Op) -> Value:
    """Axes of one element taken out or put in."""
    value = _any(ctx, op)
    axes = listed(ctx, op, "axes", 1)
    index = value.index
    if op.kind == "Unsqueeze":
        new = np.expand_dims(index, axes or ())
        added = {a % new.ndim for a in axes or ()}
        return replace(value, index=new, batch=[i for i in range(new.ndim) if i not in added][value.batch])
    shape = full_shape(ctx, value)
    if axes is None:
        axes = tuple(i for i, n in enumerate(shape) if n == 1)
    if any(shape[a] != 1 for a in axes):
        op.fail(f"axes {axes} of a tensor of shape {shape} have more than one element", "export again")
    left = np.delete(np.arange(index.ndim), axes).tolist()
    return replace(value, index=np.squeeze(index, axes), batch=left.index(value.batch) if value.batch in left else 0)


@operator("Shape")
def import_shape(ctx: Context, op: Op) -> Const:
    """The shape, a constant."""
    shape = np.array(full_shape(ctx, _any(ctx, op)), np.int64)
    return Const(shape[op.flag("start", 0) : op.flag("end", len(shape))])


@operator("Size")
def import_size(ctx: Context, op: Op) -> Const:
    """How many elements there are."""
    return Const(np.array(_any(ctx, op).index.size * ctx.model.batch, np.int64))


def chosen(ctx: Context, op: Op, value: Value, index: np.ndarray) -> Value:
    """``value`` with some of its elements alone, as a node of their own."""
    part = replace(value, index=index)
    if index.size == 0:
        op.fail("leaves no elements", "export the model again")
    if index.ndim < 2:
        return arrange(ctx, op, part, index.reshape(-1))
    if index.size == value.size:
        return part
    inner = index[0] if index.ndim > 2 else index.reshape(-1)
    return arrange(ctx, op, part, np.moveaxis(inner, 0, -1) if index.ndim > 2 and not _last(value) else inner)


def _last(value: Value) -> bool:
    """Whether the tensor's last axis is the node's channels."""
    return value.index.shape[-1] == value.channels and bool(np.all(np.diff(value.index, axis=-1) == 1))


def _of_the_batch(ctx: Context, op: Op, value: Value, axis: int, places: Iterable[int]) -> bool:
    """Whether ``axis`` holds the file's samples, of which all must be taken, in order."""
    if ctx.model.batch == 1 or axis % value.index.ndim != value.batch:
        return False
    if list(places) != list(range(full_shape(ctx, value)[value.batch])):
        op.fail(f"takes some of the {ctx.model.batch} samples of a batch", "export the model with a batch of 1")
    return True


@operator("Slice")
def import_slice(ctx: Context, op: Op) -> Value:
    """Every so many elements between two bounds on some axes."""
    value = ctx.elements(op)
    starts, ends = listed(ctx, op, "starts", 1), listed(ctx, op, "ends", 2)
    if starts is None or ends is None or len(starts) != len(ends):
        op.fail("needs as many ends as starts", "export the model again")
    axes = listed(ctx, op, "axes", 3) or tuple(range(len(starts)))
    steps = listed(ctx, op, "steps", 4) or (1,) * len(starts)
    cut = [slice(None)] * value.index.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps):
        size = full_shape(ctx, value)[axis]
        end_ = None if step < 0 and end < -size else end
        if _of_the_batch(ctx, op, value, axis, range(*slice(start, end_, step).indices(size))):
            continue
        cut[axis] = slice(start, end_, step)
    return chosen(ctx, op, value, value.index[tuple(cut)])


@operator("Gather")
def import_gather(ctx: Context, op: Op) -> Value:
    """Constant places along one axis, or rows of a constant."""
    if isinstance(ctx.operand(op, 0), Const):
        return looked_up(ctx, op)
    value = ctx.elements(op)
    places, axis = ctx.array(op, 1).astype(np.int64), op.axis("axis", 0, value.index.ndim)
    if _of_the_batch(ctx, op, value, axis, places.ravel()) and places.ndim == 1:
        return value
    made = chosen(ctx, op, value, np.take(value.index, places, axis=axis))
    return replace(made, batch=max(0, value.batch + (places.ndim - 1 if axis < value.batch else 0)))


@operator("Split")
def import_split(ctx: Context, op: Op) -> tuple[Value, ...]:
    """Parts along one axis."""
    value = ctx.elements(op)
    axis, count = op.axis("axis", 0, value.index.ndim), len(op.outputs)
    if op.flag("num_outputs", count) != count:
        op.fail(f"num_outputs {op.flag('num_outputs', count)} does not fit {count} outputs", "export the model again")
    sizes = listed(ctx, op, "split", 1)
    if sizes is None:
        size = full_shape(ctx, value)[axis]
        step = -(-size // count)
        sizes = (*(step,) * (count - 1), size - step * (count - 1))
    if _of_the_batch(ctx, op, value, axis, range(sizes[0])) and count == 1:
        return (value,)
    if len(sizes) != count or min(sizes) < 0 or sum(sizes) != value.index.shape[axis]:
        op.fail(f"parts of {sizes} do not fit {count} outputs and axis {axis} of a tensor of shape "
                f"{value.index.shape}", "export the model again")
    parts = np.split(value.index, np.cumsum(sizes)[:-1], axis=axis)
    return tuple(chosen(ctx, op, value, part) for part in parts)
