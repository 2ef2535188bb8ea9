"""What each ONNX operator computes, element by element in rational numbers, and what float32 may make of it.

A rule takes the evaluation, a node, the name of one of its outputs and the index of an element, and gives that element
with a bound on float32's error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from .alone import alone
from .exact import UNIT, Exact, Index, Near, Unjudged
from .exact_arithmetic import ZERO, add, divide, dot, extreme, multiply
from .exact_elementwise import ELEMENTWISE, Rule
from .exact_finn import quant_average, xnor
from .exact_quantizers import parameter

if TYPE_CHECKING:
    from onnx import NodeProto


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

    return dot((operand(a, sa, (k,) if len(sa) == 1 else (*row, k)),
                 operand(b, sb, (k,) if len(sb) == 1 else (k, index[-1]))) for k in range(sa[-1]))


def _gemm(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    attributes = exact.attributes(node)
    a, b = node.input[:2]
    i, j = index
    inner = exact.shape(a)[0 if attributes.get("transA") else 1]
    result = dot((exact.element(a, (k, i) if attributes.get("transA") else (i, k)),
                   exact.element(b, (j, k) if attributes.get("transB") else (k, j))) for k in range(inner))
    if attributes.get("alpha", 1.0) != 1.0:
        result = multiply(result, Near(Fraction(attributes["alpha"]), 0.0))
    if len(node.input) > 2 and node.input[2]:
        bias = exact.spread(node.input[2], index, exact.shape(name))
        result = add(result, multiply(bias, Near(Fraction(attributes.get("beta", 1.0)), 0.0)))
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
    return dot(pairs(), bias)


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
    if "MaxPool" in node.op_type:
        return extreme(max)(values)
    return _mean(values, count)


def _mean(values: list[Near], count: int) -> Near:
    one = Near(Fraction(1), 0.0)
    value, error = divide(dot((v, one) for v in values), Near(Fraction(count), 0.0))
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
        return extreme(max)(values)
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


def _gather(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    """Constant places of a tensor, or places of a constant that the network chooses."""
    table, places = node.input
    if places not in exact.varying:
        return _move(exact, node, name, index)
    shape, chosen = exact.shape(table), exact.context[places]
    axis = int(exact.attributes(node).get("axis", 0)) % len(shape)
    place = int(chosen[index[axis : axis + chosen.ndim]])
    return exact.element(table, (*index[:axis], place % shape[axis], *index[axis + chosen.ndim :]))


def _origins(exact: Exact, node: NodeProto, data: list[str]) -> list[np.ndarray]:
    """For each output of ``node``, for one sample, the numbers of the elements of ``data`` from 1 on; 0 is a border."""
    feeds, first = {x: exact.context[x] for x in node.input if x}, 1
    for x in data:
        shape = (1, *exact.shape(x)[1:])
        feeds[x] = np.arange(first, first + math.prod(shape), dtype=np.float32).reshape(shape)
        first += math.prod(shape)
    if first > 1 << 24:
        raise Unjudged(f"{node.op_type} moves more elements than float32 can number")
    if node.op_type == "Pad" and len(node.input) > 2 and node.input[2]:
        feeds[node.input[2]] = np.zeros_like(feeds[node.input[2]])
    return alone(exact, node, feeds)


def _border(exact: Exact, node: NodeProto) -> Near:
    if len(node.input) > 2 and node.input[2]:
        return exact.element(node.input[2], (0,) * exact.context[node.input[2]].ndim)
    return Near(Fraction(float(exact.attributes(node).get("value", 0.0))), 0.0)


def _dequantize(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    x = exact.element(node.input[0], index)
    zero, scale = parameter(exact, node, 2, index), parameter(exact, node, 1, index)
    return multiply(Near(x.value - zero, x.error), Near(scale, 0.0))


def _convolve_back(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    """A transposed convolution: position p reads input (p + pad − dilation·k) / stride with weight k, where whole."""
    attributes = exact.attributes(node)
    x, w = node.input[:2]
    n, channel, *at = index
    _, each, *kernel = exact.shape(w)
    group = int(attributes.get("group", 1))
    strides, dilations, begin, _ = _windowed(exact, node, tuple(kernel))
    spatial, inputs = exact.shape(x)[2:], exact.shape(x)[1] // group
    first = channel // each * inputs

    def pairs() -> Iterator[tuple[Near, Near]]:
        for k in product(*map(range, kernel)):
            reach = [p + b - i * d for p, b, i, d in zip(at, begin, k, dilations)]
            place = [r // s for r, s in zip(reach, strides)]
            if all(r == q * s and 0 <= q < limit for r, q, s, limit in zip(reach, place, strides, spatial)):
                for c in range(inputs):
                    yield (exact.element(x, (n, first + c, *place)), exact.element(w, (first + c, channel % each, *k)))

    bias = exact.element(node.input[2], (channel,)) if len(node.input) > 2 and node.input[2] else ZERO
    return dot(pairs(), bias)


class _Turned(Exact):
    """An evaluation in which some tensors have their channels first that have them last in the file."""

    def __init__(self, exact: Exact, names: tuple[str, ...]) -> None:
        self.__dict__.update(exact.__dict__)
        self._exact, self._names = exact, names

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape, channels second."""
        shape = self._exact.shape(name)
        return (shape[0], shape[-1], *shape[1:-1]) if name in self._names else shape

    def element(self, name: str, index: Index) -> Near:
        """The element at an index whose channel is second."""
        return self._exact.element(name, (index[0], *index[2:], index[1]) if name in self._names else index)


def channels_last(rule: Rule) -> Rule:
    """``rule`` of an operator whose operand, output and (of a convolution) weights have their channels last."""

    def turned(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
        names = (*node.input[: 2 if node.op_type == "Conv" else 1], name)
        return rule(_Turned(exact, names), node, name, (index[0], index[-1], *index[1:-1]))

    return turned


RULES: dict[str, Rule] = {
    **ELEMENTWISE,
    "AveragePool": _pool,
    "Concat": _move,
    "Conv": _convolve,
    "ConvTranspose": _convolve_back,
    "DepthToSpace": _move,
    "DequantizeLinear": _dequantize,
    "Expand": _move,
    "Flatten": _reshape,
    "Gather": _gather,
    "Gemm": _gemm,
    "GlobalAveragePool": _pool,
    "GlobalMaxPool": _pool,
    "MatMul": _matmul,
    "MaxPool": _pool,
    "MaxPoolNHWC": channels_last(_pool),
    "Pad": _move,
    "QuantAvgPool2d": quant_average,
    "ReduceMax": _reduce,
    "ReduceMean": _reduce,
    "ReduceSum": _reduce,
    "Reshape": _reshape,
    "Resize": _move,
    "Slice": _move,
    "SpaceToDepth": _move,
    "Split": _move,
    "Squeeze": _reshape,
    "Tile": _move,
    "Transpose": _transpose,
    "Unsqueeze": _reshape,
    "Upsample": _move,
    "XnorPopcountMatMul": xnor,
}
"""By operator: the exact rule of one element of its output."""


FOLLOWING = {*ELEMENTWISE, "DequantizeLinear", *(kind for kind, rule in RULES.items()
                                                if rule in (_move, _gather, _reshape, _transpose))} - {"Concat"}
"""Operators whose element is a function of one element of each operand."""


OWN = ("MaxPoolNHWC", "DebugMarker", "QuantAvgPool2d", "XnorPopcountMatMul")
"""Operators of QONNX that have a rule."""


def rule_of(node: NodeProto) -> Rule | None:
    """The rule of ``node``, in ONNX's own domain or QONNX's; None where there is none."""
    rule = RULES.get(node.op_type)
    if rule is None or node.domain in ("", "ai.onnx"):
        return rule
    if node.domain.endswith("channels_last"):
        return channels_last(rule)
    return rule if node.op_type in OWN else None
