"""Files of every kind become integer graphs that agree with QONNX's own executor at every quantizer."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("qonnx")
import onnx
from support.imports import agree, imported_from
from support.onnx_models import CASES, DIALECTS, GENERAL, U8, Net
from support.qoperator_models import HOSTED, MAKERS, network
from support.random_onnx import random_network

from bitloom.quant import BIPOLAR, Format, MatMul, Threshold, load, run, save
from bitloom.quant.qonnx import ImportFailure, import_qonnx
from bitloom.quant.qonnx.importer import HANDLERS

DIALECT_CASES = ("perceptron", "binary", "truncation", "thresholds", "zero_points")
"""Cases that hold each of QONNX's own operators: these are read in every dialect."""


@pytest.mark.parametrize("name", CASES)
def test_every_kind_of_layer_agrees_with_the_executor(name: str) -> None:
    case = CASES[name](GENERAL)
    agree(imported_from(case), case.model, count=40)


def test_every_operator_of_the_importer_is_among_them() -> None:
    models = [*(make(GENERAL).model for make in CASES.values()), *(network(make) for make in (*MAKERS, *HOSTED))]
    seen = {node.op_type for model in models for node in model.graph.node}
    assert set(HANDLERS) - seen == {"HardTanh", "Hardtanh"}  # names that no executor knows


@pytest.mark.parametrize("domain", DIALECTS[1:])
@pytest.mark.parametrize("name", DIALECT_CASES)
def test_every_dialect_is_read_alike(name: str, domain: str) -> None:
    case, other = CASES[name](domain), imported_from(CASES[name](GENERAL))
    imported = imported_from(case)
    agree(imported, case.model, count=8)
    assert str(imported.graph) == str(other.graph)


@pytest.mark.parametrize("first", range(0, 60, 6))
def test_random_networks_agree_with_the_executor(first: int) -> None:
    """Several in one test: some of them ask for what no integers can do, and are refused in one line."""
    done = 0
    for seed in range(first, first + 6):
        model = random_network(seed, layers=2 + seed % 5)
        try:
            imported = imported_from(model)
        except ImportFailure as failure:
            assert "\n" not in str(failure)
            continue
        agree(imported, model, count=12)
        done += 1
    assert done >= 2


@pytest.mark.parametrize("seed", range(12))
def test_random_perceptrons_agree_with_the_executor(seed: int) -> None:
    rng = np.random.default_rng(seed)
    widths = [int(n) for n in rng.integers(3, 14, 4)]
    net = Net(seed, (widths[0],), DIALECTS[seed % len(DIALECTS)])
    x = net.quant("x", rng.uniform(0.01, 0.3), int(rng.integers(2, 9)), signed=int(rng.integers(2)))
    for inputs, outputs in pairwise(widths):
        scale = rng.uniform(0.02, 0.3, (outputs, 1)) if rng.integers(2) else 2.0 ** -int(rng.integers(1, 6))
        x = net.dense(x, inputs, outputs, int(rng.integers(1, 7)), scale)
        x = net.norm(x, outputs) if rng.integers(2) else x
        x = net.add(str(rng.choice(["Relu", "Tanh", "Sigmoid", "Identity"])), x)
        signed, narrow = (int(n) for n in rng.integers(0, 2, 2))
        x = net.quant(x, rng.uniform(0.03, 0.3), int(rng.integers(2, 7)), signed=signed, narrow=narrow)
    model = net.model(x)
    agree(imported_from(model), model, count=60)


def test_what_the_graph_is(tmp_path: Path) -> None:
    """The names, formats and constants of a small network, once in full."""
    net = Net(0, (2,))
    x = net.quant("x", 0.5, 4)
    weights = net.quant(np.array([[0.5, -0.25], [0.0, 0.75]], np.float32), 0.25, 4, narrow=1)
    x = net.add("MatMul", x, net.add("Transpose", weights, perm=[1, 0]))
    model = net.model(net.quant(net.add("Relu", x), 0.25, 2, signed=0))
    path = tmp_path / "small net.onnx"
    onnx.save(model, path)
    imported = import_qonnx(path)
    graph = imported.graph
    assert graph.name == "small_net" and [node.name for node in graph] == ["input", "fc1", "act1"]
    assert graph.metadata["input"] == {"scale": 0.5, "offset": 0.0, "shape": [2], "zero": 0.0, "quantizer": "Quant",
                                       "low": -8, "high": 7, "rounding": "ROUND"}
    assert graph.metadata["output"] == {"tensor": "t5", "scale": 0.25, "offset": 0.0, "shape": [2]}
    assert "small net.onnx" in str(graph.metadata["source"])
    assert graph.input.output.format == Format(4, signed=True)
    fc, act = graph["fc1"], graph["act1"]
    assert isinstance(fc, MatMul) and fc.weights.tolist() == [[2, -1], [0, 3]]
    assert isinstance(act, Threshold) and act.output.format == Format(2) and act.output.scale == (0.25,)
    assert act.thresholds.tolist() == [[2, 3, 6]]  # q/2 rounds half to even: 0.5 to 0, 1.5 to 2, 2.5 to 2
    assert imported.quantize(np.array([[0.25, -4.5]])).tolist() == [[0, -8]]
    assert imported.real("act1", np.array([[3, 1]])).tolist() == [[0.75, 0.25]]
    save(graph, tmp_path / "graph.npz")
    again = load(tmp_path / "graph.npz")
    samples = np.array([[7, -8], [-8, 7], [1, 1]])
    assert str(again) == str(graph) and np.array_equal(run(again, samples), run(graph, samples))


def _raw(net: Net) -> onnx.ModelProto:
    x = net.add("Sub", net.add("Mul", net.add("Flatten", "x"), 2.0), np.array([1.0]))
    return net.model(net.dense(net.quant(x, 0.25, 4), 4, 3))


@pytest.mark.parametrize(("options", "fmt", "scale"), [
    ({}, Format(8), 1 / 255),
    (U8, Format(8), 1 / 255),
    ({"input_format": Format(4), "input_scale": 0.125, "input_offset": -1.0}, Format(4), 0.125),
    ({"input_format": Format(3, signed=True)}, Format(3, signed=True), 1.0),
    ({"input_format": BIPOLAR, "input_scale": 0.5}, BIPOLAR, 0.5),
])
def test_a_raw_input_is_what_the_user_says(options: dict[str, Any], fmt: Format, scale: float) -> None:
    model = _raw(Net(0, (1, 2, 2)))
    imported = imported_from(model, **options)
    assert imported.graph.input.output.format == fmt
    said: Any = imported.graph.metadata["input"]
    assert (said["scale"], said["offset"]) == (scale, options.get("input_offset", 0.0))
    assert (said["quantizer"], said["low"], said["high"], said["shape"]) == ("nearest", fmt.lo, fmt.hi, [1, 2, 2])
    assert said.get("assumed", False) == (not options)
    agree(imported, model, count=40)


def test_a_raw_input_is_assumed_aloud() -> None:
    assert any("1/255" in note for note in imported_from(_raw(Net(0, (1, 2, 2)))).notes)


def test_a_quantized_input_may_be_given_raw_nevertheless() -> None:
    net = Net(0, (3,))
    model = net.model(net.dense(net.quant("x", 0.25, 4), 3, 2))
    imported = imported_from(model, input_format=Format(8), input_scale=0.03)
    assert [node.op for node in imported.graph][:2] == ["Input", "Threshold"]
    agree(imported, model, count=40)


def test_equal_scores_stay_equal_behind_zero_points() -> None:
    """All inputs at their zero: every score is 0 exactly, and the class is the first."""
    net = Net(0, (3,))
    x = net.quant("x", 0.2137, 4, signed=0, zero=5)
    x = net.dense(x, 3, 4, 4, net.rng.uniform(0.05, 0.3, (4, 1)))
    imported = imported_from(net.model(net.add("ArgMax", x, axis=1), onnx.TensorProto.INT64))
    assert run(imported.graph, np.full((1, 3), 5)).tolist() == [[0]]


def test_a_channel_that_a_gain_of_zero_makes_constant_is_not_padded_with_zero() -> None:
    net = Net(0, (2, 4, 4))
    x = net.add("BatchNormalization", net.quant("x", 0.25, 4), *np.array([[0, 1], [0.5, 0], [0, 0], [1, 1]]))
    x = net.add("Conv", x, net.weights((2, 2, 3, 3)), pads=[1, 1, 1, 1])
    with pytest.raises(ImportFailure, match="which no integer of its input stands for; quantize its input"):
        imported_from(net.model(net.quant(x, 0.25, 4)))


def test_functions_of_one_branch_at_the_end_want_a_quantizer() -> None:
    net = Net(0, (2, 3, 3))
    x = net.quant("x", 0.25, 4)
    with pytest.raises(ImportFailure, match="put a quantizer"):
        imported_from(net.model(net.add("Concat", net.add("Sigmoid", x), x, axis=1)))


@pytest.mark.parametrize("shuffle", [reversed, lambda nodes: sorted(nodes, key=lambda n: n.output[0][::-1])])
def test_the_order_of_nodes_in_the_file_does_not_matter(shuffle: Callable[[Any], Any]) -> None:
    model = CASES["residual"](GENERAL).model
    nodes = list(shuffle(list(model.graph.node)))
    other = onnx.ModelProto()
    other.CopyFrom(model)
    del other.graph.node[:]
    other.graph.node.extend(nodes)
    assert str(imported_from(other).graph) == str(imported_from(model).graph)


def test_constants_may_be_listed_as_inputs_or_be_nodes() -> None:
    model = CASES["perceptron"](GENERAL).model
    expected = str(imported_from(model).graph)
    listed, nodes = onnx.ModelProto(), onnx.ModelProto()
    for copy in (listed, nodes):
        copy.CopyFrom(model)
    for tensor in model.graph.initializer:
        listed.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
        nodes.graph.node.insert(0, onnx.helper.make_node("Constant", [], [tensor.name], value=tensor))
    del nodes.graph.initializer[:]
    for copy in (listed, nodes):
        assert str(imported_from(copy).graph) == expected
        agree(imported_from(copy), copy, count=8)


def test_functions_of_the_file_are_inlined() -> None:
    model = CASES["perceptron"](GENERAL).model
    expected = str(imported_from(model).graph)
    body = [onnx.helper.make_node("Relu", ["a"], ["b"])]
    opsets = [onnx.helper.make_opsetid("", 13)]
    model.functions.append(onnx.helper.make_function("local", "Activate", ["a"], ["b"], body, opsets))
    model.opset_import.append(onnx.helper.make_opsetid("local", 1))
    node = next(node for node in model.graph.node if node.op_type == "Relu")
    node.op_type, node.domain = "Activate", "local"
    assert str(imported_from(model).graph) == expected
    agree(imported_from(model), model, count=8)


def test_external_data_is_read_from_beside_the_file(tmp_path: Path) -> None:
    model = CASES["perceptron"](GENERAL).model
    expected = str(imported_from(model).graph)
    onnx.save_model(model, tmp_path / "perceptron.onnx", save_as_external_data=True, location="weights.bin",
                    size_threshold=0)
    assert (tmp_path / "weights.bin").is_file()
    assert str(import_qonnx(tmp_path / "perceptron.onnx", name="net").graph) == expected


@pytest.mark.parametrize("opset", [9, 11, 13, 16, 20])
def test_operator_sets_old_and_new(opset: int) -> None:
    net = Net(0, (2, 6, 6), opset=opset)
    x = net.quant("x", 0.125, 6)
    x = net.add("MaxPool", net.add("Conv", x, net.weights((3, 2, 3, 3)), pads=[1, 1, 1, 1]), kernel_shape=[2, 2])
    x = net.quant(net.add("Relu", net.norm(x, 3)), 0.25, 4, signed=0)
    model = net.model(net.dense(net.add("Flatten", x), 75, 4))
    agree(imported_from(model), model, count=20)
