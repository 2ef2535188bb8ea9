"""Random QONNX files: convolutions, pools, branches, moves, functions and quantizers of any kind, in any order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from onnx import ModelProto, TensorProto

from .onnx_models import DIALECTS, Net

ROUNDINGS = ("ROUND", "ROUND", "ROUND", "FLOOR", "CEIL", "HALF_UP", "HALF_DOWN", "DOWN", "UP")
FUNCTIONS = ("Relu", "LeakyRelu", "Sigmoid", "Tanh", "HardSigmoid", "Elu", "Softplus", "Abs", "Neg", "Floor")


@dataclass(frozen=True)
class Image:
    """A tensor under way: its name, channels, height and width."""

    name: str
    channels: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return self.channels, self.height, self.width


Step = Callable[[Net, Image, list[Image]], Image]


def random_network(seed: int, layers: int = 4) -> ModelProto:
    """A network of ``layers`` layers behind a quantized image; it ends in an image, in scores or in a class.

    Most of them can be imported. Some ask for what no integers can do, such as a product of what was not quantized.
    """
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers([1, 3, 3], [5, 9, 9]))
    net = Net(seed, shape, DIALECTS[seed % len(DIALECTS)])
    image = _quantized(net, Image("x", *shape))
    before = [image]
    for _ in range(layers):
        step = STEPS[int(net.rng.integers(len(STEPS)))]
        image = step(net, image, before)
        before.append(image)
    end = int(net.rng.integers(3))
    if end == 0:
        return net.model(image.name)
    scores = _scores(net, _maybe(net, image))
    if end == 1:
        return net.model(scores)
    return net.model(net.add("ArgMax", scores, axis=1), TensorProto.INT64)


def _scale(net: Net) -> float:
    """A scale: a power of two half of the time."""
    if net.rng.integers(2):
        return float(2.0 ** -int(net.rng.integers(1, 5)))
    return float(np.float32(net.rng.uniform(0.03, 0.4)))


def _quantized(net: Net, image: Image) -> Image:
    """``image`` behind a quantizer: bipolar, with a zero point, with scales per channel, of any rounding."""
    rng = net.rng
    if rng.integers(6) == 0:
        return replace(image, name=net.bipolar(image.name, _scale(net)))
    scale: object = rng.uniform(0.03, 0.4, (1, image.channels, 1, 1)) if rng.integers(6) == 0 else _scale(net)
    signed = int(rng.integers(2))
    zero = float(rng.integers(0, 5)) if rng.integers(4) == 0 and not signed else 0.0
    bits, narrow, mode = int(rng.integers(2, 8)), int(rng.integers(2)), str(rng.choice(ROUNDINGS))
    return replace(image, name=net.quant(image.name, scale, bits, signed, narrow, zero, mode))


def _maybe(net: Net, image: Image) -> Image:
    """``image``, mostly behind a quantizer."""
    return _quantized(net, image) if net.rng.integers(4) else image


def _scores(net: Net, image: Image) -> str:
    elements, outputs = int(np.prod(image.shape)), int(net.rng.integers(2, 6))
    x = net.add("Flatten", image.name)
    scale: object = net.rng.uniform(0.05, 0.3, (outputs, 1)) if net.rng.integers(2) else _scale(net)
    x = net.dense(x, elements, outputs, int(net.rng.integers(1, 6)), scale)
    return str(net.add("Add", x, net.rng.normal(0, 1, outputs)) if net.rng.integers(2) else x)


def _convolution(net: Net, image: Image, before: list[Image]) -> Image:
    rng = net.rng
    kernel = [int(rng.integers(1, 1 + min(3, n))) for n in image.shape[1:]]
    dilations = [int(rng.integers(1, 3)) if n >= 2 * k else 1 for n, k in zip(image.shape[1:], kernel)]
    strides, pads = [int(n) for n in rng.integers(1, 3, 2)], [int(n) for n in rng.integers(0, 2, 4)]
    groups = int(rng.choice([g for g in range(1, image.channels + 1) if image.channels % g == 0]))
    outputs = groups * int(rng.integers(1, 4))
    scale: object = rng.uniform(0.03, 0.4, (outputs, 1, 1, 1)) if rng.integers(2) else _scale(net)
    w = net.weights((outputs, image.channels // groups, *kernel), int(rng.integers(1, 7)), scale)
    bias = [rng.normal(0, 1, outputs)] if rng.integers(2) else []
    x = net.add("Conv", image.name, w, *bias, kernel_shape=kernel, pads=pads, strides=strides, group=groups,
                dilations=dilations)
    size = ((n + a + b - d * (k - 1) - 1) // s + 1 for n, a, b, k, s, d in zip(
        image.shape[1:], pads[:2], pads[2:], kernel, strides, dilations))
    return _maybe(net, Image(x, outputs, *size))


def _transposed(net: Net, image: Image, before: list[Image]) -> Image:
    if image.height * image.width > 36:
        return _pool(net, image, before)
    stride, outputs = int(net.rng.integers(1, 3)), int(net.rng.integers(1, 4))
    kernel = int(net.rng.integers(stride, 4))
    pad = int(net.rng.integers(0, 2)) if stride * (min(image.shape[1:]) - 1) + kernel > 2 else 0
    x = net.add("ConvTranspose", image.name, net.weights((image.channels, outputs, kernel, kernel), 4, _scale(net)),
                strides=[stride, stride], pads=[pad] * 4, kernel_shape=[kernel, kernel])
    return _quantized(net, Image(x, outputs, *(stride * (n - 1) + kernel - 2 * pad for n in image.shape[1:])))


def _pool(net: Net, image: Image, before: list[Image]) -> Image:
    rng = net.rng
    kernel, stride = int(rng.integers(1, 1 + min(3, *image.shape[1:]))), int(rng.integers(1, 3))
    pad = int(rng.integers(0, 1 + kernel // 2))
    options = {"kernel_shape": [kernel, kernel], "strides": [stride, stride], "pads": [pad] * 4}
    size = ((n + 2 * pad - kernel) // stride + 1 for n in image.shape[1:])
    if rng.integers(2):
        return Image(net.add("MaxPool", image.name, **options), image.channels, *size)
    x = net.add("AveragePool", image.name, count_include_pad=int(rng.integers(2)), **options)
    return _quantized(net, Image(x, image.channels, *size))


def _mean(net: Net, image: Image, before: list[Image]) -> Image:
    x = net.add("ReduceMean", image.name, axes=[2, 3], keepdims=1)
    return _quantized(net, Image(x, image.channels, 1, 1))


def _function(net: Net, image: Image, before: list[Image]) -> Image:
    """Batch norm, an activation, arithmetic with a constant, a bound."""
    rng, kind = net.rng, int(net.rng.integers(4))
    if kind == 0:
        x = net.norm(image.name, image.channels)
    elif kind == 1:
        x = net.add(str(rng.choice(FUNCTIONS)), image.name)
    elif kind == 2:
        constant: object = rng.uniform(-1.5, 1.5, (1, image.channels, 1, 1)) if rng.integers(2) else rng.uniform(0.3, 2)
        x = net.add(str(rng.choice(["Mul", "Add", "Sub", "Div"])), image.name, constant)
    else:
        x = net.add(str(rng.choice(["Max", "Min"])), image.name, np.float32(rng.normal(0, 0.5)))
    return _maybe(net, replace(image, name=x))


def _branches(net: Net, image: Image, before: list[Image]) -> Image:
    """A sum with, or a concatenation to, what was there before."""
    rng = net.rng
    others = [other for other in before if other.shape[1:] == image.shape[1:] and other.name != image.name]
    if not others:
        return _convolution(net, image, before)
    other = others[int(rng.integers(len(others)))]
    pair = [image.name, other.name] if rng.integers(2) else [other.name, image.name]
    if other.channels == image.channels and rng.integers(2):
        return _maybe(net, replace(image, name=net.add(str(rng.choice(["Add", "Sub"])), *pair)))
    joined = replace(image, name=net.add("Concat", *pair, axis=1), channels=image.channels + other.channels)
    return _maybe(net, joined)


def _moved(net: Net, image: Image, before: list[Image]) -> Image:
    """Axes in another order, a part, a border, blocks of positions as channels and back, positions twice."""
    rng, kind = net.rng, int(net.rng.integers(5))
    channels, height, width = image.shape
    if kind == 0:
        order = [int(n) for n in rng.permutation(3)]
        x = net.add("Transpose", image.name, perm=[0, *(n + 1 for n in order)])
        return Image(x, *(image.shape[n] for n in order))
    if kind == 1:
        axis = int(rng.integers(3))
        first = int(rng.integers(image.shape[axis]))
        last, step = int(rng.integers(first + 1, image.shape[axis] + 1)), int(rng.integers(1, 3))
        x = net.add("Slice", image.name, *(np.array([n]) for n in (first, last, axis + 1, step)))
        return Image(x, *(len(range(first, last, step)) if n == axis else size for n, size in enumerate(image.shape)))
    if kind == 2:
        pads = [0, 0, *(int(n) for n in rng.integers(0, 2, 2)), 0, 0, *(int(n) for n in rng.integers(0, 2, 2))]
        x = net.add("Pad", image.name, np.array(pads))
        return Image(x, channels, height + pads[2] + pads[6], width + pads[3] + pads[7])
    if kind == 3 and height % 2 == width % 2 == 0:
        return Image(net.add("SpaceToDepth", image.name, blocksize=2), 4 * channels, height // 2, width // 2)
    if height * width > 36:
        return _pool(net, image, before)
    if channels % 4 == 0:
        x = net.add("DepthToSpace", image.name, blocksize=2, mode=str(rng.choice(["DCR", "CRD"])))
        return Image(x, channels // 4, 2 * height, 2 * width)
    x = net.add("Resize", image.name, "", np.array([1, 1, 2, 1], np.float32), mode="nearest", nearest_mode="floor",
                coordinate_transformation_mode="asymmetric")
    return Image(x, channels, 2 * height, width)


STEPS: tuple[Step, ...] = (_convolution, _convolution, _convolution, _transposed, _pool, _mean, _function, _function,
                           _branches, _branches, _moved, _moved)
