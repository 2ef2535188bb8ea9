"""What integers mean at both ends of a graph, and how people's arrays become them.

| testpoint | stage | test |
| --- | --- | --- |
| every order that reshaping and transposing can make, and any other, comes back | smoke | test_orders_come_back |
| records pass through a file | smoke | test_records_are_kept_in_the_file |
| graphs without records load, and take integers | smoke | test_without_a_record |
| each layout that fits is put in order | full | test_layouts |
| each other is refused with the shapes | smoke | test_what_does_not_fit |
| floats are real numbers, integers the graph's own | smoke | test_floats_are_real_and_integers_the_graph_s |
| what lies outside the range is counted | smoke | test_what_is_clipped_is_counted |
| classes: the first of the greatest, in the file's order and units | smoke | test_classes |
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bitloom import RequestError, quant
from bitloom.quant import BIPOLAR, ArgMax, Format, Graph, GraphError, Input, MatMul, Reshape, Tensor, order
from bitloom.quant.reals import Entry, Meaning, class_count, entry_of, result_of
from bitloom.quant.rules import Rule

ZERO, I4 = np.zeros(()), Format(4, signed=True)


def first(shape: tuple[int, int, int]) -> np.ndarray:
    """The index of a file whose samples are channels first, (C, H, W), for a graph of ``shape`` (H, W, C)."""
    return np.moveaxis(np.arange(np.prod(shape)).reshape(shape), -1, 0)


def network(shape: tuple[int, ...] = (4, 5, 3), index: np.ndarray | None = None, rule: Rule | None = None,
            scale: float = 0.25, form: Format = I4, **more: object) -> Graph:
    """A graph that gives its input back as a vector, with a record of its input."""
    size = int(np.prod(shape))
    rule = rule or Rule("Quant", form.lo, form.hi)
    index = np.arange(size).reshape(shape) if index is None else index
    entry = Entry(Meaning(index, np.asarray(scale), ZERO, ZERO), rule, **more)  # type: ignore[arg-type]
    return Graph("net", (Input("input", (), Tensor(shape, form)), Reshape("flat", ("input",), Tensor((size,), form))),
                 "flat", (), {"input": entry.record()})


@pytest.mark.parametrize("seed", range(8))
def test_orders_come_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    dims = tuple(int(n) for n in rng.integers(1, 5, rng.integers(1, 5)))
    index = np.arange(np.prod(dims)).reshape(dims).transpose(rng.permutation(len(dims)))
    for made in (index, index.reshape(-1), rng.permutation(index.ravel()), np.zeros((3, 2), int)):
        kept = order.packed(made)
        assert np.array_equal(order.unpacked(kept, made.shape), made)
    assert order.packed(np.arange(12).reshape(3, 4)) is None
    assert order.packed(first((8, 8, 3))) == {"dims": [3, 64], "strides": [1, 3]}


def test_records_are_kept_in_the_file(tmp_path: Path) -> None:
    graph = network(index=first((4, 5, 3)), assumed=True)
    quant.save(graph, tmp_path / "graph.npz")
    found = entry_of(quant.load(tmp_path / "graph.npz"))
    assert found is not None and found.record() == graph.metadata["input"] and found.assumed
    assert np.array_equal(found.meaning.index, first((4, 5, 3)))
    assert result_of(graph) is None and quant.scores(graph, np.zeros((1, 60))) is None


@pytest.mark.parametrize("facts", [{}, {"input": {"scale": 0.25, "offset": 0.0}}])
def test_without_a_record(facts: dict[str, object]) -> None:
    """Graphs made by hand, or by an earlier version: integers in the graph's own layout, and no real numbers."""
    graph = replace(network(), metadata=facts)
    x = np.arange(60).reshape(1, 4, 5, 3) % 8
    for samples in (x, x.astype(float), x.reshape(1, 60), x[0]):
        taken = quant.take(graph, samples)
        assert np.array_equal(taken.integers, x) and taken.real is None
    with pytest.raises(RequestError, match="does not say how real numbers become"):
        quant.take(graph, x + 0.5)
    with pytest.raises(RequestError, match=r"\(n, 4, 5, 3\), or rows of 60 elements, not \(1, 3, 4, 5\)"):
        quant.take(graph, np.moveaxis(x, -1, 1))


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int8])
def test_layouts(kind: type) -> None:
    graph = network(index=first((4, 5, 3)))
    q = np.random.default_rng(0).integers(-8, 8, (6, 4, 5, 3))
    real = kind is not np.int8
    own = (0.25 * q if real else q).astype(kind)
    file = np.moveaxis(own, -1, 1)
    for given, words in ((file, "put into the circuit's order, 4×5×3"), (file.reshape(6, 60), "rows in the order of"),
                         (own, "in the circuit's own layout")):
        taken = quant.take(graph, given)
        assert np.array_equal(taken.integers, q) and words in taken.note and not taken.warning
        assert taken.real is not None and np.array_equal(taken.real, 0.25 * np.moveaxis(q, -1, 1))
        assert np.array_equal(quant.take(graph, given[:1]).integers, q[:1])
        assert np.array_equal(quant.take(graph, given[2]).integers, q[2:3])


def test_where_both_layouts_fit_the_file_s_is_meant() -> None:
    graph = network((3, 3, 3), first((3, 3, 3)))
    q = np.random.default_rng(0).integers(-8, 8, (5, 3, 3, 3))
    taken = quant.take(graph, 0.25 * q)
    assert np.array_equal(taken.integers, np.moveaxis(q, 1, -1))
    assert "laid out as in the network's file (the circuit's own order would fit as well)" in taken.note
    assert "own order would fit" not in quant.take(network((3, 3, 3)), 0.25 * q).note


def test_axes_of_length_1_may_be_left_out() -> None:
    graph = network((4, 5, 1), np.arange(20).reshape(1, 4, 5))
    q = np.arange(40).reshape(2, 4, 5) % 8
    for given in (q, q[:, None], q[..., None], q.reshape(2, 20)):
        assert np.array_equal(quant.take(graph, 0.25 * given).integers, q[..., None])


@pytest.mark.parametrize("samples", [
    np.zeros((2, 3, 5, 4)), np.zeros((2, 5, 4, 3)), np.zeros((120,)), np.zeros((2, 12, 5)), np.zeros((2, 59)),
    np.zeros((60, 2)), np.zeros(()), np.zeros((0, 3, 4, 5)), np.zeros((2, 2, 3, 4, 5)),
])
def test_what_does_not_fit(samples: np.ndarray) -> None:
    with pytest.raises(RequestError, match=r"\(n, 3, 4, 5\), or the circuit's own \(n, 4, 5, 3\)|no samples"):
        quant.take(network(index=first((4, 5, 3))), samples)


def test_a_flat_network_takes_rows_alone() -> None:
    with pytest.raises(RequestError, match=r"\(n, 60\), or rows of 60 elements, not \(2, 4, 15\)"):
        quant.take(network((60,)), np.zeros((2, 4, 15)))


def test_floats_are_real_and_integers_the_graph_s() -> None:
    graph = network((4,))
    assert quant.take(graph, np.array([[1.0, 1.5, -2.0, 0.1]])).integers.tolist() == [[4, 6, -8, 0]]
    assert quant.take(graph, np.array([[1, 2, -2, 0]])).integers.tolist() == [[1, 2, -2, 0]]
    assert quant.take(graph, np.array([[1, 2, -2, 0]]), real=True).integers.tolist() == [[4, 7, -8, 0]]
    assert quant.take(graph, np.array([[1.0, 2.0, -2.0, 0.0]]), real=False).integers.tolist() == [[1, 2, -2, 0]]
    assert quant.take(graph, np.array([[True, False, True, True]])).integers.tolist() == [[1, 0, 1, 1]]
    with pytest.raises(RequestError, match=r"own integers, i4 of -8 to 7, and 0 to 255 occur.* in floats"):
        quant.take(graph, np.array([[0, 255, 3, 4]], np.uint8))
    with pytest.raises(RequestError, match="NaN or infinite"):
        quant.take(graph, np.array([[0, np.nan, 3, 4]]))
    with pytest.raises(RequestError, match="must be numbers"):
        quant.take(graph, np.array([["a", "b", "c", "d"]]))
    with pytest.raises(RequestError, match=r"own integers, -1 or \+1, and 0 to 1 occur"):
        quant.take(network((2,), form=BIPOLAR, rule=Rule("BipolarQuant", -1, 1)), np.array([[0, 1]]))


def test_what_is_clipped_is_counted() -> None:
    graph = network((4,))
    taken = quant.take(graph, np.array([[1.75, 1.87, 1.9, -2.2]]))
    assert taken.integers.tolist() == [[7, 7, 7, -8]] and taken.clipped == 0.5
    assert "50.00% of the values lie outside -2 to 1.75 and are clipped, as the network's own" in taken.warning
    guessed = network((4,), form=Format(8), rule=Rule("nearest", 0, 255), scale=1 / 255, assumed=True)
    taken = quant.take(guessed, np.array([[-1.0, 0.5, 1.0, 2.0]]))
    assert taken.integers.tolist() == [[0, 128, 255, 255]] and taken.clipped == 0.5
    assert "outside 0 to 1 and are clipped;" in taken.warning and "assumed when it was imported" in taken.warning
    signs = network((2,), form=BIPOLAR, rule=Rule("BipolarQuant", -1, 1))
    assert quant.take(signs, np.array([[-9.0, 0.0]])).clipped == 0


@pytest.mark.parametrize("damage", [
    {"order": {"dims": [3, 20], "strides": [1, 7]}}, {"order": {"dims": [60], "strides": [0]}}, {"shape": [3, 4]},
    {"quantizer": "Magic"}, {"low": 7}, {"high": 99}, {"scale": [1.0, 2.0]}, {"scale": "much"}, {"rounding": "UPISH"},
])
def test_a_damaged_record_is_one_line(damage: dict[str, object]) -> None:
    graph = network(index=first((4, 5, 3)))
    facts = {**graph.metadata["input"], **damage}  # type: ignore[dict-item]
    with pytest.raises(GraphError, match="what it says of its input is damaged"):
        quant.take(replace(graph, metadata={"input": facts}), np.zeros((1, 3, 4, 5)))


def test_classes() -> None:
    form = Format(6, signed=True)
    layer = MatMul("fc1", ("input",), Tensor((3,), form), np.eye(3, dtype=int), Format(1))
    nodes = (Input("input", (), Tensor((3,), Format(4, signed=True))), layer)
    scored = Graph("net", nodes, "fc1")
    q = np.array([[1, 3, 3], [4, 0, 2]])
    assert quant.classes(scored, q).tolist() == [1, 0] and class_count(scored) == 3  # type: ignore[union-attr]
    units = Meaning(np.array([2, 1, 0]), np.array([1.0, 1.0, 3.0]), ZERO, np.array([0.5, 0.0, 0.0]))
    meant = replace(scored, metadata={"output": units.record()})
    assert np.array_equal(quant.scores(meant, q), [[9, 3, 1.5], [6, 0, 4.5]])  # type: ignore[arg-type]
    assert quant.classes(meant, q).tolist() == [0, 0]  # type: ignore[union-attr]
    named = Graph("net", (*nodes, ArgMax("argmax", ("fc1",), Tensor((1,), Format(2)))), "argmax")
    assert quant.classes(named, np.array([[2], [0]])).tolist() == [2, 0]  # type: ignore[union-attr]
    assert class_count(named) == 3
    picture = network((2, 2, 3)).with_nodes(network((2, 2, 3)).nodes[:1], "input")
    assert quant.classes(picture, np.zeros((1, 12))) is None and class_count(picture) is None


def test_the_interpreter_does_not_guess_a_layout() -> None:
    graph = network()
    assert quant.run(graph, np.zeros((2, 60), int)).shape == (2, 60)
    with pytest.raises(GraphError, match=r"\(n, 4, 5, 3\), or be rows of 60 in that order, not \(2, 3, 4, 5\)"):
        quant.run(graph, np.zeros((2, 3, 4, 5), int))
