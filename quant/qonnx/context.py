"""The import under way: tensors known so far, nodes emitted so far, and the range of each channel."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ..formats import Format
from ..graph import GraphError, Node, Range, Tensor
from ..operators import Conv, MatMul
from .channels import channel_range
from .model import ELEMENTS_LIMIT, Model
from .op import Op
from .types import FLOAT, computed
from .values import Const, Value

if TYPE_CHECKING:
    from .fixed import Distance
    from .quantizers import Quantizer
    from .written import Bounds

Result = Value | Const
Handler = Callable[["Context", Op], Result | tuple[Result | None, ...]]

FEW = 1 << 16
"""A function that neither rises nor falls is looked at for so many arguments."""

HANDLERS: dict[str, Handler] = {}
"""Operator → what imports it."""


def operator(*kinds: str) -> Callable[[Handler], Handler]:
    """Register the decorated function as the importer of the operators ``kinds``."""

    def register(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(kinds, handler))
        return handler

    return register


@dataclass(eq=False)
class View:
    """How a node's integers become a tensor of the file: real = scale · (q − zero) + offset in the order ``index``."""

    tensor: str
    value: Value


@dataclass(eq=False)
class Context:
    """State of one import."""

    model: Model
    tensors: dict[str, Result] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    ranges: dict[str, Range] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    folded: int = 0
    """Bytes of all constants that were computed."""
    direct: Op | None = None
    """The quantizer that stands right behind the input, whose integers the graph takes."""
    requantize: str = "auto"
    """What quantizers mean, one of :data:`~bitloom.quant.qonnx.fixed.MEANINGS`."""
    distances: list[Distance] = field(default_factory=list)
    """Of those in fixed point from float32's."""
    rough: dict[str, float] = field(default_factory=dict)
    """Node → how many levels, of one, its multipliers and offsets may be away from rational arithmetic."""
    entry: Quantizer | None = None
    """What that quantizer computes."""
    assumed: bool = False
    """Whether nothing says what the input's integers are, so that 8 bits of 1/255 were taken."""
    bounds: dict[Op, Bounds] = field(default_factory=dict)
    """What follows the input's quantizer where that is written out as arithmetic."""
    absorbed: set[Op] = field(default_factory=set)
    """Operations that the quantizer in front of them does as well."""

    def note(self, text: str) -> None:
        """Tell the user something that was inferred or left out, once."""
        if text not in self.notes:
            self.notes.append(text)

    def operand(self, op: Op, at: int) -> Result:
        """Operand number ``at`` of ``op``."""
        if not op.has(at):
            op.fail(f"needs input {at + 1} and has {len(op.inputs)}", "export the model again")
        op.taken.add(at)
        return self.tensors[op.inputs[at]]

    def value(self, op: Op, at: int = 0) -> Value:
        """Operand number ``at``, which depends on the network's input: float32, to be computed with."""
        value = self.elements(op, at)
        if value.type != FLOAT:
            op.fail(f"computes in {value.type}, and all is computed in {FLOAT}", f"cast to {FLOAT} in front of it (of "
                    "integers: dequantize)")
        return value

    def elements(self, op: Op, at: int = 0) -> Value:
        """Operand number ``at``, of any type: for operators that choose or move elements and leave them as they are."""
        operand = self.operand(op, at)
        if isinstance(operand, Const):
            op.fail(f"input {at + 1} must depend on the network's input, and is constant", "fold constants first")
        if operand.host is not None:
            op.fail(f"stands behind {operand.host.kind}, which is left to the host", "end the network there")
        return operand

    def extremes(self, op: Op, value: Value) -> tuple[float, float]:
        """The least and the greatest number that ``value`` can have."""
        lo, hi = self.ranges[value.node]
        ends = np.stack([lo, hi])
        if not value.monotone:
            width = int((hi - lo).max())
            if width >= FEW:
                op.fail("needs the range of a function that neither rises nor falls", "clip or quantize in front of it")
            ends = np.minimum(lo + np.arange(width + 1)[:, None], hi)
        real = value.real(ends)
        if np.any(np.isnan(real)):
            op.fail("the function before it is not a number for some sums", "look for roots and variances below 0")
        return float(real.min()), float(real.max())

    def const(self, op: Op, at: int) -> Const:
        """Operand number ``at``, which is constant."""
        operand = self.operand(op, at)
        if isinstance(operand, Value):
            op.fail(f"input {at + 1} must be constant, and depends on the network's input",
                    "products of two activations are not supported; use layers with constant parameters")
        return operand

    def array(self, op: Op, at: int) -> np.ndarray:
        """The constant operand number ``at``: finite numbers."""
        array = computed(op, self.const(op, at).array, op.inputs[at])
        if array.dtype.kind == "f" and not np.all(np.isfinite(array)):
            op.fail(f"constant {op.inputs[at]!r} must be finite, and NaN or infinite values occur", "train again")
        return array

    def optional(self, op: Op, at: int) -> np.ndarray | None:
        """The constant operand number ``at``, or None if the operation has none."""
        return self.array(op, at) if op.has(at) else None

    def emit(self, prefix: str, cls: type[Node], inputs: tuple[str, ...], shape: tuple[int, ...],
             form: Format | None = None, scale: np.ndarray | None = None, /, **constants: Any) -> str:
        """Append a node named ``prefix`` and a number; its format is that of its range unless given."""
        self.counts[prefix] += 1
        name = f"{prefix}{self.counts[prefix]}"
        if prod(shape) > ELEMENTS_LIMIT:
            raise GraphError(f"its result has {prod(shape)} elements, and {ELEMENTS_LIMIT} are the limit; use a "
                             "smaller input")
        scales = () if scale is None else tuple(float(s) for s in np.atleast_1d(scale))
        node = cls(name, inputs, Tensor(shape, form or Format(1), scales), **constants)
        self.place(node, form is None)
        return name

    def place(self, node: Node, infer: bool) -> None:
        """Keep ``node`` under its name, its range with it; with ``infer`` its format is that of its range."""
        lo, hi = self._range(node)
        if infer:
            least, greatest = int(lo.min()), int(hi.max())
            if max(abs(least), abs(greatest)) >= 1 << 62:
                raise GraphError(f"node {node.name!r}: sums must stay below 2^62, and {greatest} is possible")
            node = replace(node, output=replace(node.output, format=Format.of_range(least, greatest)))
        operands = tuple(self.nodes[name].output for name in node.inputs)
        node.check(*operands)
        self.nodes[node.name], self.ranges[node.name] = node, (lo, hi)

    def _range(self, node: Node) -> Range:
        """The least and greatest value of each channel."""
        shapes = [self.nodes[name].output.shape for name in node.inputs]
        return channel_range(node, shapes, [self.ranges[name] for name in node.inputs])

    def sole(self, value: Value) -> bool:
        """Whether nothing but the operation that now reads ``value`` reads the integers of its node."""
        names = value.trail
        return bool(names) and all(self.model.readers[n] + (n == self.model.output) == 1 for n in names) and not any(
            value.node in node.inputs for node in self.nodes.values())

    def rescaled(self, value: Value, multipliers: np.ndarray, bias: np.ndarray | None = None) -> bool:
        """Multiply the rows of the layer that gives ``value`` and add to its bias; False if it has other readers."""
        node = self.nodes[value.node]
        if not isinstance(node, (MatMul, Conv)) or not self.sole(value):
            return False
        weights = node.weights * multipliers.reshape(-1, *(1,) * (node.weights.ndim - 1))
        form = node.weight_format if node.weight_format.holds(weights) else format_of(weights)
        scale = tuple(float(s) for s in np.atleast_1d(value.scale / np.where(multipliers == 0, 1, multipliers)))
        total = None if node.bias is None else node.bias * multipliers
        self.place(replace(node, weights=weights, weight_format=form, bias=total,
                           output=replace(node.output, scale=scale)), True)
        if bias is not None:
            self.biased(value.node, bias)
        return True

    def biased(self, name: str, bias: np.ndarray) -> None:
        """Add ``bias`` to that of the layer ``name``, which nothing reads yet."""
        node = self.nodes[name]
        assert isinstance(node, (MatMul, Conv))
        total = bias if node.bias is None else node.bias + bias
        self.place(replace(node, bias=total if np.any(total) else None), True)


def format_of(weights: np.ndarray) -> Format:
    """The narrowest format of ``weights``; bipolar where all are −1 or +1."""
    if np.all(np.abs(weights) == 1):
        return Format(1, signed=True, bipolar=True)
    return Format.of_range(int(weights.min()), int(weights.max()))


def safe_name(name: str) -> str:
    """``name`` with nothing but letters, digits and underscores."""
    return re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "network"
