"""Functions before the buffers of poolings and upsamplings: when, and computing the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.graphs import graph_of, random_samples

from bitloom.codegen.passes import threshold_first
from bitloom.quant import BIPOLAR, Format, Graph, Node, Pad, Pool, Requantize, Table, Tensor, Threshold, Upsample, run

X = Tensor((6, 5, 2), Format(6, True))
POOLED, LARGE = (3, 2, 2), (12, 10, 2)
ROWS = np.array([[-9, 3, 17], [-30, -2, 5]])


def pool(kind: str = "max", x: str = "x", name: str = "pool", fmt: Format = X.format) -> Pool:
    return Pool(name, (x,), Tensor(POOLED, fmt), kind, (2, 3), (2, 2))


def upsample(x: str = "x", shape: tuple[int, ...] = LARGE) -> Upsample:
    return Upsample("up", (x,), Tensor(shape, X.format), (2, 2))


def function(x: str, shape: tuple[int, ...], kind: str = "threshold", bits: int = 2) -> Node:
    y = Tensor(shape, Format(bits), (0.25,))
    if kind == "threshold":
        return Threshold("y", (x,), y, ROWS)
    if kind == "sign":
        return Threshold("y", (x,), Tensor(shape, BIPOLAR), ROWS[:, :1], -1, 2)
    if kind == "requantize":
        return Requantize("y", (x,), y, np.array([3, 1]), np.array([40]), 5, 0, 3)
    entries = np.arange(64) // 16 if kind == "rising" else np.arange(64)[::-1] // 16
    return Table("y", (x,), y, entries[None], -32)


@pytest.mark.parametrize("kind", ["threshold", "sign", "requantize", "rising"])
def test_before_a_maximum(kind: str) -> None:
    graph = graph_of(X, pool(), function("pool", POOLED, kind))
    check(graph, ["x", "y", "pool"])


@pytest.mark.parametrize("kind", ["threshold", "requantize", "rising", "falling"])
def test_before_an_upsampling(kind: str) -> None:
    check(graph_of(X, upsample(), function("up", LARGE, kind)), ["x", "y", "up"])


def check(graph: Graph, names: list[str]) -> None:
    swapped = threshold_first(graph)
    assert [node.name for node in swapped] == names and swapped.output == names[-1]
    assert swapped[names[-1]].output.format == graph["y"].output.format
    assert swapped[names[-1]].output.scale == graph["y"].output.scale
    samples = random_samples(graph, 50)
    assert np.array_equal(run(swapped, samples), run(graph, samples))


KEPT: dict[str, tuple[Node, ...]] = {
    "falling": (pool(), function("pool", POOLED, "falling")),
    "a sum": (pool("sum", fmt=Format(9, True)), Threshold("y", ("pool",), Tensor(POOLED, Format(2)), ROWS)),
    "no narrower": (pool(), function("pool", POOLED, "requantize", 6)),
    "wider": (upsample(), function("up", LARGE, "requantize", 7)),
    "two readers": (pool(), Threshold("other", ("pool",), Tensor(POOLED, Format(2)), ROWS), function("pool", POOLED)),
}


@pytest.mark.parametrize("name", KEPT)
def test_kept(name: str) -> None:
    graph = graph_of(X, *KEPT[name])
    assert threshold_first(graph) is graph


def test_an_output_is_not_moved_over() -> None:
    graph = graph_of(X, pool(), function("pool", POOLED), output="pool")
    assert threshold_first(graph) is graph


def test_through_several() -> None:
    small = Tensor((6, 4, 2), X.format)
    graph = graph_of(X, pool(), upsample("pool", small.shape), function("up", small.shape))
    check(graph, ["x", "y", "pool", "up"])


def test_a_table_that_falls_only_before_the_maximum() -> None:
    """The maximum with a border of 1 never is 0, where the table falls; what is before it may be."""
    x = Tensor((1, 1), Format(3))
    pad = Pad("pad", ("x",), Tensor((3, 1), Format(3)), ((1, 1),), 1)
    maximum = Pool("pool", ("pad",), Tensor((1, 1), Format(3)), "max", (3,), (1,))
    table = Table("y", ("pool",), Tensor((1, 1), Format(2)), np.array([[3, *range(4), 3, 3, 3]]), 0)
    graph = graph_of(x, pad, maximum, table)
    assert threshold_first(graph) is graph
    risen = graph.with_nodes([replace(n, table=np.arange(8)[None] // 2) if isinstance(n, Table) else n for n in graph])
    assert [node.name for node in threshold_first(risen)] == ["x", "pad", "y", "pool"]
