"""Files with what moves elements, chooses some, adds a border, or makes constants of shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from .draft import Draft, recipe


def _moved(d: Draft, x: str) -> str:
    """``x`` behind a layer at times, so that its channels have functions of their own."""
    shape = d.shape_of(x)
    if len(shape) > 2 and d.chance(0.3):
        x = d.add("Conv", x, d.weights(4, shape[1], *(1,) * (len(shape) - 2)))
        return str(d.add("Add", x, d.normal(4, *(1,) * (len(shape) - 2))))
    return x


def _split(d: Draft, size: int) -> list[int]:
    """One, two or three factors of ``size``."""
    parts = []
    while size > 1 and len(parts) < 2:
        factor = d.pick(*(f for f in range(1, size + 1) if size % f == 0))
        parts.append(factor)
        size //= factor
    return [*parts, size]


@recipe("Reshape", weight=4)
def reshaped(d: Draft, kind: str) -> str:
    """Any factors, −1 and 0 for some, zeros allowed or not, the batch written or not."""
    x = _moved(d, d.operand())
    shape = d.shape_of(x)
    target: list[int] = [1, *_split(d, int(np.prod(shape)))]
    if d.chance(0.3):
        target = target[1:]
    if d.chance(0.3) and len(shape) > 2:
        target = [1, shape[1], int(np.prod(shape[2:]))]
    if d.chance(0.5):
        target[d.number(0, len(target) - 1)] = -1
    if d.chance(0.4):
        target = [0 if i < len(shape) and n == shape[i] else n for i, n in enumerate(target)]
    options = d.options(kind, allowzero=lambda: int(0 not in target and d.chance(0.5)))
    return str(d.add(kind, x, np.array(target, np.int64), **options))


@recipe("Flatten", weight=2)
def flattened(d: Draft, kind: str) -> str:
    """At any axis, counted from either end."""
    x = _moved(d, d.operand())
    ndim = len(d.shape_of(x))
    return str(d.add(kind, x, **d.options(kind, axis=lambda: d.number(-ndim, ndim))))


@recipe("Transpose", weight=2)
def turned(d: Draft, kind: str) -> str:
    """Any order of axes, the batch's too."""
    x = _moved(d, d.operand())
    ndim = len(d.shape_of(x))
    if d.chance(0.1):
        return str(d.add(kind, x))
    order = [0, *(int(n) for n in 1 + d.rng.permutation(ndim - 1))] if d.chance(0.8) else d.rng.permutation(ndim)
    return str(d.add(kind, x, perm=[int(n) for n in order]))


def _listed(d: Draft, kind: str, x: str, name: str, values: list[int]) -> str:
    """``kind`` with integers as an attribute or, in newer operator sets, as an input."""
    if d.has(kind, name):
        return str(d.add(kind, x, **{name: values}))
    return str(d.add(kind, x, np.array(values, np.int64)))


@recipe("Squeeze", "Unsqueeze")
def squeezed(d: Draft, kind: str) -> str:
    """Axes of one element taken out or put in, counted from either end, or found."""
    x = _moved(d, d.operand())
    ndim = len(d.shape_of(x))
    places = sorted(int(n) for n in d.rng.permutation(ndim + 1)[: d.number(1, 2)])
    places = sorted({min(p + i, ndim + len(places) - 1) for i, p in enumerate(places)})
    total = ndim + len(places)
    opened = _listed(d, "Unsqueeze", x, "axes", [p - total if d.chance(0.3) else p for p in places])
    if kind == "Unsqueeze":
        return opened
    if d.chance(0.2):
        return str(d.add(kind, opened))
    ones = [i for i, n in enumerate(d.shape_of(opened)) if n == 1]
    taken = [a for a in ones if d.chance(0.7)] or ones[:1]
    return _listed(d, kind, opened, "axes", [a - total if d.chance(0.3) else a for a in taken])


@recipe("Slice", weight=4)
def sliced(d: Draft, kind: str) -> str:
    """Bounds from either end and beyond, steps of either sign, some axes or all."""
    x = _moved(d, d.operand())
    shape = d.shape_of(x)
    ndim = len(shape)
    axes = sorted(int(a) for a in d.rng.permutation(np.arange(1, ndim) if ndim > 1 and d.chance(0.9) else ndim)[:2])
    if d.chance(0.2):
        axes = list(range(ndim))
    starts, ends, steps = [], [], []
    for axis in axes:
        n = shape[axis]
        step = d.pick(1, 1, 1, 2, -1, 3)
        first, last = sorted((d.number(0, n - 1), d.number(0, n)))
        last = max(last, first + 1)
        if axis == 0:
            first, last, step = 0, 1, 1
        if step < 0:
            first, last = last - 1, first - 1 if first else -(1 << 40)
        starts.append(first - n if d.chance(0.3) else first)
        ends.append(d.pick(last, (1 << 62) if last == n else last, last - n if 0 < last < n else last))
        steps.append(step)
    given = axes != list(range(len(axes))) or d.chance(0.5)
    named = [a - ndim if d.chance(0.3) else a for a in axes]
    kinds = d.pick(np.int64, np.int32) if max(map(abs, [*starts, *ends])) < 1 << 31 else np.int64
    lists: list[Any] = [np.array(v, kinds) for v in (starts, ends)]
    lists.append(np.array(named, kinds) if given else None)
    lists.append(np.array(steps, kinds) if any(s != 1 for s in steps) or d.chance(0.3) else None)
    return str(d.add(kind, x, *lists))


@recipe("Gather", weight=3)
def gathered(d: Draft, kind: str) -> str:
    """Places along any axis, counted from either end, in lists of any rank."""
    x = _moved(d, d.operand())
    shape = d.shape_of(x)
    axis = d.axis(len(shape), 1 if d.chance(0.9) and len(shape) > 1 else 0)
    n = shape[axis]
    rank: tuple[int, ...] = d.pick((), (1,), (2,), (n,), (2, 2))
    places = d.rng.integers(-n if d.chance(0.3) else 0, n, rank)
    if rank == (n,) and d.chance(0.5):
        places = d.rng.permutation(n)
    given = {"axis": axis} if axis or d.chance(0.5) else {}
    return str(d.add(kind, x, np.asarray(places, d.pick(np.int64, np.int32)), **given))


@recipe("Split", weight=3)
def split(d: Draft, kind: str) -> str:
    """Equal parts and others, along any axis; one part goes on, or two meet again."""
    x = _moved(d, d.operand())
    shape = d.shape_of(x)
    axis = d.axis(len(shape), 1 if len(shape) > 1 else 0)
    n, count = shape[axis], d.number(1, 3)
    options: dict[str, Any] = {"axis": axis}
    sizes: Any = None
    if n >= count and d.chance(0.5):
        cuts = sorted(int(c) for c in 1 + d.rng.permutation(n - 1)[: count - 1])
        sizes = [b - a for a, b in zip([0, *cuts], [*cuts, n])]
        if d.has(kind, "split"):
            options["split"], sizes = sizes, None
        else:
            sizes = np.array(sizes, np.int64)
    elif d.has(kind, "num_outputs"):
        options["num_outputs"] = count
    elif n % count:
        count = 1
    made = d.add(kind, x, sizes, outputs=count, **options)
    if count == 1:
        return str(made)
    first, second = (made[int(i)] for i in d.rng.permutation(count)[:2])
    return str(d.add("Concat", first, second, axis=axis) if d.chance(0.4) else first)


@recipe("Concat", weight=3)
def joined(d: Draft, kind: str) -> str:
    """Branches along any axis, of unequal scales, with constants, one alone."""
    x = d.operand()
    shape = d.shape_of(x)
    scale, zero = d.scale(), d.zero(np.int8)
    parts: list[Any] = [x]
    for _ in range(d.number(0, 2)):
        other = d.add(d.pick("Relu", "Neg", "Abs"), x)
        parts.append(d.pick(d.requantized(other, scale, zero), d.requantized(other, scale, zero), other,
                            d.normal(*shape)))
    d.rng.shuffle(parts)
    return str(d.add(kind, *parts, axis=d.axis(len(shape), 1 if len(shape) > 1 and d.chance(0.9) else 0)))


@recipe("Pad", weight=4)
def bordered(d: Draft, kind: str) -> str:
    """Any mode, any border, negative ones too, some axes alone."""
    x = _moved(d, d.operand())
    shape = d.shape_of(x)
    axes = list(range(len(shape)))
    options: dict[str, Any] = {}
    if d.chance(0.6):
        modes = ["constant", "constant", "constant", "reflect", "edge"] + ["wrap"] * (d.opset >= 19)
        options["mode"] = d.pick(*modes)
    named: Any = None
    if d.opset >= 18 and d.chance(0.5):
        axes = axes[2:] if len(axes) > 2 else axes[-1:]
        named = np.array([a - len(shape) if d.chance(0.3) else a for a in axes], d.pick(np.int64, np.int32))
    borders = []
    for axis in [*axes, *axes]:
        most = min(2, shape[axis] - 1) if options.get("mode", "constant") != "constant" else 2
        borders.append(d.number(0, most) if axis > 1 or d.chance(0.05) else 0)
    if d.chance(0.1) and shape[-1] > 1:
        borders[-1] = -1
    value = np.float32(d.pick(0.0, 0.0, 0.5, d.rng.normal())) if d.chance(0.5) else None
    return str(d.add(kind, x, np.array(borders, np.int64), value, named, **options))


@recipe("Shape", "Size")
def measured(d: Draft, kind: str) -> str:
    """A shape that becomes another's, a size that becomes a factor."""
    x = d.operand()
    ndim = len(d.shape_of(x))
    if kind == "Size":
        factor = d.add("Cast", d.add(kind, x), to=TensorProto.FLOAT)
        return str(d.add("Div", x, factor))
    options = d.options(kind, start=lambda: d.number(-ndim, ndim - 1), end=lambda: d.number(-ndim, ndim + 1))
    part = d.add(kind, x, **options)
    if options:
        total = d.add("Cast", d.add("ReduceSum", part, keepdims=0), to=TensorProto.FLOAT)
        return str(d.add("Mul", x, total))
    first = d.add("Gather", part, np.array([0], np.int64), axis=0)
    return str(d.add("Reshape", x, d.add("Concat", first, np.array([-1], np.int64), axis=0)))


@recipe("Constant")
def constant(d: Draft, kind: str) -> str:
    """A constant as a node, written in each way that ONNX has."""
    x = d.operand()
    value = float(np.float32(d.rng.normal()))
    names = ["value", *(n for n in ("value_float", "value_floats", "value_int") if d.has(kind, n))]
    how = d.pick(*names)
    if how == "value":
        from onnx import numpy_helper

        made = d.add(kind, value=numpy_helper.from_array(np.asarray([value], np.float32)))
    elif how == "value_int":
        made = d.add("Cast", d.add(kind, value_int=d.number(-3, 3)), to=TensorProto.FLOAT)
    else:
        made = d.add(kind, **{how: value if how == "value_float" else [value]})
    return str(d.add("Add", x, made))
