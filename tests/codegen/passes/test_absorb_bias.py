"""Biases through all that is linear into thresholds and requantizations; left where one reader cannot take them."""

from __future__ import annotations

import numpy as np
import pytest
from support.graphs import graph_of, random_samples

from bitloom.codegen.passes import absorb_bias
from bitloom.quant import (
    Add,
    ArgMax,
    Concat,
    Conv,
    DepthToSpace,
    Format,
    Graph,
    MatMul,
    Node,
    Pad,
    Pool,
    Requantize,
    Reshape,
    Table,
    Tensor,
    Threshold,
    Upsample,
    run,
)

X = Tensor((4, 4, 3), Format(3, True))
SUM = Format(12, True)
RNG = np.random.default_rng(5)
BIAS = np.array([7, -3, 11, 2])
SAME = np.array([6, 6, 6, 6])


def product(name: str = "fc", bias: np.ndarray | None = BIAS) -> MatMul:
    return MatMul(name, ("x",), Tensor((4, 4, 4), SUM), RNG.integers(-3, 4, (4, 3)), Format(3, True), bias)


def convolution(bias: np.ndarray = BIAS) -> Conv:
    return Conv("fc", ("x",), Tensor((2, 3, 4), SUM), RNG.integers(-3, 4, (4, 3, 2, 3)), Format(3, True), bias)


def threshold(x: str, shape: tuple[int, ...], name: str = "y", shared: bool = False) -> Threshold:
    rows = np.sort(RNG.integers(-30, 30, (1 if shared else shape[-1], 5)), axis=1)
    return Threshold(name, (x,), Tensor(shape, Format(3)), rows)


def requantize(x: str, shape: tuple[int, ...]) -> Requantize:
    return Requantize("y", (x,), Tensor(shape, Format(4, True)), np.array([5]), np.array([8]), 4, -8, 7)


S = (4, 4, 4)
TAKEN: dict[str, tuple[Node, ...]] = {
    "a threshold": (product(), threshold("fc", S)),
    "a shared threshold": (product(), threshold("fc", S, shared=True)),
    "a convolution's": (convolution(), threshold("fc", (2, 3, 4))),
    "a requantization": (product(), requantize("fc", S)),
    "two readers": (product(), threshold("fc", S, "a"), requantize("fc", S), Add("z", ("a", "y"), Tensor(S, SUM))),
    "a maximum": (product(), Pool("p", ("fc",), Tensor((2, 3, 4), SUM), "max", (2, 2), (2, 1)),
                  threshold("p", (2, 3, 4))),
    "a sum of windows": (product(), Pool("p", ("fc",), Tensor((1, 1, 4), SUM), "sum", (4, 4), (1, 1)),
                         threshold("p", (1, 1, 4))),
    "a sum": (product(), Add("s", ("fc", "fc2"), Tensor(S, Format(20, True)), (5, -3)), threshold("s", S)),
    "the same twice": (product(), Add("s", ("fc", "fc"), Tensor(S, Format(20, True)), (5, -3)), threshold("s", S)),
    "channels beside others": (product(), Concat("c", ("x", "fc"), Tensor((4, 4, 7), SUM)), threshold("c", (4, 4, 7))),
    "repeated positions": (product(), Upsample("u", ("fc",), Tensor((8, 4, 4), SUM), (2, 1)),
                           threshold("u", (8, 4, 4))),
    "flat positions": (product(), Reshape("r", ("fc",), Tensor((16, 4), SUM)), requantize("r", (16, 4))),
    "all flat": (product(), Reshape("r", ("fc",), Tensor((64,), SUM)), threshold("r", (64,), shared=True)),
    "channels as positions": (product(bias=SAME), DepthToSpace("d", ("fc",), Tensor((8, 8, 1), SUM), 2),
                              threshold("d", (8, 8, 1))),
}

LEFT: dict[str, tuple[Node, ...]] = {
    "an output": (product(),),
    "scores": (product(), ArgMax("y", ("fc",), Tensor((4, 4, 1), Format(2)))),
    "another product": (product(), MatMul("y", ("fc",), Tensor((4, 4, 1), SUM), np.ones((1, 4)), Format(1))),
    "a border": (product(), Pad("p", ("fc",), Tensor((5, 4, 4), SUM), ((0, 1), (0, 0))), threshold("p", (5, 4, 4))),
    "a table": (product(), Table("y", ("fc",), Tensor(S, Format(1)), np.arange(1 << 12)[None] % 2, -2048)),
    "one of two readers": (product(), threshold("fc", S), ArgMax("z", ("fc",), Tensor((4, 4, 1), Format(2)))),
    "channels as positions": (product(), DepthToSpace("d", ("fc",), Tensor((8, 8, 1), SUM), 2),
                              threshold("d", (8, 8, 1))),
    "other channels": (product(), Reshape("r", ("fc",), Tensor((32, 2), SUM)), threshold("r", (32, 2))),
    "maxima of several": (product(), Reshape("r", ("fc",), Tensor((32, 2), SUM)),
                          Pool("p", ("r",), Tensor((1, 2), SUM), "max", (32,), (1,)), threshold("p", (1, 2))),
}


def build(nodes: tuple[Node, ...]) -> Graph:
    other = [product("fc2", None)] if any("fc2" in node.inputs for node in nodes) else []
    return graph_of(X, *other, *nodes)


@pytest.mark.parametrize("way", TAKEN)
def test_taken(way: str) -> None:
    graph = build(TAKEN[way])
    result = absorb_bias(graph)
    assert all(getattr(node, "bias", None) is None for node in result)
    samples = random_samples(graph, 60)
    assert np.array_equal(run(result, samples), run(graph, samples))


@pytest.mark.parametrize("way", LEFT)
def test_left(way: str) -> None:
    graph = build(LEFT[way])
    assert absorb_bias(graph) is graph


def test_one_row_stays_one_where_the_bias_is_the_same_everywhere() -> None:
    same = absorb_bias(graph_of(X, product(bias=SAME), threshold("fc", S, shared=True)))
    assert same["y"].thresholds.shape == (1, 5)  # type: ignore[attr-defined]
    other = absorb_bias(graph_of(X, product(), threshold("fc", S, shared=True)))
    assert other["y"].thresholds.shape == (4, 5)  # type: ignore[attr-defined]


def test_several_biases_end_in_one_threshold() -> None:
    graph = graph_of(X, product("a"), product("b"), Add("s", ("a", "b"), Tensor(S, Format(20, True)), (2, 3)),
                     threshold("s", S))
    result = absorb_bias(graph)
    before, after = (g["y"].thresholds for g in (graph, result))  # type: ignore[attr-defined]
    assert np.array_equal(before - after, np.broadcast_to(5 * BIAS[:, None], (4, 5)))
    assert result["a"].bias is None and result["b"].bias is None  # type: ignore[attr-defined]
