"""The Brevitas module of a specification: every scale a power of two, every sum exact in float32."""

from __future__ import annotations

import math
from typing import Any, TypeAlias, cast

import brevitas.nn as qnn
import torch
from brevitas.core.function_wrapper import RoundSte
from brevitas.inject.enum import ScalingImplType
from brevitas.quant import (
    Int8WeightPerTensorFixedPoint,
    SignedBinaryActPerTensorConst,
    SignedBinaryWeightPerTensorConst,
    SignedTernaryActPerTensorConst,
    SignedTernaryWeightPerTensorConst,
    Uint8ActPerTensorFixedPointMaxInit,
)
from brevitas.quant.scaled_int import Int32Bias
from torch import nn

from .data import source
from .spec import Bits, NetworkSpec

Activation: TypeAlias = qnn.QuantIdentity | qnn.QuantReLU

ACTIVATION_RANGE = 2.0
"""Unsigned activations span 0 to just below this, in units of batch norm's output."""


class Network(nn.Module):
    """A multilayer perceptron over raw integers.

    ``quant`` the input's quantizer, then for each hidden layer i = 1 … n − 1 ``fc{i}``, ``bn{i}``, ``act{i}``, and
    ``fc{n}`` with its integer bias, whose output is the scores. The quantizers' scales are powers of two.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        data = source(spec.dataset)
        self.depth = len(spec.layers) + 1
        self.offset = data.top / 2 if isinstance(spec.input.bits, str) else 0.0
        self.quant = _input_quantizer(spec.input.bits, data.top)
        features = data.features
        for i, layer in enumerate(spec.layers, start=1):
            self.add_module(f"fc{i}", _linear(features, layer.units, layer.weight_bits, last=False))
            self.add_module(f"bn{i}", nn.BatchNorm1d(layer.units))
            self.add_module(f"act{i}", _activation(layer.activation_bits))
            features = layer.units
        self.add_module(f"fc{self.depth}", _linear(features, len(data.classes), spec.output.weight_bits, last=True))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores (samples, classes) of raw integers (samples, features), both as float32."""
        value = self.quant(x - self.offset)
        for i in range(1, self.depth):
            value = self.activation(i)(self.norm(i)(self.linear(i)(value).value))
        return self.linear(self.depth)(value).value

    def linear(self, i: int) -> qnn.QuantLinear:
        """The quantized linear layer ``fc{i}``, i = 1 … depth."""
        return cast(qnn.QuantLinear, self.get_submodule(f"fc{i}"))

    def norm(self, i: int) -> nn.BatchNorm1d:
        """The batch norm ``bn{i}``, i = 1 … depth − 1."""
        return cast(nn.BatchNorm1d, self.get_submodule(f"bn{i}"))

    def activation(self, i: int) -> Activation:
        """The quantized activation ``act{i}``, i = 1 … depth − 1."""
        return cast(Activation, self.get_submodule(f"act{i}"))


def build(spec: NetworkSpec) -> Network:
    """The untrained module of ``spec``; torch's generator decides its initial weights."""
    return Network(spec)


def _input_quantizer(bits: Bits, top: int) -> qnn.QuantIdentity:
    """Raw integers 0 … ``top`` to ``bits``, never finer than the integers.

    The module first moves a binary or ternary input by −top/2; ternary zeroes the middle half.
    """
    octave = math.ceil(math.log2(top))
    if bits == "binary":
        return _identity(_binary_activation(1.0))
    if bits == "ternary":
        return _identity(_ternary_activation(2.0 ** (octave - 1)))
    return _identity(_unsigned_activation(bits, 2.0 ** max(octave, bits)))


def _activation(bits: Bits) -> Activation:
    if bits == "binary":
        return _identity(_binary_activation(1.0))
    if bits == "ternary":
        return _identity(_ternary_activation(1.0))
    return qnn.QuantReLU(act_quant=_unsigned_activation(bits, ACTIVATION_RANGE), return_quant_tensor=True)


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


def _linear(inputs: int, outputs: int, bits: Bits, last: bool) -> qnn.QuantLinear:
    """A linear layer with weights of ``bits``; the ``last`` one has an integer bias in the accumulator's scale.

    Binary and ternary weights have the constant scale 2^−round(log2(√inputs)): the power of two nearest to what keeps
    the variance of the sums.
    """
    unit = 2.0 ** -round(math.log2(inputs) / 2)
    bias: dict[str, Any] = {"bias": True, "bias_quant": Int32Bias} if last else {"bias": False}
    return qnn.QuantLinear(inputs, outputs, weight_quant=_weight(bits, unit), return_quant_tensor=True, **bias)


def _weight(bits: Bits, unit: float) -> type:
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
