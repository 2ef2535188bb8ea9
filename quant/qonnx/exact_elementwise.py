"""The exact rules of elementwise operators."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from .exact import UNIT, Exact, Index, Near
from .exact_arithmetic import add, divide, exponential, extreme, function, logarithm, multiply, root, sigmoid

if TYPE_CHECKING:
    from onnx import NodeProto

Rule = Callable[[Exact, "NodeProto", str, Index], Near]
Function = Callable[[Fraction], Fraction]

ULPS = 16
"""Units by which ONNX Runtime's functions may be off: it has rational approximations of some."""

ONE = Fraction(1)


def _unary(f: Function, ulps: float = 0, least: float = 0.0) -> Rule:
    return lambda exact, node, name, index: function(exact.element(node.input[0], index), f, ulps, least)


def _smooth(f: Function) -> Rule:
    """A function that ONNX Runtime approximates; where it is small, terms may have cancelled."""
    return _unary(f, ULPS, 1.0)


def _with(f: Callable[..., Fraction], **defaults: float) -> Rule:
    """A function like :func:`_smooth` with parameters that are attributes of the node."""

    def rule(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
        given = exact.attributes(node)
        constants = [Fraction(float(np.float32(given.get(key, value)))) for key, value in defaults.items()]
        return function(exact.element(node.input[0], index), lambda v: f(v, *constants), ULPS, 1.0)

    return rule


def _of_floats(f: Callable[[float], float]) -> Function:
    """A function that is known to float64's precision, which is far beyond float32's."""
    return lambda value: Fraction(f(float(value)))


def _softplus(value: Fraction) -> Fraction:
    return value if value > 300 else logarithm(1 + exponential(value))


def _tanh(value: Fraction) -> Fraction:
    return 2 * sigmoid(2 * value) - 1


def _elu(value: Fraction, alpha: Fraction) -> Fraction:
    return value if value > 0 else alpha * (exponential(max(value, Fraction(-300))) - 1)


def _gelu(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    x = exact.element(node.input[0], index)
    if exact.attributes(node).get("approximate", b"none") == b"tanh":
        inner = Fraction(math.sqrt(2 / math.pi))
        return function(x, lambda v: v * (1 + _tanh(inner * (v + Fraction(0.044715) * v**3))) / 2, ULPS, 1.0)
    return function(x, _of_floats(lambda v: v * (1 + math.erf(v / math.sqrt(2))) / 2), ULPS, 1.0)


def _clamped(value: Fraction, low: float = 0, high: float = 1) -> Fraction:
    return min(max(value, Fraction(low)), Fraction(high))


def _sum(values: list[Near]) -> Near:
    total = values[0]
    for value in values[1:]:
        total = add(total, value)
    return total


def _binary(f: Callable[[Near, Near], Near]) -> Rule:
    def rule(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
        shape = exact.shape(name)
        a, b = (exact.spread(x, index, shape) for x in node.input)
        return f(a, b)

    return rule


def _elementwise(f: Callable[[list[Near]], Near]) -> Rule:
    return lambda exact, node, name, index: f([exact.spread(x, index, exact.shape(name)) for x in node.input])


def _clip(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    attributes = exact.attributes(node)
    low, high = (float(exact.context[node.input[at]]) if len(node.input) > at and node.input[at]
                 else float(attributes.get(key, default))
                 for at, key, default in ((1, "min", -math.inf), (2, "max", math.inf)))
    value, error = exact.element(node.input[0], index)
    if value < low:
        return Near(Fraction(low), max(0.0, error))
    return Near(Fraction(high) if value > high else value, error)


def _leaky(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    if node.op_type == "PRelu":
        slope = exact.spread(node.input[1], index, exact.shape(name))
    else:
        slope = Near(Fraction(float(exact.attributes(node).get("alpha", 0.01))), 0.0)
    x = exact.element(node.input[0], index)
    below = multiply(x, slope)
    if abs(float(x.value)) <= x.error:
        return Near(x.value if x.value >= 0 else below.value, max(x.error, below.error))
    return x if x.value > 0 else below


def _power(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    shape = exact.shape(name)
    base, exponent = (exact.spread(x, index, shape) for x in node.input)
    if exponent.value == Fraction(1, 2):
        return function(base, root, 4)
    if exponent.value.denominator != 1 or not 1 <= exponent.value <= 8:
        return function(base, lambda v: exponential(exponent.value * logarithm(v)), ULPS)
    result = base
    for _ in range(int(exponent.value) - 1):
        result = multiply(result, base)
    return Near(result.value, result.error + 4 * UNIT * abs(float(result.value)))


def normalize(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    """Batch norm: (x − mean)·gain/√(variance + ε) + bias, which implementations arrange in several ways."""
    x = exact.element(node.input[0], index)
    gain, bias, mean, variance = (exact.element(x, (index[1],)).value for x in node.input[1:5])
    epsilon = Fraction(float(exact.attributes(node).get("epsilon", np.float32(1e-5))))
    factor = gain / root(variance + epsilon)
    value = (x.value - mean) * factor + bias
    carried = abs(float(factor)) * x.error
    size = abs(float(factor)) * (abs(float(x.value)) + abs(float(mean))) + abs(float(bias))
    return Near(value, carried + 8 * UNIT * (size + carried))




def _cast(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    """The same number; towards 0 where it becomes an integer."""
    x = exact.element(node.input[0], index)
    return function(x, lambda v: Fraction(math.trunc(v)), 0) if exact.context[name].dtype.kind in "iu" else x


def same(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    """The rule of an operator that does nothing."""
    return exact.element(node.input[0], index)


ELEMENTWISE: dict[str, Rule] = {
    "Abs": _unary(abs),
    "Add": _binary(add),
    "Asinh": _smooth(_of_floats(math.asinh)),
    "Atan": _smooth(_of_floats(math.atan)),
    "BatchNormalization": normalize,
    "Cast": _cast,
    "CastLike": _cast,
    "Ceil": _unary(lambda v: Fraction(math.ceil(v))),
    "Celu": _with(lambda v, alpha: max(v, Fraction(0)) + min(_elu(v / alpha, alpha), Fraction(0)), alpha=1.0),
    "Clip": _clip,
    "DebugMarker": same,
    "Cos": _smooth(_of_floats(math.cos)),
    "Div": _binary(divide),
    "Dropout": same,
    "Elu": _with(_elu, alpha=1.0),
    "Erf": _smooth(_of_floats(math.erf)),
    "Exp": _unary(exponential, ULPS),
    "Floor": _unary(lambda v: Fraction(math.floor(v))),
    "Gelu": _gelu,
    "HardSigmoid": _with(lambda v, alpha, beta: _clamped(alpha * v + beta), alpha=0.2, beta=0.5),
    "HardSwish": _smooth(lambda v: v * _clamped(v / 6 + ONE / 2)),
    "Identity": same,
    "LeakyRelu": _leaky,
    "Log": _smooth(logarithm),
    "Max": _elementwise(extreme(max)),
    "Min": _elementwise(extreme(min)),
    "Mish": _smooth(lambda v: v * _tanh(_softplus(v))),
    "Mul": _binary(multiply),
    "Neg": _unary(lambda v: -v),
    "PRelu": _leaky,
    "Pow": _power,
    "Reciprocal": lambda exact, node, name, index: divide(Near(ONE, 0.0), exact.element(node.input[0], index)),
    "Relu": _unary(lambda v: max(v, Fraction(0))),
    "Round": _unary(lambda v: Fraction(round(v))),
    "Selu": _with(lambda v, alpha, gamma: gamma * _elu(v, alpha), alpha=1.67326319217681884765625,
                  gamma=1.05070102214813232421875),
    "Sigmoid": _smooth(sigmoid),
    "Sign": _unary(lambda v: Fraction((v > 0) - (v < 0))),
    "Sin": _smooth(_of_floats(math.sin)),
    "Sinh": _smooth(_of_floats(math.sinh)),
    "Softplus": _smooth(_softplus),
    "Softsign": _smooth(lambda v: v / (1 + abs(v))),
    "Sqrt": _unary(root, 1),
    "Sub": _binary(lambda a, b: add(a, b, -1)),
    "Sum": _elementwise(_sum),
    "Swish": _with(lambda v, alpha: v * sigmoid(alpha * v), alpha=1.0),
    "Tan": _smooth(_of_floats(math.tan)),
    "Tanh": _smooth(_tanh),
    "ThresholdedRelu": _with(lambda v, alpha: v if v > alpha else Fraction(0), alpha=1.0),
}
"""By operator: the exact rule of one element of its output."""
