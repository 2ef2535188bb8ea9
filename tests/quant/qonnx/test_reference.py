"""What a network is compared with: the first executor that can run its file, and each gives the same."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qonnx")
import onnx
from onnx import TensorProto, helper
from support.onnx_models import CASES, DIALECTS, GENERAL, Net

from bitloom import WorkError
from bitloom.quant.qonnx import executors
from bitloom.quant.qonnx.executors import EXECUTORS, OnnxReference, OnnxRuntime, QonnxExecutor
from bitloom.quant.qonnx.reference import CannotRun, reference
from bitloom.quant.qonnx.runnable import entry


def inputs_of(model: onnx.ModelProto, count: int) -> np.ndarray:
    shape = [d.dim_value for d in entry(model).type.tensor_type.shape.dim][1:]
    return np.random.default_rng(0).normal(0, 2, (count, *shape)).astype(np.float32)


def small_types(weights_alone: bool) -> onnx.ModelProto:
    """Zero points of four bits, or QONNX's quantizers and weights of four bits."""
    net = Net(1, (8,), GENERAL, opset=21)
    net.constants.append(helper.make_tensor("z4", TensorProto.INT4, [], [0]))
    net.constants.append(helper.make_tensor("w4", TensorProto.INT4, [8, 6], net.rng.integers(-8, 8, 48).tolist()))
    if weights_alone:
        x = net.quant("x", 0.125, 6)
    else:
        x = net.add("DequantizeLinear", net.add("QuantizeLinear", "x", np.float32(0.25), "z4"), np.float32(0.25), "z4")
    return net.model(net.add("MatMul", x, net.add("DequantizeLinear", "w4", np.float32(0.1237))))


def plain() -> onnx.ModelProto:
    """Nothing but ONNX' own operators and types of eight bits: all three run it."""
    net = Net(0, (3, 6, 6), GENERAL, opset=19)
    zero = np.uint8(100)
    x = net.add("DequantizeLinear", net.add("QuantizeLinear", "x", np.float32(0.05), zero), np.float32(0.05), zero)
    x = net.add("Relu", net.add("Conv", x, net.rng.normal(0, 1, (2, 3, 3, 3))))
    return net.model(net.add("Flatten", x))


@pytest.mark.parametrize(("model", "first", "refused"), [
    (plain(), "QONNX's executor", 0), (CASES["perceptron"](GENERAL).model, "QONNX's executor", 0),
    (small_types(False), "ONNX Runtime", 1), (small_types(True), "ONNX' reference evaluator", 2),
], ids=["plain", "quant", "int4", "quant and int4"])
def test_the_first_that_can_run_a_file_is_taken(model: onnx.ModelProto, first: str, refused: int) -> None:
    run = reference(model, inputs_of(model, 3))
    assert run.name == first and len(run.refused) == refused
    assert all(line.startswith(other.name) for line, other in zip(run.refused, EXECUTORS))
    assert "onnx" in run.version and any(character.isdigit() for character in run.version)
    (where, context), = run
    assert where == slice(0, 3) and len(context[model.graph.output[0].name]) == 3


def test_all_three_give_the_same_tensors() -> None:
    model = plain()
    x = inputs_of(model, 2)
    tensors = [executor.prepare(model, 2)(x) for executor in EXECUTORS]
    for node in model.graph.node:
        for name in node.output:
            assert all(np.allclose(found[name], tensors[0][name], atol=1e-5) for found in tensors)
            assert len({found[name].dtype for found in tensors}) == 1


@pytest.mark.parametrize("domain", DIALECTS)
@pytest.mark.parametrize("name", ["binary", "thresholds", "truncation", "zero_points"])
def test_onnx_evaluator_runs_qonnx_operators_as_its_executor_does(name: str, domain: str) -> None:
    model = CASES[name](domain).model
    x = inputs_of(model, 2)
    ours, theirs = (executor.prepare(model, 2)(x) for executor in (OnnxReference(), QonnxExecutor()))
    output = model.graph.output[0].name
    assert np.allclose(ours[output], theirs[output], rtol=1e-5, atol=1e-5)


def test_integers_of_four_bits_are_handed_out() -> None:
    model = small_types(False)
    found = OnnxRuntime().prepare(model, 2)(inputs_of(model, 2))
    quantized = found[model.graph.node[0].output[0]]
    assert quantized.dtype == np.int8 and quantized.min() >= -8 and quantized.max() <= 7


def test_an_output_that_is_listed_twice() -> None:
    model = CASES["perceptron"](GENERAL).model
    model.graph.output.append(model.graph.output[0])
    assert reference(model, inputs_of(model, 2)).name == "QONNX's executor"


def test_an_input_of_integers_gets_integers() -> None:
    net = Net(0, (4,))
    model = net.model(net.add("MatMul", net.add("DequantizeLinear", "x", np.float32(0.5), np.uint8(3)),
                              np.ones((4, 2), np.float32)))
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    run = reference(model, np.array([[1.0, 2.0, 3.0, 250.0]]))
    assert run.inputs.dtype == np.uint8
    assert run.first[model.graph.output[0].name].tolist() == [[122.0, 122.0]]


def test_where_none_can_each_says_why_in_one_line() -> None:
    net = Net(0, (4,))
    model = net.model(net.add("Nonsense", "x"))
    with pytest.raises(CannotRun) as caught:
        reference(model, inputs_of(model, 1))
    text = str(caught.value)
    assert all(executor.name in text for executor in EXECUTORS) and "\n" not in text


def test_a_package_that_is_missing_is_one_executor_less(monkeypatch: pytest.MonkeyPatch) -> None:
    given = executors.find_spec
    monkeypatch.setattr(executors, "find_spec", lambda package: None if package == "qonnx" else given(package))
    run = reference(plain(), inputs_of(plain(), 2))
    assert run.name == "ONNX Runtime" and "pip install 'bitloom[qonnx]'" in run.refused[0]


def test_what_fails_later_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    run = reference(plain(), inputs_of(plain(), 3))

    def prepare(self: QonnxExecutor, model: onnx.ModelProto, batch: int) -> executors.Run:
        with executors._failing(self.name, "run"):
            raise MemoryError("no room\nleft")

    monkeypatch.setattr(QonnxExecutor, "prepare", prepare)
    with pytest.raises(WorkError, match="QONNX's executor cannot run the network: MemoryError: no room left"):
        list(run)
