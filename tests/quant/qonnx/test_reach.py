"""How much of each quantizer's range the samples of a comparison reach."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qonnx")
from support.imports import imported_from
from support.onnx_models import CASES, GENERAL, Net

from bitloom.quant.qonnx.checked import checked
from bitloom.quant.qonnx.compare import compare
from bitloom.quant.qonnx.reach import Reach, Reached
from bitloom.quant.qonnx.samples import directed_integers, extreme_integers, random_integers, real_inputs


def test_levels_are_counted_and_the_ends_kept() -> None:
    reach = Reach(-4, 3, 8)
    for values in ([0, 1, 1], [3], [-2, 0]):
        reach.add(np.array(values))
    assert reach.reached == Reached(4, 8, -2, 3) and reach.reached.share == 0.5
    assert str(reach.reached) == "4 of 8 levels, -2 … 3"


def test_what_is_too_wide_to_count_keeps_its_ends() -> None:
    reach = Reach(-(1 << 40), 1 << 40, 1 << 41)
    reach.add(np.array([[5, -7]]))
    assert reach.reached == Reached(None, None, -7, 5) and str(reach.reached) == "-7 … 5"


def test_the_input_of_onnx_own_quantizer_is_reached_whole() -> None:
    """Its samples are real numbers by its own scale and zero point, and not the bare integers."""
    net = Net(0, (40,), GENERAL)
    zero = np.uint8(37)
    x = net.add("DequantizeLinear", net.add("QuantizeLinear", "x", np.float32(0.031), zero), np.float32(0.031), zero)
    model = net.model(net.dense(x, 40, 3))
    imported = checked(imported_from(model), model, 32)
    assert imported.compared is not None
    row = imported.compared.rows[0]
    assert (row.reached.levels, row.reached.least, row.reached.greatest) == (256, 0, 255)
    assert row.reached.seen is not None and row.reached.seen > 250


def test_a_narrow_input_has_a_level_less() -> None:
    net = Net(0, (40,), GENERAL)
    model = net.model(net.dense(net.quant("x", 0.125, 4, narrow=1), 40, 3))
    found = checked(imported_from(model), model, 8).compared
    assert found is not None and found.rows[0].reached == Reached(15, 15, -7, 7)
    assert found.least is found.rows[0] and "reached: every level of every quantizer" in "\n".join(found.lines())


def test_a_quantizer_that_takes_one_value_is_said_not_to_be_tested() -> None:
    """Its sums could reach other levels by their ranges, and cannot: the two halves cancel."""
    net = Net(0, (4,), GENERAL)
    x = net.quant("x", 0.125, 4)
    halves = [net.add("MatMul", x, np.full((4, 2), sign, np.float32)) for sign in (0.5, -0.5)]
    y = net.quant(net.add("Add", *halves), 0.5, 4)
    model = net.model(net.dense(y, 2, 2))
    found = checked(imported_from(model), model, 8).compared
    assert found is not None
    row = next(row for row in found.rows if row.node == "act1")
    assert row.reached.seen == 1 and row.reached.levels is not None and row.reached.levels > 1
    assert any("not tested: act1" in line and "is 0 in all samples" in line for line in found.lines())
    assert found.least is row


def test_scores_have_ends_and_classes_are_counted() -> None:
    model = CASES["perceptron"](GENERAL).model
    imported = imported_from(model)
    inputs = real_inputs(imported, model, random_integers(imported.graph, 30))
    rows = {row.kind: row for row in compare(imported, model, inputs).rows}
    assert rows["scores"].reached.seen is None and rows["scores"].reached.least < rows["scores"].reached.greatest
    assert rows["classes"].reached.levels == 5


@pytest.mark.parametrize("name", ["perceptron", "convolutions", "one_dimension", "binary", "pixels"])
def test_directed_samples_are_the_inputs_own_and_reach_further(name: str) -> None:
    graph = imported_from(CASES[name](GENERAL)).graph
    directed, tensor = directed_integers(graph), graph.input.output
    assert tensor.format.holds(directed) and directed.shape[1:] == tensor.shape
    assert len(directed) >= len(extreme_integers(graph)) and np.array_equal(directed, directed_integers(graph))
