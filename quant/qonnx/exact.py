"""Single elements of a QONNX file in rational arithmetic, and how far from them the executor's float32 may be.

A network's constants are floats, hence rational numbers; between two quantizers lie additions, multiplications,
divisions, square roots and few other functions. So what stands before a quantizer is known exactly (functions to 60
digits), and with the usual bounds of rounding-error analysis (N. J. Higham, *Accuracy and Stability of Numerical
Algorithms*, 2002, chapters 2 and 3) also how far from it any float32 evaluation may end. Elements are evaluated one by
one, from the quantizers before them on: this is for judging the few on which two evaluations differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .runnable import Context, entry, varying
from .types import INTEGERS, name_of

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Index = tuple[int, ...]

UNIT = 2.0**-24
"""The unit roundoff of float32: one rounded operation is off by at most this much of its result."""

SLACK = 1.001
"""Covers the second-order terms and the float64 arithmetic of the bounds themselves."""

MEMO = 200_000
"""Elements that are remembered before all are forgotten."""

ROUNDED = ("Round", "Floor", "Ceil", "Cast")
"""Operators that make integers: quantizers, where the graph has nodes for them."""

FUSED = ("QGemm", "QLinearAdd", "QLinearConv", "QLinearGlobalAveragePool", "QLinearLeakyRelu", "QLinearMatMul",
         "QLinearMul", "QLinearSigmoid")
"""Operators of ONNX Runtime that quantize what they compute: those of :mod:`~bitloom.quant.qonnx.exact_integer`."""

QUANTIZERS = (*FUSED, "Quant", "IntQuant", "BipolarQuant", "MultiThreshold", "Trunc", "QuantizeLinear")


class Unjudged(Exception):
    """An element cannot be evaluated here; the message says why."""


class Near(NamedTuple):
    """An exact value, and a bound on how far float32 evaluation may be from it."""

    value: Fraction
    error: float


class Levels(NamedTuple):
    """What a tensor's element is exactly, and the least and the greatest value that float32 evaluation may give.

    ``given`` says that the executor has the exact value, or before a quantizer had it.
    """

    exact: Fraction
    least: Fraction
    greatest: Fraction
    given: bool


class Exact:
    """Exact elements of the tensors of ``model``, given every tensor of a run of the executor.

    :param model: the file; its quantizers may be of any dialect.
    :param context: what :class:`~bitloom.quant.qonnx.reference.Reference` gave for one batch.
    :param given: what an element of the file's input is exactly, given its index and its float; itself, by default.
    :param quantized: tensors for which the graph has nodes: what rounds in front of them counts as a quantizer.
    """

    def __init__(
        self, model: ModelProto, context: Context, given: Callable[[Index, float], Near] | None = None,
        quantized: Iterable[str] = (),
    ) -> None:
        self.model, self.context = model, context
        self.given = {} if given is None else {entry(model).name: given}
        self.nodes = {output: node for node in model.graph.node for output in node.output}
        """The node that computes each tensor."""
        self.varying = varying(model)
        """The tensors that depend on the file's input."""
        self._types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
        self._types |= {node.output[0]: attribute.t.data_type for node in model.graph.node if node.op_type == "Constant"
                        for attribute in node.attribute if attribute.name == "value"}
        self.opsets = {entry.domain: entry.version for entry in model.opset_import}
        self.moved: dict[str, np.ndarray] = {}
        """Where the elements of a tensor come from that was moved, as the rules find out."""
        self.roundings = {x for x in map(self._rounding_of, quantized) if x}
        """The tensors of operators that round and are quantizers written out."""
        self.evaluated = 0
        """Elements that were evaluated so far."""
        self._memo: dict[tuple[str, Index], Near] = {}
        self._scalars: dict[str, Fraction] = {}
        self._attributes: dict[str, dict[str, Any]] = {}

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of the tensor ``name``, batch included."""
        return self.context[name].shape

    def attributes(self, node: NodeProto) -> dict[str, Any]:
        """The attributes of ``node`` as Python values."""
        from onnx.helper import get_attribute_value

        key = node.output[0]
        if key not in self._attributes:
            self._attributes[key] = {a.name: get_attribute_value(a) for a in node.attribute}
        return self._attributes[key]

    def scalar(self, name: str) -> Fraction:
        """The one element of a tensor, as the run has it."""
        if name not in self._scalars:
            self._scalars[name] = Fraction(float(self.context[name].ravel()[0]))
        return self._scalars[name]

    def integers(self, node: NodeProto) -> tuple[int, int]:
        """The least and the greatest integer that ``QuantizeLinear`` gives: those of its zero point's type."""
        from onnx import TensorProto

        kind = int(self.attributes(node).get("output_dtype", 0))
        if len(node.input) > 2 and node.input[2]:
            kind = self._types.get(node.input[2], kind)
        form = INTEGERS[name_of(kind or TensorProto.UINT8)]
        return form.lo, form.hi

    def element(self, name: str, index: Index) -> Near:
        """The element ``index`` of the tensor ``name``.

        :raises Unjudged: an operator on the way is not one of :mod:`~bitloom.quant.qonnx.exact_operators`.
        """
        key = (name, index)
        if key not in self._memo:
            if len(self._memo) > MEMO:
                self._memo.clear()
            self.evaluated += 1
            self._memo[key] = self._evaluate(name, index)
        return self._memo[key]

    def spread(self, name: str, index: Index, shape: Index) -> Near:
        """The element of ``name``, broadcast to ``shape``, at ``index``."""
        own = self.shape(name)
        at = index[len(shape) - len(own) :]
        return self.element(name, tuple(0 if n == 1 else i for n, i in zip(own, at)))

    def levels(self, name: str, index: Index, rough: float = 0.0) -> Levels:
        """What the executor may have in place of the exact element ``index`` of the tensor ``name``.

        Behind a quantizer these are values on its grid: that of the exact value before it, and those of the ends of
        the interval around it; and so they are where nothing follows that quantizer but moves and functions.

        :param rough: how far from the exact value before a quantizer its own constants may be.
        """
        source = self.quantizer_of(name)
        if source is None:
            value, error = self.element(name, index)
            return Levels(value, value - Fraction(error), value + Fraction(error), self._float(name, index) == value)
        if source != name:
            return self._followed(name, index, source)
        from .exact_quantizers import quantizer

        node = self.nodes[name]
        if node.op_type in FUSED:
            return self._fused(node, name, index, rough)
        before = self.element(node.input[0], index)
        quantize, room = quantizer(self, node, index, before)
        room = max(room, Fraction(rough))
        return Levels(quantize(before.value), quantize(before.value - room), quantize(before.value + room),
                      not rough and self._float(node.input[0], index) == before.value)

    def _fused(self, node: NodeProto, name: str, index: Index, rough: float) -> Levels:
        """The levels of an operator that quantizes what it computes."""
        from .exact_integer import BEFORE, result

        before, quantize = BEFORE[node.op_type](self, node, name, index), result(self, node)
        room = Fraction(max(before.error * SLACK, rough))
        return Levels(quantize(before.value), quantize(before.value - room), quantize(before.value + room), not room)

    def quantizer_of(self, name: str) -> str | None:
        """The tensor of the quantizer behind which ``name`` stands, with nothing but moves and functions between."""
        from .exact_operators import FOLLOWING, rule_of

        while (node := self.nodes.get(name)) is not None:
            if self.quantizes(node):
                return name
            operands = [x for x in node.input if x in self.varying]
            if node.op_type not in FOLLOWING or rule_of(node) is None or len(operands) != 1:
                return None
            name = operands[0]
        return None

    def quantizes(self, node: NodeProto) -> bool:
        """Whether ``node`` is a quantizer, or one of those that round in place of one."""
        return node.op_type in QUANTIZERS or node.output[0] in self.roundings

    def _rounding_of(self, name: str) -> str | None:
        """The tensor of an operator that rounds, behind which ``name`` stands with moves and functions between."""
        from .exact_operators import FOLLOWING

        while (node := self.nodes.get(name)) is not None and node.op_type not in QUANTIZERS:
            if node.op_type in ROUNDED and (node.op_type != "Cast" or self.context[name].dtype.kind in "iu"):
                return name
            operands = [x for x in node.input if x in self.varying]
            if node.op_type not in FOLLOWING or len(operands) != 1:
                return None
            name = operands[0]
        return None

    def _followed(self, name: str, index: Index, source: str) -> Levels:
        """The levels of an element that is a function of one element of the quantizer ``source``."""
        at: list[Index] = []

        def through(value: Fraction | None) -> Near:
            probe = Exact(self.model, self.context)
            probe.moved, probe.roundings = self.moved, self.roundings

            def leaf(place: Index, found: float) -> Near:
                at.append(place)
                known = Fraction(found) if value is None else value
                return Near(known, UNIT * SLACK * abs(float(known)))

            probe.given = {source: leaf}
            return probe.element(name, index)

        through(None)
        *values, given = self.levels(source, at[0])
        exact, *ends = (through(value) for value in values)
        low = min(end.value - Fraction(end.error) for end in ends)
        return Levels(exact.value, low, max(end.value + Fraction(end.error) for end in ends), given)

    def _float(self, name: str, index: Index) -> Fraction:
        """What the executor has, as the rational number it is."""
        return Fraction(float(self.context[name][index]))

    def _evaluate(self, name: str, index: Index) -> Near:
        from .exact_operators import rule_of
        from .exact_quantizers import grid

        found = self.context[name][index]
        if not np.isfinite(found):
            raise Unjudged(f"tensor {name!r} holds {found}")
        node = self.nodes.get(name)
        if name in self.given:
            return self.given[name](index, float(found))
        if node is None or node.op_type in ("Constant", "Shape", "Size"):
            return Near(Fraction(float(found)), 0.0)
        if self.quantizes(node):
            value = grid(self, node, index, float(found))
            return Near(value, abs(float(Fraction(float(found)) - value)) * SLACK)
        rule = rule_of(node)
        if rule is None:
            raise Unjudged(f"no exact rule for {node.op_type}")
        near = rule(self, node, name, index)
        if not np.isfinite(near.error):
            raise Unjudged(f"no bound on the error of {node.op_type}")
        return Near(near.value, near.error * SLACK)
