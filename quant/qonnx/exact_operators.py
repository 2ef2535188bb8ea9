"""What each ONNX operator computes, element by element in rational numbers, and what float32 may make of it.

A rule takes the evaluation, a node, the name of one of its outputs and the index of an element, and gives that element
with a bound on float32's error: the errors of its operands carried through, and that of its own roundings. A sum of n
products is off by at most n units of the sum of their absolute values, in whatever order it is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from decimal import Context as Digits
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from .exact import UNIT, Exact, Index, Near, Unjudged

if TYPE_CHECKING:
    from onnx import NodeProto

Rule = Callable[[Exact, "NodeProto", str, Index], Near]

DIGITS = Digits(prec=60)
ZERO = Near(Fraction(0), 0.0)


def _dot(pairs: Iterable[tuple[Near, Near]], start: Near = ZERO) -> Near:
    """Σ a·b + start."""
    total, size, carried, count = start.value, abs(float(start.value)), start.error, 1
    for (a, e), (b, f) in pairs:
        if a and b:
            total += a * b
        x, y = abs(float(a)), abs(float(b))
        size += x * y
        carried += x * f + y * e + e * f
        count += 1
    return Near(total, carried + count * UNIT * (size + carried))


def _add(a: Near, b: Near, sign: int = 1) -> Near:
    value = a.value + sign * b.value
    carried = a.error + b.error
    return Near(value, carried + UNIT * (abs(float(value)) + carried))


def _multiply(a: Near, b: Near) -> Near:
    value, x, y = a.value * b.value, abs(float(a.value)), abs(float(b.value))
    carried = x * b.error + y * a.error + a.error * b.error
    return Near(value, carried + UNIT * (x * y + carried))


def _divide(a: Near, b: Near) -> Near:
    least = abs(float(b.value)) - b.error
    if least <= 0:
        raise Unjudged("a divisor may be zero")
    value = a.value / b.value
    carried = (a.error + abs(float(value)) * b.error) / least
    return Near(value, carried + UNIT * (abs(float(value)) + carried))


def _monotone(a: Near, f: Callable[[Fraction], Fraction], ulps: float) -> Near:
    """A monotone function of ``a`` that float32 evaluates to within ``ulps`` units of its greatest value nearby."""
    value, low, high = (f(a.value + Fraction(shift)) for shift in (0.0, -a.error, a.error))
    carried = float(max(abs(high - value), abs(value - low)))
    return Near(value, carried + ulps * UNIT * (abs(float(value)) + carried))


def _decimal(value: Fraction) -> Decimal:
    return DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator))


def _exponential(value: Fraction) -> Fraction:
    if abs(value) > 400:
        raise Unjudged("an exponent beyond what float32 holds")
    return Fraction(DIGITS.exp(_decimal(value)))


def _sigmoid(value: Fraction) -> Fraction:
    if abs(value) > 300:
        return Fraction(int(value > 0))
    return 1 / (1 + _exponential(-value))


def _root(value: Fraction) -> Fraction:
    if value < 0:
        raise Unjudged("the square root of a negative number")
    top, bottom = math.isqrt(value.numerator), math.isqrt(value.denominator)
    if top * top == value.numerator and bottom * bottom == value.denominator:
        return Fraction(top, bottom)
    return Fraction(DIGITS.sqrt(_decimal(value)))


def _unary(f: Callable[[Fraction], Fraction], ulps: float) -> Rule:
    return lambda exact, node, name, index: _monotone(exact.element(node.input[0], index), f, ulps)


def _binary(f: Callable[[Near, Near], Near]) -> Rule:
    def rule(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
        shape = exact.shape(name)
        a, b = (exact.spread(x, index, shape) for x in node.input)
        return f(a, b)

    return rule


def _extreme(choose: Callable[[Iterable[Fraction]], Fraction]) -> Callable[[list[Near]], Near]:
    """The maximum or minimum: as far off as the worst operand."""
    return lambda values: Near(choose(v.value for v in values), max(v.error for v in values))


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
    below = _multiply(x, slope)
    if abs(float(x.value)) <= x.error:
        return Near(x.value if x.value >= 0 else below.value, max(x.error, below.error))
    return x if x.value > 0 else below


def _hard_sigmoid(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    attributes = exact.attributes(node)
    a, b = (Near(Fraction(float(np.float32(attributes.get(k, d)))), 0.0)
            for k, d in (("alpha", 0.2), ("beta", 0.5)))
    value, error = _add(_multiply(exact.element(node.input[0], index), a), b)
    return Near(min(max(value, Fraction(0)), Fraction(1)), error)


def _power(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    shape = exact.shape(name)
    base, exponent = (exact.spread(x, index, shape) for x in node.input)
    if exponent.value == Fraction(1, 2):
        return _monotone(base, _root, 4)
    if exponent.value.denominator != 1 or not 1 <= exponent.value <= 8:
        raise Unjudged(f"no exact rule for a power of {float(exponent.value):g}")
    result = base
    for _ in range(int(exponent.value) - 1):
        result = _multiply(result, base)
    return Near(result.value, result.error + 4 * UNIT * abs(float(result.value)))


def _normalize(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    """Batch norm: (x − mean)·gain/√(variance + ε) + bias, which implementations arrange in several ways."""
    x = exact.element(node.input[0], index)
    gain, bias, mean, variance = (exact.element(x, (index[1],)).value for x in node.input[1:5])
    epsilon = Fraction(float(exact.attributes(node).get("epsilon", np.float32(1e-5))))
    factor = gain / _root(variance + epsilon)
    value = (x.value - mean) * factor + bias
    carried = abs(float(factor)) * x.error
    size = abs(float(factor)) * (abs(float(x.value)) + abs(float(mean))) + abs(float(bias))
    return Near(value, carried + 8 * UNIT * (size + carried))


def _matmul(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    a, b = node.input
    sa, sb, out = exact.shape(a), exact.shape(b), exact.shape(name)
    row = index[-2:-1] if len(sb) > 1 else index[-1:]
    batch, batched = (index[:-2], out[:-2]) if min(len(sa), len(sb)) > 1 else (index[:-1], out[:-1])

    def operand(x: str, shape: tuple[int, ...], k: tuple[int, ...]) -> Near:
        if len(shape) == 1:
            return exact.element(x, k)
        lead = batch[len(batched) - (len(shape) - 2) :]
        return exact.element(x, (*(0 if n == 1 else i for n, i in zip(shape, lead)), *k))

    return _dot((operand(a, sa, (k,) if len(sa) == 1 else (*row, k)),
                 operand(b, sb, (k,) if len(sb) == 1 else (k, index[-1]))) for k in range(sa[-1]))


def _gemm(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    attributes = exact.attributes(node)
    a, b = node.input[:2]
    i, j = index
    inner = exact.shape(a)[0 if attributes.get("transA") else 1]
    result = _dot((exact.element(a, (k, i) if attributes.get("transA") else (i, k)),
                   exact.element(b, (j, k) if attributes.get("transB") else (k, j))) for k in range(inner))
    if attributes.get("alpha", 1.0) != 1.0:
        result = _multiply(result, Near(Fraction(attributes["alpha"]), 0.0))
    if len(node.input) > 2 and node.input[2]:
        bias = exact.spread(node.input[2], index, exact.shape(name))
        result = _add(result, _multiply(bias, Near(Fraction(attributes.get("beta", 1.0)), 0.0)))
    return result


def _windowed(exact: Exact, node: NodeProto, kernel: Index) -> tuple[Index, Index, Index, Index]:
    """Strides, dilations, and pads at the beginning and at the end of a convolution or a pooling."""
    attributes = exact.attributes(node)
    dims, spatial = len(kernel), exact.shape(node.input[0])[2:]
    strides = tuple(attributes.get("strides", (1,) * dims))
    dilations = tuple(attributes.get("dilations", (1,) * dims))
    auto = attributes.get("auto_pad", b"NOTSET").decode()
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        total = [max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n)
                 for n, s, d, k in zip(spatial, strides, dilations, kernel)]
        begin = tuple(t // 2 if auto == "SAME_UPPER" else -(-t // 2) for t in total)
        return strides, dilations, begin, tuple(t - b for t, b in zip(total, begin))
    pads = (0,) * (2 * dims) if auto == "VALID" else tuple(attributes.get("pads", (0,) * (2 * dims)))
    return strides, dilations, pads[:dims], pads[dims:]


def _convolve(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    x, w = node.input[:2]
    n, channel, *at = index
    outputs, inputs, *kernel = exact.shape(w)
    strides, dilations, begin, _ = _windowed(exact, node, tuple(kernel))
    group = channel // (outputs // int(exact.attributes(node).get("group", 1)))
    spatial = exact.shape(x)[2:]

    def pairs() -> Iterator[tuple[Near, Near]]:
        for k in product(*map(range, kernel)):
            place = tuple(p * s + i * d - b for p, s, i, d, b in zip(at, strides, k, dilations, begin))
            if all(0 <= p < limit for p, limit in zip(place, spatial)):
                for c in range(inputs):
                    yield (exact.element(x, (n, group * inputs + c, *place)), exact.element(w, (channel, c, *k)))

    bias = exact.element(node.input[2], (channel,)) if len(node.input) > 2 and node.input[2] else ZERO
    return _dot(pairs(), bias)


def _pool(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    attributes = exact.attributes(node)
    spatial = exact.shape(node.input[0])[2:]
    if node.op_type.startswith("Global"):
        places, count = list(product(*map(range, spatial))), math.prod(spatial)
    else:
        kernel = tuple(attributes["kernel_shape"])
        strides, dilations, begin, end = _windowed(exact, node, kernel)
        seen = [tuple(p * s + i * d - b for p, s, i, d, b in zip(index[2:], strides, k, dilations, begin))
                for k in product(*map(range, kernel))]
        places = [place for place in seen if all(0 <= p < limit for p, limit in zip(place, spatial))]
        padded = [place for place in seen if all(p < limit + e for p, limit, e in zip(place, spatial, end))]
        count = len(padded) if attributes.get("count_include_pad") else len(places)
    values = [exact.element(node.input[0], (*index[:2], *place)) for place in places]
    if node.op_type.endswith("MaxPool"):
        return _extreme(max)(values)
    return _mean(values, count)


def _mean(values: list[Near], count: int) -> Near:
    one = Near(Fraction(1), 0.0)
    value, error = _divide(_dot((v, one) for v in values), Near(Fraction(count), 0.0))
    return Near(value, error + UNIT * abs(float(value)))


def _reduce(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    attributes = exact.attributes(node)
    shape = exact.shape(node.input[0])
    axes = attributes.get("axes")
    if axes is None and len(node.input) > 1 and node.input[1]:
        axes = exact.context[node.input[1]].tolist()
    reduced = {axis % len(shape) for axis in (range(len(shape)) if axes is None else axes)}
    kept = iter(i for axis, i in enumerate(index) if not (attributes.get("keepdims", 1) and axis in reduced))
    ranges = [range(n) if axis in reduced else (next(kept),) for axis, n in enumerate(shape)]
    values = [exact.element(node.input[0], place) for place in product(*ranges)]
    if node.op_type == "ReduceMax":
        return _extreme(max)(values)
    return _mean(values, len(values) if node.op_type == "ReduceMean" else 1)


def _reshape(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    flat = np.ravel_multi_index(index, exact.shape(name)) if index else 0
    own = exact.shape(node.input[0])
    return exact.element(node.input[0], tuple(int(i) for i in np.unravel_index(flat, own)))


def _transpose(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    order = exact.attributes(node).get("perm", range(len(index))[::-1])
    return exact.element(node.input[0], tuple(index[list(order).index(axis)] for axis in range(len(index))))


def _move(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    """An operator that moves values without computing: run on the numbers of its elements, it tells where from."""
    data = list(node.input) if node.op_type == "Concat" else [node.input[0]]
    if name not in exact.moved:
        exact.moved.update(zip(node.output, _origins(exact, node, data)))
    if len(exact.moved[name]) != 1:
        raise Unjudged(f"{node.op_type} moves from sample to sample")
    origin = int(exact.moved[name][(0, *index[1:])]) - 1
    if origin < 0:
        return _border(exact, node)
    for x in data:
        shape = exact.shape(x)[1:]
        if origin < math.prod(shape):
            return exact.element(x, (index[0], *(int(i) for i in np.unravel_index(origin, shape))))
        origin -= math.prod(shape)
    raise Unjudged(f"{node.op_type} reads what it was not given")


def _origins(exact: Exact, node: NodeProto, data: list[str]) -> list[np.ndarray]:
    """For each output of ``node``, for one sample, the numbers of the elements of ``data`` from 1 on; 0 is a border."""
    import onnxruntime
    from onnx import helper

    feeds, first = {x: exact.context[x] for x in node.input if x}, 1
    for x in data:
        shape = (1, *exact.shape(x)[1:])
        feeds[x] = np.arange(first, first + math.prod(shape), dtype=np.float32).reshape(shape)
        first += math.prod(shape)
    if first > 1 << 24:
        raise Unjudged(f"{node.op_type} moves more elements than float32 can number")
    if node.op_type == "Pad" and len(node.input) > 2 and node.input[2]:
        feeds[node.input[2]] = np.zeros_like(feeds[node.input[2]])
    inputs = [helper.make_tensor_value_info(x, helper.np_dtype_to_tensor_dtype(feed.dtype), feed.shape)
              for x, feed in feeds.items()]
    graph = helper.make_graph([node], "move", inputs, [helper.make_empty_tensor_value_info(y) for y in node.output])
    opsets = [helper.make_opsetid("", exact.opsets.get("", exact.opsets.get("ai.onnx", 13)))]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return list(onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds))


def _border(exact: Exact, node: NodeProto) -> Near:
    if len(node.input) > 2 and node.input[2]:
        return exact.element(node.input[2], (0,) * exact.context[node.input[2]].ndim)
    return Near(Fraction(float(exact.attributes(node).get("value", 0.0))), 0.0)


def _dequantize(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    shape = exact.shape(node.input[0])
    axis = int(exact.attributes(node).get("axis", 1))

    def constant(at: int) -> Near:
        values = exact.context[node.input[at]]
        return exact.element(node.input[at], () if values.ndim == 0 else
                             ((index[axis % len(shape)],) if len(values) > 1 else (0,)))

    zero = constant(2) if len(node.input) > 2 and node.input[2] else ZERO
    x = exact.element(node.input[0], index)
    return _multiply(Near(x.value - zero.value, x.error), constant(1))


_SAME: Rule = lambda exact, node, name, index: exact.element(node.input[0], index)  # noqa: E731

RULES: dict[str, Rule] = {
    "Add": _binary(_add),
    "AveragePool": _pool,
    "BatchNormalization": _normalize,
    "Cast": _SAME,
    "Clip": _clip,
    "Concat": _move,
    "Conv": _convolve,
    "DepthToSpace": _move,
    "DequantizeLinear": _dequantize,
    "Div": _binary(_divide),
    "Dropout": _SAME,
    "Expand": _move,
    "Flatten": _reshape,
    "Gather": _move,
    "Gemm": _gemm,
    "GlobalAveragePool": _pool,
    "GlobalMaxPool": _pool,
    "HardSigmoid": _hard_sigmoid,
    "Identity": _SAME,
    "LeakyRelu": _leaky,
    "MatMul": _matmul,
    "Max": _elementwise(_extreme(max)),
    "MaxPool": _pool,
    "Min": _elementwise(_extreme(min)),
    "Mul": _binary(_multiply),
    "Neg": _unary(lambda value: -value, 0),
    "PRelu": _leaky,
    "Pad": _move,
    "Pow": _power,
    "ReduceMax": _reduce,
    "ReduceMean": _reduce,
    "ReduceSum": _reduce,
    "Relu": _unary(lambda value: max(value, Fraction(0)), 0),
    "Reshape": _reshape,
    "Resize": _move,
    "Sigmoid": _unary(_sigmoid, 16),
    "Slice": _move,
    "Split": _move,
    "Sqrt": _unary(_root, 1),
    "Squeeze": _reshape,
    "Sub": _binary(lambda a, b: _add(a, b, -1)),
    "Tanh": _unary(lambda value: 2 * _sigmoid(2 * value) - 1, 16),
    "Tile": _move,
    "Transpose": _transpose,
    "Unsqueeze": _reshape,
    "Upsample": _move,
}
"""By operator: the exact rule of one element of its output."""
