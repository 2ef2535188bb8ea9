"""The comparison itself: what is wrong is a mismatch, what float32 decides is a tie, and neither spreads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("qonnx")
from onnx import ModelProto
from support.imports import agree, imported_from
from support.onnx_models import CASES, GENERAL, U8, Net

from bitloom.quant import Input, MatMul, Node, Threshold
from bitloom.quant.qonnx import Imported
from bitloom.quant.qonnx.compare import Comparison, compare
from bitloom.quant.qonnx.samples import extreme_integers, random_integers, real_inputs


def rows(imported: Imported, model: ModelProto, integers: np.ndarray) -> dict[str, Comparison]:
    return {row.quantizer if "(class)" in row.quantizer else row.node: row
            for row in compare(imported, model, real_inputs(imported, model, integers)).rows}


def changed(imported: Imported, name: str, **constants: object) -> Imported:
    """The same import with other constants in one node."""
    nodes: list[Node] = [replace(n, **constants) if n.name == name else n for n in imported.graph]  # type: ignore
    return replace(imported, graph=imported.graph.with_nodes(nodes))


@pytest.fixture
def perceptron() -> tuple[Imported, ModelProto]:
    model = CASES["perceptron"](GENERAL).model
    return imported_from(model), model


def test_a_threshold_that_is_off_by_one_is_found_where_it_is(perceptron: tuple[Imported, ModelProto]) -> None:
    imported, model = perceptron
    node = imported.graph["act1"]
    assert isinstance(node, Threshold)
    wrong = changed(imported, "act1", thresholds=node.thresholds + 1)
    found = rows(wrong, model, random_integers(imported.graph, 200))
    assert found["act1"].mismatches > 0
    assert all(row.mismatches == 0 for name, row in found.items() if name != "act1")


@pytest.mark.parametrize("name", ["fc1", "fc2", "fc3"])
def test_a_weight_that_is_off_by_one_is_found_at_the_next_quantizer(
    perceptron: tuple[Imported, ModelProto], name: str
) -> None:
    imported, model = perceptron
    node = imported.graph[name]
    assert isinstance(node, MatMul)
    weights = node.weights.copy()
    weights[2, 1] += 1 if weights[2, 1] < 1 else -1
    found = rows(changed(imported, name, weights=weights), model, random_integers(imported.graph, 200))
    behind = {"fc1": "act1", "fc2": "act2", "fc3": "fc3"}[name]
    assert found[behind].mismatches > 0
    assert {row.node for row in found.values() if row.mismatches} == {behind}


def test_another_rounding_of_exact_halves_is_no_tie() -> None:
    """2.5 steps are 2, to even; a graph that makes 3 of them is wrong, however near float32's error is."""
    net = Net(0, (4,))
    x = net.quant("x", 0.25, 5)
    model = net.model(net.quant(net.add("Add", x, 0.0), 0.5, 4))
    imported = imported_from(model)
    act = imported.graph["act1"]
    assert isinstance(act, Threshold)
    integers = random_integers(imported.graph, 100)
    row = rows(imported, model, integers)["act1"]
    assert (row.samples, row.mismatches, row.ties) == (100, 0, 0)
    halves = np.sort(np.arange(-15, 15, 2))[None, :]  # q/2 ≥ level − 1/2: up
    found = rows(changed(imported, "act1", thresholds=halves), model, integers)
    assert found["act1"].mismatches > 50


def test_what_float32_decides_is_a_tie() -> None:
    """0.3 · 0.125 · q / 0.2 is a half for every fourth of q, but for the roundings of the three constants."""
    model = CASES["residual"](GENERAL).model
    imported = imported_from(model)
    found = rows(imported, model, random_integers(imported.graph, 40))
    assert sum(row.ties for row in found.values()) > 0
    assert all(row.mismatches == 0 for row in found.values())


def test_a_scale_that_is_wrong_is_off_the_grid(perceptron: tuple[Imported, ModelProto]) -> None:
    imported, model = perceptron

    class Wrong(Imported):
        def real(self, name: str, integers: np.ndarray) -> np.ndarray:
            return super().real(name, integers) * (1.3 if name == "act1" else 1.0)

    wrong = Wrong(**{name: getattr(imported, name) for name in imported.__dataclass_fields__})
    assert rows(wrong, model, random_integers(imported.graph, 50))["act1"].mismatches > 40


def test_a_class_that_is_wrong_is_a_mismatch() -> None:
    model = CASES["chatter"](GENERAL).model
    imported = imported_from(model)
    node = imported.graph["fc2"]
    assert isinstance(node, MatMul)
    integers = random_integers(imported.graph, 100)
    assert rows(imported, model, integers)["argmax"].mismatches == 0
    wrong = changed(imported, "fc2", weights=node.weights[[1, 0, 2, 3]])
    assert rows(wrong, model, integers)["argmax"].mismatches > 0


def test_equal_scores_are_a_tie_of_classes() -> None:
    net = Net(0, (2,))
    x = net.quant("x", 0.1, 4)
    weights = net.quant(np.array([[0.2, 0.1], [0.1, 0.2]], np.float32), 0.1, 3)
    model = net.model(net.add("MatMul", x, net.add("Transpose", weights, perm=[1, 0])))
    imported = imported_from(model)
    found = rows(imported, model, np.array([[k, k] for k in range(-8, 8)] + [[1, 2], [2, 1]]))
    assert all(row.mismatches == 0 and row.samples == 18 for row in found.values())


def test_extremes_reach_both_ends_and_random_ones_the_whole_format() -> None:
    graph = imported_from(CASES["pixels"](GENERAL)).graph
    extremes, chance = extreme_integers(graph), random_integers(graph, 300, seed=3)
    assert set(np.unique(extremes)) == {0, 255} and extremes.shape[1:] == (4, 4, 1)
    assert (chance.min(), chance.max()) == (0, 255) and chance.shape == (300, 4, 4, 1)
    assert np.array_equal(chance, random_integers(graph, 300, seed=3))
    first = next(node for node in graph if isinstance(node, MatMul))
    sums = extremes.reshape(len(extremes), -1).astype(bool) @ np.where(first.weights > 0, 1, -1).T
    assert all(peak == np.sum(row > 0) for peak, row in zip(sums.max(axis=0), first.weights))


@pytest.mark.parametrize("name", ["channels_last", "convolutions", "pixels", "binary"])
def test_real_inputs_are_those_that_give_the_integers(name: str) -> None:
    case = CASES[name](GENERAL)
    imported = imported_from(case)
    integers = random_integers(imported.graph, 20)
    real = real_inputs(imported, case.model, integers)
    assert real.dtype == np.float32 and real.shape == (20, *imported.input_shape)
    assert np.array_equal(imported.quantize(real), integers)


def test_progress_is_told() -> None:
    case = CASES["pixels"](GENERAL)
    imported = imported_from(case)
    told: list[str] = []
    inputs = real_inputs(imported, case.model, random_integers(imported.graph, 5))
    compare(imported, case.model, inputs, told.append)
    assert told[-1] == "5 of 5 samples" and "0 of 5 samples, act1" in told


def test_nothing_given_is_nothing_compared() -> None:
    case = CASES["pixels"](GENERAL)
    imported = imported_from(case.model, **U8)
    assert compare(imported, case.model, np.zeros((0, 1, 4, 4), np.float32)).rows == []
    assert len(agree(imported, case.model, count=1)) == 5 and isinstance(imported.graph.nodes[0], Input)
