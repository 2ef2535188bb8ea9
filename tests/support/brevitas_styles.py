"""Fifteen architectures in any style of quantization that Brevitas has: bits, scales, zero points, biases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import brevitas.nn as qnn
import torch
from brevitas.quant import (
    Int8ActPerTensorFixedPoint,
    Int8ActPerTensorFloat,
    Int8Bias,
    Int8WeightPerChannelFloat,
    Int8WeightPerTensorFixedPoint,
    Int8WeightPerTensorFloat,
    Int16Bias,
    Int32Bias,
    ShiftedUint8ActPerTensorFloat,
    ShiftedUint8WeightPerChannelFloat,
    ShiftedUint8WeightPerTensorFloat,
    Uint8ActPerTensorFixedPoint,
    Uint8ActPerTensorFloat,
)
from torch import Tensor, nn

WEIGHTS = {"plain": Int8WeightPerTensorFloat, "channels": Int8WeightPerChannelFloat,
           "shifted": ShiftedUint8WeightPerTensorFloat, "shifted channels": ShiftedUint8WeightPerChannelFloat,
           "power of two": Int8WeightPerTensorFixedPoint}
ACTIVATIONS = {"unsigned": Uint8ActPerTensorFloat, "signed": Int8ActPerTensorFloat,
               "asymmetric": ShiftedUint8ActPerTensorFloat, "power of two": Uint8ActPerTensorFixedPoint}
BIASES: dict[str, dict[str, Any]] = {
    "none": {"bias": False}, "float": {"bias": True}, "8": {"bias": True, "bias_quant": Int8Bias},
    "16": {"bias": True, "bias_quant": Int16Bias}, "32": {"bias": True, "bias_quant": Int32Bias}}


@dataclass(frozen=True)
class Style:
    """How a network is quantized; makes its layers."""

    weights: str
    weight_bits: int
    activations: str
    activation_bits: int
    bias: str

    def entry(self) -> nn.Module:
        """The quantizer of the input: signed, or asymmetric."""
        kinds = {"asymmetric": ShiftedUint8ActPerTensorFloat, "power of two": Int8ActPerTensorFixedPoint}
        return qnn.QuantIdentity(act_quant=kinds.get(self.activations, Int8ActPerTensorFloat),
                                 bit_width=max(4, self.activation_bits), return_quant_tensor=True)

    def act(self) -> nn.Module:
        """A rectifier and its quantizer, or a quantizer alone where that has a sign."""
        kind = qnn.QuantReLU if self.activations in ("unsigned", "power of two") else qnn.QuantIdentity
        return kind(act_quant=ACTIVATIONS[self.activations], bit_width=self.activation_bits, return_quant_tensor=True)

    @property
    def layer(self) -> dict[str, Any]:
        """The options of a layer."""
        return {"weight_quant": WEIGHTS[self.weights], "weight_bit_width": self.weight_bits, **BIASES[self.bias]}

    def dense(self, inputs: int, outputs: int) -> nn.Module:
        """A linear layer."""
        return qnn.QuantLinear(inputs, outputs, **self.layer)

    def conv(self, inputs: int, outputs: int, kernel: int, **options: Any) -> nn.Module:
        """A convolution in two dimensions."""
        return qnn.QuantConv2d(inputs, outputs, kernel, **self.layer, **options)

    def conv1(self, inputs: int, outputs: int, kernel: int, **options: Any) -> nn.Module:
        """A convolution in one dimension."""
        return qnn.QuantConv1d(inputs, outputs, kernel, **self.layer, **options)

    def block(self, inputs: int, outputs: int, kernel: int, **options: Any) -> list[nn.Module]:
        """Convolution, batch norm, activation."""
        return [self.conv(inputs, outputs, kernel, **options), nn.BatchNorm2d(outputs), self.act()]


class Joined(nn.Module):
    """An entry, two branches of it, what joins them, a tail."""

    def __init__(self, entry: nn.Module, left: nn.Module, right: nn.Module, tail: nn.Module,
                 join: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.entry, self.left, self.right, self.tail, self.join = entry, left, right, tail, join

    def forward(self, x: Tensor) -> Tensor:
        """Both branches, joined."""
        x = self.entry(x)
        return self.tail(self.join(self.left(x), self.right(x)))


def _sum(a: Tensor, b: Tensor) -> Tensor:
    return a + b


def _sum_of_values(a: Tensor, b: Tensor) -> Tensor:
    """Without what Brevitas knows of scales, which it wants to be one."""
    left, right = (x.value if hasattr(x, "value") else x for x in (a, b))
    return left + right


def _beside(a: Tensor, b: Tensor) -> Tensor:
    return torch.cat([a, b], dim=1)


Built = tuple[nn.Module, tuple[int, ...]]
ARCHITECTURES: dict[str, Callable[[Style], Built]] = {}


def architecture(make: Callable[[Style], Built]) -> Callable[[Style], Built]:
    """Put ``make`` among :data:`ARCHITECTURES`."""
    ARCHITECTURES[make.__name__] = make
    return make


@architecture
def perceptron(s: Style) -> Built:
    """Two linear layers."""
    return nn.Sequential(s.entry(), s.dense(8, 6), s.act(), s.dense(6, 3)), (1, 8)


@architecture
def deep_perceptron(s: Style) -> Built:
    """Batch norms, and a last quantizer."""
    return nn.Sequential(s.entry(), s.dense(8, 6), nn.BatchNorm1d(6), s.act(), s.dense(6, 6), nn.BatchNorm1d(6),
                         s.act(), s.dense(6, 4), qnn.QuantIdentity(bit_width=8)), (1, 8)


@architecture
def lenet(s: Style) -> Built:
    """Convolutions, maxima, linear layers."""
    return nn.Sequential(s.entry(), s.conv(1, 3, 3), s.act(), nn.MaxPool2d(2), s.conv(3, 4, 2), s.act(), nn.Flatten(),
                         s.dense(16, 3)), (1, 1, 8, 8)


@architecture
def vgg(s: Style) -> Built:
    """Padded convolutions with batch norms, maxima."""
    return nn.Sequential(s.entry(), *s.block(2, 4, 3, padding=1), *s.block(4, 4, 3, padding=1), nn.MaxPool2d(2),
                         nn.Flatten(), s.dense(36, 3)), (1, 2, 6, 6)


@architecture
def audio(s: Style) -> Built:
    """Convolutions over time, of which one is depthwise."""
    return nn.Sequential(s.entry(), s.conv1(2, 4, 5, stride=2, padding=2), nn.BatchNorm1d(4), s.act(),
                         s.conv1(4, 4, 3, padding=1, groups=4), s.act(), nn.MaxPool1d(2), nn.Flatten(),
                         s.dense(16, 3)), (1, 2, 16)


@architecture
def separable(s: Style) -> Built:
    """Depthwise and pointwise."""
    return nn.Sequential(s.entry(), *s.block(3, 3, 3, padding=1, groups=3), *s.block(3, 5, 1), s.conv(5, 3, 1),
                         qnn.QuantIdentity(bit_width=6)), (1, 3, 5, 5)


@architecture
def grouped(s: Style) -> Built:
    """Convolutions in groups, a stride, a dilation."""
    return nn.Sequential(s.entry(), *s.block(4, 6, 3, groups=2, stride=2, padding=1),
                         *s.block(6, 4, 2, dilation=2, groups=2), nn.Flatten(), s.dense(4, 3)), (1, 4, 6, 6)


@architecture
def residual(s: Style) -> Built:
    """A sum behind one shared quantizer."""
    align = qnn.QuantIdentity(act_quant=Int8ActPerTensorFloat, bit_width=6, return_quant_tensor=True)
    left = nn.Sequential(s.conv(3, 3, 3, padding=1), nn.BatchNorm2d(3), align)
    return Joined(s.entry(), left, align, nn.Sequential(s.act(), s.conv(3, 2, 2)), _sum), (1, 3, 5, 5)


@architecture
def residual_of_own_scales(s: Style) -> Built:
    """A sum of branches whose scales are their own."""
    left = nn.Sequential(*s.block(3, 3, 3, padding=1))
    right = qnn.QuantIdentity(bit_width=5, return_quant_tensor=True)
    return Joined(s.entry(), left, right, nn.Sequential(s.act(), nn.Flatten(), s.dense(75, 3)),
                  _sum_of_values), (1, 3, 5, 5)


@architecture
def bottleneck(s: Style) -> Built:
    """Fewer channels, a window, more channels, and the shortcut by a convolution with a stride."""
    align = qnn.QuantIdentity(bit_width=6, return_quant_tensor=True)
    left = nn.Sequential(*s.block(4, 2, 1), *s.block(2, 2, 3, padding=1, stride=2), s.conv(2, 4, 1), align)
    right = nn.Sequential(s.conv(4, 4, 1, stride=2), align)
    return Joined(s.entry(), left, right, nn.Sequential(s.act(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                                                        s.dense(4, 3)), _sum), (1, 4, 6, 6)


@architecture
def averaged(s: Style) -> Built:
    """An average with a stride, and a global one at the end."""
    return nn.Sequential(s.entry(), *s.block(2, 4, 3), nn.AvgPool2d(2), s.act(), s.conv(4, 3, 2),
                         nn.AdaptiveAvgPool2d(1)), (1, 2, 8, 8)


@architecture
def inception(s: Style) -> Built:
    """Windows of two sizes side by side under one quantizer."""
    act = s.act()
    left, right = nn.Sequential(s.conv(2, 2, 1), act), nn.Sequential(s.conv(2, 3, 3, padding=1), act)
    return Joined(s.entry(), left, right, nn.Sequential(s.conv(5, 3, 2), s.act()), _beside), (1, 2, 5, 5)


@architecture
def upscaling(s: Style) -> Built:
    """Picture to picture: nearest neighbours, a pixel shuffle."""
    return nn.Sequential(s.entry(), qnn.QuantUpsamplingNearest2d(scale_factor=2), *s.block(2, 8, 3, padding=1),
                         nn.PixelShuffle(2), s.conv(2, 2, 1), qnn.QuantIdentity(bit_width=8)), (1, 2, 3, 4)


@architecture
def functions(s: Style) -> Built:
    """Sigmoid, hyperbolic tangent, and the hard one."""
    bits = {"bit_width": s.activation_bits, "return_quant_tensor": True}
    return nn.Sequential(s.entry(), s.dense(6, 6), qnn.QuantSigmoid(**bits), s.dense(6, 6), qnn.QuantTanh(**bits),
                         s.dense(6, 5), qnn.QuantHardTanh(min_val=-1.0, max_val=1.0, **bits), s.dense(5, 3)), (1, 6)


@architecture
def leaky(s: Style) -> Built:
    """A slope below 0, batch norm before and behind it."""
    return nn.Sequential(s.entry(), s.conv(2, 4, 3), nn.BatchNorm2d(4), nn.LeakyReLU(0.125), s.act(),
                         s.conv(4, 4, 2, stride=2), nn.BatchNorm2d(4), s.act(), nn.Flatten(),
                         s.dense(16, 3)), (1, 2, 6, 6)
