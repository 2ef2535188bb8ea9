"""Brevitas quantizers: scales are powers of two, except those of binary and ternary weights by their absolute mean."""

from __future__ import annotations

import math
from typing import TypeAlias

import brevitas.nn as qnn
import torch
from brevitas.core.function_wrapper import RoundSte, TensorClampSte
from brevitas.core.quant import BinaryQuant
from brevitas.inject.enum import RestrictValueType, ScalingImplType
from brevitas.quant import (
    Int8ActPerTensorFixedPoint,
    Int8WeightPerTensorFixedPoint,
    SignedBinaryActPerTensorConst,
    SignedBinaryWeightPerTensorConst,
    SignedTernaryActPerTensorConst,
    SignedTernaryWeightPerTensorConst,
    Uint8ActPerTensorFixedPointMaxInit,
)
from brevitas.quant.base import NarrowIntQuant
from brevitas.quant.solver import WeightQuantSolver

from .layers import POWER_OF_TWO, Bits, Scaling

Activation: TypeAlias = qnn.QuantIdentity | qnn.QuantReLU

ACTIVATION_RANGE = 2.0
"""Unsigned activations span 0 to just below this, residual branches ± this, where batch norm's output varies by 1."""


LEAST_SCALE = 1e-5
"""Of weights whose absolute mean is less, all zeros among them."""


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


class AbsMean(torch.nn.Module):
    """The scale mean|w| of weights, or of the weights of each output; gradients do not go through it.

    The mean is taken in float64, so that the order of its sum does not show in the float32 that comes of it.
    """

    def __init__(self, per_channel: bool) -> None:
        super().__init__()
        self.per_channel = per_channel

    def forward(self, x: torch.Tensor, threshold: torch.Tensor | None = None) -> torch.Tensor:
        """Shape () or (outputs, 1, …); ``threshold``, the greatest integer, is 1 here."""
        size = x.detach().abs().double()
        mean = size.mean(dim=tuple(range(1, x.dim())), keepdim=True) if self.per_channel else size.mean()
        return mean.float().clamp_min(LEAST_SCALE)


def constant_scale(inputs: int) -> float:
    """2^−round(log2(√inputs)): the power of two nearest to what keeps the variance of sums of so many elements."""
    return float(2.0 ** -round(math.log2(inputs) / 2))


def weight(bits: Bits, inputs: int, scaling: Scaling = POWER_OF_TWO) -> type:
    """The quantizer of weights that meet ``inputs`` elements in a sum.

    Binary and ternary weights have the constant scale of :func:`constant_scale`, or the mean of their absolute values:
    of ternary ones with the rounding of BitNet b1.58 (Ma et al., 2024, arXiv 2402.17764), of binary ones as in
    XNOR-Net (Rastegari et al., 2016, arXiv 1603.05279). Gradients pass straight through rounding and clipping.
    """
    if scaling != POWER_OF_TWO:
        return _absmean(bits, scaling == "absmean-per-channel")
    unit = constant_scale(inputs)
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


def _absmean(bits: Bits, each: bool) -> type:
    if bits == "binary":

        class AbsMeanBinary(WeightQuantSolver):
            tensor_quant = BinaryQuant
            scaling_impl = AbsMean
            per_channel = each
            signed = True

        return AbsMeanBinary

    class AbsMeanTernary(NarrowIntQuant, WeightQuantSolver):
        scaling_impl = AbsMean
        per_channel = each
        restrict_scaling_type = RestrictValueType.FP
        tensor_clamp_impl = TensorClampSte
        bit_width = 2

    return AbsMeanTernary


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
