"""Small Brevitas modules with random weights and statistics: one for each kind of layer that people train."""

from __future__ import annotations

from collections.abc import Callable

import brevitas.nn as qnn
import torch
from brevitas.quant import (
    Int8ActPerTensorFixedPoint,
    Int8ActPerTensorFloat,
    Int8Bias,
    Int8WeightPerChannelFloat,
    Int8WeightPerTensorFixedPoint,
    Int16Bias,
    ShiftedUint8ActPerTensorFloat,
    SignedBinaryActPerTensorConst,
    SignedBinaryWeightPerTensorConst,
    SignedTernaryActPerTensorConst,
    SignedTernaryWeightPerTensorConst,
    Uint8ActPerTensorFixedPoint,
    Uint8ActPerTensorFloat,
)
from torch import Tensor, nn

Module = Callable[[], tuple[nn.Module, tuple[int, ...]]]
MODULES: dict[str, Module] = {}
"""By name: what makes a module and the shape of its input, batch axis included."""

Q = {"return_quant_tensor": True}


def module(make: Module) -> Module:
    """Put ``make`` among :data:`MODULES`."""
    MODULES[make.__name__] = make
    return make


def made(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    """The module ``name``, trained for a moment so that scales and statistics are those of data."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(len(name))
        network, shape = MODULES[name]()
        for part in network.modules():
            if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
                part.weight.data = torch.randn(part.num_features)
                part.bias.data = 0.3 * torch.randn(part.num_features)
        network.train()
        for _ in range(3):
            network(torch.randn(8, *shape[1:]))
    return network.eval(), shape


class Residual(nn.Module):
    """y = act(conv(x) + x), both brought to one scale by a shared quantizer."""

    def __init__(self, shared: bool) -> None:
        super().__init__()
        self.entry = qnn.QuantIdentity(bit_width=6, **Q)
        self.conv = qnn.QuantConv2d(3, 3, 3, padding=1, bias=False, weight_bit_width=4)
        self.norm = nn.BatchNorm2d(3)
        self.align = qnn.QuantIdentity(bit_width=5, **Q)
        self.other = self.align if shared else qnn.QuantIdentity(bit_width=5)
        self.act = qnn.QuantReLU(bit_width=4)

    def forward(self, x: Tensor) -> Tensor:
        """One residual block."""
        x = self.entry(x)
        return self.act(self.align(self.norm(self.conv(x))) + self.other(x))


class Branches(nn.Module):
    """Two convolutions side by side under one quantizer, concatenated."""

    def __init__(self) -> None:
        super().__init__()
        self.entry = qnn.QuantIdentity(bit_width=6, **Q)
        self.left = qnn.QuantConv2d(2, 3, 1, bias=False, weight_bit_width=3)
        self.right = qnn.QuantConv2d(2, 2, 3, padding=1, bias=False, weight_bit_width=4)
        self.act = qnn.QuantReLU(bit_width=4, **Q)
        self.last = qnn.QuantConv2d(5, 4, 2, bias=False, weight_bit_width=4)

    def forward(self, x: Tensor) -> Tensor:
        """Split, join, convolve."""
        x = self.entry(x)
        return self.last(torch.cat([self.act(self.left(x)), self.act(self.right(x))], dim=1))


@module
def perceptron() -> tuple[nn.Module, tuple[int, ...]]:
    """Linear layers with biases and batch norms, an 8-bit input."""
    return nn.Sequential(
        qnn.QuantIdentity(bit_width=8, **Q),
        qnn.QuantLinear(12, 10, bias=True, weight_bit_width=4, bias_quant=Int8Bias, **Q),
        nn.BatchNorm1d(10), qnn.QuantReLU(bit_width=3, **Q),
        qnn.QuantLinear(10, 4, bias=True, weight_bit_width=5),
    ), (1, 12)


@module
def per_channel() -> tuple[nn.Module, tuple[int, ...]]:
    """Convolutions with a float scale per channel, normalized before and after the activation."""
    return nn.Sequential(
        nn.BatchNorm2d(2), qnn.QuantIdentity(bit_width=8, **Q),
        qnn.QuantConv2d(2, 4, 3, padding=1, bias=False, weight_quant=Int8WeightPerChannelFloat, weight_bit_width=4),
        nn.BatchNorm2d(4), qnn.QuantReLU(bit_width=4, **Q),
        qnn.QuantConv2d(4, 4, 3, stride=2, bias=True, weight_quant=Int8WeightPerChannelFloat, weight_bit_width=3),
        qnn.QuantReLU(bit_width=4), nn.BatchNorm2d(4), qnn.QuantIdentity(bit_width=5, **Q),
        nn.Flatten(), qnn.QuantLinear(36, 3, bias=False, weight_bit_width=4),
    ), (1, 2, 8, 8)


@module
def fixed_point() -> tuple[nn.Module, tuple[int, ...]]:
    """Scales that are powers of two throughout, a quantized bias, maximum pooling."""
    weights = {"weight_quant": Int8WeightPerTensorFixedPoint, "weight_bit_width": 4}
    return nn.Sequential(
        qnn.QuantIdentity(bit_width=6, act_quant=Int8ActPerTensorFixedPoint, **Q),
        qnn.QuantConv2d(2, 4, 3, bias=True, bias_quant=Int16Bias, **weights, **Q),
        qnn.QuantReLU(bit_width=4, act_quant=Uint8ActPerTensorFixedPoint, **Q), nn.MaxPool2d(2), nn.Flatten(),
        qnn.QuantLinear(36, 4, bias=False, **weights),
    ), (1, 2, 8, 8)


@module
def depthwise() -> tuple[nn.Module, tuple[int, ...]]:
    """Depthwise and pointwise, and in groups, as in MobileNet."""
    return nn.Sequential(
        qnn.QuantIdentity(bit_width=6, **Q),
        qnn.QuantConv2d(4, 4, 3, padding=1, groups=4, bias=False, weight_bit_width=4,
                        weight_quant=Int8WeightPerChannelFloat),
        nn.BatchNorm2d(4), qnn.QuantReLU(bit_width=4, **Q),
        qnn.QuantConv2d(4, 6, 1, bias=False, weight_bit_width=4), nn.BatchNorm2d(6), qnn.QuantReLU(bit_width=4, **Q),
        qnn.QuantConv2d(6, 4, 3, groups=2, bias=False, weight_bit_width=4), qnn.QuantIdentity(bit_width=4),
    ), (1, 4, 6, 6)


@module
def one_dimension() -> tuple[nn.Module, tuple[int, ...]]:
    """Convolutions over time."""
    return nn.Sequential(
        qnn.QuantIdentity(bit_width=6, **Q),
        qnn.QuantConv1d(3, 4, 5, stride=2, padding=2, bias=False, weight_bit_width=4), nn.BatchNorm1d(4),
        qnn.QuantReLU(bit_width=4, **Q), nn.MaxPool1d(2), nn.Flatten(),
        qnn.QuantLinear(16, 3, bias=False, weight_bit_width=4),
    ), (1, 3, 16)


@module
def residual() -> tuple[nn.Module, tuple[int, ...]]:
    """A residual block whose branches share a scale."""
    return Residual(True), (1, 3, 5, 5)


@module
def residual_unaligned() -> tuple[nn.Module, tuple[int, ...]]:
    """A residual block whose branches have scales of their own."""
    return Residual(False), (1, 3, 5, 5)


@module
def branches() -> tuple[nn.Module, tuple[int, ...]]:
    """Branches that are concatenated."""
    return Branches(), (1, 2, 6, 6)


@module
def activations() -> tuple[nn.Module, tuple[int, ...]]:
    """Every activation that Brevitas quantizes."""
    parts: list[nn.Module] = [qnn.QuantIdentity(bit_width=6, **Q)]
    for act in (qnn.QuantSigmoid(bit_width=4, **Q), qnn.QuantTanh(bit_width=4, **Q),
                qnn.QuantHardTanh(bit_width=4, min_val=-1.0, max_val=1.0, **Q), qnn.QuantIdentity(bit_width=3, **Q),
                qnn.QuantReLU(bit_width=4)):
        parts += [qnn.QuantLinear(6, 6, bias=True, weight_bit_width=4), nn.BatchNorm1d(6), act]
    return nn.Sequential(*parts), (1, 6)


@module
def pools() -> tuple[nn.Module, tuple[int, ...]]:
    """An average that Brevitas truncates, one that torch takes, a global one."""
    return nn.Sequential(
        qnn.QuantIdentity(bit_width=6, **Q), qnn.TruncAvgPool2d(2, **Q),
        qnn.QuantConv2d(2, 4, 3, padding=1, bias=False, weight_bit_width=4), qnn.QuantReLU(bit_width=4, **Q),
        nn.AvgPool2d(2), qnn.QuantIdentity(bit_width=5, **Q),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), qnn.QuantIdentity(bit_width=6, **Q),
        qnn.QuantLinear(4, 3, bias=False, weight_bit_width=4),
    ), (1, 2, 8, 8)


@module
def zero_points() -> tuple[nn.Module, tuple[int, ...]]:
    """Asymmetric activations, padded."""
    return nn.Sequential(
        qnn.QuantIdentity(act_quant=ShiftedUint8ActPerTensorFloat, **Q),
        qnn.QuantConv2d(2, 3, 3, padding=1, bias=False, weight_bit_width=4),
        qnn.QuantIdentity(act_quant=ShiftedUint8ActPerTensorFloat, bit_width=5, **Q),
        qnn.QuantConv2d(3, 3, 3, padding=1, bias=False, weight_bit_width=4),
        qnn.QuantIdentity(act_quant=ShiftedUint8ActPerTensorFloat, bit_width=4),
    ), (1, 2, 5, 5)


@module
def binary() -> tuple[nn.Module, tuple[int, ...]]:
    """Weights and activations of −1 and +1."""
    return nn.Sequential(
        qnn.QuantIdentity(act_quant=SignedBinaryActPerTensorConst, scaling_impl_type="const", scaling_init=1.0, **Q),
        qnn.QuantConv2d(2, 4, 3, bias=False, weight_quant=SignedBinaryWeightPerTensorConst), nn.BatchNorm2d(4),
        qnn.QuantIdentity(act_quant=SignedBinaryActPerTensorConst, scaling_init=1.0, **Q), nn.Flatten(),
        qnn.QuantLinear(64, 4, bias=False, weight_quant=SignedBinaryWeightPerTensorConst),
    ), (1, 2, 6, 6)


@module
def ternary() -> tuple[nn.Module, tuple[int, ...]]:
    """Weights and activations of −1, 0 and +1."""
    return nn.Sequential(
        qnn.QuantIdentity(act_quant=SignedTernaryActPerTensorConst, scaling_init=1.0, **Q),
        qnn.QuantLinear(12, 8, bias=False, weight_quant=SignedTernaryWeightPerTensorConst), nn.BatchNorm1d(8),
        qnn.QuantIdentity(act_quant=SignedTernaryActPerTensorConst, scaling_init=1.0, **Q),
        qnn.QuantLinear(8, 4, bias=False, weight_quant=SignedTernaryWeightPerTensorConst),
    ), (1, 12)


@module
def upsampling() -> tuple[nn.Module, tuple[int, ...]]:
    """Nearest neighbours and a pixel shuffle."""
    return nn.Sequential(
        qnn.QuantIdentity(bit_width=6, **Q), qnn.QuantUpsamplingNearest2d(scale_factor=2),
        qnn.QuantConv2d(2, 8, 3, padding=1, bias=False, weight_bit_width=4), qnn.QuantReLU(bit_width=4, **Q),
        nn.PixelShuffle(2), qnn.QuantConv2d(2, 2, 1, bias=False, weight_bit_width=4),
        qnn.QuantIdentity(act_quant=Int8ActPerTensorFloat),
    ), (1, 2, 3, 4)


@module
def quantized_output() -> tuple[nn.Module, tuple[int, ...]]:
    """A last layer that returns its scale and bits beside the tensor."""
    return nn.Sequential(
        qnn.QuantIdentity(bit_width=4, **Q), qnn.QuantLinear(5, 4, bias=False, weight_bit_width=3),
        qnn.QuantReLU(bit_width=4, **Q),
    ), (1, 5)


@module
def unsigned_input() -> tuple[nn.Module, tuple[int, ...]]:
    """An unsigned 8-bit input and a quantized output."""
    return nn.Sequential(
        qnn.QuantIdentity(act_quant=Uint8ActPerTensorFloat, **Q),
        qnn.QuantLinear(10, 6, bias=False, weight_bit_width=2), nn.BatchNorm1d(6), qnn.QuantReLU(bit_width=2, **Q),
        qnn.QuantLinear(6, 3, bias=False, weight_bit_width=8), qnn.QuantIdentity(bit_width=8),
    ), (1, 10)
