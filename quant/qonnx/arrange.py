"""Order and constants: from the file's order of elements to the integer graph's, channels last."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..formats import Format
from ..operators import Conv, DepthToSpace, MatMul, Reshape
from .context import Context
from .op import Op
from .reorder import reordered
from .values import Value

_ONE_BIT = Format(1)


def positions_of(value: Value, flat: np.ndarray) -> np.ndarray:
    """Where each element of the tensor stands in an order ``flat`` of the node's elements that covers it."""
    inverse = np.zeros(value.size, np.int64)
    inverse[flat.ravel()] = np.arange(flat.size)
    return np.asarray(inverse[value.index])


def arrange(ctx: Context, op: Op, value: Value, order: np.ndarray) -> Value:
    """``value`` over a node of ``order``'s shape whose element i is element ``order[i]`` of the present node.

    Nothing where that is the present order, a ``Reshape`` where only the shape differs; channels are chosen by a
    product with a one-hot matrix, positions by a depthwise convolution with a one-hot kernel, blocks by
    ``DepthToSpace``, features of a dense layer by the order of its rows.
    """
    if order.shape == value.shape and np.array_equal(order.ravel(), np.arange(value.size)):
        return value
    result = _reshaped(ctx, op, value, order) or _shuffled(ctx, value, order) or _selected(ctx, op, value, order)
    if result is None and (moved := reordered(ctx, value, order.ravel())) is not None:
        result = _reshaped(ctx, op, moved, np.arange(value.size).reshape(order.shape))
    if result is None:
        op.fail("its operand's elements would have to be put into another order than a stream can be",
                "transpose or reshape whole channels only, or flatten before")
    return result


def last(ctx: Context, op: Op, value: Value, axis: int = 1) -> Value:
    """``value`` over a node with the tensor's ``axis`` as channels and the other axes but the batch's as positions."""
    return arrange(ctx, op, value, np.moveaxis(value.index, axis, -1)[0])


def flat(ctx: Context, op: Op, value: Value) -> Value:
    """``value`` over a node with one axis, its elements in the order they have."""
    return arrange(ctx, op, value, np.arange(value.size))


def _reshaped(ctx: Context, op: Op, value: Value, order: np.ndarray) -> Value | None:
    if order.size != value.size or not np.array_equal(order.ravel(), np.arange(value.size)):
        return None
    channels = _channels(value, order)
    if channels is None:
        op.fail("would need one function per position", "use parameters per channel")
    name = ctx.emit("reshape", Reshape, (value.node,), order.shape, ctx.nodes[value.node].output.format)
    return value.with_channels(name, order.shape, value.index, channels)


def _channels(value: Value, order: np.ndarray) -> np.ndarray | None:
    """The present channel whose functions serve each channel of ``order``; None where no single one does."""
    channels = (order % value.channels).reshape(-1, order.shape[-1])
    if np.all(channels == channels[0]):
        return np.asarray(channels[0])
    constants = (value.scale, value.zero, value.offset, *(c for step, _ in value.steps for c in step.constants))
    if all(c.ndim == 0 or np.all(c[channels] == c[channels[0]]) for c in constants):
        return np.asarray(channels[0])
    return None


def _shuffled(ctx: Context, value: Value, order: np.ndarray) -> Value | None:
    """A depth-to-space permutation, written as reshapes and transpositions."""
    if order.ndim != 3 or len(value.shape) != 3 or order.size != value.size:
        return None
    block = order.shape[0] // value.shape[0]
    if block < 2 or order.shape[1] != value.shape[1] * block or order.shape[0] != value.shape[0] * block:
        return None
    output = replace(ctx.nodes[value.node].output, shape=order.shape)
    for mode in ("DCR", "CRD"):
        trial = DepthToSpace("trial", (value.node,), output, block, mode)
        made = trial.evaluate(np.arange(value.size).reshape(1, *value.shape))[0]
        if np.array_equal(made, order) and value.uniform:
            return depth_to_space(ctx, value, order.shape, block, mode, positions_of(value, order))
    return None


def depth_to_space(ctx: Context, value: Value, shape: tuple[int, ...], block: int, mode: str,
                   index: np.ndarray) -> Value:
    """Emit the block permutation of a value whose channels have one function."""
    form = ctx.nodes[value.node].output.format
    name = ctx.emit("shuffle", DepthToSpace, (value.node,), shape, form, block=block, mode=mode)
    return replace(value, node=name, shape=shape, index=index)


def mirrored(ctx: Context, value: Value, signs: np.ndarray) -> Value:
    """``value`` with the integers of each channel times −1, 0 or 1, its functions left as they are.

    In the layer that gives them where nothing else reads them, else by one weight per channel.
    """
    if ctx.rescaled(value, signs):
        return value
    dims, form = len(value.shape) - 1, Format(2, True)
    if dims:
        axes = (1,) * dims
        name = ctx.emit("negate", Conv, (value.node,), value.shape, None, weights=signs.reshape(-1, *axes, 1),
                        weight_format=form, stride=axes, dilation=axes, groups=value.channels)
    else:
        name = ctx.emit("negate", MatMul, (value.node,), value.shape, None, weights=signs.reshape(-1, 1),
                        weight_format=form, groups=value.channels)
    return replace(value, node=name, trail=())


def _selected(ctx: Context, op: Op, value: Value, order: np.ndarray) -> Value | None:
    """The same channels at each of a regular choice of positions."""
    if order.ndim != len(value.shape):
        if order.ndim == 1 and value.size <= 4096:
            return _selected(ctx, op, flat(ctx, op, value), order)
        return None
    place, channel = np.divmod(order, value.channels)
    first = channel.reshape(-1, order.shape[-1])[0]
    if not np.all(channel == first) or not np.all(place == place[..., :1]):
        return None
    grid = _grid(place[..., 0], value.shape[:-1])
    if grid is None:
        return None
    index = positions_of(value, order)
    if not np.array_equal(first, np.arange(value.channels)):
        weights = (first[:, None] == np.arange(value.channels)).astype(np.int64)
        name = ctx.emit("select", MatMul, (value.node,), (*value.shape[:-1], len(first)), None,
                        weights=weights, weight_format=_ONE_BIT)
        value = value.with_channels(name, (*value.shape[:-1], len(first)), value.index, first)
    if order.shape != value.shape:
        start, stride = grid
        kernel = tuple(n - s * (m - 1) for n, s, m in zip(value.shape, stride, order.shape[:-1]))
        weights = np.zeros((value.channels, *kernel, 1), np.int64)
        weights.reshape(value.channels, -1)[:, np.ravel_multi_index(start, kernel)] = 1
        name = ctx.emit("crop", Conv, (value.node,), order.shape, None, weights=weights, weight_format=_ONE_BIT,
                        stride=stride, dilation=(1,) * len(kernel), groups=value.channels)
        value = replace(value, node=name, shape=order.shape)
    return replace(value, index=index)


def _grid(place: np.ndarray, spatial: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """(start, stride) on each axis if the positions ``place`` form a regular grid of ``spatial``, else None."""
    if not spatial:
        return (), ()
    coordinates = np.unravel_index(place, spatial)
    start, stride = [], []
    for axis, at in enumerate(coordinates):
        line = np.moveaxis(at, axis, 0).reshape(at.shape[axis], -1)
        step = int(line[1, 0] - line[0, 0]) if len(line) > 1 else 1
        expected = line[0, 0] + step * np.arange(len(line))
        if step < 1 or not np.all(line == expected[:, None]):
            return None
        start.append(int(line[0, 0]))
        stride.append(step)
    return tuple(start), tuple(stride)


def ground(ctx: Context, op: Op, value: Value, *constants: np.ndarray) -> tuple[Value, list[np.ndarray]]:
    """Constants that broadcast against the tensor, as scalars or one number per channel of the node.

    Where they differ from position to position, the value's node becomes one with a channel per element.
    """
    shape = value.index.shape
    constants = tuple(_of_one_sample(ctx, op, value, c) for c in constants)
    for c in constants:
        try:
            shape = np.broadcast_shapes(shape, c.shape)
        except ValueError:
            op.fail(f"constants of shape {c.shape} do not fit a tensor of shape {value.index.shape}", "export again")
    if int(np.prod(shape)) != value.index.size:
        op.fail(f"a tensor of shape {value.index.shape} would be repeated to {shape}",
                "constants must not be larger than the tensor they are applied to")
    value = replace(value, index=value.index.reshape(shape))
    elements = [_elements(value, c) for c in constants]
    rows = [e if e.ndim == 0 else e.reshape(-1, value.channels) for e in elements]
    if any(r.ndim and not np.all(r == r[0]) for r in rows):
        value = flat(ctx, op, value)
        return value, elements
    return value, [_least(r if r.ndim == 0 else r[0]) for r in rows]


def _of_one_sample(ctx: Context, op: Op, value: Value, constant: np.ndarray) -> np.ndarray:
    """``constant`` for one sample, where it is written once for each of the file's."""
    batch, axis = ctx.model.batch, value.batch - value.index.ndim
    if batch == 1 or constant.ndim < -axis or constant.shape[axis] in (1, value.index.shape[axis]):
        return constant
    parts = np.split(constant, batch, axis=axis) if constant.shape[axis] % batch == 0 else []
    if not parts or any(not np.array_equal(part, parts[0]) for part in parts[1:]):
        op.fail(f"a constant of shape {constant.shape} differs among the {batch} samples of a batch",
                "export the model with a batch of 1")
    return parts[0]


def _elements(value: Value, constant: np.ndarray) -> np.ndarray:
    """One number per element of the node (any number where the tensor has none), or a scalar."""
    constant = np.asarray(constant)
    if constant.size == 1:
        return constant.reshape(())
    spread = np.broadcast_to(constant, value.index.shape).ravel()
    elements = np.full(value.size, spread[0])
    if value.index.size < value.size:  # fill channel by channel, so that what is not read does not matter
        channels = np.full(value.channels, spread[0])
        channels[value.index.ravel() % value.channels] = spread
        elements = np.tile(channels, value.size // value.channels)
    elements[value.index.ravel()] = spread
    return elements


def _least(row: np.ndarray) -> np.ndarray:
    return row if row.ndim == 0 or not np.all(row == row[0]) else np.asarray(row[0])
