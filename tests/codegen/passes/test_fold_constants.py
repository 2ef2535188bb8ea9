"""Identities of every kind go, reshapes merge, equal rows become one; what only looks like an identity stays."""

from __future__ import annotations

import numpy as np
import pytest
from support.graphs import graph_of, random_samples

from bitloom.codegen.passes import fold_constants
from bitloom.quant import (
    BIPOLAR,
    Add,
    DepthToSpace,
    Format,
    Node,
    Pad,
    Pool,
    Requantize,
    Reshape,
    Table,
    Tensor,
    Threshold,
    Upsample,
    Window,
    run,
)

X = Tensor((4, 3, 2), Format(3, True))
WIDE = Tensor(X.shape, Format(6, True))

IDENTITIES: dict[str, Node] = {
    "reshape": Reshape("f", ("x",), X),
    "window": Window("f", ("x",), X, (1, 1), (1, 1), (1, 1)),
    "window in groups": Window("f", ("x",), X, (1, 1), (1, 1), (2, 2), 2),
    "maximum": Pool("f", ("x",), X, "max", (1, 1), (1, 1)),
    "sum": Pool("f", ("x",), WIDE, "sum", (1, 1), (1, 1)),
    "pad": Pad("f", ("x",), WIDE, ((0, 0), (0, 0)), 17),
    "upsample": Upsample("f", ("x",), X, (1, 1)),
    "depth to space": DepthToSpace("f", ("x",), X, 1, "CRD"),
    "table": Table("f", ("x",), WIDE, np.arange(-4, 4)[None].repeat(2, axis=0), -4),
    "threshold": Threshold("f", ("x",), WIDE, np.array([[-9, *range(-3, 4), 30]]), -5),
    "requantization": Requantize("f", ("x",), WIDE, np.array([8]), np.array([3, 7]), 3, -30, 30),
}

OTHERS: dict[str, Node] = {
    "reshape": Reshape("f", ("x",), Tensor((3, 4, 2), X.format)),
    "window with a stride": Window("f", ("x",), Tensor((2, 2, 2), X.format), (1, 1), (2, 2), (1, 1)),
    "pool with a stride": Pool("f", ("x",), Tensor((2, 2, 2), X.format), "max", (1, 1), (2, 2)),
    "pad": Pad("f", ("x",), Tensor((5, 3, 2), X.format), ((1, 0), (0, 0))),
    "table of one other channel": Table("f", ("x",), WIDE, np.stack([np.arange(-4, 4), np.arange(-3, 5)]), -4),
    "table of one other entry": Table("f", ("x",), WIDE, np.array([[-4, -3, -2, -1, 0, 1, 2, 2]]), -4),
    "threshold": Threshold("f", ("x",), WIDE, np.array([[-3, -2, -1, 1, 1, 2, 3]]), -4),
    "clipping": Requantize("f", ("x",), WIDE, np.array([8]), np.array([0]), 3, -3, 30),
    "rounding": Requantize("f", ("x",), WIDE, np.array([8]), np.array([8]), 3, -30, 30),
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_an_identity_goes(name: str) -> None:
    graph = graph_of(X, IDENTITIES[name], Table("y", ("f",), X, *table_of(IDENTITIES[name].output.format)))
    folded = fold_constants(graph)
    assert [node.name for node in folded] == ["x", "y"]
    samples = random_samples(graph, 50)
    assert np.array_equal(run(folded, samples), run(graph, samples))
    alone = fold_constants(graph_of(X, IDENTITIES[name]))
    assert (alone.output, len(alone.nodes)) == ("x", 1)


def table_of(x: Format) -> tuple[np.ndarray, int]:
    """Entries for every value of a format."""
    return np.arange(x.lo, x.hi + 1)[None] % 5 - 2, x.lo


@pytest.mark.parametrize("name", OTHERS)
def test_others_stay(name: str) -> None:
    assert [node.name for node in fold_constants(graph_of(X, OTHERS[name]))] == ["x", "f"]


def test_a_sign_of_a_sign_is_one() -> None:
    sign = Threshold("sign", ("x",), Tensor((3,), BIPOLAR), np.array([[0], [1], [1]]), -1, 2)
    assert len(fold_constants(graph_of(Tensor((3,), BIPOLAR), sign)).nodes) == 1
    other = Threshold("sign", ("x",), Tensor((3,), BIPOLAR), np.array([[0], [1], [2]]), -1, 2)
    assert len(fold_constants(graph_of(Tensor((3,), BIPOLAR), other)).nodes) == 2


def test_reshapes_merge() -> None:
    shapes = [(24,), (2, 12), (3, 8), (4, 3, 2), (6, 4)]
    names = ["x", "a", "b", "c", "d", "e"]
    nodes = [Reshape(n, (m,), Tensor(s, X.format)) for m, n, s in zip(names, names[1:], shapes)]
    assert [node.inputs for node in fold_constants(graph_of(X, *nodes))] == [(), ("x",)]
    both = Add("sum", ("b", "b"), Tensor((2, 12), Format(6, True)))
    assert [node.name for node in fold_constants(graph_of(X, *nodes[:2], both))] == ["x", "b", "sum"]
    assert len(fold_constants(graph_of(X, *nodes[:4])).nodes) == 1


def test_equal_rows_become_one() -> None:
    nodes = (
        Threshold("t", ("x",), Tensor(X.shape, Format(3)), np.array([[-2, 0, 3]] * 2)),
        Requantize("r", ("t",), Tensor(X.shape, Format(3)), np.array([3, 3]), np.array([1, 2]), 1, 0, 7),
        Table("y", ("r",), Tensor(X.shape, Format(3)), np.array([[7, 1, 2, 3, 4, 5, 6, 0]] * 2), 0),
    )
    folded = fold_constants(graph_of(X, *nodes))
    assert folded["t"].thresholds.tolist() == [[-2, 0, 3]]  # type: ignore[attr-defined]
    assert folded["y"].table.shape == (1, 8)  # type: ignore[attr-defined]
    requantize = folded["r"]
    assert isinstance(requantize, Requantize)
    assert (requantize.multiplier.tolist(), requantize.offset.tolist()) == ([3], [1, 2])
