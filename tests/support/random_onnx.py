"""Random QONNX files: convolutions, pools, branches, activations and quantizers of any kind, in any order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import ModelProto

from .onnx_models import DIALECTS, Net


@dataclass
class Image:
    """A quantized tensor under way: its name, channels, height and width, and the scale it was quantized with."""

    name: str
    channels: int
    height: int
    width: int
    scale: float

    @property
    def least(self) -> int:
        """The shorter side."""
        return min(self.height, self.width)


def random_network(seed: int, layers: int = 4) -> ModelProto:
    """A network of about ``layers`` layers behind a quantized image, perhaps with a matrix product at its end."""
    rng = np.random.default_rng(seed)
    channels, height, width = (int(n) for n in rng.integers([1, 4, 4], [4, 9, 9]))
    net = Net(seed, (channels, height, width), DIALECTS[seed % len(DIALECTS)])
    image = _quantized(net, "x", channels, height, width)
    for _ in range(layers):
        steps = [_convolution, _convolution, _pool, _residual, _branches, _upsampled]
        image = steps[int(rng.integers(len(steps)))](net, image)
    if rng.integers(2):
        return net.model(image.name)
    x = net.add("Flatten", image.name)
    outputs = int(rng.integers(2, 6))
    x = net.dense(x, image.channels * image.height * image.width, outputs, int(rng.integers(1, 6)), _scale(net))
    return net.model(net.add("Add", x, net.rng.normal(0, 1, outputs)) if rng.integers(2) else x)


def _scale(net: Net) -> float:
    """A scale: a power of two half of the time."""
    if net.rng.integers(2):
        return float(2.0 ** -int(net.rng.integers(1, 5)))
    return float(np.float32(net.rng.uniform(0.03, 0.4)))


def _quantized(net: Net, x: str, channels: int, height: int, width: int, scale: float = 0.0) -> Image:
    """``x`` behind a quantizer of some kind."""
    rng, scale = net.rng, scale or _scale(net)
    kind = int(rng.integers(8))
    if kind == 0:
        return Image(net.bipolar(x, scale), channels, height, width, scale)
    bits, signed = int(rng.integers(2, 7)), int(rng.integers(2))
    zero = float(rng.integers(0, 4)) if kind == 1 and not signed else 0.0
    mode = str(rng.choice(["ROUND", "FLOOR", "CEIL"])) if kind == 2 else "ROUND"
    return Image(net.quant(x, scale, bits, signed, int(rng.integers(2)), zero, mode), channels, height, width, scale)


def _activated(net: Net, x: str, channels: int) -> str:
    """``x`` behind a batch norm, perhaps, and an activation, perhaps."""
    if net.rng.integers(2):
        x = net.norm(x, channels)
    kind = str(net.rng.choice(["Relu", "Relu", "LeakyRelu", "Sigmoid", "Tanh", "Identity", "HardSigmoid"]))
    return str(net.add(kind, x))


def _convolution(net: Net, image: Image) -> Image:
    rng = net.rng
    kernel = [int(rng.integers(1, 1 + min(3, n))) for n in (image.height, image.width)]
    pads = [int(rng.integers(0, k)) for k in kernel for _ in range(1)]
    pads = [*pads, *(int(rng.integers(0, k)) for k in kernel)]
    strides = [int(n) for n in rng.integers(1, 3, 2)]
    divisors = [g for g in range(1, image.channels + 1) if image.channels % g == 0]
    groups = int(rng.choice(divisors))
    outputs = groups * int(rng.integers(1, 3))
    scale: object = _scale(net)
    if rng.integers(2):
        scale = rng.uniform(0.03, 0.4, (outputs, 1, 1, 1))
    w = net.weights((outputs, image.channels // groups, *kernel), int(rng.integers(1, 6)), scale)
    bias = [rng.normal(0, 1, outputs)] if rng.integers(3) == 0 else []
    x = net.add("Conv", image.name, w, *bias, kernel_shape=kernel, pads=pads, strides=strides, group=groups)
    height, width = ((n + a + b - k) // s + 1 for n, a, b, k, s in zip((image.height, image.width), pads[:2], pads[2:],
                                                                      kernel, strides))
    return _quantized(net, _activated(net, x, outputs), outputs, height, width)


def _pool(net: Net, image: Image) -> Image:
    rng = net.rng
    kernel = int(rng.integers(1, 1 + min(3, image.least)))
    stride = int(rng.integers(1, 3))
    kind = str(rng.choice(["MaxPool", "AveragePool"]))
    x = net.add(kind, image.name, kernel_shape=[kernel, kernel], strides=[stride, stride])
    height, width = ((n - kernel) // stride + 1 for n in (image.height, image.width))
    if kind == "MaxPool":
        return Image(x, image.channels, height, width, image.scale)
    return _quantized(net, x, image.channels, height, width)


def _residual(net: Net, image: Image) -> Image:
    w = net.weights((image.channels, image.channels, 1, 1), 4, _scale(net))
    x = net.add("Conv", image.name, w)
    branch = _quantized(net, x, image.channels, image.height, image.width, image.scale)
    both = [image.name, branch.name]
    x = net.add(str(net.rng.choice(["Add", "Add", "Sub"])), *net.rng.permutation(both).tolist())
    return _quantized(net, _activated(net, x, image.channels), image.channels, image.height, image.width)


def _branches(net: Net, image: Image) -> Image:
    w = net.weights((2, image.channels, 1, 1), 3, _scale(net))
    branch = _quantized(net, net.add("Conv", image.name, w), 2, image.height, image.width, image.scale)
    x = net.add("Concat", branch.name, image.name, axis=1)
    return _convolution(net, Image(x, image.channels + 2, image.height, image.width, image.scale))


def _upsampled(net: Net, image: Image) -> Image:
    if image.height * image.width > 60:
        return _pool(net, image)
    if image.channels % 4 == 0:
        mode = str(net.rng.choice(["DCR", "CRD"]))
        x = net.add("DepthToSpace", image.name, blocksize=2, mode=mode)
        return Image(x, image.channels // 4, 2 * image.height, 2 * image.width, image.scale)
    x = net.add("Resize", image.name, "", np.array([1, 1, 2, 1], np.float32), mode="nearest", nearest_mode="floor",
                coordinate_transformation_mode="asymmetric")
    return Image(x, image.channels, 2 * image.height, image.width, image.scale)
