"""ONNX Runtime's quantized operators: the integers that it computes, ties included."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("qonnx")
import onnx
from onnx import TensorProto
from support.imports import agree, imported_from, runtime_agrees
from support.onnx_models import Net
from support.qoperator_models import MAKERS, F, Integers, network

from bitloom.quant import Conv, Format
from bitloom.quant.qonnx import ImportFailure
from bitloom.quant.qonnx.compare import compare
from bitloom.quant.qonnx.exact import FUSED, Exact
from bitloom.quant.qonnx.reference import execute
from bitloom.quant.qonnx.samples import random_integers, real_inputs


@pytest.mark.parametrize("even", [True, False], ids=["ties", "any scale"])
@pytest.mark.parametrize("kind", [np.uint8, np.int8])
@pytest.mark.parametrize("make", MAKERS)
def test_the_integers_are_the_runtime_s(make: Any, kind: type, even: bool) -> None:
    model = network(make, kind, even)
    imported = imported_from(model)
    assert imported.graph.input.output.format == Format(8, kind is np.int8)
    runtime_agrees(imported, model, 40)


def test_a_network_that_onnxruntime_quantized(tmp_path: Path) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    net = Net(3, (2, 6, 6), opset=13)
    x = net.add("Conv", "x", net.rng.normal(0, 0.5, (4, 2, 3, 3)), net.rng.normal(0, 0.2, 4), pads=[1, 1, 1, 1])
    x = net.add("MaxPool", net.add("Relu", x), kernel_shape=[2, 2], strides=[2, 2])
    y = net.add("Relu", net.add("Conv", x, net.rng.normal(0, 0.5, (4, 4, 1, 1)), net.rng.normal(0, 0.2, 4)))
    x = net.add("Flatten", net.add("GlobalAveragePool", net.add("Add", x, y)))
    x = net.add("Gemm", x, net.rng.normal(0, 0.5, (3, 4)), net.rng.normal(0, 0.2, 3), transB=1)
    onnx.save(net.model(x), tmp_path / "float.onnx")

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = [{"x": net.rng.normal(0, 1, (1, 2, 6, 6)).astype(np.float32)} for _ in range(8)]

        def get_next(self) -> dict[str, np.ndarray] | None:
            return self.left.pop() if self.left else None

    quantize_static(tmp_path / "float.onnx", tmp_path / "q.onnx", Reader(), quant_format=QuantFormat.QOperator,
                    per_channel=True)
    model = onnx.load(tmp_path / "q.onnx")
    kinds = {node.op_type for node in model.graph.node}
    assert {"QLinearConv", "QLinearAdd", "QGemm", "QLinearGlobalAveragePool"} <= kinds
    runtime_agrees(imported_from(model, requantize="exact"), model, 60)


def test_others_of_the_runtime_are_refused_with_the_way_out() -> None:
    net = Integers(0, 4)
    x = net.result("QLinearReduceMean", *net.of(net.entry()), axes=[1])
    with pytest.raises(ImportFailure, match=r"QLinearReduceMean.*QuantFormat\.QDQ"):
        imported_from(net.finished(x))


@pytest.mark.parametrize("fused", [True, False])
def test_a_quantizer_of_probabilities_is_left_to_the_host(fused: bool) -> None:
    net = Integers(2, 6)
    x = net.result("QLinearMatMul", *net.of(net.entry()), *net.weights_of((6, 4), 4), scale=F(0.5), domain="")
    if fused:
        y = net.result("QLinearSoftmax", *net.of(x), axis=-1, opset=13)
    else:
        scale, zero = net.scales[x]
        y = net.add("Softmax", net.add("DequantizeLinear", x, net.typed(scale), net.typed(zero)), axis=-1)
        y = net.result("QuantizeLinear", y, scale=F(1 / 256), domain="")
    model = net.finished(y)
    imported = imported_from(model)
    assert imported.quantizers["act1"] == (x if fused else "t2")
    assert any("left to the host" in note for note in imported.notes)
    agree(imported, model, 20)
    net.scales.pop(y)
    with pytest.raises(ImportFailure, match="may have made equal; take it in front of"):
        imported_from(net.model(net.add("ArgMax", y, axis=1), TensorProto.INT64))


def test_two_activations_are_not_multiplied() -> None:
    net = Integers(0, 4)
    x = net.entry()
    with pytest.raises(ImportFailure, match=r"QLinearMul.*must be constant"):
        imported_from(net.finished(net.result("QLinearMul", *net.of(x), *net.of(net.result("QLinearLeakyRelu", *net.of(
            x))))))


@pytest.mark.parametrize(("make", "even"), [(make, bool(at % 2)) for at, make in enumerate(MAKERS)])
def test_the_exact_rules_give_what_the_runtime_has(make: Any, even: bool) -> None:
    """At elements of every quantizer: rational arithmetic's level lies between the two that float32 may have."""
    model = network(make, even=even)
    imported = imported_from(model)
    assert all(row.mismatches == row.ties == 0 for row in agree(imported, model, 2))
    inputs = real_inputs(imported, model, random_integers(imported.graph, 2))
    (_, context), = execute(model, inputs)
    exact, rng = Exact(model, context), np.random.default_rng(0)
    for name in (node.output[0] for node in model.graph.node if node.op_type in FUSED):
        for _ in range(6):
            index = tuple(int(rng.integers(n)) for n in exact.shape(name))
            levels = exact.levels(name, index)
            found = int(context[name][index])
            assert levels.least <= found <= levels.greatest and levels.greatest - levels.least <= 1
            assert levels.exact == found or levels.greatest > levels.least


def test_a_weight_that_is_off_by_one_is_a_mismatch() -> None:
    model = network(MAKERS[1])
    imported = imported_from(model)
    layer = next(node for node in imported.graph if isinstance(node, Conv))
    weights = layer.weights.copy()
    weights[0, 1, 1, 0] += 1
    nodes = [replace(node, weights=weights) if node is layer else node for node in imported.graph]
    wrong = replace(imported, graph=imported.graph.with_nodes(nodes))
    rows = compare(wrong, model, real_inputs(imported, model, random_integers(imported.graph, 20))).rows
    assert any(row.mismatches > 5 for row in rows)
