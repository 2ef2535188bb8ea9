"""What quantizers compute, exactly: of one element, at a given place, with the parameters that hold there."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from .exact import FUSED, SLACK, UNIT, Exact, Index, Near

if TYPE_CHECKING:
    from onnx import NodeProto

ROUNDED: dict[str, Callable[[Fraction], int]] = {
    "Round": round, "Floor": math.floor, "Ceil": math.ceil, "Cast": math.trunc}
"""Operators that make integers → their functions."""


def parameter(exact: Exact, node: NodeProto, at: int, index: Index, default: float = 0.0) -> Fraction:
    """A parameter of a quantizer as it applies to the element ``index``; the executor's own float32 is what counts."""
    if at >= len(node.input) or not node.input[at]:
        return Fraction(default)
    values, shape = exact.context[node.input[at]], exact.shape(node.input[0])
    if values.size == 1:
        return exact.scalar(node.input[at])
    if node.op_type in ("QuantizeLinear", "DequantizeLinear") and values.ndim == 1:
        axis = int(exact.attributes(node).get("axis", 1))
        return Fraction(float(values[index[axis] if len(values) > 1 else 0]))
    if node.op_type in ("QuantizeLinear", "DequantizeLinear") and values.ndim:
        axis, block = (int(exact.attributes(node)[key]) for key in ("axis", "block_size"))
        return Fraction(float(values[tuple(i // block if n == axis else i for n, i in enumerate(index))]))
    return Fraction(float(np.broadcast_to(values, shape)[index]))


def grid(exact: Exact, node: NodeProto, index: Index, found: float) -> Fraction:
    """The exact value on the grid of the quantizer ``node`` for which the executor has the float ``found``."""
    if node.op_type == "QuantizeLinear" or node.op_type in (*ROUNDED, *FUSED):
        return Fraction(round(found))
    if node.op_type == "MultiThreshold":
        scale, bias = _affine(exact, node)
        return scale * round((Fraction(found) - bias) / scale) + bias
    scale, zero = _output_grid(exact, node, index)
    return (round(Fraction(found) / scale + zero) - zero) * scale


def quantizer(
    exact: Exact, node: NodeProto, index: Index, before: Near
) -> tuple[Callable[[Fraction], Fraction], Fraction]:
    """The quantizer ``node`` at the element ``index``: its function, and float32's error before it rounds."""
    if node.op_type == "BipolarQuant":
        scale = parameter(exact, node, 1, index)
        return lambda value: scale if value >= 0 else -scale, Fraction(before.error)
    if node.op_type in ROUNDED:
        return lambda value: Fraction(ROUNDED[node.op_type](value)), Fraction(before.error)
    if node.op_type == "MultiThreshold":
        return _multi_threshold(exact, node, index), Fraction(before.error)
    scale, zero = parameter(exact, node, 1, index), parameter(exact, node, 2, index)
    scaled = abs(before.value) + Fraction(before.error)
    error = Fraction(before.error) + Fraction(UNIT * SLACK) * (2 * scaled + abs(zero * scale))
    if node.op_type == "QuantizeLinear":
        low, high = exact.integers(node)
        return lambda value: Fraction(min(max(round(value / scale) + int(zero), low), high)), error
    attributes = exact.attributes(node)
    rounding = ROUNDING[_text(attributes.get("rounding_mode", "FLOOR" if node.op_type == "Trunc" else "ROUND"))]
    if node.op_type == "Trunc":
        return _trunc(exact, node, index, rounding), error
    bits = int(parameter(exact, node, 3, index))
    signed, narrow = bool(attributes.get("signed", 1)), bool(attributes.get("narrow", 0))
    if bits == 1 and signed:
        return lambda value: ((1 if value / scale + zero >= 0 else -1) - zero) * scale, error
    low, high = _limits(bits, signed, narrow)
    return lambda value: (rounding(_clamped(value / scale + zero, low, high)) - zero) * scale, error


def _trunc(exact: Exact, node: NodeProto, index: Index,
           rounding: Callable[[Fraction], int]) -> Callable[[Fraction], Fraction]:
    """Trunc, in its first version (5 inputs) and its second (6)."""
    scale, zero = parameter(exact, node, 1, index), parameter(exact, node, 2, index)
    if len(node.input) == 5:
        by = Fraction(2) ** int(parameter(exact, node, 3, index) - parameter(exact, node, 4, index))
        return lambda value: (rounding(round(value / scale + zero) / by) - zero) * scale
    out, attributes = parameter(exact, node, 4, index), exact.attributes(node)
    by = Fraction(2) ** round(math.log2(out / scale))
    low, high = _limits(int(parameter(exact, node, 5, index)), bool(attributes.get("signed", 1)),
                        bool(attributes.get("narrow", 0)))
    return lambda value: (rounding(_clamped(round(value / scale + zero) / by, low, high)) - zero / by) * out


def _output_grid(exact: Exact, node: NodeProto, index: Index) -> tuple[Fraction, Fraction]:
    """Scale and zero point of what ``node`` puts out."""
    scale, zero = parameter(exact, node, 1, index), Fraction(0)
    if node.op_type == "BipolarQuant":
        return scale, zero
    zero = parameter(exact, node, 2, index)
    if node.op_type == "Trunc" and len(node.input) == 6:
        out = parameter(exact, node, 4, index)
        return out, zero / Fraction(2) ** round(math.log2(out / scale))
    return scale, zero


def _multi_threshold(exact: Exact, node: NodeProto, index: Index) -> Callable[[Fraction], Fraction]:
    """FINN's MultiThreshold: how many thresholds of its channel a value reaches, scaled and shifted."""
    layout = _text(exact.attributes(node).get("data_layout", "")) or {2: "NC", 3: "NWC", 4: "NCHW"}.get(len(index), "")
    channel = index[layout.index("C") if "C" in layout else 1]
    rows = exact.context[node.input[1]]
    row = [Fraction(float(level)) for level in rows[channel if len(rows) > 1 else 0]]
    scale, bias = _affine(exact, node)
    return lambda value: scale * sum(value >= level for level in row) + bias


def _affine(exact: Exact, node: NodeProto) -> tuple[Fraction, Fraction]:
    attributes = exact.attributes(node)
    scale, bias = attributes.get("out_scale", 1.0), attributes.get("out_bias", 0.0)
    return Fraction(float(scale)), Fraction(float(bias))


def _clamped(value: Fraction, low: int, high: int) -> Fraction:
    return Fraction(min(max(value, Fraction(low)), Fraction(high)))


def _limits(bits: int, signed: bool, narrow: bool) -> tuple[int, int]:
    if signed:
        return -(1 << (bits - 1)) + narrow, (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1 - narrow


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _sign(value: Fraction) -> int:
    return (value > 0) - (value < 0)


ROUNDING: dict[str, Callable[[Fraction], int]] = {
    "ROUND": round,
    "HALF_EVEN": round,
    "CEIL": math.ceil,
    "FLOOR": math.floor,
    "UP": lambda value: _sign(value) * math.ceil(abs(value)),
    "DOWN": math.trunc,
    "HALF_UP": lambda value: _sign(value) * math.floor(abs(value) + Fraction(1, 2)),
    "HALF_DOWN": lambda value: _sign(value) * math.ceil(abs(value) - Fraction(1, 2)),
}
"""The rounding modes of QONNX, half to even being the first and the usual one."""
