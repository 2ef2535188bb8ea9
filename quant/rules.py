"""The arithmetic of quantizers in float32: from a real number to an integer, as files define it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

F = np.float32

ROUNDING: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ROUND": np.round, "HALF_EVEN": np.round, "CEIL": np.ceil, "FLOOR": np.floor, "DOWN": np.fix,
    "UP": lambda x: np.sign(x) * np.ceil(np.abs(x)),
    "HALF_UP": lambda x: np.sign(x) * np.floor(np.abs(x) + F(0.5)),
    "HALF_DOWN": lambda x: np.sign(x) * np.ceil(np.abs(x) - F(0.5)),
}
"""Rounding mode → the function that QONNX names by it."""

Kind = Literal["Quant", "QuantSign", "BipolarQuant", "QuantizeLinear", "nearest"]


@dataclass(frozen=True)
class Rule:
    """How a quantizer makes integers ``low`` … ``high`` of real numbers; called with (scale, zero) and the numbers.

    ``Quant``: x / scale + zero, clamped, then rounded, as QONNX's. ``QuantSign``: the sign of x / scale + zero, which
    is QONNX's quantizer of one signed bit. ``BipolarQuant``: the sign of x. ``QuantizeLinear``: x / scale rounded half
    to even, zero added, then clamped, as ONNX defines it. ``nearest``: the integer whose real number,
    scale · integer + offset, is nearest, where no file says more; its second constant is that offset. All but the last
    compute in float32, operation by operation. Signs are −1 below 0 and +1 from 0 on.
    """

    kind: Kind
    low: int
    high: int
    rounding: str = "ROUND"

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"quantizer must be one of {', '.join(get_args(Kind))}, not {self.kind!r}")
        if self.rounding not in ROUNDING:
            raise ValueError(f"rounding must be one of {', '.join(ROUNDING)}, not {self.rounding!r}")
        if self.low >= self.high:
            raise ValueError(f"a quantizer gives two integers at least, not {self.low} to {self.high}")

    @property
    def signs(self) -> bool:
        """Whether it gives −1 and +1 alone."""
        nearest = self.kind == "nearest" and (self.low, self.high) == (-1, 1)
        return nearest or self.kind in ("QuantSign", "BipolarQuant")

    def __call__(self, constants: tuple[np.ndarray, ...], x: np.ndarray) -> np.ndarray:
        """The integers, as floats, of ``x`` (…, channels); scale and zero of shape () or (channels,)."""
        if self.kind == "BipolarQuant":
            return np.where(x >= F(0), F(1), F(-1))
        scale, zero = constants
        if self.kind == "Quant":
            y = x / scale + zero
            y = np.where(y > F(self.high), F(self.high), y)
            y = np.where(y < F(self.low), F(self.low), y)
            return ROUNDING[self.rounding](y)
        if self.kind == "QuantizeLinear":
            return np.clip(np.round(x / scale) + zero, F(self.low), F(self.high))
        if self.kind == "QuantSign":
            return np.where(x / scale + zero >= F(0), F(1), F(-1))
        y = np.rint((x.astype(np.float64) - zero) / scale)
        return np.where(y >= 0, 1.0, -1.0) if self.signs else np.clip(y, self.low, self.high)
