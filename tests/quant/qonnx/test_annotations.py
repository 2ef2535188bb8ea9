"""FINN's annotations: the input takes the integers that they say it has, constants are made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("qonnx")
from onnx import ModelProto, StringStringEntryProto, TensorAnnotation, numpy_helper
from support.imports import agree, imported_from
from support.onnx_models import Net

from bitloom.quant import BIPOLAR, Format, MatMul
from bitloom.quant.qonnx import ImportFailure


def annotate(model: ModelProto, tensor: str, name: str) -> ModelProto:
    """The model with FINN's type ``name`` on ``tensor``."""
    said = TensorAnnotation(tensor_name=tensor)
    said.quant_parameter_tensor_names.append(StringStringEntryProto(key="finn_datatype", value=name))
    model.graph.quantization_annotation.append(said)
    return model


def streamlined(seed: int = 0) -> Net:
    """Integers in float32 throughout, thresholds for quantizers, as FINN leaves a network."""
    net = Net(seed, (6,), "finn")
    x = net.add("MatMul", "x", net.rng.integers(-1, 2, (6, 5)))
    rows = np.sort(net.rng.integers(-6, 6, (5, 3)), axis=1)
    x = net.add("MultiThreshold", x, rows, domain="finn", out_dtype="UINT2")
    net.x = net.add("MatMul", x, net.rng.integers(-900, 900, (5, 4)))
    for at, tensor in enumerate(net.constants):  # FINN keeps integers in floats
        net.constants[at] = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name)
    return net


@pytest.mark.parametrize(("name", "form", "scale"), [
    ("UINT8", Format(8), 1.0), ("INT4", Format(4, True), 1.0), ("BIPOLAR", BIPOLAR, 1.0), ("BINARY", Format(1), 1.0),
    ("TERNARY", Format(2, True), 1.0), ("FIXED<8,3>", Format(8, True), 1 / 32),
])
def test_an_annotated_input_takes_these_integers(name: str, form: Format, scale: float) -> None:
    net = streamlined()
    model = annotate(annotate(net.model(net.x), "x", name), "c2", "INT11")
    imported = imported_from(model)
    assert imported.graph.input.output.format == form
    facts = imported.graph.metadata["input"]
    assert isinstance(facts, dict) and (facts["scale"], facts["offset"]) == (scale, 0.0)
    assert any(name in note for note in imported.notes)
    last = [node for node in imported.graph if isinstance(node, MatMul)][-1]
    assert last.weight_format == Format(11, True) and np.abs(last.weights).max() > 255
    agree(imported, model, 30)


def test_without_the_annotation_such_weights_are_floats() -> None:
    net = streamlined()
    with pytest.raises(ImportFailure, match="floats without a quantizer"):
        imported_from(annotate(net.model(net.x), "x", "UINT8"))


def test_a_quantizer_behind_annotated_integers_reads_integers() -> None:
    """Its own scale is not the input's: the executor takes none but integers there."""
    net = Net(1, (6,))
    model = annotate(net.model(net.quant(net.dense(net.quant("x", 2.0, 4), 6, 4), 0.5, 4)), "x", "UINT8")
    imported = imported_from(model)
    assert [node.op for node in imported.graph][:2] == ["Input", "Threshold"]
    agree(imported, model, 30)


@pytest.mark.parametrize("options", [{"input_scale": 1 / 255}, {"input_format": Format(9)}, {"input_offset": -3.0}])
def test_options_that_contradict_it_are_refused(options: dict[str, Any]) -> None:
    net = streamlined()
    model = annotate(annotate(net.model(net.x), "x", "UINT8"), "c2", "INT11")
    with pytest.raises(ImportFailure, match=r"takes integers of type UINT8, .*give --input u8 --scale 1"):
        imported_from(model, **options)
    assert imported_from(model, input_format=Format(6)).graph.input.output.format == Format(6)


@pytest.mark.parametrize("name", ["FLOAT32", "SCALEDINT<8>", "UINT99", "nonsense"])
def test_other_annotations_say_nothing(name: str) -> None:
    net = streamlined()
    model = annotate(annotate(net.model(net.x), "x", name), "c2", "INT11")
    assert any("1/255 assumed" in note for note in imported_from(model).notes)
