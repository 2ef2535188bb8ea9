"""What a tensor of the file is while it is imported: constants, and integers with the real function they stand for.

A :class:`Value` says: this tensor's elements are those of node ``node`` of the integer graph, in the order ``index``;
the real number behind the integer q is scale · (q − zero) + offset, followed by ``steps``, elementwise functions in
float32 that no quantizer has taken up yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Protocol

import numpy as np

from ..formats import Format
from .types import FLOAT


@dataclass(frozen=True, eq=False)
class Quantized:
    """How a constant is made of integers: constant = scale · (ints − zero), arrays of the constant's own shape."""

    ints: np.ndarray
    scale: np.ndarray
    zero: np.ndarray
    format: Format


def bare(ints: np.ndarray, form: Format) -> Quantized:
    """Integers that stand for themselves."""
    return Quantized(ints, np.broadcast_to(np.ones(()), ints.shape), np.broadcast_to(np.zeros(()), ints.shape), form)


@dataclass(frozen=True, eq=False)
class Const:
    """A constant tensor, and the integers behind it where a quantizer made it."""

    array: np.ndarray
    quantized: Quantized | None = None


class Step(Protocol):
    """An elementwise function in float32 whose constants are scalars or one per channel of the node."""

    @property
    def constants(self) -> tuple[np.ndarray, ...]:
        """Its constants, each of shape () or (channels,)."""

    @property
    def monotone(self) -> bool:
        """Whether it rises or falls throughout, in each channel."""

    def apply(self, x: np.ndarray) -> np.ndarray:
        """The function of ``x`` (…, channels), float32."""

    def affine(self) -> tuple[np.ndarray, np.ndarray] | None:
        """(a, b) as arrays of fractions if the function is a·x + b, else None."""

    def moved(self, channels: np.ndarray) -> Step:
        """The same function where channel i is what channel ``channels[i]`` was."""


def moved(constant: np.ndarray, channels: np.ndarray) -> np.ndarray:
    """A constant of shape () or (channels,) after the channels moved."""
    return constant if constant.ndim == 0 else constant[channels]


def fractions(values: np.ndarray) -> np.ndarray:
    """Floats as exact fractions, in an array of objects."""
    array = np.asarray(values)
    exact = np.empty(array.shape, object)
    exact[...] = [Fraction(float(v)) for v in array.ravel()] if array.ndim else Fraction(float(array))
    return exact


def floats(values: np.ndarray) -> np.ndarray:
    """Fractions as float64, each rounded once."""
    return np.asarray(values, dtype=object).astype(np.float64)


ZERO = np.zeros(())
ONE = np.ones(())


@dataclass(frozen=True, eq=False)
class Host:
    """An operator that is left to the host. It keeps the order within each group, which ``groups`` numbers by element
    of the node; ``before`` is the tensor's name and index in front of it."""

    kind: str
    before: tuple[str, np.ndarray]
    groups: np.ndarray
    rounded: bool = False
    """Whether unequal numbers may become equal."""


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor that depends on the input; see the module. ``index`` has the tensor's shape in the file."""

    node: str
    shape: tuple[int, ...]
    index: np.ndarray
    scale: np.ndarray = field(default_factory=lambda: ONE)
    zero: np.ndarray = field(default_factory=lambda: ZERO)
    offset: np.ndarray = field(default_factory=lambda: ZERO)
    steps: tuple[tuple[Step, tuple[str, np.ndarray]], ...] = ()
    """Each step with the tensor's name and index before it."""
    trail: tuple[str, ...] = ()
    """The names that the node's integers had in the file, in order."""
    batch: int = 0
    """The axis of the tensor along which the file's samples lie, outermost on it."""
    type: str = FLOAT
    """The tensor's element type in the file."""
    host: Host | None = None
    """An operator at the end of the network that is left to the host."""

    @property
    def channels(self) -> int:
        """How many channels the node has."""
        return self.shape[-1]

    @property
    def size(self) -> int:
        """How many elements the node has."""
        return int(np.prod(self.shape))

    @property
    def uniform(self) -> bool:
        """Whether all channels have one function."""
        base = (self.scale, self.zero, self.offset)
        return all(c.ndim == 0 for c in (*base, *(c for step, _ in self.steps for c in step.constants)))

    @property
    def monotone(self) -> bool:
        """Whether every pending step rises or falls throughout."""
        return all(step.monotone for step, _ in self.steps)

    def base(self, q: np.ndarray) -> np.ndarray:
        """The real numbers behind integers (…, channels), before the steps: exact, then rounded to float32 once."""
        with np.errstate(over="ignore"):
            return ((q - self.zero) * self.scale + self.offset).astype(np.float32)

    def real(self, q: np.ndarray) -> np.ndarray:
        """The real numbers behind integers (…, channels), each step in float32."""
        x = self.base(q)
        with np.errstate(all="ignore"):
            for step, _ in self.steps:
                x = step.apply(x)
        return x

    def affine(self) -> tuple[np.ndarray, np.ndarray] | None:
        """(a, b), fractions of shape () or (channels,), if the real number is a·q + b; else None."""
        a = fractions(self.scale)
        b = fractions(self.offset) - a * fractions(self.zero)
        for step, _ in self.steps:
            parts = step.affine()
            if parts is None:
                return None
            a, b = np.asarray(parts[0] * a, object), np.asarray(parts[0] * b + parts[1], object)
        return np.asarray(a, object), np.asarray(b, object)

    def settled(self, a: np.ndarray, b: np.ndarray) -> Value:
        """The same tensor with the base a·q + b (fractions) and no steps."""
        return replace(self, scale=floats(a), zero=ZERO, offset=floats(b), steps=())

    def with_channels(self, node: str, shape: tuple[int, ...], index: np.ndarray, channels: np.ndarray) -> Value:
        """The same functions over another node, whose channel i is what channel ``channels[i]`` was."""
        return replace(
            self, node=node, shape=shape, index=index, scale=moved(self.scale, channels),
            zero=moved(self.zero, channels), offset=moved(self.offset, channels),
            steps=tuple((step.moved(channels), before) for step, before in self.steps))


def natural(node: str, shape: tuple[int, ...], onnx_shape: tuple[int, ...] | None = None, **fields: object) -> Value:
    """A value whose elements stand in the node's own order."""
    index = np.arange(int(np.prod(shape))).reshape(shape if onnx_shape is None else onnx_shape)
    return Value(node, shape, index, **fields)  # type: ignore[arg-type]
