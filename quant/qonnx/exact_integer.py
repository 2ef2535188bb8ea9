"""The exact rules of ONNX Runtime's quantized operators: what each rounds, in steps of its result.

Their sums of integers are exact; float32 rounds the factor's product with them, or the real numbers between.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from .exact import UNIT, Exact, Index, Near
from .exact_arithmetic import add, divide, function, multiply, sigmoid
from .exact_elementwise import ULPS
from .exact_operators import RULES
from .types import INTEGERS

if TYPE_CHECKING:
    from onnx import NodeProto

F = np.float32
Before = Callable[[Exact, "NodeProto", str, Index], Near]


def _constant(exact: Exact, node: NodeProto, at: int, channel: int = 0) -> np.float32:
    """The parameter number ``at``, one or one per channel."""
    if at >= len(node.input) or not node.input[at]:
        return F(0)
    values = exact.context[node.input[at]].ravel()
    return F(values[channel if len(values) > 1 else 0])


class _Centred(Exact):
    """An evaluation in which some tensors have their zero points taken off, one each, or one each per channel."""

    def __init__(self, exact: Exact, zeros: dict[str, tuple[np.ndarray, int]]) -> None:
        self.__dict__.update(exact.__dict__)
        self._exact, self._zeros = exact, zeros

    def element(self, name: str, index: Index) -> Near:
        """The element less its zero point."""
        near = self._exact.element(name, index)
        if name not in self._zeros:
            return near
        zeros, axis = self._zeros[name]
        zero = zeros.ravel()[index[axis] if zeros.size > 1 else 0]
        return Near(near.value - int(zero), near.error)


def _sum(kind: str, channel: int, weights: int = 0, turned: str = "") -> Before:
    """A product of integers as the operator ``kind`` makes it, its outputs along the axis ``channel``."""

    def before(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
        from onnx import helper

        attributes = exact.attributes(node)
        axis = 0 if turned and attributes.get(turned) else weights
        plain = helper.make_node(kind, [node.input[0], node.input[3]], list(node.output))
        plain.attribute.extend(a for a in node.attribute if a.name != "alpha")
        zeros = {node.input[0]: (_parameter(exact, node, 2), 0), node.input[3]: (_parameter(exact, node, 5), axis)}
        centred = _Centred(exact, zeros)
        centred._attributes = {}
        total = RULES[kind](centred, plain, name, index).value
        own, bias, ends = index[channel], {"Conv": 8, "Gemm": 6}.get(kind), 7 if kind == "Gemm" else 6
        if bias is not None and len(node.input) > bias and node.input[bias]:
            values = exact.context[node.input[bias]].ravel()
            total += int(values[own if len(values) > 1 else 0])
        factor = F(attributes.get("alpha", 1.0)) * _constant(exact, node, 1) * _constant(exact, node, 4, own)
        return _scaled(total, factor / _constant(exact, node, ends))

    return before


def _parameter(exact: Exact, node: NodeProto, at: int) -> np.ndarray:
    return exact.context[node.input[at]] if node.input[at] else np.zeros(1)


def _scaled(total: Fraction, factor: np.float32) -> Near:
    """A sum of integers times a float32: two roundings at most."""
    value = total * Fraction(float(factor))
    exact = Fraction(float(F(int(total)) * factor)) == value
    return Near(value, 0.0 if exact else 2 * UNIT * abs(float(value)))


def _real(exact: Exact, node: NodeProto, at: int, index: Index) -> Near:
    """The element of operand number ``at``, made real by the scale and the zero point behind it."""
    near = exact.element(node.input[at], index)
    zero, scale = (Fraction(float(_constant(exact, node, at + k))) for k in (2, 1))
    return multiply(Near(near.value - zero, near.error), Near(scale, 0.0))


def _in_steps(exact: Exact, node: NodeProto, at: int, near: Near) -> Near:
    return divide(near, Near(Fraction(float(_constant(exact, node, at))), 0.0))


def _spread(exact: Exact, node: NodeProto, at: int, name: str, index: Index) -> Near:
    """The element of operand number ``at``, broadcast to the result, made real."""
    own = exact.shape(node.input[at])
    place = index[len(index) - len(own) :]
    return _real(exact, node, at, tuple(0 if n == 1 else i for n, i in zip(own, place)))


def _add(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    total = add(_spread(exact, node, 0, name, index), _spread(exact, node, 3, name, index))
    step = float(_constant(exact, node, 6))
    size = sum(abs(float(exact.context[node.input[at + 2]].ravel()[0])) * float(_constant(exact, node, at + 1))
               for at in (0, 3))  # the zero points are multiplied out
    near = _in_steps(exact, node, 6, total)
    return Near(near.value, near.error + 8 * UNIT * (256 + size / step))


def _multiply(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    total = multiply(_spread(exact, node, 0, name, index), _spread(exact, node, 3, name, index))
    near = _in_steps(exact, node, 6, total)
    return Near(near.value, near.error + 4 * UNIT * abs(float(near.value)))


def _everywhere(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    shape, last = exact.shape(node.input[0]), bool(exact.attributes(node).get("channels_last", 0))
    places = list(np.ndindex(*(shape[1:-1] if last else shape[2:])))
    zero, batch, channel = int(_constant(exact, node, 2)), index[0], index[-1 if last else 1]
    total = sum((exact.element(node.input[0], (batch, *p, channel) if last else (batch, channel, *p)).value - zero
                 for p in places), Fraction(0))
    return _scaled(total, _constant(exact, node, 1) / (_constant(exact, node, 3) * F(len(places))))


def _function(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    near = _real(exact, node, 0, index)
    if node.op_type == "QLinearSigmoid":
        return _in_steps(exact, node, 3, function(near, sigmoid, ULPS, 1.0))
    slope = Near(Fraction(float(F(exact.attributes(node).get("alpha", 0.01)))), 0.0)
    return _in_steps(exact, node, 3, near if near.value >= 0 else multiply(near, slope))


BEFORE: dict[str, Before] = {
    "QGemm": _sum("Gemm", 1, 1, "transB"),
    "QLinearAdd": _add,
    "QLinearConv": _sum("Conv", 1),
    "QLinearGlobalAveragePool": _everywhere,
    "QLinearLeakyRelu": _function,
    "QLinearMatMul": _sum("MatMul", -1, 1),
    "QLinearMul": _multiply,
    "QLinearSigmoid": _function,
}
"""By operator: the number that it rounds, in steps of its result, its zero point not yet added."""

ENDS = {"QGemm": 8, "QLinearGlobalAveragePool": 4, "QLinearLeakyRelu": 4, "QLinearSigmoid": 4}
"""Where the zero point of the result stands, if not behind seven others."""

ADDED_FIRST = ("QLinearAdd", "QLinearMul")
"""Operators that add the zero point before they round."""


def result(exact: Exact, node: NodeProto) -> Callable[[Fraction], Fraction]:
    """What ``node`` makes of the number that it rounds."""
    at = ENDS.get(node.op_type, 7)
    kind = exact.context[node.output[0]].dtype.name
    zero, form = int(_constant(exact, node, at)), INTEGERS[kind]
    if node.op_type in ADDED_FIRST:
        return lambda value: Fraction(min(max(round(value + zero), form.lo), form.hi))
    return lambda value: Fraction(min(max(round(value) + zero, form.lo), form.hi))

