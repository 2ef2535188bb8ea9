"""Stand-ins for public 8-bit networks with batch norms: their layers and bits, random weights, plausible statistics."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto

from .onnx_models import Net


class EightBits(Net):
    """Weights and activations of 8 bits with one float scale each; a batch norm's statistics are those of its sums.

    ``mean`` and ``square`` are the expected values of an activation and of its square.
    """

    def __init__(self, seed: int, shape: tuple[int, ...], *, signed: bool) -> None:
        super().__init__(seed, shape)
        self.mean, self.square = (0.0, 0.11) if signed else (0.45, 0.25)
        self.x = self.quant(self.x, 0.0078431 if signed else 0.0039217, 8, signed=int(signed))

    def block(self, op: str, outputs: int, inputs: int, *kernel: int, scale: float, **attributes: object) -> None:
        """A convolution or a product, its batch norm, a ReLU to 8 bits of a little more or less than ``scale``."""
        rng = self.rng
        weights = rng.normal(0, 1, (outputs, inputs, *kernel)) / np.sqrt(inputs * np.prod(kernel, dtype=int))
        parameters = self.add("Transpose", self.int8(weights), perm=[1, 0]) if op == "MatMul" else self.int8(weights)
        sums = self.add(op, self.x, parameters, **attributes)
        flat = weights.reshape(outputs, -1)
        spread = (flat**2).sum(1) * (self.square - self.mean**2)
        gain, bias = rng.uniform(0.5, 1.5, outputs), rng.normal(0, 0.3, outputs)
        normed = self.add("BatchNormalization", sums, gain, bias,
                          flat.sum(1) * self.mean + rng.normal(0, 0.1, outputs),
                          spread * rng.uniform(0.7, 1.4, outputs))
        self.x = self.quant(self.add("Relu", normed), scale * rng.uniform(0.8, 1.25), 8, signed=0)
        self.mean, self.square = 0.45, 0.6

    def int8(self, weights: np.ndarray) -> str:
        """Weights on a grid of −127 … 127."""
        return self.quant(weights, float(np.abs(weights).max()) / 127, 8, narrow=1)


def radioml_vgg10(seed: int = 0, channels: int = 64, samples: int = 1024) -> ModelProto:
    """The one-dimensional VGG10 for modulations (RadioML 2018.01A): seven blocks of convolution and pooling, three
    dense layers; 2 × 1024 samples in, 24 scores."""
    net = EightBits(seed, (2, samples), signed=True)
    for width in (2, *[channels] * 6):
        net.block("Conv", channels, width, 3, scale=0.0164, kernel_shape=[3], pads=[1, 1])
        net.x = net.add("MaxPool", net.x, kernel_shape=[2], strides=[2])
    net.x = net.add("Flatten", net.x, axis=1)
    net.block("MatMul", 128, channels * samples // 128, scale=0.0164)
    net.block("MatMul", 128, 128, scale=0.0164)
    last = net.int8(net.rng.normal(0, 0.1, (24, 128)))
    return net.model(net.add("MatMul", net.x, net.add("Transpose", last, perm=[1, 0])))


def gtsrb_cnn(seed: int = 0) -> ModelProto:
    """A small network for traffic signs (GTSRB): three blocks of convolution and pooling, two dense layers; pictures of
    32 × 32 × 3, 43 scores."""
    net = EightBits(seed, (3, 32, 32), signed=False)
    for inputs, outputs in ((3, 32), (32, 64), (64, 128)):
        net.block("Conv", outputs, inputs, 3, 3, scale=0.0164, kernel_shape=[3, 3])
        net.x = net.add("MaxPool", net.x, kernel_shape=[2, 2], strides=[2, 2])
    net.x = net.add("Flatten", net.x, axis=1)
    net.block("MatMul", 128, 512, scale=0.0164)
    last = net.int8(net.rng.normal(0, 0.1, (43, 128)))
    return net.model(net.add("MatMul", net.x, net.add("Transpose", last, perm=[1, 0])))
