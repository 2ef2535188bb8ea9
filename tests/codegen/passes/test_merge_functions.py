"""Two functions in a row as one, over every operand; where a merged one would be dearer, both stay."""

from __future__ import annotations

import numpy as np
import pytest
from support.graphs import graph_of

from bitloom.codegen.passes import merge_functions
from bitloom.quant import BIPOLAR, Add, Format, Graph, Node, Requantize, Table, Tensor, Threshold, run

C = 3
ROWS = np.array([[-90, -20, 5, 5, 60, 1000, 3000], [0, 1, 2, 3, 4, 5, 6], [-3000, -2000, -700, 0, 1, 80, 2500]])


def tensor(bits: int, signed: bool = False) -> Tensor:
    return Tensor((C,), Format(bits, signed))


def threshold(name: str, x: str, rows: object, bits: int = 3, y_min: int = 0) -> Threshold:
    return Threshold(name, (x,), tensor(bits, y_min < 0), np.array(rows), y_min)


def table(name: str, x: str, entries: object, bits: int = 3, x_min: int = 0) -> Table:
    return Table(name, (x,), tensor(bits), np.array(entries), x_min)


def requantize(name: str, x: str, multiplier: int, offset: object, shift: int, y: tuple[int, int]) -> Requantize:
    return Requantize(name, (x,), tensor(8, True), np.array([multiplier]), np.array(offset), shift, *y)


FALLING = [[7, 3, 2, 2, 1, 1, 0, 0]]
WIDE, NARROW, TINY = tensor(12, True), tensor(6), tensor(4)

MERGED: dict[str, tuple[Tensor, list[Node], str]] = {
    "thresholds": (WIDE, [threshold("a", "x", ROWS), threshold("y", "a", [[2, 4, 4, 7]])], "Threshold"),
    "thresholds of a row each": (WIDE, [threshold("a", "x", ROWS[:1]), threshold("y", "a", [[1], [4], [9]])],
                                 "Threshold"),
    "always and never": (WIDE, [threshold("a", "x", ROWS), threshold("y", "a", [[-1, 0, 7, 8]], y_min=-2)],
                         "Threshold"),
    "a sign": (WIDE, [threshold("a", "x", ROWS), Threshold("y", ("a",), Tensor((C,), BIPOLAR), np.array([[3]]), -1, 2)],
               "Threshold"),
    "a rising table": (WIDE, [threshold("a", "x", ROWS), table("y", "a", [[1, 1, 2, 2, 3, 3, 4, 4]])], "Threshold"),
    "a requantization last": (WIDE, [threshold("a", "x", ROWS), requantize("y", "a", 3, [1, 0, 4], 2, (-3, 4))],
                              "Threshold"),
    "a requantization first": (WIDE, [requantize("a", "x", 5, [77, 0, -600], 7, (-60, 60)),
                                      threshold("y", "a", [[-70, -60, -59, 0, 13, 60, 61]])], "Threshold"),
    "few bits": (NARROW, [threshold("a", "x", [[3, 9, 10, 20, 33, 40, 63]]), table("y", "a", FALLING)], "Table"),
    "few bits of own": (TINY, [threshold("a", "x", [[1, 2, 3, 9, 9, 9, 15]] * C), table("y", "a", FALLING * C)],
                        "Table"),
    "tables": (tensor(8), [table("a", "x", [np.arange(256) * 7 % 8]), table("y", "a", FALLING)], "Table"),
    "a table of each channel": (NARROW, [table("a", "x", [np.arange(64) * 7 % 8]),
                                         threshold("y", "a", [[4], [2], [7]])], "Table"),
    "three": (WIDE, [threshold("a", "x", ROWS), threshold("b", "a", [[2, 4, 4, 7]]), threshold("y", "b", [[1, 3]])],
              "Threshold"),
    "a bipolar operand": (Tensor((C,), BIPOLAR), [Table("a", ("x",), tensor(2), np.array([[2, 9 % 4, 0]]), -1),
                                                  table("y", "a", [[5, 1, 7, 7]])], "Table"),
}

KEPT: dict[str, tuple[Tensor, list[Node]]] = {
    "a falling table of what is wide": (WIDE, [threshold("a", "x", ROWS), table("y", "a", FALLING)]),
    "more levels than before": (WIDE, [threshold("a", "x", [[0, 9]], 2), table("y", "a", [[0, 1, 7, 7]])]),
    "a wider table": (tensor(8), [table("a", "x", [np.arange(256) % 8]), table("y", "a", [np.arange(8) * 30], 8)]),
    "two requantizations": (WIDE, [requantize("a", "x", 5, [0], 5, (-100, 100)),
                                   requantize("y", "a", 7, [0], 5, (-100, 100))]),
    "two readers": (WIDE, [threshold("a", "x", ROWS), threshold("b", "a", [[2]]), threshold("c", "a", [[3]]),
                           Add("y", ("b", "c"), tensor(3))]),
}


def every_value(graph: Graph) -> np.ndarray:
    f = graph.input.output.format
    values = np.array([-1, 1]) if f.bipolar else np.arange(f.lo, f.hi + 1)
    return np.broadcast_to(values[:, None], (len(values), C))


@pytest.mark.parametrize("name", MERGED)
def test_merged(name: str) -> None:
    x, nodes, operator = MERGED[name]
    graph = graph_of(x, *nodes)
    merged = merge_functions(graph)
    assert [(node.name, node.op) for node in merged.nodes[1:]] == [("y", operator)]
    assert np.array_equal(run(merged, every_value(graph)), run(graph, every_value(graph)))


@pytest.mark.parametrize("name", KEPT)
def test_kept(name: str) -> None:
    x, nodes = KEPT[name]
    graph = graph_of(x, *nodes)
    assert merge_functions(graph).nodes == graph.nodes


def test_an_output_keeps_its_function() -> None:
    graph = graph_of(WIDE, threshold("a", "x", ROWS), threshold("y", "a", [[2]]), output="a")
    assert len(merge_functions(graph).nodes) == 3


@pytest.mark.parametrize("seed", range(40))
def test_random_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lo, hi = -64, 63
    x, nodes, last = tensor(7, True), [], "x"
    for name in "ab":
        kind, rows = rng.integers(3), int(rng.choice([1, C]))
        if kind == 0:
            node: Node = threshold(name, last, np.sort(rng.integers(lo, hi + 2, (rows, 9)), axis=1), 5, -4)
        elif kind == 1:
            factors, offsets = rng.integers(1, 9, rows), rng.integers(-99, 99, C)
            node = Requantize(name, (last,), tensor(5, True), factors, offsets, 4, -9, 9)
        else:
            node = Table(name, (last,), tensor(5, True), np.sort(rng.integers(-16, 16, (rows, hi - lo + 1)), 1), lo)
        nodes.append(node)
        last, lo, hi = name, -16, 15
    graph = graph_of(x, *nodes)
    merged = merge_functions(graph)
    assert np.array_equal(run(merged, every_value(graph)), run(graph, every_value(graph)))
