"""Bounds on the errors of whole tensors: every element lies within, and they are not much wider than need be."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

pytest.importorskip("qonnx")
from onnx import ModelProto
from support.onnx_models import CASES, GENERAL, Net

from bitloom.quant.qonnx.bounds import Bounds
from bitloom.quant.qonnx.exact import Exact
from bitloom.quant.qonnx.reference import execute
from bitloom.quant.qonnx.runnable import entry

UNJUDGED = ("Softmax", "LogSoftmax", "TopK")


def inputs_of(model: ModelProto, count: int) -> np.ndarray:
    shape = [d.dim_value for d in entry(model).type.tensor_type.shape.dim][1:]
    return np.random.default_rng(0).normal(0, 2, (count, *shape)).astype(np.float32)


@pytest.mark.parametrize("name", CASES)
def test_float32_lies_within_the_bounds_of_every_tensor(name: str) -> None:
    rng, model = np.random.default_rng(2), CASES[name](GENERAL).model
    for _, context in execute(model, inputs_of(model, 2)):
        exact = Exact(model, context)
        bounds = Bounds(exact)
        for node in model.graph.node:
            for tensor in node.output:
                if context[tensor].dtype != np.float32 or node.op_type in UNJUDGED:
                    continue
                error = bounds.error(tensor)
                if error is None:
                    continue
                assert error.shape == context[tensor].shape
                for _ in range(3):
                    index = tuple(int(rng.integers(n)) for n in context[tensor].shape)
                    near = exact.element(tensor, index)
                    off = abs(float(Fraction(float(context[tensor][index])) - near.value))
                    assert off <= error[index], (node.op_type, tensor)
                    size = np.abs(context[tensor]).max() + 1
                    assert error[index] <= 50 * near.error + 1e-5 * size, (node.op_type, tensor)


@pytest.mark.parametrize("name", ["convolutions", "depthwise", "one_dimension", "residual", "pooling", "upsampling",
                                  "channels_last", "perceptron", "gemm", "splits"])
def test_what_usual_networks_consist_of_has_a_bound(name: str) -> None:
    model = CASES[name](GENERAL).model
    for _, context in execute(model, inputs_of(model, 1)):
        exact = Exact(model, context)
        bounds = Bounds(exact)
        without = {node.op_type for node in model.graph.node for tensor in node.output if bounds.error(tensor) is None}
        assert without <= {*UNJUDGED, "MaxPoolNHWC"}


def test_an_operator_without_a_rule_has_none() -> None:
    net = Net(0, (4,))
    model = net.model(net.add("Add", net.add("Sigmoid", net.quant("x", 0.25, 4)), 1.0))
    for _, context in execute(model, inputs_of(model, 1)):
        assert Bounds(Exact(model, context)).error(model.graph.output[0].name) is None


def test_constants_that_are_computed_are_bounded_one_by_one() -> None:
    """A batch norm written out: its root is of constants."""
    net = Net(0, (4,))
    root = net.add("Pow", net.rng.uniform(0.5, 2, 3), np.float32(0.5))
    model = net.model(net.add("Div", net.dense(net.quant("x", 0.25, 4), 4, 3), root))
    for _, context in execute(model, inputs_of(model, 2)):
        exact = Exact(model, context)
        error, tensor = Bounds(exact).error(model.graph.output[0].name), model.graph.output[0].name
        assert error is not None and 0 < error.max() < 1e-4
        for index in np.ndindex(2, 3):
            off = abs(float(Fraction(float(context[tensor][index])) - exact.element(tensor, index).value))
            assert off <= error[index]
