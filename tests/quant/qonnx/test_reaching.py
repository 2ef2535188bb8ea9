"""Samples that are bred reach levels that random and directed ones do not."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qonnx")
from support.imports import imported_from
from support.onnx_models import CASES, GENERAL

from bitloom.quant import Graph, trace
from bitloom.quant.qonnx import reaching
from bitloom.quant.qonnx.reaching import bred_integers
from bitloom.quant.qonnx.samples import alternating, directed_integers, random_integers


def usual(graph: Graph) -> np.ndarray:
    return np.stack(list(alternating(random_integers(graph, 32), directed_integers(graph))))


def levels(graph: Graph, samples: np.ndarray) -> int:
    values = trace(graph, samples)
    return sum(len(np.unique(values[node.name])) for node in graph if node.name.startswith("act"))


@pytest.mark.parametrize(("name", "more"), [("pooling", 30), ("reductions", 15), ("integer_operators", 40)])
def test_they_reach_further(name: str, more: int) -> None:
    graph = imported_from(CASES[name](GENERAL)).graph
    known = usual(graph)
    bred = bred_integers(graph, known)
    assert 0 < len(bred) <= 16 and graph.input.output.format.holds(bred)
    assert levels(graph, np.concatenate([known, bred])) >= levels(graph, known) + more
    assert np.array_equal(bred, bred_integers(graph, known))


@pytest.mark.parametrize("name", ["embedding", "binary", "gates"])
def test_they_are_the_inputs_own(name: str) -> None:
    graph = imported_from(CASES[name](GENERAL)).graph
    known = usual(graph)
    bred = bred_integers(graph, known)
    assert bred.shape[1:] == graph.input.output.shape and set(np.unique(bred)) <= set(np.unique(known))


def test_each_reaches_something_new() -> None:
    graph = imported_from(CASES["pooling"](GENERAL)).graph
    known = usual(graph)
    bred = bred_integers(graph, known)
    counts = [levels(graph, np.concatenate([known, bred[:k]])) for k in range(len(bred) + 1)]
    assert counts == sorted(set(counts))


def test_a_large_graph_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = imported_from(CASES["pooling"](GENERAL)).graph
    monkeypatch.setattr(reaching, "EFFORT", 100)
    assert len(bred_integers(graph, usual(graph))) == 0
