"""Networks of ONNX Runtime's quantized operators, and of ONNX' own that multiply integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("qonnx")
from onnx import ModelProto, TensorProto, helper, numpy_helper

from .onnx_models import Net

F = np.float32
RUNTIME = "com.microsoft"


class Integers(Net):
    """A network of integers: each tensor with its scale, its zero point and its type."""

    def __init__(self, seed: int, *shape: int, even: bool = False, kind: type = np.uint8) -> None:
        super().__init__(seed, shape, opset=17)
        self.kind, self.even = kind, even
        self.scales: dict[str, tuple[np.float32, Any]] = {}

    def typed(self, array: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(array), f"c{len(self.constants)}"))
        return str(self.constants[-1].name)

    def scale(self, low: float = 0.02, high: float = 0.1) -> np.float32:
        return F(2.0 ** self.rng.integers(-6, -2)) if self.even else F(self.rng.uniform(low, high))

    def zero(self) -> Any:
        """An odd one: ties tell apart whether it is added before or behind rounding."""
        return self.kind(int(self.rng.integers(10, 60)) * 2 + 1 - (0 if self.kind is np.uint8 else 71))

    def result(self, op: str, *inputs: object, scale: np.float32 | None = None, domain: str = RUNTIME,
               first: bool = False, extra: tuple[str, ...] = (), **attributes: Any) -> str:
        """A node whose last parameters are its result's scale and zero point."""
        scale, zero = self.scale() if scale is None else scale, self.zero()
        ends = (self.typed(scale), self.typed(zero))
        given = (*ends, *inputs) if first else (*inputs, *ends, *extra)
        made = str(self.add(op, *given, domain=domain, **attributes))
        self.scales[made] = scale, zero
        return made

    def of(self, x: str) -> tuple[str, str, str]:
        """A tensor, its scale, its zero point."""
        scale, zero = self.scales[x]
        return x, self.typed(scale), self.typed(zero)

    def weights_of(self, shape: tuple[int, ...], channels: int = 0) -> tuple[str, str, str]:
        """Constant integers, their scales, their zero points."""
        scale = F(2.0 ** self.rng.integers(-6, -3, channels)) if channels else self.scale()
        zero = np.zeros(channels, np.int8) if channels else np.int8(3)
        return (self.typed(self.rng.integers(-40, 40, shape).astype(np.int8)), self.typed(np.asarray(scale, F)),
                self.typed(zero))

    def entry(self) -> str:
        return self.result("QuantizeLinear", "x", domain="")

    def finished(self, x: str) -> ModelProto:
        scale, zero = self.scales[x]
        model = self.model(str(self.add("DequantizeLinear", x, self.typed(scale), self.typed(zero))))
        if not any(o.domain == RUNTIME for o in model.opset_import):
            model.opset_import.append(helper.make_opsetid(RUNTIME, 1))
        return model


def _convolution(net: Integers, x: str) -> str:
    bias = net.typed(net.rng.integers(-900, 900, 4).astype(np.int32))
    return net.result("QLinearConv", *net.of(x), *net.weights_of((4, 2, 3, 3), 4), scale=F(0.5), domain="",
                      extra=(bias,), pads=[1, 1, 1, 1])


def _depthwise(net: Integers, x: str) -> str:
    return net.result("QLinearConv", *net.of(x), *net.weights_of((2, 1, 2, 2)), scale=F(0.25), domain="", group=2)


def _product(net: Integers, x: str) -> str:
    flat = str(net.add("Reshape", x, np.array([1, 50])))
    net.scales[flat] = net.scales[x]
    return net.result("QLinearMatMul", *net.of(flat), *net.weights_of((50, 6), 6), scale=F(2), domain="")


def _gemm(net: Integers, x: str) -> str:
    flat = str(net.add("Flatten", x))
    net.scales[flat] = net.scales[x]
    bias = net.typed(net.rng.integers(-900, 900, 6).astype(np.int32))
    return net.result("QGemm", *net.of(flat), *net.weights_of((6, 50), 6), bias, scale=F(2), transB=1, alpha=1.0)


def _sum(net: Integers, x: str) -> str:
    y = net.result("QLinearConv", *net.of(x), *net.weights_of((2, 2, 1, 1)), scale=F(0.25), domain="")
    return net.result("QLinearAdd", *net.of(x), *net.of(y), scale=F(0.25))


def _constant_sum(net: Integers, x: str) -> str:
    c = net.typed(net.rng.integers(0, 100, (2, 1, 1)).astype(net.kind))
    return net.result("QLinearAdd", *net.of(x), c, net.typed(net.scale()), net.typed(net.kind(17)), scale=F(0.125))


def _constant_product(net: Integers, x: str) -> str:
    c = net.typed(net.rng.integers(20, 100, (2, 1, 1)).astype(net.kind))
    return net.result("QLinearMul", *net.of(x), c, net.typed(net.scale()), net.typed(net.kind(17)), scale=F(0.125))


def _global_mean(net: Integers, x: str) -> str:
    return net.result("QLinearGlobalAveragePool", *net.of(x))


def _mean(net: Integers, x: str) -> str:
    return net.result("QLinearAveragePool", *net.of(x), kernel_shape=[2, 2], strides=[1, 1])


def _joined(net: Integers, x: str) -> str:
    y = net.result("QLinearConv", *net.of(x), *net.weights_of((3, 2, 1, 1)), scale=F(0.25), domain="")
    return net.result("QLinearConcat", *net.of(x), *net.of(y), scale=F(0.125), first=True, axis=1)


def _leaky(net: Integers, x: str) -> str:
    return net.result("QLinearLeakyRelu", *net.of(x), alpha=0.1)


def _sigmoid(net: Integers, x: str) -> str:
    return net.result("QLinearSigmoid", *net.of(x), scale=F(1 / 128))


def sums(net: Integers, x: str) -> str:
    """Sums of integers that stay sums."""
    w = net.typed(net.rng.integers(-8, 8, (3, 2, 2, 2)).astype(np.int8))
    x = str(net.add("ConvInteger", x, w, net.typed(net.scales[x][1])))
    x = str(net.add("Mul", net.add("Cast", x, to=TensorProto.FLOAT), F(0.01)))
    x = net.result("QuantizeLinear", net.add("Reshape", x, np.array([1, 48])), domain="", scale=F(0.05))
    w = net.typed(net.rng.integers(0, 9, (48, 4)).astype(np.uint8))
    x = str(net.add("MatMulInteger", x, w, net.typed(net.scales[x][1]), net.typed(np.uint8(4))))
    return net.result("QuantizeLinear", net.add("Cast", x, to=TensorProto.FLOAT), domain="", scale=F(8))


def _probabilities(net: Integers, x: str) -> str:
    flat = str(net.add("Flatten", x))
    net.scales[flat] = net.scales[x]
    x = net.result("QLinearMatMul", *net.of(flat), *net.weights_of((50, 4), 4), scale=F(2), domain="")
    return net.result("QLinearSoftmax", *net.of(x), axis=-1, opset=13)


MAKERS: tuple[Callable[[Integers, str], str], ...] = (
    sums, _convolution, _depthwise, _product, _gemm, _sum, _constant_sum, _constant_product, _global_mean, _mean,
    _joined, _leaky, _sigmoid)
"""What makes of a quantized image (2, 5, 5) integers of few elements."""

HOSTED: tuple[Callable[[Integers, str], str], ...] = (_probabilities,)
"""Those whose last operator is left to the host."""


def network(make: Callable[[Integers, str], str], kind: type = np.uint8, even: bool = False) -> ModelProto:
    """The network that ``make`` makes behind a quantized image."""
    net = Integers(len(make.__name__) + even, 2, 5, 5, even=even, kind=kind)
    return net.finished(make(net, net.entry()))
