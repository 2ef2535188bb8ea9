"""One level behind a product: its sign; everything else stays as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.graphs import graph_of, random_samples

from bitloom.codegen.passes import absorb_bias, sign_thresholds, simplify
from bitloom.quant import Add, Conv, Format, Graph, MatMul, Node, Tensor, Threshold, run, verify

X = Tensor((4, 4, 3), Format(3, True))
SUM = Format(12, True)
BIPOLAR = Format(1, True, True)
S = (4, 4, 4)
RNG = np.random.default_rng(7)
BIAS = np.array([7, -3, 11, 2])


def product(bias: np.ndarray | None = None) -> MatMul:
    return MatMul("fc", ("x",), Tensor(S, SUM), RNG.integers(-3, 4, (4, 3)), Format(3, True), bias)


def level(rows: list[int], shape: tuple[int, ...] = S, bipolar: bool = True) -> Threshold:
    steps = {"y_min": -1, "y_step": 2} if bipolar else {}
    return Threshold("y", ("fc",), Tensor(shape, BIPOLAR if bipolar else Format(1)), np.array(rows)[:, None], **steps)


def convolution() -> Conv:
    return Conv("fc", ("x",), Tensor((2, 3, 4), SUM), RNG.integers(-3, 4, (4, 3, 2, 3)), Format(3, True), BIAS)


MOVED: dict[str, tuple[Node, ...]] = {
    "own levels": (product(), level([3, -5, 0, 9])),
    "a shared level": (product(), level([4])),
    "a bias before": (product(BIAS), level([3, -5, 0, 9])),
    "no bias is left": (product(np.array([3, -5, 0, 9])), level([3, -5, 0, 9])),
    "an unsigned output": (product(), level([3, -5, 0, 9], bipolar=False)),
    "a convolution": (convolution(), level([3, -5, 0, 9], (2, 3, 4))),
}


@pytest.mark.parametrize("name", MOVED)
def test_a_level_moves_into_the_bias(name: str) -> None:
    graph = verify(graph_of(X, *MOVED[name]))
    after = verify(sign_thresholds(graph))
    samples = random_samples(graph, 200, 1)
    assert np.array_equal(run(after, samples), run(graph, samples))
    assert after["y"].thresholds.tolist() == [[0]]  # type: ignore[attr-defined]
    rows, bias = graph["y"].thresholds[:, 0], graph["fc"].bias  # type: ignore[attr-defined]
    expected = np.broadcast_to((0 if bias is None else bias) - rows, (4,))
    found = after["fc"].bias  # type: ignore[attr-defined]
    assert (found is None and not expected.any()) or np.array_equal(found, expected)
    again = sign_thresholds(after)
    assert str(again) == str(after)
    assert np.array_equal(run(verify(absorb_bias(after)), samples), run(graph, samples))


def several(graph: Graph) -> Graph:
    rows = np.array([[-2, 3], [0, 1], [5, 6], [7, 9]])
    return graph.with_nodes([replace(n, thresholds=rows, y_min=0, y_step=1, output=Tensor(S, Format(2)))
                             if isinstance(n, Threshold) else n for n in graph])


def constants(graph: Graph) -> list[object]:
    return [getattr(node, "bias", getattr(node, "thresholds", None)) for node in graph]


def test_what_stays() -> None:
    graph = verify(graph_of(X, product(), level([3, -5, 0, 9])))
    unmoved = {
        "several levels": several(graph),
        "two readers": verify(graph_of(X, product(), level([3, -5, 0, 9]),
                                       Add("sum", ("fc", "y"), Tensor(S, Format(14, True)), (1, 1)))),
        "the product is the output": graph.with_nodes(graph.nodes, "fc"),
        "no product": verify(graph_of(X, replace(level([3, -5, 0], X.shape), inputs=("x",)))),
    }
    for name, other in unmoved.items():
        after = sign_thresholds(other)
        pairs = zip(constants(other), constants(after), strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs), name


def test_simplify_ends_with_signs() -> None:
    graph = simplify(graph_of(X, product(BIAS), level([3, -5, 0, 9])))
    assert [n.thresholds.tolist() for n in graph if isinstance(n, Threshold)] == [[[0]]]
