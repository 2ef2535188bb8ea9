"""Files with functions of single elements: with constants of every shape, of branches, of one value twice."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from .draft import Array, Draft, recipe

INT8 = np.int8


@recipe("Abs", "Ceil", "Floor", "Neg", "Round", "Sign", "Sigmoid", "Tanh", "Erf", "Exp", "Softplus", "Softsign", "Sin",
        "Cos", "Tan", "Atan", "Sinh", "Asinh", "HardSwish", "Mish", "Relu", "Identity")
def unary(d: Draft, kind: str) -> str:
    """A function without attributes."""
    return str(d.add(kind, d.operand()))


@recipe("Sqrt", "Log", "Reciprocal")
def rooted(d: Draft, kind: str) -> str:
    """A function of positive numbers, mostly of nothing else."""
    x = d.operand()
    if d.chance(0.85):
        x = d.add("Add", d.add("Abs", x), np.float32(0.05))
    return str(d.add(kind, x))


@recipe("Elu", "Selu", "Celu", "LeakyRelu", "ThresholdedRelu", "HardSigmoid", "Gelu", "Swish")
def shaped(d: Draft, kind: str) -> str:
    """A function with attributes; slopes below 0 too."""
    options = d.options(
        kind, alpha=lambda: float(np.float32(d.pick(d.rng.uniform(0.05, 2), d.rng.uniform(-0.5, 2), 1.0))),
        beta=lambda: float(np.float32(d.rng.uniform(0, 1))), gamma=lambda: float(np.float32(d.rng.uniform(0.5, 2))),
        approximate=lambda: d.pick("none", "tanh"))
    return str(d.add(kind, d.operand(), **options))


def _constant(d: Draft, shape: tuple[int, ...], *, positive: bool = False) -> Array:
    """A constant that broadcasts: a scalar, one per channel, one per position, one per element, along any axis."""
    how = d.number(0, 6)
    own: tuple[int, ...]
    if how <= 1:
        own = d.pick((), (1,))
    elif how == 2 and len(shape) > 1:
        own = (shape[1], *(1,) * (len(shape) - 2))
    elif how == 3 and len(shape) > 1:
        own = (1, shape[1], *(1,) * (len(shape) - 2))
    elif how == 4:
        own = shape[-d.number(1, len(shape)) :] if shape else ()
    elif how == 5:
        own = tuple(n if d.chance(0.5) else 1 for n in shape)
    else:
        own = (*(1,) * d.number(0, 1), *shape) if d.chance(0.8) else (2, *shape)
    values = d.rng.uniform(0.3, 2, own) if positive else d.rng.normal(0, 1, own)
    if d.chance(0.3):
        values = np.full(own, d.pick(0.5, 2.0, 1.0) if positive else d.pick(0.5, -2.0, 1.0))
    return np.asarray(values, np.float32)


@recipe("Add", "Sub", "Mul", "Div", "Max", "Min", weight=3)
def arithmetic(d: Draft, kind: str) -> str:
    """With a constant on either side, of two branches, of functions of one value, of one input or three."""
    x = d.operand()
    shape = d.shape_of(x)
    how = d.number(0, 5)
    if how <= 2:
        constant = _constant(d, shape, positive=kind == "Div" or d.chance(0.3))
        return str(d.add(kind, x, constant) if d.chance(0.7) else d.add(kind, constant, x))
    if how == 3:
        scale = d.scale()
        zero = d.zero(INT8)
        a, b = (d.requantized(d.add("Mul", x, np.float32(f)), scale * d.pick(1, 1, 2), zero)
                for f in (d.rng.normal(), 1.0))
        return str(d.add(kind, a, b))
    if how == 4:
        gate = d.add(d.pick("Sigmoid", "Tanh", "Relu", "Abs"), x)
        return str(d.add(kind, x, gate) if d.chance(0.5) else d.add(kind, gate, x))
    if kind in ("Max", "Min"):
        more = [d.normal(1) for _ in range(d.pick(0, 2))]
        return str(d.add(kind, x, *more))
    return str(d.add(kind, x, x))


@recipe("Sum", weight=2)
def total(d: Draft, kind: str) -> str:
    """Of one to four, constants among them."""
    x = d.operand()
    shape = d.shape_of(x)
    parts: list[Any] = [x]
    for _ in range(d.number(0, 3)):
        parts.append(d.pick(x, _constant(d, shape), d.requantized(d.add("Relu", x), d.scale(), d.zero(INT8))))
    d.rng.shuffle(parts)
    return str(d.add(kind, *parts))


@recipe("Pow", weight=2)
def power(d: Draft, kind: str) -> str:
    """Constant exponents, whole and broken, of integer types too, and a constant base."""
    x = d.operand()
    if d.chance(0.1):
        return str(d.add(kind, np.float32(1.5), x))
    exponent = d.pick(1.0, 2.0, 2.0, 3.0, 0.5, -1.0, 1.7, 0.0)
    if exponent not in (1.0, 2.0, 3.0, 0.0) and d.chance(0.85):
        x = d.add("Add", d.add("Abs", x), np.float32(0.1))
    shape: tuple[int, ...] = d.pick((), (), (1,), d.shape_of(x))
    value = np.full(shape, exponent, np.float32)
    return str(d.add(kind, x, value.astype(np.int64) if exponent == int(exponent) and d.chance(0.3) else value))


@recipe("PRelu", weight=2)
def sloped(d: Draft, kind: str) -> str:
    """Slopes of every shape, of either sign."""
    x = d.operand()
    return str(d.add(kind, x, _constant(d, d.shape_of(x), positive=d.chance(0.6))))


@recipe("Clip", weight=2)
def clipped(d: Draft, kind: str) -> str:
    """Both bounds, one or none, in any order."""
    x = d.operand()
    low, high = sorted(float(v) for v in d.rng.normal(0, 1, 2))
    if d.chance(0.1):
        low, high = high, low
    bounds = [np.float32(v) if d.chance(0.7) else None for v in (low, high)]
    if d.chance(0.1):
        bounds = [None if b is None else np.asarray([b], np.float32) for b in bounds]
    return str(d.add(kind, x, *bounds))


@recipe("BatchNormalization", weight=3)
def normalized(d: Draft, kind: str) -> str:
    """Gains of any sign, in training mode too."""
    x = d.operand()
    shape = d.shape_of(x)
    n = shape[1] if len(shape) > 1 else 1
    options = d.options(kind, epsilon=lambda: float(np.float32(d.pick(1e-5, 1e-3, 0.5))), momentum=lambda: 0.5,
                        training_mode=lambda: int(d.chance(0.3)))
    outputs = 3 if options.get("training_mode") else 1
    made = d.add(kind, x, d.normal(n), d.normal(n, spread=0.3), d.normal(n, spread=0.3),
                 d.rng.uniform(0.2, 2, n).astype(np.float32), outputs=outputs, **options)
    return str(made if outputs == 1 else made[0])


@recipe("Cast", weight=3)
def cast(d: Draft, kind: str) -> str:
    """To any element type and back."""
    x = d.operand()
    to = d.pick(TensorProto.FLOAT, TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.INT8,
                TensorProto.UINT8, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL, TensorProto.BFLOAT16)
    x = d.add(kind, x, to=int(to), **d.options(kind, saturate=lambda: d.pick(0, 1)))
    return str(d.add("Cast", x, to=int(TensorProto.FLOAT)) if to != TensorProto.FLOAT else x)


@recipe("Dropout")
def dropout(d: Draft, kind: str) -> str:
    """With a ratio, with its mask, in training mode too."""
    x = d.operand()
    if d.opset < 12:
        return str(d.add(kind, x, **d.options(kind, ratio=lambda: 0.3)))
    training = np.asarray(d.chance(0.3), bool) if d.chance(0.5) else None
    made = d.add(kind, x, np.float32(0.4) if d.chance(0.5) else None, training, outputs=d.pick(1, 2))
    return str(made if isinstance(made, str) else made[0])
