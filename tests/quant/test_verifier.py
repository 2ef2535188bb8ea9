"""Each rule of a well-formed graph, broken once: the message names the node, the rule and the value."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bitloom import RequestError
from bitloom.quant import (
    BIPOLAR,
    ArgMax,
    Format,
    Graph,
    GraphError,
    Input,
    Node,
    Reshape,
    Tensor,
    Threshold,
    load,
    save,
    verify,
)


def changed(graph: Graph, name: str, **values: object) -> Graph:
    return graph.with_nodes([replace(n, **values) if n.name == name else n for n in graph])


class Softmax(Node):
    """An operator the graph does not have."""


BREAKS: dict[str, tuple[Callable[[Graph], Graph], str]] = {
    "twice": (lambda g: g.with_nodes([*g.nodes, g["fc1"]]), "'fc1': names must be unique, and this one occurs twice"),
    "no dimension": (lambda g: changed(g, "input", output=Tensor((0,), Format(3))), "at least 1, not (0,)"),
    "unknown input": (lambda g: changed(g, "fc1", inputs=("nobody",)), "'fc1': reads 'nobody', which no earlier node"),
    "later input": (lambda g: changed(g, "fc1", inputs=("fc2",)), "'fc1': reads 'fc2', which no earlier node computes"),
    "arity": (lambda g: changed(g, "fc1", inputs=("input", "input")), "'fc1': MatMul takes 1 inputs, not 2"),
    "reading input": (lambda g: changed(g, "fc1", inputs=()), "'fc1': MatMul takes 1 inputs, not 0"),
    "two inputs": (lambda g: g.with_nodes([Input("more", (), g["input"].output), *g.nodes]), "one input, not 2"),
    "no input": (lambda g: g.with_nodes([], "argmax"), "exactly one input, not 0"),
    "no output": (lambda g: g.with_nodes(g.nodes, "gone"), "output 'gone' is not one of its nodes"),
    "flat weights": (lambda g: changed(g, "fc1", weights=np.array([1, 0])), "shape (outputs, inputs), not (2,)"),
    "weights map": (lambda g: changed(g, "fc1", weights=np.ones((2, 4))), "weights (2, 4) do not map (3,) to (2,)"),
    "weights fit": (lambda g: changed(g, "fc1", weights=np.full((2, 3), 2)), "must lie in i2, and 2 to 2 occur"),
    "no bipolar zero": (lambda g: changed(g, "fc2", weights=np.zeros((2, 2))), "must lie in bipolar, and 0 to 0 occur"),
    "bias": (lambda g: changed(g, "fc2", bias=np.zeros(3)), "'fc2': bias must have shape (2,), not (3,)"),
    "rows": (lambda g: changed(g, "act1", thresholds=np.zeros((3, 1))), "shape (2 or 1, levels), not (3, 1)"),
    "order": (lambda g: changed(g, "act1", thresholds=np.array([[1, 0]] * 2), output=Tensor((2,), Format(3, True))),
              "'act1': each row of thresholds must be in ascending order"),
    "levels fit": (lambda g: changed(g, "act1", y_step=3), "outputs -1 to 2 in steps of 3 do not fit bipolar"),
    "step": (lambda g: changed(g, "act1", y_step=0), "outputs -1 to -1 in steps of 0 do not fit bipolar"),
    "kept shape": (lambda g: changed(g, "act1", output=Tensor((1,), BIPOLAR), thresholds=np.zeros((1, 1))),
                   "a threshold keeps the shape, (2,) is not (1,)"),
    "index width": (lambda g: changed(g, "argmax", output=Tensor((1,), Format(2))), "2 scores is u1[1], not u2[1]"),
    "index shape": (lambda g: changed(g, "argmax", output=Tensor((2,), Format(1))), "is u1[1], not u1[2]"),
    "classes": (lambda g: replace(g, classes=("a", "b", "c")), "3 class names for 2 scores"),
    "operator": (lambda g: g.with_nodes([*g.nodes, Softmax("soft", ("fc2",), g["fc2"].output)]),
                 "unknown operator Softmax"),
}


@pytest.mark.parametrize("rule", BREAKS)
def test_a_broken_rule_is_named(small_graph: Graph, rule: str) -> None:
    verify(small_graph)
    breaking, message = BREAKS[rule]
    with pytest.raises(GraphError) as caught:
        verify(breaking(small_graph))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_graph_error_is_the_users() -> None:
    assert issubclass(GraphError, RequestError)


@pytest.mark.parametrize("values", [[[0.5]], [[float("nan")]], [[float("inf")]], [["a"]], [[None]]])
def test_constants_are_integers(values: list) -> None:
    with pytest.raises(GraphError, match="an integer tensor"):
        Threshold("t", ("x",), Tensor((1,), Format(1)), np.array(values))


def test_text_shows_every_node(small_graph: Graph) -> None:
    text = str(small_graph)
    assert "fc1: i5[2] = MatMul(input)  weights i2[2, 3]" in text
    assert "act1: bipolar[2] = Threshold(fc1)  1 levels from -1" in text
    assert text.endswith("return argmax")


def test_an_unknown_node_is_named(small_graph: Graph) -> None:
    with pytest.raises(GraphError, match="has no node 'fc9'; it has input, fc1, act1, fc2, argmax"):
        small_graph["fc9"]


def test_constants_cannot_be_changed(small_graph: Graph) -> None:
    with pytest.raises(ValueError, match="read-only"):
        small_graph["fc1"].weights[0, 0] = 5


def test_users(small_graph: Graph) -> None:
    assert [n.name for n in small_graph.users("fc1")] == ["act1"]
    assert small_graph.users("argmax") == ()
    assert isinstance(small_graph["argmax"], ArgMax)


@pytest.mark.parametrize("name", ["", "a\nb", "\x00", "\t", "\ud800", "\u2028", 5, None, "x" * 10_001])
def test_names_that_nobody_could_read_are_refused(name):
    x = Tensor((2,), Format(3))
    with pytest.raises(GraphError, match=r"^node .*: a name must (be printable text|have at most 10,000)") as refused:
        verify(Graph("names", (Input(name, (), x), Reshape("y", (name,), x)), "y"))
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 200


@pytest.mark.parametrize("name", ["conv 1", "/conv1/Conv", "../up", "層", "$x", "a.weights", "header", "file", "C:\\x",
                                  "x.npy", "'", "x" * 10_000])  # fmt: skip
def test_any_readable_name_is_kept_in_a_file(name, tmp_path):
    x = Tensor((2,), Format(3))
    rows = Threshold(name, ("x",), x, np.array([[1, 2], [2, 5]]))
    graph = Graph("names", (Input("x", (), x), rows, Threshold("a", (name,), x, np.array([[2]]))), "a")
    save(graph, tmp_path / "graph.npz")
    again = load(tmp_path / "graph.npz")
    assert str(again) == str(graph) and np.array_equal(again[name].thresholds, rows.thresholds)
