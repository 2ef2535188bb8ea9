"""Elementwise functions in float32, as the reference executor computes them.

Sums, products and clips are the same in NumPy and onnxruntime, bit for bit; batch norm follows onnxruntime's order of
operations; everything with an exponential is computed by onnxruntime itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from .failure import ImportFailure
from .values import Step, fractions, moved

F = np.float32
Function = Callable[..., np.ndarray]
Affine = tuple[np.ndarray, np.ndarray]

EXACT: dict[str, Function] = {
    "Add": lambda x, c: x + c,
    "Sub": lambda x, c: x - c,
    "RSub": lambda x, c: c - x,
    "Mul": lambda x, c: x * c,
    "Div": lambda x, c: x / c,
    "RDiv": lambda x, c: c / x,
    "Neg": lambda x: -x,
    "BatchNorm": lambda x, a, b: x * a + b,
    "Clip": lambda x, low, high: np.minimum(np.maximum(x, low), high),
    "LeakyRelu": lambda x, slope: np.where(x >= 0, x, x * slope),
    "ThresholdedRelu": lambda x, alpha: np.where(x > alpha, x, F(0)),
    "HardSigmoid": lambda x, a, b: np.maximum(np.minimum(x * a + b, F(1)), F(0)),
    "Abs": np.abs,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Cast": np.trunc,
    "Round": np.round,
    "Sign": np.sign,
    "Sqrt": np.sqrt,
    "Reciprocal": lambda x: F(1) / x,
}
"""Operator → its function of float32 arrays, constants behind the argument; every operation rounds once."""

MONOTONE = {"Add", "Sub", "RSub", "Mul", "Div", "Neg", "BatchNorm", "Clip", "HardSigmoid", "Floor", "Ceil", "Round",
            "Cast", "Sign", "Sqrt"}
"""Operators that rise or fall throughout, whatever their constants."""

AFFINE: dict[str, Callable[..., Affine]] = {
    "Add": lambda c: (_one(c), c),
    "Sub": lambda c: (_one(c), -c),
    "RSub": lambda c: (-_one(c), c),
    "Mul": lambda c: (c, _one(c) * 0),
    "Div": lambda c: (_one(c) / c, _one(c) * 0),
    "Neg": lambda: (fractions(np.asarray(-1.0)), fractions(np.asarray(0.0))),
    "BatchNorm": lambda a, b: (a, b),
}

SMOOTH = {"Sigmoid": True, "Tanh": True, "Erf": True, "Softplus": True, "Softsign": True, "Elu": True, "Selu": True,
          "Celu": True, "Exp": True, "Log": True, "Pow": False, "Gelu": False, "Mish": False, "HardSwish": False,
          "Sin": False, "Cos": False, "Atan": True, "Tan": False, "Sinh": True, "Asinh": True, "Swish": False}
"""Operators that onnxruntime evaluates, and whether they rise throughout."""


def _one(c: np.ndarray) -> np.ndarray:
    ones = np.empty(np.shape(c), object)
    ones[...] = Fraction(1)
    return ones


@dataclass(frozen=True, eq=False)
class Elementwise:
    """One operator of :data:`EXACT` or :data:`SMOOTH` with float32 constants, scalars or one per channel."""

    op: str
    constants: tuple[np.ndarray, ...] = ()
    attributes: tuple[tuple[str, float | int | str], ...] = ()
    opset: int = 13

    @property
    def monotone(self) -> bool:
        """Whether it rises or falls throughout."""
        if self.op == "LeakyRelu":
            return bool(np.all(self.constants[0] >= 0))
        if self.op == "ThresholdedRelu":
            return bool(np.all(self.constants[0] >= 0))
        return self.op in MONOTONE or SMOOTH.get(self.op, False)

    def apply(self, x: np.ndarray) -> np.ndarray:
        """The function of ``x``, float32."""
        if self.op in EXACT:
            return np.asarray(EXACT[self.op](x, *self.constants), dtype=np.float32)
        constants = tuple(np.ascontiguousarray(np.broadcast_to(c, x.shape)) for c in self.constants)
        session = _session(self.op, 1 + len(constants), self.attributes, self.opset)
        feed = {f"x{i}": c.ravel() for i, c in enumerate((np.ascontiguousarray(x), *constants))}
        return np.asarray(session.run(None, feed)[0], dtype=np.float32).reshape(x.shape)  # type: ignore[attr-defined]

    def affine(self) -> Affine | None:
        """(a, b) of a·x + b, or None."""
        return AFFINE[self.op](*(fractions(c) for c in self.constants)) if self.op in AFFINE else None

    def moved(self, channels: np.ndarray) -> Elementwise:
        """The same function for channels in another order."""
        return Elementwise(self.op, tuple(moved(c, channels) for c in self.constants), self.attributes, self.opset)


@lru_cache(maxsize=64)
def _session(op: str, inputs: int, attributes: tuple[tuple[str, float | int | str], ...], opset: int) -> object:
    """An onnxruntime session that computes ``op`` of vectors."""
    import onnx
    from onnx import TensorProto, helper

    try:
        import onnxruntime
    except ImportError as error:
        raise ImportFailure(f"{op} is computed by onnxruntime, which is missing; pip install 'bitloom[qonnx]'") \
            from error
    names = [f"x{i}" for i in range(inputs)]
    tensors = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None]) for n in (*names, "y")]
    node = helper.make_node(op, names, ["y"])
    node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes)
    graph = helper.make_graph([node], op, tensors[:-1], tensors[-1:])
    model = onnx.helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options)
    except Exception as error:  # onnxruntime raises classes of its own, derived from Exception alone
        raise ImportFailure(f"onnxruntime cannot compute {op} of opset {opset} "
                            f"({str(error).splitlines()[0]}); export the model again") from error


@dataclass(frozen=True, eq=False)
class Side:
    """Functions side by side: the channels ``parts[i][0]`` have the steps ``parts[i][1]``."""

    parts: tuple[tuple[np.ndarray, tuple[Step, ...]], ...]

    @property
    def constants(self) -> tuple[np.ndarray, ...]:
        """The number of each channel's part: channels of one part may still differ."""
        return (np.arange(sum(len(channels) for channels, _ in self.parts)),)

    @property
    def monotone(self) -> bool:
        """Whether each part is."""
        return all(step.monotone for _, steps in self.parts for step in steps)

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Each part's steps on its channels."""
        result = np.empty_like(x)
        for channels, steps in self.parts:
            result[..., channels] = _chain(steps, x[..., channels])
        return result

    def affine(self) -> Affine | None:
        """(a, b) per channel if every part is affine."""
        count = sum(len(channels) for channels, _ in self.parts)
        a, b = np.empty(count, object), np.empty(count, object)
        for channels, steps in self.parts:
            a[channels], b[channels] = Fraction(1), Fraction(0)
            for step in steps:
                own = step.affine()
                if own is None:
                    return None
                a[channels], b[channels] = own[0] * a[channels], own[0] * b[channels] + own[1]
        return a, b

    def moved(self, channels: np.ndarray) -> Side:
        """The same functions for channels in another order."""
        parts = []
        for own, steps in self.parts:
            local = np.full(max(int(channels.max()), int(own.max())) + 1, -1)
            local[own] = np.arange(len(own))
            new = np.flatnonzero(local[channels] >= 0)
            if len(new):
                parts.append((new, tuple(step.moved(local[channels[new]]) for step in steps)))
        return Side(tuple(parts))


@dataclass(frozen=True, eq=False)
class Pair:
    """f(x) ∘ g(x) of one and the same x, as in x · sigmoid(x); ∘ is one of :data:`EXACT`."""

    op: str
    left: tuple[Step, ...]
    right: tuple[Step, ...]

    @property
    def constants(self) -> tuple[np.ndarray, ...]:
        """Those of both functions."""
        return tuple(c for step in (*self.left, *self.right) for c in step.constants)

    @property
    def monotone(self) -> bool:
        """Nothing is known."""
        return False

    def apply(self, x: np.ndarray) -> np.ndarray:
        """The function of ``x``."""
        return np.asarray(EXACT[self.op](_chain(self.left, x), _chain(self.right, x)), dtype=np.float32)

    def affine(self) -> Affine | None:
        """None: sums of affine functions are made by an addition instead."""
        return None

    def moved(self, channels: np.ndarray) -> Pair:
        """The same function for channels in another order."""
        return Pair(self.op, *(tuple(step.moved(channels) for step in side) for side in (self.left, self.right)))


def _chain(steps: tuple[Step, ...], x: np.ndarray) -> np.ndarray:
    for step in steps:
        x = step.apply(x)
    return x
