"""One small file under way: its operator set, its nodes and constants, and standard quantizers around what is tried."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx.defs import OpSchema, get_schema

OPSETS = range(11, 24)
"""Operator sets that files are made for."""

QONNX = "qonnx.custom_op.general"
"""Domain of QONNX's own operators."""

CHANNELS_LAST = "qonnx.custom_op.channels_last"

Array = np.ndarray
Recipe = Callable[["Draft", str], str]
"""Adds the operator that is tried to a draft, what it needs in front of it too, and gives the name of its result."""

RECIPES: dict[str, tuple[Recipe, int]] = {}
"""Operator → what makes files with it, and how often: a number of draws."""


def recipe(*kinds: str, weight: int = 1) -> Callable[[Recipe], Recipe]:
    """Let the decorated function make files with the operators ``kinds``."""

    def register(made: Recipe) -> Recipe:
        RECIPES.update(dict.fromkeys(kinds, (made, weight)))
        return made

    return register


def versions(kind: str) -> list[int]:
    """The operator sets in which ``kind`` may be used, of :data:`OPSETS` where there are such."""
    known = []
    for opset in (*OPSETS, 24, 10, 9):
        try:
            if not get_schema(kind, opset, "").deprecated:
                known.append(opset)
        except onnx.defs.SchemaError:
            continue
    return [opset for opset in known if opset in OPSETS] or known[:1] or [13]


class Draft:
    """A network under construction; methods add nodes and return the name of their result."""

    def __init__(self, seed: int, opset: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.opset = opset
        self.shape: tuple[int, ...] = ()
        """The shape of the input, its batch axis included."""
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[TensorProto] = []
        self.known: dict[str, tuple[int, ...]] = {}
        """Shapes that inference does not find."""
        self.output_type: int = TensorProto.FLOAT
        self.quantized_end = True
        """Whether a quantizer may follow what the recipe gives."""
        self.own = False
        """Whether QONNX's own operators occur, which only its own executor runs."""
        self.own_version = 1
        """The operator set of QONNX's domain."""

    def chance(self, of: float) -> bool:
        """True in ``of`` of all cases."""
        return bool(self.rng.random() < of)

    def pick(self, *choices: Any) -> Any:
        """One of ``choices``."""
        return choices[int(self.rng.integers(len(choices)))]

    def number(self, low: int, high: int) -> int:
        """An integer from ``low`` to ``high``."""
        return int(self.rng.integers(low, high + 1))

    def axis(self, ndim: int, first: int = 0) -> int:
        """An axis from ``first`` on, at times counted from the end."""
        axis = self.number(first, ndim - 1)
        return axis - ndim if self.chance(0.4) else axis

    def schema(self, kind: str) -> OpSchema:
        """What ONNX says of ``kind`` in this operator set."""
        return get_schema(kind, self.opset, "")

    def has(self, kind: str, attribute: str) -> bool:
        """Whether ``kind`` has ``attribute`` in this operator set."""
        return attribute in self.schema(kind).attributes

    def options(self, kind: str, **makers: Callable[[], Any]) -> dict[str, Any]:
        """Some of the attributes that ``kind`` has in this operator set, made by ``makers``."""
        return {name: make() for name, make in makers.items() if self.has(kind, name) and self.chance(0.5)}

    def add(self, kind: str, *inputs: str | Array | float | None, domain: str = "", outputs: int = 1,
            **attributes: Any) -> Any:
        """One node; arrays and numbers among ``inputs`` become constants, None is an input left out."""
        names = ["" if x is None else x if isinstance(x, str) else self.const(x) for x in inputs]
        while names and not names[-1]:
            names.pop()
        made = [f"t{len(self.nodes)}" + (f"_{k}" if k else "") for k in range(outputs)]
        self.nodes.append(helper.make_node(kind, names, made, f"{kind}_{len(self.nodes)}", domain=domain, **attributes))
        self.own |= bool(domain)
        return made[0] if outputs == 1 else made

    def const(self, value: Any) -> str:
        """A constant: Python floats are float32, Python integers int64, arrays what they are but for float64."""
        array = np.asarray(value)
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def stored(self, array: Array, kind: int) -> str:
        """A constant of an element type that NumPy lacks."""
        name = f"c{len(self.constants)}"
        self.constants.append(helper.make_tensor(name, kind, array.shape, array.ravel().tolist()))
        return name

    def normal(self, *shape: int, spread: float = 1.0) -> Array:
        """Random float32 numbers."""
        return self.rng.normal(0, spread, shape).astype(np.float32)

    def scale(self, about: float = 0.05) -> np.float32:
        """A scale near ``about``: a power of two half of the time, so that ties are frequent."""
        if self.chance(0.5):
            return np.float32(2.0 ** np.round(np.log2(about)))
        return np.float32(about * self.rng.uniform(0.7, 1.4))

    def zero(self, kind: Any) -> Any:
        """A zero point of the integer type ``kind``: none, in the middle, or anywhere."""
        info = np.iinfo(kind)
        middle = 0 if info.min else (info.max + 1) // 2
        return np.asarray(self.pick(0, middle, self.number(info.min, info.max)), kind)

    def requantized(self, x: str, scale: Any, zero: Array) -> str:
        """``x`` behind QuantizeLinear and DequantizeLinear."""
        s, z = self.const(np.float32(scale)), self.const(zero)
        return str(self.add("DequantizeLinear", self.add("QuantizeLinear", x, s, z), s, z))

    def entry(self, *shape: int, about: float = 0.05) -> str:
        """The network's input of ``shape`` with a batch axis of 1 in front, behind its quantizer."""
        self.shape = (1, *shape)
        kind = self.pick(np.int8, np.int8, np.uint8)
        scale = self.scale(about)
        if kind is np.uint8 and self.chance(0.3):  # the default zero point
            q = self.add("QuantizeLinear", "x", scale)
            return str(self.add("DequantizeLinear", q, scale))
        return self.requantized("x", scale, self.zero(kind))

    def image(self, least: int = 2, most: int = 6, channels: int = 4, dims: Sequence[int] = (1, 2, 2)) -> str:
        """The input as channels and positions, behind its quantizer."""
        spatial = [self.number(least, most) for _ in range(self.pick(*dims))]
        return self.entry(self.number(1, channels), *spatial)

    def flat(self, most: int = 8) -> str:
        """The input as one axis, behind its quantizer."""
        return self.entry(self.number(1, most))

    def operand(self) -> str:
        """The input in any shape: itself, behind a layer, behind a function."""
        x = self.image() if self.chance(0.6) else self.flat()
        how = self.pick("plain", "plain", "layer", "layer", "function", "moved")
        shape = self.shape_of(x)
        if how == "layer" and len(shape) == 2:
            return str(self.add("MatMul", x, self.weights(shape[1], self.number(1, 5))))
        if how == "layer":
            kernel = (1,) * (len(shape) - 2)
            return str(self.add("Conv", x, self.weights(self.number(1, 4), shape[1], *kernel)))
        if how == "function":
            return str(self.pick(lambda: self.add("Relu", x), lambda: self.add("Mul", x, np.float32(-1.5)),
                                 lambda: self.add("Add", x, np.float32(0.3)))())
        if how == "moved" and len(shape) > 2:
            return str(self.add("Transpose", x, perm=[0, *(int(n) for n in 1 + self.rng.permutation(len(shape) - 1))]))
        return x

    def weights(self, *shape: int, axis: int = 0, about: float = 0.02) -> str:
        """Quantized weights: integers of 8 bits behind DequantizeLinear, one scale or one along ``axis``."""
        width = self.pick(2, 8, 32, 127)
        ints = np.clip(np.rint(self.rng.normal(0, width / 2, shape)), -width, width - 1).astype(np.int8)
        if self.opset >= 13 and self.chance(0.4):
            scales = np.array([self.scale(about) for _ in range(shape[axis])], np.float32)
            return str(self.add("DequantizeLinear", ints, scales, np.zeros(shape[axis], np.int8), axis=axis))
        zero = None if self.chance(0.3) else np.int8(self.pick(0, 0, 0, 1, -3))
        return str(self.add("DequantizeLinear", ints, self.scale(about), zero))

    def shape_of(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, found by inference."""
        if name in self.known:
            return self.known[name]
        inferred = onnx.shape_inference.infer_shapes(self.model(name), data_prop=True)
        for value in (*inferred.graph.value_info, *inferred.graph.output, *inferred.graph.input):
            if value.name == name:
                return tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
        return ()

    def model(self, output: str) -> ModelProto:
        """The file that ends in ``output``."""
        info = helper.make_tensor_value_info
        known = [info(name, TensorProto.FLOAT, shape) for name, shape in self.known.items()
                 if name not in ("x", output)]
        graph = helper.make_graph(
            self.nodes, "file", [info("x", TensorProto.FLOAT, self.shape)],
            [info(output, self.output_type, self.known.get(output))], self.constants, value_info=known)
        domains = sorted({node.domain for node in self.nodes} - {""})
        opsets = [helper.make_opsetid("", self.opset), *(helper.make_opsetid(d, self.own_version) for d in domains)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8 if self.opset < 19 else 10)
