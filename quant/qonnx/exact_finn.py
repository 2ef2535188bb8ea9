"""What FINN's operators of integers compute, element by element in rational numbers."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from math import floor
from typing import TYPE_CHECKING

from .exact import Exact, Index, Near
from .exact_arithmetic import add, dot

if TYPE_CHECKING:
    from onnx import NodeProto


def quant_average(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    """The sum of a window, rounded, shifted right."""
    attributes = exact.attributes(node)
    kernel, stride = int(attributes["kernel"]), int(attributes["stride"])
    bits = (((1 << int(attributes["ibits"])) - 1) * kernel**2).bit_length()
    shift = max(0, bits - int(attributes["obits"]))
    last = attributes.get("data_layout", b"NCHW") == b"NHWC"
    sample, channel, *at = (index[0], index[-1], *index[1:-1]) if last else index
    places = [tuple(p * stride + i for p, i in zip(at, k)) for k in product(range(kernel), repeat=2)]
    one = Near(Fraction(1), 0.0)
    total, error = dot((exact.element(node.input[0], (sample, *place, channel) if last else (sample, channel, *place)),
                        one) for place in places)

    def shifted(value: Fraction) -> int:
        return floor(Fraction(round(value), 1 << shift))

    if float(total).is_integer() and abs(total) < 1 << 22:
        error = max(0.0, error - 0.5)  # float32's sum is rounded to it
    value = shifted(total)
    ends = [shifted(total + Fraction(error) * sign) for sign in (-1, 1)]
    return Near(Fraction(value), float(max(abs(end - value) for end in ends)))


def xnor(exact: Exact, node: NodeProto, name: str, index: Index) -> Near:
    """How many bits of a row and a column are alike."""
    x, w = node.input
    one, two = Near(Fraction(1), 0.0), Near(Fraction(2), 0.0)

    def pairs() -> Iterator[tuple[Near, Near]]:
        for k in range(exact.shape(w)[0]):
            a, b = exact.element(x, (*index[:-1], k)), exact.element(w, (k, index[-1]))
            yield two, Near(a.value * b.value, a.error * abs(float(b.value)))
            yield Near(Fraction(-1), 0.0), add(a, b)
            yield one, one

    return dot(pairs())
