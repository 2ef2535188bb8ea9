"""The reference semantics: by hand, against plain loops, and what leaves its format is an error."""

from dataclasses import replace

import numpy as np
import pytest
from support.graphs import random_graph, random_samples

from bitloom.quant import Format, Graph, GraphError, Tensor, interpret, run, trace


def test_by_hand(small_graph: Graph) -> None:
    values = trace(small_graph, np.array([[5, 3, 4], [0, 1, 2], [1, 1, 3]]))
    assert values["fc1"].tolist() == [[2, -1], [-1, 2], [0, 2]]
    assert values["act1"].tolist() == [[1, -1], [-1, 1], [1, 1]]
    assert values["fc2"].tolist() == [[2, -1], [-2, -1], [0, 1]]
    assert values["argmax"].tolist() == [[0], [1], [1]]
    assert all(value.dtype == np.int64 for value in values.values())


def test_against_plain_loops(small_graph: Graph) -> None:
    rng = np.random.default_rng(3)
    samples = rng.integers(0, 8, (50, 3))
    result = run(small_graph, samples)
    for x, y in zip(samples, result):
        hidden = [sum(int(w) * int(v) for w, v in zip(row, x)) for row in small_graph["fc1"].weights]
        signs = [1 if h >= t else -1 for h, t in zip(hidden, (0, 2))]
        rows = zip(small_graph["fc2"].weights, (0, -1))
        scores = [sum(int(w) * s for w, s in zip(row, signs)) + b for row, b in rows]
        assert y[0] == scores.index(max(scores))


def test_the_lowest_index_wins_a_tie(small_graph: Graph) -> None:
    tied = small_graph.with_nodes([replace(n, bias=np.array([0, 0])) if n.name == "fc2" else n for n in small_graph])
    values = trace(tied, np.array([[1, 2, 1]]))
    assert values["act1"].tolist() == [[-1, -1]]
    values = trace(small_graph.with_nodes([replace(n, weights=np.ones((2, 2)), bias=None) if n.name == "fc2" else n
                                           for n in small_graph]), np.array([[1, 2, 1]]))
    assert values["fc2"].tolist() == [[-2, -2]] and values["argmax"].tolist() == [[0]]


@pytest.mark.parametrize(("value", "seen"), [(8, "0 to 8"), (-1, "-1 to 0")])
def test_an_input_outside_its_format(small_graph: Graph, value: int, seen: str) -> None:
    with pytest.raises(GraphError, match=rf"'input': values must lie in u3 \(0 to 7\), and {seen} occur"):
        run(small_graph, np.array([[0, 0, value]]))


def test_an_accumulator_that_overflows(small_graph: Graph) -> None:
    narrow = small_graph.with_nodes([replace(n, output=Tensor((2,), Format(3, signed=True))) if n.name == "fc1" else n
                                     for n in small_graph])
    run(narrow, np.array([[3, 0, 0]]))
    with pytest.raises(GraphError, match=r"'fc1': values must lie in i3 \(-4 to 3\), and -4 to 4 occur"):
        run(narrow, np.array([[4, 0, 0]]))


@pytest.mark.parametrize("samples", [np.zeros((2, 4)), np.zeros(5), np.array(3)])
def test_samples_of_another_shape(small_graph: Graph, samples: np.ndarray) -> None:
    with pytest.raises(GraphError, match=r"samples must have shape \(n, 3\)"):
        run(small_graph, samples)


def test_samples_must_be_integers(small_graph: Graph) -> None:
    with pytest.raises(GraphError, match="not integers"):
        run(small_graph, np.array([[0.5, 0, 0]]))
    assert run(small_graph, np.array([[5.0, 3.0, 4.0]])).tolist() == [[0]]


def test_no_samples(small_graph: Graph) -> None:
    assert run(small_graph, np.zeros((0, 3), dtype=np.int64)).shape == (0, 1)


def test_many_samples_run_in_parts_and_give_the_same(monkeypatch):
    graph = random_graph(5)
    samples = random_samples(graph, 23)
    whole = run(graph, samples)
    for size in (1, 40, 100):
        monkeypatch.setattr(interpret, "AT_ONCE", size)
        assert np.array_equal(run(graph, samples), whole) and run(graph, samples[:0]).shape == whole[:0].shape
