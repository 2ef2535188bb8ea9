"""How far a whole tensor of float32 may be from its exact elements: running error bounds, all elements at once.

The same bounds as those of :mod:`~bitloom.quant.qonnx.exact`, somewhat wider, in float64 arrays instead of element by
element. A linear operator's bound is that operator itself, in ONNX Runtime, on the absolute values of what it reads:
a sum of n products is off by at most n units of the sum of their absolute values. Where an operator has no rule here
there is no bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from .alone import alone
from .exact import SLACK, UNIT, Unjudged

if TYPE_CHECKING:
    from onnx import NodeProto

    from .exact import Exact

CONSTANTS = 4096
"""Elements of a constant whose bounds are looked for one by one."""

ROUNDED = 4.0
"""Units by which what stands right behind a quantizer may be off: a product and two sums."""


class Bounds:
    """Bounds on the errors of the tensors of the run that ``exact`` evaluates."""

    def __init__(self, exact: Exact) -> None:
        self.exact, self.context = exact, exact.context
        self._known: dict[str, np.ndarray | None] = {}

    def error(self, name: str) -> np.ndarray | None:
        """A bound on how far each element of the tensor ``name`` is from the exact one; None where there is none."""
        if name not in self._known:
            found = self._evaluate(name)
            self._known[name] = found if found is None or np.all(np.isfinite(found)) else None
        return self._known[name]

    def size(self, name: str) -> np.ndarray:
        """The absolute values of a tensor."""
        return np.abs(self.context[name].astype(np.float64))

    def _evaluate(self, name: str) -> np.ndarray | None:
        node = self.exact.nodes.get(name)
        if self.context[name].dtype.kind in "iub":
            return np.zeros(self.context[name].shape)
        if name in self.exact.given or (node is not None and self.exact.quantizes(node)):
            return self._rounded(name, node)
        if node is None or node.op_type in ("Constant", "Shape", "Size"):
            return np.zeros(self.context[name].shape)
        rule = RULES.get(node.op_type)
        last = node.domain.endswith("channels_last") and rule in (_linear, _pooled, _normalized)
        if rule is None or not (last or node.domain in ("", "ai.onnx")):
            return self._constant(name)
        errors = [None if not x else self.error(x) for x in node.input]
        if any(error is None for x, error in zip(node.input, errors) if x):
            return None
        found = rule(self, node, name, [np.zeros(()) if error is None else error for error in errors])
        return None if found is None else np.asarray(found * SLACK)

    def _constant(self, name: str) -> np.ndarray | None:
        """Element by element, where a tensor does not depend on the input and is small."""
        shape = self.context[name].shape
        if name in self.exact.varying or self.context[name].size > CONSTANTS:
            return None
        try:
            return np.array([self.exact.element(name, index).error for index in np.ndindex(*shape)]).reshape(shape)
        except Unjudged:
            return None

    def _rounded(self, name: str, node: NodeProto | None) -> np.ndarray:
        """A value on a grid, but for the roundings of float32."""
        offset = float(self.exact.attributes(node).get("out_bias", 0.0)) if node is not None else 0.0
        return ROUNDED * UNIT * (self.size(name) + abs(offset))


Rule = Callable[[Bounds, "NodeProto", str, list[np.ndarray]], np.ndarray | None]


def _linear(bounds: Bounds, node: NodeProto, name: str, errors: list[np.ndarray]) -> np.ndarray:
    """A sum of products of what is varied and what is constant, or of what is varied alone."""
    terms = _terms(bounds, node)
    names = list(node.input)
    products = [x for x in names[:2] if x] if node.op_type in PRODUCTS else names[:1]
    sizes = {x: bounds.size(x) + error for x, error in zip(names, errors) if x and bounds.context[x].dtype.kind == "f"}
    total = _positive(bounds, node, sizes)
    carried = np.zeros(())
    for x, error in zip(names, errors):
        if not x or not error.any():
            continue
        if np.all(error <= 2 * ROUNDED * UNIT * sizes[x]):  # relative to what it is an error of
            carried = carried + 2 * ROUNDED * UNIT * total
        else:
            rest = {y: size if x in products and y in products else np.zeros_like(size) for y, size in sizes.items()}
            carried = carried + _positive(bounds, node, {**rest, x: error})
    return carried + (terms + 2) * UNIT * (total + carried)


def _positive(bounds: Bounds, node: NodeProto, sizes: dict[str, np.ndarray]) -> np.ndarray:
    """The operator on numbers none of which is negative; float32's own error in that is made up for."""
    feeds = {x: sizes.get(x, bounds.context[x]) for x in node.input if x}
    found = alone(bounds.exact, node, {x: feed.astype(bounds.context[x].dtype) for x, feed in feeds.items()},
                  {"alpha", "beta"})[0].astype(np.float64)
    return found * (1 + 2 * (_terms(bounds, node) + 2) * UNIT) + np.finfo(np.float32).tiny


def _terms(bounds: Bounds, node: NodeProto) -> int:
    """How many terms the sums have."""
    shapes = [bounds.exact.shape(x) for x in node.input if x]
    if node.op_type == "Conv":
        return math.prod(shapes[1][1:]) + 1
    if node.op_type == "ConvTranspose":
        return shapes[1][0] * math.prod(shapes[1][2:]) + 1
    if node.op_type in ("MatMul", "Gemm"):
        return shapes[0][0 if bounds.exact.attributes(node).get("transA") else -1] + 4
    if node.op_type == "AveragePool":
        return math.prod(bounds.exact.attributes(node)["kernel_shape"]) + 2
    return math.prod(shapes[0][1:]) + 2


def _sum(bounds: Bounds, node: NodeProto, name: str, errors: list[np.ndarray]) -> np.ndarray:
    carried = sum(errors, np.zeros(()))
    sizes = sum((bounds.size(x) for x in node.input), np.zeros(())) if len(errors) > 2 else bounds.size(name)
    return carried + len(errors) * UNIT * (sizes + carried)


def _product(bounds: Bounds, node: NodeProto, name: str, errors: list[np.ndarray]) -> np.ndarray:
    (x, y), (e, f) = (bounds.size(x) for x in node.input), errors
    carried = x * f + y * e + e * f
    return np.asarray(carried + UNIT * (x * y + carried))


def _quotient(bounds: Bounds, node: NodeProto, name: str, errors: list[np.ndarray]) -> np.ndarray | None:
    (x, y), (e, f) = (bounds.size(x) for x in node.input), errors
    least = y - f
    if np.any(least <= 0):
        return None
    value = (x + e) / least
    carried = (e + value * f) / least
    return np.asarray(carried + UNIT * (value + carried))


def _normalized(bounds: Bounds, node: NodeProto, name: str, errors: list[np.ndarray]) -> np.ndarray:
    """Batch norm, as :func:`~bitloom.quant.qonnx.exact_elementwise.normalize`."""
    behind = 0 if node.domain.endswith("channels_last") else len(bounds.exact.shape(name)) - 2
    shape = (-1, *(1,) * behind)
    gain, bias, mean, variance = (bounds.context[x].astype(np.float64).reshape(shape) for x in node.input[1:5])
    factor = np.abs(gain) / np.sqrt(variance + float(bounds.exact.attributes(node).get("epsilon", np.float32(1e-5))))
    carried = factor * errors[0]
    size = factor * (bounds.size(node.input[0]) + errors[0] + np.abs(mean)) + np.abs(bias)
    return np.asarray(carried + 8 * UNIT * (size + carried))


def _dequantized(bounds: Bounds, node: NodeProto, name: str, errors: list[np.ndarray]) -> np.ndarray:
    """(q − zero) · scale: what it reads are integers, but for a cast from floats on their grid."""
    return np.asarray(ROUNDED * UNIT * bounds.size(name))


def _pooled(bounds: Bounds, node: NodeProto, name: str, errors: list[np.ndarray]) -> np.ndarray:
    """The greatest of several elements is as far off as the worst of them."""
    return _moved(bounds, node, name, errors)


def _greatest(bounds: Bounds, node: NodeProto, name: str, errors: list[np.ndarray]) -> np.ndarray:
    """What picks one of its operands is as far off as the worst of them."""
    shape = bounds.exact.shape(name)
    return np.asarray(np.max([np.broadcast_to(error, shape) for error in errors], axis=0))


def _first(bounds: Bounds, node: NodeProto, name: str, errors: list[np.ndarray]) -> np.ndarray:
    """What does not spread is as far off as its operand."""
    return errors[0]


def _leaky(bounds: Bounds, node: NodeProto, name: str, errors: list[np.ndarray]) -> np.ndarray:
    slope = bounds.size(node.input[1]) if node.op_type == "PRelu" else np.asarray(
        abs(float(bounds.exact.attributes(node).get("alpha", 0.01))))
    return np.asarray(np.maximum(1.0, slope) * (errors[0] + UNIT * (bounds.size(node.input[0]) + errors[0])))


def _moved(bounds: Bounds, node: NodeProto, name: str, errors: list[np.ndarray]) -> np.ndarray:
    """What moves elements moves their bounds; a border is exact."""
    data = set(node.input if node.op_type == "Concat" else node.input[:1])
    feeds = {x: bounds.context[x] for x in node.input if x}
    feeds |= {x: np.nextafter(error.astype(np.float32), np.float32(np.inf)) for x, error in zip(node.input, errors)
              if x in data}
    if node.op_type == "Pad" and len(node.input) > 2 and node.input[2]:
        feeds[node.input[2]] = np.zeros_like(feeds[node.input[2]])
    return alone(bounds.exact, node, feeds)[list(node.output).index(name)].astype(np.float64)


def _reshaped(bounds: Bounds, node: NodeProto, name: str, errors: list[np.ndarray]) -> np.ndarray:
    return errors[0].reshape(bounds.exact.shape(name))


def _turned(bounds: Bounds, node: NodeProto, name: str, errors: list[np.ndarray]) -> np.ndarray:
    order = bounds.exact.attributes(node).get("perm")
    return np.transpose(errors[0], order)


PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")

RULES: dict[str, Rule] = {
    **dict.fromkeys((*PRODUCTS, "AveragePool", "GlobalAveragePool", "ReduceMean", "ReduceSum"), _linear),
    **dict.fromkeys(("Add", "Sub", "Sum"), _sum),
    **dict.fromkeys(("Max", "Min"), _greatest),
    **dict.fromkeys(("MaxPool", "GlobalMaxPool", "ReduceMax"), _pooled),
    **dict.fromkeys(("Abs", "Cast", "Clip", "Dropout", "Identity", "Neg", "Relu"), _first),
    **dict.fromkeys(("LeakyRelu", "PRelu"), _leaky),
    **dict.fromkeys(("Flatten", "Reshape", "Squeeze", "Unsqueeze"), _reshaped),
    **dict.fromkeys(("Concat", "DepthToSpace", "Expand", "Gather", "Pad", "Resize", "Slice", "SpaceToDepth", "Split",
                     "Tile", "Upsample"), _moved),
    "BatchNormalization": _normalized,
    "DequantizeLinear": _dequantized,
    "Div": _quotient,
    "Mul": _product,
    "Transpose": _turned,
}
"""By operator of ONNX' own domain: the bound on its output, given those on its operands."""
