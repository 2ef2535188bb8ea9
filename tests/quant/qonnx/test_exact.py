"""Rational elements of ONNX files: the executor's float32 lies within their bounds, and the bounds are narrow."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from support.onnx_models import CASES, DIALECTS, GENERAL, Net

from bitloom import WorkError
from bitloom.quant.qonnx import executors, reference
from bitloom.quant.qonnx.exact import Exact, Unjudged
from bitloom.quant.qonnx.reference import CannotRun, execute
from bitloom.quant.qonnx.runnable import entry

UNJUDGED = ("Softmax", "LogSoftmax", "TopK")
"""What stands at a network's end; whose order alone counts."""


def inputs_of(model: object, count: int, seed: int = 0) -> np.ndarray:
    shape = [d.dim_value for d in entry(model).type.tensor_type.shape.dim][1:]
    return np.random.default_rng(seed).normal(0, 2, (count, *shape)).astype(np.float32)


@pytest.mark.parametrize("name", CASES)
def test_float32_lies_within_the_bounds(name: str) -> None:
    rng, model = np.random.default_rng(1), CASES[name](DIALECTS[len(name) % len(DIALECTS)]).model
    seen = 0
    for _, context in execute(model, inputs_of(model, 2)):
        exact = Exact(model, context)
        floats = [(node, tensor) for node in model.graph.node for tensor in node.output
                  if context[tensor].dtype == np.float32 and node.op_type not in UNJUDGED]
        for node, tensor in floats:
            for _ in range(4):
                index = tuple(int(rng.integers(n)) for n in context[tensor].shape)
                levels, found = exact.levels(tensor, index), float(context[tensor][index])
                levelled = exact.quantizer_of(tensor) is not None
                room = 1e-6 if levelled else 0.0
                assert float(levels.least) - room <= found <= float(levels.greatest) + room, (node.op_type, tensor)
                if not levelled:
                    size = np.abs(context[tensor]).max() + 1
                    assert float(levels.greatest - levels.least) < 1e-3 * size, (node.op_type, tensor)
                seen += 1
    assert seen > 20


def test_what_is_exact_is_known_exactly() -> None:
    net = Net(0, (2,))
    x = net.quant("x", 0.125, 4)
    model = net.model(net.quant(net.add("Add", x, np.float32(0.0625)), 0.125, 4))
    (_, context), = execute(model, np.array([[0.25, 0.375]], np.float32))
    exact = Exact(model, context)
    assert exact.element(model.graph.node[1].output[0], (0, 0)).value == Fraction(5, 16)
    assert exact.levels(model.graph.output[0].name, (0, 0)).exact == Fraction(1, 4)  # 2.5 steps: to even, down
    assert exact.levels(model.graph.output[0].name, (0, 1)).exact == Fraction(1, 2)  # 3.5 steps: to even, up


def test_a_tie_has_both_neighbours_within_reach() -> None:
    net = Net(0, (1,))
    x = net.quant("x", 1.0, 4)
    model = net.model(net.quant(net.add("Mul", x, np.float32(0.1)), 0.2, 4))
    (_, context), = execute(model, np.array([[1.0]], np.float32))
    levels = Exact(model, context).levels(model.graph.output[0].name, (0, 0))
    assert float(levels.greatest - levels.least) == pytest.approx(0.2)


def test_an_operator_without_a_rule_is_not_judged() -> None:
    model = CASES["channels_last"](GENERAL).model
    (_, context), = execute(model, inputs_of(model, 1))
    with pytest.raises(Unjudged, match="Softmax"):
        Exact(model, context).element(model.graph.output[0].name, (0, 0))


def test_batches_are_what_single_samples_are(monkeypatch: pytest.MonkeyPatch) -> None:
    model = CASES["upsampling"](GENERAL).model
    inputs = inputs_of(model, 5)
    output = model.graph.output[0].name
    whole = [context[output] for _, context in execute(model, inputs)]
    monkeypatch.setattr(reference, "BATCH_BYTES", 1)
    single = [context[output] for _, context in execute(model, inputs)]
    assert (len(whole), len(single)) == (1, 5)
    assert np.array_equal(np.concatenate(whole), np.concatenate(single))


def test_a_file_that_fixes_its_batch_is_run_sample_by_sample() -> None:
    net = Net(0, (4,))
    x = net.add("Reshape", net.add("Reshape", net.quant("x", 0.25, 4), np.array([4])), np.array([1, 4]))
    model = net.model(net.quant(x, 0.5, 4))
    assert [where.stop - where.start for where, _ in execute(model, inputs_of(model, 3))] == [1, 1, 1]


def test_what_the_executor_cannot_run_is_one_line() -> None:
    net = Net(0, (4,))
    model = net.model(net.add("MatMul", "x", np.zeros((5, 2))))
    with pytest.raises(WorkError, match="QONNX's executor cannot") as caught:
        list(execute(model, inputs_of(model, 1)))
    assert "\n" not in str(caught.value)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "find_spec", lambda package: None)
    with pytest.raises(CannotRun, match=r"qonnx, onnxruntime: pip install 'bitloom\[qonnx\]'"):
        list(execute(CASES["gemm"](GENERAL).model, np.zeros((1, 6))))
