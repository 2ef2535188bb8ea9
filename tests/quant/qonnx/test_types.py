"""Element types: numbers of another type than float32 are read exactly, or refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("qonnx")
from onnx import ModelProto, TensorProto, helper
from support.imports import agree, imported_from, reference_agrees
from support.onnx_models import Net

from bitloom.quant import Conv, Format, MatMul, Threshold
from bitloom.quant.qonnx import Imported, ImportFailure

WIDTHS = {"INT4": Format(4, True), "UINT4": Format(4), "INT8": Format(8, True), "UINT8": Format(8),
          "INT16": Format(16, True), "UINT16": Format(16)}


def typed(net: Net, name: str, values: Any = 0) -> str:
    """A constant of the ONNX type ``name``."""
    array = np.asarray(values)
    made = f"{name}_{len(net.constants)}"
    net.constants.append(helper.make_tensor(made, getattr(TensorProto, name), array.shape, array.ravel().tolist()))
    return made


def pair(net: Net, x: object, scale: object, zero: str, **options: Any) -> str:
    """QuantizeLinear and DequantizeLinear."""
    q = net.add("QuantizeLinear", x, scale, zero, **options)
    return str(net.add("DequantizeLinear", q, scale, zero, **options))


def meaning(imported: Imported) -> tuple[object, object]:
    """Scale and offset of the input."""
    facts = imported.graph.metadata["input"]
    assert isinstance(facts, dict)
    return facts["scale"], facts["offset"]


@pytest.mark.parametrize("name", WIDTHS)
def test_integers_of_every_width_as_zero_points_and_weights(name: str) -> None:
    form = WIDTHS[name]
    net = Net(1, (8,), opset=21)
    zero = typed(net, name, 0 if form.signed else 3)
    ints = net.rng.integers(max(form.lo, -7), 7, (8, 6), endpoint=True)
    w = net.add("DequantizeLinear", typed(net, name, ints), np.float32(0.125))
    x = net.add("Relu", net.add("MatMul", pair(net, "x", 0.25, zero), w))
    model = net.model(pair(net, x, np.float32(0.5 if form.bits == 4 else 4), zero))
    imported = imported_from(model)
    graph = imported.graph
    assert graph.input.output.format == form and graph.input.output.scale == (0.25,)
    assert meaning(imported) == (0.25, 0.0 if form.signed else -0.75)
    layer = next(node for node in graph if isinstance(node, MatMul))
    assert layer.weight_format == form and np.array_equal(layer.weights, ints.T)
    assert graph[graph.output].output.format == form
    reference_agrees(imported, model, 40)


def dense(net: Net, x: str, inputs: int, outputs: int) -> str:
    """A product with integers of 4 bits, in ONNX' own operators."""
    w = typed(net, "INT8", net.rng.integers(-7, 8, (inputs, outputs)))
    return str(net.add("MatMul", x, net.add("DequantizeLinear", w, np.float32(0.125))))


@pytest.mark.parametrize(("stated", "form"), [("INT8", Format(8, True)), ("UINT8", Format(8)),
                                              ("INT4", Format(4, True)), ("UINT16", Format(16)), (None, Format(8))])
def test_the_type_that_an_attribute_states(stated: str | None, form: Format) -> None:
    net = Net(0, (6,), opset=21)
    options = {} if stated is None else {"output_dtype": getattr(TensorProto, stated)}
    x = net.add("DequantizeLinear", net.add("QuantizeLinear", "x", 0.0625, **options), 0.0625)
    model = net.model(net.add("QuantizeLinear", dense(net, x, 6, 4), 0.25, **options), TensorProto.UINT8)
    imported = imported_from(model)
    assert imported.graph.input.output.format == form == imported.graph[imported.graph.output].output.format
    reference_agrees(imported, model, 40)


@pytest.mark.parametrize(("block", "axis"), [(3, 0), (4, 0), (2, 1)])
def test_constants_quantized_in_blocks(block: int, axis: int) -> None:
    net = Net(2, (8,), opset=21)
    w = net.rng.normal(0, 1, (8, 6)).astype(np.float32)
    shape = [-(-n // block) if i == axis else n for i, n in enumerate(w.shape)]
    scale, zero = 2.0 ** -net.rng.integers(4, 6, shape), typed(net, "INT8", net.rng.integers(-3, 4, shape))
    w = pair(net, w, scale, zero, axis=axis, block_size=block)
    x = pair(net, "x", 0.125, typed(net, "INT4"))
    model = net.model(net.add("QuantizeLinear", net.add("MatMul", x, w), 0.25, typed(net, "INT8")), TensorProto.INT8)
    reference_agrees(imported_from(model), model, 40)


def test_the_greatest_of_integers_and_a_bound_of_integers() -> None:
    """Pools, bounds, moves and concatenations of what DequantizeLinear makes real again only behind them."""
    net = Net(3, (2, 5, 5), opset=14)
    zero = typed(net, "INT8", -3)
    q = net.add("QuantizeLinear", "x", 0.1, zero)
    p = net.add("MaxPool", q, kernel_shape=[2, 2], strides=[1, 1])
    q = net.add("Transpose", net.add("Slice", q, *(np.array(v) for v in ([1, 1], [5, 5], [2, 3]))), perm=[0, 1, 2, 3])
    x = net.add("DequantizeLinear", net.add("Concat", net.add("Relu", p), q, axis=1), 0.1, zero)
    model = net.model(pair(net, net.add("Conv", x, net.weights((3, 4, 2, 2))), 0.5, typed(net, "UINT8", 100)))
    agree(imported_from(model), model, 20)


def test_a_cast_to_integers_takes_away_what_is_behind_the_point() -> None:
    net = Net(4, (8,))
    x = net.add("Cast", net.add("Cast", net.dense(net.quant("x", 0.125, 6), 8, 6), to=TensorProto.INT32), to=1)
    model = net.model(net.quant(net.dense(net.quant(x, 1.0, 4), 6, 4), 0.5, 5))
    imported = imported_from(model)
    agree(imported, model, 60)
    assert isinstance(imported.graph["act1"], Threshold)
    assert {-63, 64} < set(imported.graph["act1"].thresholds.ravel())  # sums of 64ths: −0.98 … 0.98 are 0


def test_a_cast_of_whole_numbers_does_nothing() -> None:
    net = Net(4, (8,))
    x = net.quant("x", 1.0, 4)
    same = net.add("Cast", net.add("CastLike", x, np.zeros(1, np.int64)), to=TensorProto.FLOAT)
    graph = imported_from(net.model(net.quant(net.dense(same, 8, 4), 0.5, 5))).graph
    assert [node.name for node in graph] == ["input", "fc1", "act1"]


def _half(net: Net) -> str:
    return net.add("Cast", net.add("Cast", net.dense(net.quant("x", 0.25, 4), 6, 4), to=TensorProto.FLOAT16), to=1)


def _double(net: Net) -> str:
    x = net.add("Cast", net.dense(net.quant("x", 0.25, 4), 6, 4), to=TensorProto.DOUBLE)
    return net.add("Cast", net.add("Sigmoid", x), to=1)


def _bool(net: Net) -> str:
    return net.add("Cast", net.add("Cast", net.quant("x", 0.25, 4), to=TensorProto.BOOL), to=1)


def _float8(net: Net) -> str:
    return net.add("Cast", net.add("Cast", net.quant("x", 0.25, 4), to=TensorProto.FLOAT8E4M3FN), to=1)


def _bfloat(net: Net) -> str:
    return net.add("Cast", net.add("Cast", net.quant("x", 0.25, 4), to=TensorProto.BFLOAT16), to=1)


def _narrow(net: Net) -> str:
    return net.add("Cast", net.add("Cast", net.quant("x", 32.0, 6), to=TensorProto.INT8), to=1)


def _unsigned(net: Net) -> str:
    return net.add("Cast", net.add("Cast", net.quant("x", 1.0, 4), to=TensorProto.UINT8), to=1)


def _sum_of_bytes(net: Net) -> str:
    q = net.add("QuantizeLinear", "x", 0.1, typed(net, "INT8"))
    return net.add("DequantizeLinear", net.add("Add", q, q), 0.1, typed(net, "INT8"))


def _float8_zero(net: Net) -> str:
    return pair(net, "x", 0.25, typed(net, "FLOAT8E4M3FN"))


def _half_scale(net: Net) -> str:
    return net.add("QuantizeLinear", "x", typed(net, "FLOAT16", 0.25), typed(net, "INT8"))


def _half_weights(net: Net) -> str:
    return net.add("MatMul", net.quant("x", 0.25, 4), typed(net, "FLOAT16", np.eye(6)))


def _double_factor(net: Net) -> str:
    return net.add("Mul", net.quant("x", 0.25, 4), typed(net, "DOUBLE", 0.1))


def _two_types(net: Net) -> str:
    return net.add("QuantizeLinear", "x", 0.25, typed(net, "INT8"), output_dtype=TensorProto.UINT8)


def _other_zero(net: Net) -> str:
    q = net.add("QuantizeLinear", "x", 0.25, typed(net, "INT8"))
    return net.add("DequantizeLinear", q, 0.25, typed(net, "UINT8"))


def _half_out(net: Net) -> str:
    q = net.add("QuantizeLinear", "x", 0.25, typed(net, "INT8"))
    return net.add("DequantizeLinear", q, 0.25, typed(net, "INT8"), output_dtype=TensorProto.FLOAT16)


def _half_division(net: Net) -> str:
    return net.add("QuantizeLinear", "x", 0.25, typed(net, "INT8"), precision=TensorProto.FLOAT16)


@pytest.mark.parametrize(("make", "words"), [
    (_half, "makes float16 of float32"), (_double, "computes in float64"), (_bool, "makes bool of float32"),
    (_float8, "makes float8_e4m3fn"), (_bfloat, "makes bfloat16"),
    (_narrow, "makes int8 of numbers from -1024 to 992"), (_unsigned, "makes uint8 of numbers from -8 to 7"),
    (_sum_of_bytes, "computes in int8"), (_float8_zero, "type float8_e4m3fn are not supported"),
    (_half_scale, "is of type float16"), (_half_weights, "floats without a quantizer|float16"),
    (_double_factor, "is of type float64"), (_two_types, "output_dtype uint8 and zero points of type int8 differ"),
    (_other_zero, "integers of type int8 and zero points of type uint8 differ"), (_half_out, "makes float16"),
    (_half_division, "divides in float16"),
])
def test_what_is_not_computed_in_float32_is_refused_by_name(make: Callable[[Net], str], words: str) -> None:
    net = Net(0, (6,), opset=23)
    with pytest.raises(ImportFailure, match=words) as caught:
        imported_from(net.model(net.quant(make(net), 0.5, 4)))
    assert str(caught.value).startswith("node '")


def test_a_type_that_onnx_cannot_read_yet_is_named() -> None:
    net = Net(0, (4,))
    model = net.model(net.quant(net.dense(net.quant("x", 0.25, 4), 4, 4), 0.5, 4))
    model.graph.initializer[-1].data_type = 26
    with pytest.raises(ImportFailure, match=r"of type int2, which onnx .* cannot read"):
        imported_from(model)


def of_input(model: ModelProto, name: str) -> ModelProto:
    """The model with an input of another type."""
    model.graph.input[0].type.tensor_type.elem_type = getattr(TensorProto, name)
    return model


def test_an_input_of_integers_is_what_the_graph_takes() -> None:
    net = Net(0, (6,), opset=21)
    model = of_input(net.model(net.quant(net.dense(net.add("DequantizeLinear", "x", 0.25, typed(
        net, "UINT8", 7)), 6, 4), 0.5, 4)), "UINT8")
    imported = imported_from(model)
    assert imported.graph.input.output.format == Format(8)
    assert meaning(imported) == (1.0, 0.0)
    agree(imported, model, 12)
    with pytest.raises(ImportFailure, match=r"takes integers of type uint8, and u8 at scale 0\.00392"):
        imported_from(model, input_format=Format(8), input_scale=1 / 255)


def test_four_bits_throughout_and_bytes_behind_a_cast() -> None:
    net = Net(0, (6,), opset=21)
    w = net.add("DequantizeLinear", typed(net, "INT4", net.rng.integers(-7, 8, (6, 4))), 0.125)
    x = net.add("MatMul", net.add("DequantizeLinear", "x", 0.25, typed(net, "INT4", 3)), w)
    four = of_input(net.model(net.add("QuantizeLinear", x, 0.25, typed(net, "UINT4", 3)), TensorProto.UINT4), "INT4")
    net = Net(0, (2, 4, 4), opset=21)
    x = net.add("Conv", net.add("Mul", net.add("Cast", "x", to=1), np.float32(1 / 255)), net.weights((3, 2, 2, 2)))
    pixels = of_input(net.model(net.quant(x, 0.1, 5)), "UINT8")
    for model, form in ((four, Format(4, True)), (pixels, Format(8))):
        imported = imported_from(model)
        assert imported.graph.input.output.format == form and not any("assumed" in note for note in imported.notes)
        agree(imported, model, 12)


@pytest.mark.parametrize("name", ["FLOAT16", "BFLOAT16", "BOOL", "STRING"])
def test_an_input_of_other_numbers_is_refused(name: str) -> None:
    net = Net(0, (6,))
    with pytest.raises(ImportFailure, match=f"input 'x' is of type {name.lower() if name != 'STRING' else 'object'}"):
        imported_from(of_input(net.model(net.quant(net.dense("x", 6, 4), 0.5, 4)), name))


def test_a_double_input_is_taken_where_it_is_made_single_at_once() -> None:
    net = Net(0, (6,))
    x = net.quant(net.add("Cast", "x", to=1), 0.25, 4)
    model = of_input(net.model(net.quant(net.dense(x, 6, 4), 0.5, 4)), "DOUBLE")
    imported = imported_from(model)
    assert imported.graph.input.output.format == Format(4, True)
    agree(imported, model, 12)
    with pytest.raises(ImportFailure, match="computes in float64"):
        imported_from(of_input(net.model(net.quant(net.dense(net.add("Mul", "x", 2.0), 6, 4), 0.5, 4)), "DOUBLE"))


def test_an_input_may_be_clipped_to_any_part_of_its_type() -> None:
    net = Net(6, (2, 3, 3))
    z = typed(net, "UINT8", 40)
    q = net.add("Clip", net.add("QuantizeLinear", "x", 0.125, z), typed(net, "UINT8", 42), typed(net, "UINT8", 52))
    x = net.add("Conv", net.add("DequantizeLinear", q, 0.125, z), net.weights((2, 2, 1, 1)))
    model = net.model(net.quant(x, 0.1, 5))
    imported = imported_from(model)
    assert imported.quantize(np.array([[-9.0, 0.25, 0.5, 1.5, 1.6, 99.0] * 3])).max() == 52
    agree(imported, model, 20)


def test_clipped_integers_have_as_many_bits_as_their_bounds() -> None:
    """As Brevitas writes quantizers of less than 8 bits, of weights and of activations."""
    net = Net(5, (2, 5, 5))

    def quantized(x: object, scale: object, low: int, high: int, kind: str, zero: Any = 0, **options: Any) -> str:
        z = typed(net, kind, zero)
        q = net.add("Clip", net.add("QuantizeLinear", x, scale, z, **options), typed(net, kind, low), typed(
            net, kind, high))
        return str(net.add("DequantizeLinear", q, scale, z, **options))

    x = quantized("x", 0.125, 0, 63, "UINT8", 20)
    w = quantized(net.rng.normal(0, 0.5, (4, 2, 3, 3)), net.rng.uniform(0.1, 0.2, 4), -7, 7, "INT8", [0] * 4, axis=0)
    x = quantized(net.add("Relu", net.norm(net.add("Conv", x, w, pads=[1, 1, 1, 1]), 4)), 0.25, 0, 15, "UINT8")
    w = quantized(net.rng.normal(0, 0.5, (3, 4, 1, 1)), 0.13, 0, 7, "UINT8", 3)
    model = net.model(quantized(net.add("Conv", x, w), 0.31, -8, 7, "INT8"))
    imported = imported_from(model)
    graph = imported.graph
    assert graph.input.output.format == Format(6)
    assert [n.weight_format.bits for n in graph if isinstance(n, Conv)] == [4, 3]
    assert [n.output.format for n in graph if isinstance(n, Threshold)] == [Format(4), Format(4, True)]
    assert all(n.thresholds.shape[1] <= 15 for n in graph if isinstance(n, Threshold))
    assert {node.op for node in graph} == {"Input", "Conv", "Pad", "Threshold"}
    agree(imported, model, 20)
