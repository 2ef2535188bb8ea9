"""Brevitas quantizers whose scales are powers of two."""

from __future__ import annotations

import math
from typing import TypeAlias

import brevitas.nn as qnn
from brevitas.core.function_wrapper import RoundSte
from brevitas.inject.enum import ScalingImplType
from brevitas.quant import (
    Int8ActPerTensorFixedPoint,
    Int8WeightPerTensorFixedPoint,
    SignedBinaryActPerTensorConst,
    SignedBinaryWeightPerTensorConst,
    SignedTernaryActPerTensorConst,
    SignedTernaryWeightPerTensorConst,
    Uint8ActPerTensorFixedPointMaxInit,
)

from .layers import Bits

Activation: TypeAlias = qnn.QuantIdentity | qnn.QuantReLU

ACTIVATION_RANGE = 2.0
"""Unsigned activations span 0 to just below this, residual branches ± this, where batch norm's output varies by 1."""


def input_quantizer(bits: Bits, top: int) -> qnn.QuantIdentity:
    """Raw integers 0 … ``top`` to ``bits``, never finer than the integers.

    The module first moves a binary or ternary input by −top/2; ternary zeroes the middle half.
    """
    octave = math.ceil(math.log2(top)) if top > 1 else 1
    if bits == "binary":
        return _identity(_binary_activation(1.0))
    if bits == "ternary":
        return _identity(_ternary_activation(2.0 ** (octave - 1)))
    return _identity(_unsigned_activation(bits, 2.0 ** max(octave, bits)))


def activation(bits: Bits) -> Activation:
    """The activation of ``bits``: a rectifier, or ternary or binary around 0."""
    if bits == "binary":
        return _identity(_binary_activation(1.0))
    if bits == "ternary":
        return _identity(_ternary_activation(1.0))
    return qnn.QuantReLU(act_quant=_unsigned_activation(bits, ACTIVATION_RANGE), return_quant_tensor=True)


def branch(bits: int) -> qnn.QuantIdentity:
    """The signed quantizer of ``bits`` at the end of a branch, before it is added to another."""

    class Signed(Int8ActPerTensorFixedPoint):
        scaling_impl_type = ScalingImplType.CONST
        bit_width = bits
        min_val = -ACTIVATION_RANGE
        max_val = ACTIVATION_RANGE

    return _identity(Signed)


def weight(bits: Bits, inputs: int) -> type:
    """The quantizer of weights that meet ``inputs`` elements in a sum.

    Binary and ternary weights have the constant scale 2^−round(log2(√inputs)): the power of two nearest to what keeps
    the variance of the sums.
    """
    unit = 2.0 ** -round(math.log2(inputs) / 2)
    if bits == "binary":

        class Binary(SignedBinaryWeightPerTensorConst):
            scaling_const = unit

        return Binary
    if bits == "ternary":

        class Ternary(SignedTernaryWeightPerTensorConst):
            scaling_const = unit

        return Ternary

    class FixedPoint(Int8WeightPerTensorFixedPoint):
        bit_width = bits
        restrict_value_float_to_int_impl = RoundSte

    return FixedPoint


def _identity(quantizer: type) -> qnn.QuantIdentity:
    return qnn.QuantIdentity(act_quant=quantizer, return_quant_tensor=True)


def _unsigned_activation(bits: int, span: float) -> type:
    class Unsigned(Uint8ActPerTensorFixedPointMaxInit):
        scaling_impl_type = ScalingImplType.CONST
        bit_width = bits
        max_val = span

    return Unsigned


def _ternary_activation(scale: float) -> type:
    class Ternary(SignedTernaryActPerTensorConst):
        min_val = -scale
        max_val = scale

    return Ternary


def _binary_activation(scale: float) -> type:
    class Binary(SignedBinaryActPerTensorConst):
        min_val = -scale
        max_val = scale

    return Binary
