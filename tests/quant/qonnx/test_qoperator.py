"""ONNX Runtime's quantized operators: the integers that it computes, ties included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("qonnx")
import onnx
from support.imports import imported_from, runtime_agrees
from support.onnx_models import Net
from support.qoperator_models import MAKERS, Integers, network

from bitloom.quant import Format
from bitloom.quant.qonnx import ImportFailure


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
    x = net.result("QLinearSoftmax", *net.of(net.entry()), axis=1, opset=13)
    with pytest.raises(ImportFailure, match=r"QLinearSoftmax.*QuantFormat\.QDQ"):
        imported_from(net.finished(x))


def test_two_activations_are_not_multiplied() -> None:
    net = Integers(0, 4)
    x = net.entry()
    with pytest.raises(ImportFailure, match=r"QLinearMul.*must be constant"):
        imported_from(net.finished(net.result("QLinearMul", *net.of(x), *net.of(net.result("QLinearLeakyRelu", *net.of(
            x))))))
