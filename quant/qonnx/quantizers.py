"""What turns real numbers into integers: the quantizers' arithmetic in float32, as QONNX defines it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..formats import BIPOLAR, Format
from ..rules import ROUNDING, Rule
from .arrange import ground
from .context import Context
from .op import Op
from .values import ONE, ZERO, Const, Quantized, Value, moved

F = np.float32
MAX_BITS = 32
"""Bits that a quantizer may have."""

@dataclass(frozen=True, eq=False)
class Quantizer:
    """A rising step function of a real number: the integer ``least`` + ``step`` · level, level 0 … ``levels``.

    ``integer`` (constants, x) is float32 arithmetic on (…, channels), with the constants of shape () or (channels,);
    its result is the integer. What it stands for is scale · (integer − zero) + offset.
    """

    integer: Callable[..., np.ndarray]
    constants: tuple[np.ndarray, ...]
    format: Format
    least: int
    step: int
    levels: int
    scale: np.ndarray = field(default_factory=lambda: ONE)
    zero: np.ndarray = field(default_factory=lambda: ZERO)
    offset: np.ndarray = field(default_factory=lambda: ZERO)

    def level(self, x: np.ndarray) -> np.ndarray:
        """The level of each real number."""
        with np.errstate(all="ignore"):
            y = self.integer(self.constants, x)
        return (y.astype(np.int64) - self.least) // self.step

    def moved(self, channels: np.ndarray) -> Quantizer:
        """The same quantizer for channels in another order."""
        return Quantizer(self.integer, tuple(moved(c, channels) for c in self.constants), self.format, self.least,
                         self.step, self.levels, moved(self.scale, channels), moved(self.zero, channels),
                         moved(self.offset, channels))

    @property
    def uniform(self) -> bool:
        """Whether it is one for all channels."""
        return all(c.ndim == 0 for c in (*self.constants, self.scale, self.zero, self.offset))


def sign(scale_and_zero: bool) -> Rule:
    """The rule of one signed bit: ``BipolarQuant``'s, or with scale and zero point that of ``Quant``."""
    return Rule("QuantSign" if scale_and_zero else "BipolarQuant", -1, 1)


@dataclass(frozen=True)
class Range:
    """What a quantizer's attributes say: bits, sign, the integers it can give, how it rounds."""

    bits: int
    signed: bool
    low: int
    high: int
    rounding: str

    @property
    def format(self) -> Format:
        """The format of its integers."""
        return BIPOLAR if self.bits == 1 and self.signed else Format(self.bits, self.signed)

    @property
    def rule(self) -> Rule:
        """QONNX's arithmetic within it."""
        return Rule("Quant", self.low, self.high, self.rounding)


def rounding_of(op: Op, default: str = "ROUND") -> str:
    """The rounding mode of a quantizer, one of :data:`ROUNDING`."""
    mode = op.text("rounding_mode", default).upper()
    if mode not in ROUNDING:
        op.fail(f"rounding_mode {mode!r} is unknown", f"use one of {', '.join(ROUNDING)}")
    return mode


def range_of(op: Op, bits: np.ndarray, rounding: str = "ROUND") -> Range:
    """The range of a quantizer of ``bits``; refused where it has none."""
    if bits.size != 1 or float(bits.ravel()[0]) != int(bits.ravel()[0]) or not 1 <= bits.ravel()[0] <= MAX_BITS:
        op.fail(f"its bit width must be one integer from 1 to {MAX_BITS}, not {bits.ravel()[:3]}",
                "quantize with whole bits, alike for the whole tensor")
    width, signed, narrow = int(bits.ravel()[0]), bool(op.flag("signed", 1)), bool(op.flag("narrow", 0))
    mode = rounding_of(op, rounding)
    if signed:
        low, high = -(1 << (width - 1)) + narrow, (1 << (width - 1)) - 1
    else:
        low, high = 0, (1 << width) - 1 - narrow
    if high <= low and not (signed and width == 1):
        op.fail(f"a narrow range of {width} bits holds one value alone", "use more bits or no narrow range")
    return Range(width, signed, low, high, mode)


def positive(op: Op, scale: np.ndarray) -> np.ndarray:
    """``scale`` as float32 if it is positive throughout, else refused."""
    scale = np.asarray(scale, np.float32)
    if not np.all(scale > 0):
        op.fail(f"scales must be positive, and {scale.min():g} occurs", "train again, or repair the scale")
    return scale


def quant(ctx: Context, op: Op, value: Value) -> tuple[Value, Quantizer]:
    """The quantizer of a ``Quant`` operation on ``value``, its constants laid along the node's channels."""
    scale, zero, span = quant_parameters(ctx, op)
    value, (s, z) = ground(ctx, op, value, scale, zero)
    if span.bits == 1 and span.signed:
        return value, Quantizer(sign(True), (s, z), BIPOLAR, -1, 2, 1, s.astype(np.float64), z.astype(np.float64))
    return value, Quantizer(span.rule, (s, z), span.format, span.low, 1, span.high - span.low, s.astype(np.float64),
                            z.astype(np.float64))


def quant_parameters(ctx: Context, op: Op) -> tuple[np.ndarray, np.ndarray, Range]:
    """Scale and zero point (float32) and range of a ``Quant`` operation."""
    scale = positive(op, ctx.array(op, 1))
    return scale, np.asarray(ctx.array(op, 2), np.float32), range_of(op, ctx.array(op, 3))


def bipolar_quant(ctx: Context, op: Op, value: Value) -> tuple[Value, Quantizer]:
    """The quantizer of a ``BipolarQuant`` operation on ``value``."""
    value, (s,) = ground(ctx, op, value, positive(op, ctx.array(op, 1)))
    return value, Quantizer(sign(False), (), BIPOLAR, -1, 2, 1, s.astype(np.float64))


def constant_quant(ctx: Context, op: Op, array: np.ndarray) -> Const:
    """A quantized constant: its real numbers and the integers behind them."""
    x = np.asarray(array, np.float32)
    if op.kind == "BipolarQuant":
        scale = positive(op, ctx.array(op, 1))
        zero, form, y = np.zeros((), F), BIPOLAR, sign(False)((), x)
    else:
        scale, zero, span = quant_parameters(ctx, op)
        form = span.format
        y = (sign(True) if form.bipolar else span.rule)((scale, zero), x)
    real = np.asarray((y - zero) * scale, np.float32)
    shape = real.shape
    wide, origin = (np.broadcast_to(a.astype(np.float64), shape) for a in (scale, zero))
    return Const(real, Quantized(np.broadcast_to(y.astype(np.int64), shape), wide, origin, form))
