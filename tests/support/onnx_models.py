"""Small QONNX files made on the fly: one for each thing that such files contain, in every dialect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

pytest.importorskip("qonnx")
from onnx import ModelProto, TensorProto, helper, numpy_helper

from bitloom.quant import Format

GENERAL = "qonnx.custom_op.general"
DIALECTS = (GENERAL, "finn.custom_op.general", "onnx.brevitas", "finn", "")
"""Domains in which files keep QONNX's own operators."""


class Net:
    """A network under construction; methods add nodes and return the name of their output tensor."""

    def __init__(self, seed: int, shape: tuple[int, ...], domain: str = GENERAL, opset: int = 13) -> None:
        self.rng = np.random.default_rng(seed)
        self.domain, self.opset, self.shape = domain, opset, shape
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.x = "x"

    def add(self, op: str, *inputs: object, domain: str = "", outputs: int = 1, **attributes: object) -> Any:
        """One node; arrays and numbers among ``inputs`` become constants."""
        names = [x if isinstance(x, str) else self.const(x) for x in inputs]
        made = [f"t{len(self.nodes)}_{k}" if k else f"t{len(self.nodes)}" for k in range(outputs)]
        label = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, names, made, name=label, domain=domain, **attributes))
        return made[0] if outputs == 1 else made

    def const(self, value: object) -> str:
        """A constant: integers stay int64, everything else is float32."""
        array = np.asarray(value)
        array = array if array.dtype.kind in "iub" and array.dtype != np.int32 else array.astype(np.float32)
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def quant(self, x: object, scale: object, bits: float, signed: int = 1, narrow: int = 0, zero: float = 0.0,
              mode: str = "ROUND", op: str = "Quant") -> str:
        """A quantizer."""
        return self.add(op, x, np.asarray(scale, np.float32), float(zero), float(bits), domain=self.domain,
                        signed=signed, narrow=narrow, rounding_mode=mode)

    def bipolar(self, x: object, scale: object = 1.0) -> str:
        """A quantizer to −1 and +1."""
        return self.add("BipolarQuant", x, np.asarray(scale, np.float32), domain=self.domain)

    def weights(self, shape: tuple[int, ...], bits: int = 4, scale: object = 0.125) -> str:
        """Quantized weights; 1 bit is bipolar, 2 bits are ternary."""
        values = self.rng.normal(0, 0.5, shape).astype(np.float32)
        if bits == 1:
            return self.bipolar(values, scale)
        return self.quant(values, scale, bits, narrow=1)

    def norm(self, x: str, channels: int) -> str:
        """A batch norm with gains of either sign, and one of zero."""
        rng = self.rng
        gain = rng.normal(0, 1, channels)
        gain[0] = 0.0
        return self.add("BatchNormalization", x, gain, rng.normal(0, 0.3, channels), rng.normal(0, 0.3, channels),
                        rng.uniform(0.2, 2, channels))

    def dense(self, x: str, inputs: int, outputs: int, bits: int = 4, scale: object = 0.125) -> str:
        """A matrix product, its weights transposed as torch exports them."""
        return self.add("MatMul", x, self.add("Transpose", self.weights((outputs, inputs), bits, scale), perm=[1, 0]))

    def model(self, output: str, element: int = TensorProto.FLOAT, **shapes: tuple[int, ...]) -> ModelProto:
        """The file; ``shapes`` are those of tensors that inference does not find."""
        known = [helper.make_tensor_value_info(x, TensorProto.FLOAT, shape) for x, shape in shapes.items()]
        graph = helper.make_graph(
            self.nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *self.shape])],
            [helper.make_tensor_value_info(output, element, None)], self.constants, value_info=known)
        domains = {node.domain for node in self.nodes} - {""}
        opsets = [helper.make_opsetid("", self.opset), *(helper.make_opsetid(d, 1) for d in sorted(domains))]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@dataclass(frozen=True)
class Case:
    """A file and how its input is declared to the importer."""

    model: ModelProto
    options: dict[str, Any] = field(default_factory=dict)


Maker = Callable[[str], Case]
CASES: dict[str, Maker] = {}

U8 = {"input_format": Format(8), "input_scale": 1 / 255}
"""Pixels, seen by the network as 0 … 1."""


def case(maker: Maker) -> Maker:
    """Put ``maker`` among :data:`CASES`."""
    CASES[maker.__name__] = maker
    return maker


def _net(domain: str, *shape: int, seed: int = 0, opset: int = 13) -> tuple[Net, str]:
    """A network whose input is quantized to 6 bits with a power of two."""
    net = Net(seed, shape, domain, opset)
    return net, net.quant("x", 0.125, 6)


@case
def perceptron(domain: str) -> Case:
    """Three layers with batch norms, scales per channel that are no powers of two."""
    net, x = _net(domain, 12)
    x = net.norm(net.dense(x, 12, 10, 4, net.rng.uniform(0.05, 0.2, (10, 1))), 10)
    x = net.quant(net.add("Relu", x), 0.2137, 3, signed=0)
    x = net.norm(net.dense(x, 10, 8, 2, 0.3), 8)
    x = net.quant(x, 0.31, 4, narrow=1)
    return Case(net.model(net.dense(x, 8, 5, 5)))


@case
def pixels(domain: str) -> Case:
    """Raw pixels that the file scales and shifts itself, binary weights and activations, a scaled output."""
    net = Net(1, (1, 4, 4), domain)
    x = net.add("Sub", net.add("Mul", net.add("Flatten", "x"), 2.0), np.array([1.0]))
    x = net.norm(net.dense(net.bipolar(x), 16, 8, 1, 1.0), 8)
    x = net.dense(net.bipolar(x), 8, 4, 1, 0.5)
    return Case(net.model(net.add("Add", net.add("Mul", net.add("Div", net.add("Sub", x, 0.4), 17.8), 0.7), -1.1)), U8)


@case
def gemm(domain: str) -> Case:
    """Gemm with a transposed weight, a bias and an alpha."""
    net, x = _net(domain, 6)
    x = net.add("Gemm", x, net.weights((7, 6)), net.quant(net.rng.normal(0, 1, 7), 0.125 * 0.125, 12), transB=1)
    x = net.quant(net.add("Relu", x), 0.25, 4, signed=0)
    return Case(net.model(net.add("Gemm", x, net.weights((7, 3)), net.rng.normal(0, 1, 3), alpha=0.5, beta=2.0)))


@case
def convolutions(domain: str) -> Case:
    """Padding, stride, dilation, a bias, a 1×1, flattened into a matrix product."""
    net, x = _net(domain, 2, 7, 8)
    x = net.add("Conv", x, net.weights((4, 2, 3, 3)), pads=[1, 1, 1, 1], kernel_shape=[3, 3])
    x = net.quant(net.add("Relu", net.norm(x, 4)), 0.17, 4, signed=0)
    x = net.add("Conv", x, net.weights((4, 4, 3, 2), 3, 0.25), net.rng.normal(0, 1, 4), strides=[2, 1],
                dilations=[1, 2], pads=[0, 1, 2, 0])
    x = net.quant(x, 0.5, 4)
    x = net.quant(net.add("Conv", x, net.weights((3, 4, 1, 1))), 0.5, 5)
    return Case(net.model(net.dense(net.add("Flatten", x), 84, 4)))


@case
def depthwise(domain: str) -> Case:
    """A depthwise convolution, a pointwise one, and one in groups."""
    net, x = _net(domain, 4, 6, 6)
    x = net.add("Conv", x, net.weights((4, 1, 3, 3), 4, net.rng.uniform(0.05, 0.2, (4, 1, 1, 1))), group=4,
                auto_pad="SAME_UPPER", strides=[2, 2])
    x = net.quant(net.add("Relu", net.norm(x, 4)), 0.25, 4, signed=0)
    x = net.quant(net.add("Conv", x, net.weights((6, 4, 1, 1))), 0.25, 4)
    return Case(net.model(net.quant(net.add("Conv", x, net.weights((4, 3, 2, 2)), group=2), 0.5, 6)))


@case
def one_dimension(domain: str) -> Case:
    """Convolution and pooling along one axis."""
    net, x = _net(domain, 3, 16)
    x = net.add("Conv", x, net.weights((4, 3, 5)), pads=[2, 2], strides=[2])
    x = net.add("MaxPool", net.quant(x, 0.25, 4), kernel_shape=[2], strides=[2])
    x = net.quant(net.add("Conv", x, net.weights((4, 1, 3)), group=4), 0.25, 4)
    return Case(net.model(net.add("Flatten", x)))


@case
def residual(domain: str) -> Case:
    """Two additions: of branches with one scale, and with scales that share no power of two."""
    net, x = _net(domain, 3, 5, 5)
    y = net.add("Conv", x, net.weights((3, 3, 3, 3)), pads=[1, 1, 1, 1])
    x = net.quant(net.add("Add", net.quant(y, 0.125, 6), x), 0.3, 4)
    y = net.quant(net.add("Conv", x, net.weights((3, 3, 1, 1))), 0.2, 4)
    return Case(net.model(net.quant(net.add("Relu", net.add("Add", x, y)), 0.25, 4, signed=0)))


@case
def branches(domain: str) -> Case:
    """Branches concatenated, under one scale, behind pooling and a convolution."""
    net, x = _net(domain, 2, 6, 6)
    a = net.quant(net.add("Conv", x, net.weights((3, 2, 3, 3)), pads=[1, 1, 1, 1]), 0.125, 6)
    b = net.add("MaxPool", x, kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
    x = net.add("Concat", a, b, x, axis=1)
    return Case(net.model(net.quant(net.add("Conv", x, net.weights((4, 7, 2, 2), 3)), 0.5, 5)))


@case
def pooling(domain: str) -> Case:
    """Maxima and averages, padded and not, and a global one."""
    net, x = _net(domain, 3, 9, 9)
    x = net.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    x = net.quant(net.add("AveragePool", x, kernel_shape=[2, 2], strides=[1, 1]), 0.25, 5)
    x = net.quant(net.add("AveragePool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1), 0.125, 5)
    return Case(net.model(net.dense(net.add("Flatten", net.quant(net.add("GlobalAveragePool", x), 0.1, 5)), 3, 4)))


@case
def reductions(domain: str) -> Case:
    """A mean over the positions, and the greatest value over them, as exporters write them."""
    net, x = _net(domain, 3, 4, 4)
    a = net.quant(net.add("ReduceMean", x, axes=[2, 3], keepdims=0), 0.125, 6)
    b = net.add("Flatten", net.add("GlobalMaxPool", x))
    return Case(net.model(net.dense(net.add("Concat", a, b, axis=1), 6, 4)))


@case
def activations(domain: str) -> Case:
    """Every activation in turn, between quantizers."""
    net, x = _net(domain, 6)
    for op, scale, signed, options in (
        ("Sigmoid", 1 / 15, 0, {}), ("Tanh", 1 / 8, 1, {}), ("LeakyRelu", 0.11, 1, {"alpha": 0.1}),
        ("HardSigmoid", 1 / 7, 0, {"alpha": 0.2, "beta": 0.5}),
    ):
        x = net.quant(net.add(op, net.norm(net.dense(x, 6, 6, 4, 0.3), 6), **options), scale, 4, signed=signed)
    x = net.quant(net.add("Clip", net.dense(x, 6, 6, 4, 0.3), np.float32(-0.9), np.float32(1.3)), 0.1, 5)
    x = net.quant(net.add("PRelu", net.dense(x, 6, 6, 4, 0.3), net.rng.uniform(0.1, 0.5, 6)), 0.1, 4)
    return Case(net.model(net.quant(net.add("Relu", x), 0.25, 3, signed=0)))


@case
def zero_points(domain: str) -> Case:
    """Asymmetric activations, padded with what their zero is, and an asymmetric input."""
    net = Net(3, (2, 5, 5), domain)
    x = net.quant("x", 0.05, 8, signed=0, zero=100)
    x = net.quant(net.add("Conv", x, net.weights((3, 2, 3, 3)), pads=[1, 1, 1, 1]), 0.07, 5, signed=0, zero=11)
    x = net.quant(net.add("Conv", x, net.weights((3, 3, 3, 3)), pads=[1, 1, 1, 1]), 0.2, 4, signed=0, zero=7)
    return Case(net.model(net.add("MaxPool", x, kernel_shape=[2, 2])))


@case
def binary(domain: str) -> Case:
    """Bipolar weights and activations in a convolution, with a scale, behind a maximum."""
    net = Net(4, (2, 6, 6), domain)
    x = net.bipolar("x")
    x = net.bipolar(net.norm(net.add("Conv", x, net.weights((4, 2, 3, 3), 1, 0.1)), 4), 0.5)
    x = net.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    return Case(net.model(net.dense(net.add("Flatten", net.quant(x, 1.0, 1)), 16, 3, 1, 1.0)))


@case
def thresholds(domain: str) -> Case:
    """FINN's MultiThreshold, with one row for all and one per channel, scaled and shifted."""
    net = Net(5, (6,), domain or GENERAL)
    x = net.quant("x", 0.125, 6)
    rows = np.sort(net.rng.normal(0, 1, (5, 7)), axis=1)
    x = net.add("MultiThreshold", net.dense(x, 6, 5), rows, domain=net.domain, out_dtype="UINT3")
    rows = np.sort(net.rng.normal(0, 2, (1, 3)), axis=1)
    x = net.add("MultiThreshold", net.dense(x, 5, 5), rows, domain=net.domain, out_dtype="INT2", out_bias=-2.0,
                out_scale=1.0)
    return Case(net.model(net.dense(x, 5, 3)))


@case
def upsampling(domain: str) -> Case:
    """Nearest neighbours, a pixel shuffle in both orders, and a padding of its own."""
    net, x = _net(domain, 4, 3, 4)
    x = net.add("Resize", x, "", np.array([1, 1, 2, 2], np.float32), mode="nearest", nearest_mode="floor",
                coordinate_transformation_mode="asymmetric")
    x = net.quant(net.add("Conv", x, net.weights((8, 4, 1, 1))), 0.25, 4)
    x = net.add("DepthToSpace", x, blocksize=2, mode="CRD")
    x = net.add("Pad", x, np.array([0, 0, 1, 0, 0, 0, 0, 2]), mode="constant")
    x = net.quant(net.add("Conv", x, net.weights((4, 2, 3, 3))), 0.25, 4)
    return Case(net.model(net.add("DepthToSpace", x, blocksize=2, mode="DCR")))


@case
def channels_last(domain: str) -> Case:
    """What comes from Keras: channels last, each convolution between two transposes, a reshape before the classes."""
    net = Net(6, (6, 6, 2), domain)
    x = net.quant("x", 0.125, 6)
    for channels in (2, 3):
        x = net.add("Transpose", x, perm=[0, 3, 1, 2])
        x = net.add("Conv", x, net.weights((3, channels, 3, 3)), net.rng.normal(0, 1, 3))
        x = net.quant(net.add("Relu", net.add("Transpose", x, perm=[0, 2, 3, 1])), 0.25, 4, signed=0)
    x = net.add("Reshape", x, np.array([-1, 12]))
    return Case(net.model(net.add("Softmax", net.add("Add", net.dense(x, 12, 4), net.rng.normal(0, 1, 4)))))


@case
def integer_operators(domain: str) -> Case:
    """ONNX's own QuantizeLinear and DequantizeLinear in place of QONNX's quantizers."""
    net = Net(7, (6,), domain)

    def both(x: object, scale: float, zero: object) -> str:
        return net.add("DequantizeLinear", net.add("QuantizeLinear", x, scale, zero), scale, zero)

    x = both("x", 0.04, np.uint8(120))
    weights = np.clip(np.rint(net.rng.normal(0, 40, (5, 6))), -127, 127).astype(np.int8)
    w = net.add("DequantizeLinear", net.const(weights), np.float32(0.01), net.const(np.int8(0)))
    x = both(net.add("Relu", net.add("MatMul", x, net.add("Transpose", w, perm=[1, 0]))), 0.02, np.int8(-128))
    return Case(net.model(both(net.dense(x, 5, 3), 0.05, np.int8(0))))


def _rounding(mode: str) -> Maker:
    def maker(domain: str) -> Case:
        net = Net(8, (8,), domain)
        x = net.quant("x", 0.125, 6, mode=mode)
        x = net.quant(net.dense(x, 8, 6), 0.25, 4, mode=mode)
        return Case(net.model(net.quant(net.dense(x, 6, 6), 0.31, 4, signed=0, narrow=1, mode=mode)))

    return maker


for _mode in ("CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "HALF_EVEN"):
    CASES[f"rounding_{_mode.lower()}"] = _rounding(_mode)


@case
def truncation(domain: str) -> Case:
    """An average as Brevitas writes it: the pool, a multiplication by its size, and Trunc."""
    net, x = _net(domain, 3, 4, 4)
    x = net.add("Mul", net.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2]), 4.0)
    x = net.add("Trunc", x, 0.125, 0.0, 8.0, 6.0, domain=net.domain, rounding_mode="FLOOR")
    return Case(net.model(net.quant(net.add("Conv", x, net.weights((2, 3, 1, 1))), 0.5, 4)))


@case
def chatter(domain: str) -> Case:
    """What exporters leave between the operators that count: constants as nodes, identities, factors, shapes."""
    net, x = _net(domain, 2, 4, 4)
    x = net.add("Expand", net.add("Dropout", net.add("Identity", x)), np.array([1, 2, 4, 1]))
    x = net.add("Tile", x, np.ones(4, int))
    shape = net.add("Concat", net.add("Unsqueeze", net.add("Gather", net.add("Shape", x), np.int64(0)), np.array([0])),
                    np.array([-1]), axis=0)
    x = net.add("Reshape", x, shape)
    x = net.add("Sub", net.add("Mul", net.dense(x, 32, 6), net.rng.uniform(-1, 1, 6)), net.rng.normal(0, 1, 6))
    x = net.quant(net.add("Div", x, np.float32(1.7)), 0.11, 4)
    x = net.quant(net.add("Squeeze", net.add("Unsqueeze", x, np.array([2])), np.array([2])), 0.22, 3)
    return Case(net.model(net.add("ArgMax", net.dense(x, 6, 4), axis=1, keepdims=0), TensorProto.INT64))


@case
def table(domain: str) -> Case:
    """A function that rises and falls, of few bits."""
    net, x = _net(domain, 6)
    x = net.quant(net.dense(x, 6, 6), 0.25, 4)
    x = net.quant(net.add("Mul", x, net.add("Sigmoid", x)), 0.2, 4)
    return Case(net.model(net.dense(x, 6, 3)))


@case
def splits(domain: str) -> Case:
    """Channels taken apart and put together again."""
    net, x = _net(domain, 4, 4, 4)
    a, b = net.add("Split", x, outputs=2, axis=1)
    a = net.quant(net.add("Conv", a, net.weights((2, 2, 1, 1))), 0.125, 6)
    x = net.add("Concat", net.add("Slice", b, np.array([0]), np.array([1]), np.array([1])), a, axis=1)
    return Case(net.model(net.quant(net.add("Conv", x, net.weights((2, 3, 2, 2))), 0.25, 4)))


def _functions(*operators: tuple[str, int, dict[str, Any]]) -> Maker:
    """Functions in turn, each between a matrix product and a quantizer."""

    def maker(domain: str) -> Case:
        net = Net(9, (5,), domain, max(opset for _, opset, _ in operators))
        x = net.quant("x", 0.125, 6)
        for at, (op, _, options) in enumerate(operators):
            x = net.add("Add", net.dense(x, 5, 5, 4, 0.2), net.rng.normal(0, 0.5, 5))
            if op in ("Log", "Sqrt", "Reciprocal", "Pow"):
                x = net.add("Clip", x, np.float32(0.05), np.float32(3.0))
            x = net.add(op, x, *([1.5] if op == "Pow" else []), **options)
            x = net.quant(x, (0.11, 0.0625, 0.23)[at % 3], 4)
        return Case(net.model(x))

    return maker


CASES["rising_functions"] = _functions(
    ("Elu", 13, {"alpha": 0.7}), ("Selu", 13, {}), ("Celu", 13, {"alpha": 1.5}), ("Softplus", 13, {}),
    ("Softsign", 13, {}), ("Erf", 13, {}), ("Exp", 13, {}), ("Log", 13, {}), ("Sqrt", 13, {}), ("Pow", 13, {}),
    ("Atan", 13, {}), ("Asinh", 13, {}), ("Sinh", 13, {}), ("ThresholdedRelu", 13, {"alpha": 0.3}))
CASES["other_functions"] = _functions(
    ("HardSwish", 20, {}), ("Gelu", 20, {}), ("Gelu", 20, {"approximate": "tanh"}), ("Mish", 20, {}), ("Abs", 13, {}),
    ("Neg", 13, {}), ("Floor", 13, {}), ("Ceil", 13, {}), ("Round", 13, {}), ("Reciprocal", 13, {}), ("Sin", 13, {}),
    ("Cos", 13, {}), ("Tan", 13, {}))


@case
def swish(domain: str) -> Case:
    """The youngest of ONNX's activations."""
    net, x = _net(domain, 5, opset=24)
    return Case(net.model(net.quant(net.add("Swish", net.dense(x, 5, 5)), 0.2, 4)))


@case
def bounds(domain: str) -> Case:
    """Sums of many, greatest and least with constants, signs."""
    net, x = _net(domain, 6)
    a, b = net.quant(net.dense(x, 6, 6), 0.125, 6), net.quant(net.dense(x, 6, 6), 0.25, 4)
    x = net.quant(net.add("Sum", a, b, x, np.full(6, 0.3)), 0.25, 5)
    x = net.add("Max", net.add("Min", net.dense(x, 6, 6), np.float32(1.1)), net.rng.normal(-1, 0.2, 6))
    x = net.add("Sign", net.add("Add", net.dense(net.quant(x, 0.1, 5), 6, 6), 0.013))
    return Case(net.model(net.dense(x, 6, 3)))


@case
def positions(domain: str) -> Case:
    """Positions into channels and back, an old Upsample, a sum and a maximum over all, a class by TopK."""
    net, x = _net(domain, 2, 4, 4, opset=9)
    x = net.add("SpaceToDepth", x, blocksize=2)
    x = net.quant(net.add("Conv", x, net.weights((4, 8, 1, 1))), 0.25, 4)
    x = net.add("Cast", net.add("Upsample", x, np.array([1, 1, 2, 3], np.float32), mode="nearest"), to=1)
    a = net.quant(net.add("ReduceSum", x, axes=[2, 3], keepdims=0), 2.0, 5)
    b = net.add("ReduceMax", x, axes=[2, 3], keepdims=0)
    c = net.add("Gather", b, np.array([2, 0]), axis=1)
    x = net.dense(net.add("Concat", a, b, c, axis=1), 10, 5)
    return Case(net.model(net.add("TopK", x, k=1, axis=1, outputs=2)[1], TensorProto.INT64))


@case
def transposed(domain: str) -> Case:
    """Transposed convolutions: with a stride, in groups, with an output padding."""
    net, x = _net(domain, 4, 4, 4)
    x = net.add("ConvTranspose", x, net.weights((4, 3, 3, 3)), strides=[2, 2], pads=[1, 1, 1, 1])
    x = net.quant(net.add("Relu", x), 0.25, 4, signed=0)
    x = net.add("ConvTranspose", x, net.weights((3, 2, 2, 2)), net.rng.normal(0, 1, 6), group=3)
    x = net.quant(x, 0.5, 4)
    x = net.add("ConvTranspose", x, net.weights((6, 1, 3, 3), 3), strides=[2, 2], pads=[1, 1, 1, 1],
                output_padding=[1, 1])
    return Case(net.model(net.quant(x, 0.5, 4)))


@case
def transposed_line(domain: str) -> Case:
    """Transposed convolutions along one axis: in groups, with a scale per channel, an output padding, a bias."""
    net, x = _net(domain, 4, 5)
    x = net.quant(net.add("ConvTranspose", x, net.weights((4, 2, 4)), strides=[2], pads=[1, 1]), 0.25, 4)
    x = net.add("ConvTranspose", x, net.weights((2, 2, 3)), net.rng.normal(0, 1, 4), strides=[3], pads=[1, 0], group=2,
                output_padding=[1])
    x = net.quant(x, 0.5, 4)
    x = net.add("ConvTranspose", x, net.weights((4, 1, 3), 4, net.rng.uniform(0.1, 0.2, (4, 1, 1))), group=4,
                dilations=[2])
    x = net.add("Unsqueeze", net.quant(x, 0.5, 4), np.array([3]))
    return Case(net.model(net.quant(net.add("ConvTranspose", x, net.weights((4, 2, 4, 1)), strides=[2, 1]), 0.5, 4)))


def _tokens(net: Net, output: str) -> Case:
    """The file of ``net``, whose input is 64-bit integers."""
    model = net.model(output)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    return Case(model)


@case
def embedding(domain: str) -> Case:
    """Tokens that choose rows of a table with a scale per column, convolved over time."""
    net = Net(12, (6,), domain)
    x = net.add("Gather", net.weights((10, 3), 4, np.array([0.1, 0.2, 0.3])), "x")
    x = net.add("Conv", net.add("Transpose", x, perm=[0, 2, 1]), net.weights((4, 3, 3)), pads=[1, 1])
    x = net.quant(net.add("Relu", x), 0.17, 4, signed=0)
    return _tokens(net, net.dense(net.add("Flatten", x), 24, 3))


@case
def categories(domain: str) -> Case:
    """Columns of an input that choose from tables of their own, of integers and of binary numbers."""
    net = Net(13, (4,), domain)
    a = net.add("Gather", net.weights((5, 2)), net.add("Gather", "x", np.array([0]), axis=1))
    table = net.const(net.rng.integers(-100, 100, (7, 3)).astype(np.int8))
    b = net.add("Gather", table, net.add("Slice", "x", np.array([1]), np.array([3]), np.array([1])))
    b = net.add("DequantizeLinear", b, np.float32(0.03), net.const(np.int8(3)))
    c = net.add("Gather", net.weights((4, 6), 1), net.add("Gather", "x", np.array([3]), axis=1), axis=1)
    c = net.add("Transpose", c, perm=[1, 0, 2])
    x = net.add("Concat", *(net.add("Flatten", part) for part in (a, b, c)), axis=1)
    return _tokens(net, net.quant(net.dense(x, 12, 3), 0.17, 5))


@case
def gates(domain: str) -> Case:
    """Squeeze and excite, a gate of positions, a product of two branches with zero points."""
    net, x = _net(domain, 4, 5, 5)
    x = net.quant(net.add("Conv", x, net.weights((4, 4, 3, 3)), pads=[1] * 4), 0.21, 4, signed=0, zero=3)
    g = net.quant(net.add("Relu", net.dense(net.add("ReduceMean", x, axes=[2, 3], keepdims=0), 4, 2)), 0.13, 5)
    g = net.quant(net.add("Sigmoid", net.dense(g, 2, 4)), 1 / 63, 6, signed=0)
    x = net.quant(net.add("Mul", net.add("Reshape", g, np.array([0, -1, 1, 1])), x), 0.19, 5)
    g = net.quant(net.add("Sigmoid", net.add("Conv", x, net.weights((1, 4, 3, 3)), pads=[1] * 4)), 1 / 15, 4, signed=0)
    x = net.quant(net.add("Mul", x, g), 0.11, 5)
    g = net.quant(net.add("Conv", x, net.weights((4, 4, 1, 1))), 0.3, 5, signed=0, zero=9)
    return Case(net.model(net.quant(net.add("Mul", x, g), 0.33, 5)))


@case
def of_finn(domain: str) -> Case:
    """What FINN's transformations write: an average by a shift in either layout, binary products by counting."""
    net, x = _net(domain, 3, 7, 7)
    x = net.quant(net.add("Conv", x, net.weights((4, 3, 2, 2))), 1.0, 4, signed=0)
    x = net.add("QuantAvgPool2d", x, domain=GENERAL, kernel=3, stride=1, ibits=4, obits=5, signed=0)
    shapes = {x: (1, 4, 4, 4), (x := str(net.add("Transpose", x, perm=[0, 2, 3, 1]))): (1, 4, 4, 4)}
    x = net.add("QuantAvgPool2d", x, domain=GENERAL, kernel=2, stride=2, ibits=5, obits=6, signed=0, data_layout="NHWC")
    x = net.quant(net.add("Sub", net.add("Reshape", x, np.array([1, 16])), 5.0), 1.0, 1, signed=0)
    bits = net.rng.integers(0, 2, (16, 5)).astype(np.float32)
    x = net.add("XnorPopcountMatMul", x, net.const(bits), domain=GENERAL)
    return Case(net.model(net.quant(net.add("Sub", x, net.rng.normal(8, 1, 5)), 0.7, 4), **shapes))


@case
def last_layout(domain: str) -> Case:
    """QONNX's own operators with the channels last."""
    net = Net(10, (6, 6, 2), domain)
    last = "qonnx.custom_op.channels_last"
    shapes: dict[str, tuple[int, ...]] = {}

    def add(op: str, x: str, *constants: object, shape: tuple[int, ...], **options: object) -> str:
        if op == "Conv":
            options = {"strides": [1, 1], "group": 1, "dilations": [1, 1], "pads": [0, 0, 0, 0], **options}
        y = str(net.add(op, x, *constants, **{"domain": last, **options}))
        shapes.update({x: shapes.get(x, (1, *net.shape)), y: (1, *shape)})
        return y

    x = net.quant("x", 0.125, 6)
    w, v = net.weights((4, 3, 3, 2)), net.weights((3, 2, 2, 4))
    shapes |= {w: (4, 3, 3, 2), v: (3, 2, 2, 4)}
    x = add("Conv", x, w, kernel_shape=[3, 3], pads=[1, 1, 1, 1], shape=(6, 6, 4))
    x = net.quant(net.add("Relu", x), 0.25, 4, signed=0)
    shapes[x] = (1, 6, 6, 4)
    x = add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0], shape=(3, 3, 4))
    x = add("MaxPoolNHWC", x, domain=GENERAL, kernel_shape=[2, 2], strides=[1, 1], pads=[0, 0, 0, 0], shape=(2, 2, 4))
    x = add("Conv", x, v, kernel_shape=[2, 2], shape=(1, 1, 3))
    return Case(net.model(net.quant(x, 0.25, 5), **shapes))


@case
def aliases(domain: str) -> Case:
    """Other names: IntQuant for Quant, constants as nodes, a debugging marker, sizes, logarithms of classes."""
    net = Net(11, (2, 3), domain or GENERAL, 15)
    x = net.add("IntQuant", "x", np.float32(0.125), 0.0, 6.0, domain=net.domain, signed=1, narrow=0)
    net.nodes.append(helper.make_node("Constant", [], ["shape"], value_ints=[-1, 6]))
    x = net.add("Reshape", x, "shape")
    x = net.add("CastLike", net.add("DebugMarker", x, domain=net.domain, export_debug_name="here"), np.zeros(1))
    factor = net.add("Cast", net.add("Size", net.add("Identity", np.zeros(4))), to=1)
    x = net.quant(net.add("Div", net.dense(x, 6, 5), factor), 0.11, 4)
    return Case(net.model(net.add("LogSoftmax", net.dense(x, 5, 4), axis=1)))
