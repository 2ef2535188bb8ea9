"""Sums with the smallest multipliers: proven over all pairs of operands, minimal by trying all smaller ones."""

from __future__ import annotations

from itertools import product
from math import gcd

import numpy as np
import pytest
from support.graphs import every_sample, graph_of

from bitloom.codegen.passes import align_branches
from bitloom.codegen.passes.rewrite import unchanged
from bitloom.quant import Add, ArgMax, Format, Graph, Node, Requantize, Reshape, Table, Tensor, Threshold, run


def two_branches(multipliers: tuple[int, int], *readers: Node, a: int = 3, b: int = 3, channels: int = 2) -> Graph:
    """Two functions of one input of 4 bits a channel, of ``a`` and ``b`` bits, and their weighted sum."""
    rng = np.random.default_rng(abs(sum(multipliers)))
    tables = [np.concatenate([np.arange(1 << n), rng.integers(0, 1 << n, 64 - (1 << n))]) for n in (a, b)]
    x = Tensor((channels,), Format(6))
    pairs = [
        Table(name, ("x",), Tensor((channels,), Format(n)), rng.permutation(table)[None], 0)
        for name, n, table in zip("ab", (a, b), tables)
    ]
    return graph_of(x, *pairs, Add("sum", ("a", "b"), Tensor((channels,), Format(20, True)), multipliers), *readers)


def threshold(rows: list[list[int]], name: str = "y", channels: int = 2) -> Threshold:
    return Threshold(name, ("sum",), Tensor((channels,), Format(4)), np.array(rows))


def sums(graph: Graph) -> tuple[int, ...]:
    return graph["sum"].multipliers  # type: ignore[attr-defined]


@pytest.mark.parametrize("seed", range(25))
def test_the_smallest_multipliers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    m = tuple(int(n) * int(s) for n, s in zip(rng.integers(1, 200, 2), rng.choice([1, -1], 2)))
    assert len(m) == 2
    span = 7 * (abs(m[0]) + abs(m[1]))
    rows = np.sort(rng.integers(-span, span, (int(rng.integers(1, 3)), int(rng.integers(1, 6)))), axis=1)
    graph = two_branches(m, threshold(rows.tolist()))
    small = align_branches(graph)
    samples = every_sample(graph)
    assert np.array_equal(run(small, samples), run(graph, samples))
    best = sums(small)
    assert all(x * y > 0 for x, y in zip(best, m)) and gcd(*best) == 1
    pairs = np.array(list(product(range(8), repeat=2)))
    for smaller in product(range(1, abs(best[0]) + 1), range(1, abs(best[1]) + 1)):
        if smaller != (abs(best[0]), abs(best[1])):
            signed = [s * (1 if x > 0 else -1) for s, x in zip(smaller, m)]
            assert not parts_alike(pairs @ np.array(m), pairs @ np.array(signed), rows), smaller
    assert unchanged(small, align_branches(small))


def parts_alike(old: np.ndarray, new: np.ndarray, rows: np.ndarray) -> bool:
    """Whether some thresholds on ``new`` part all pairs as ``rows`` part ``old``."""
    parts = ((new[old < t], new[old >= t]) for t in rows.flat)
    return all(not len(below) or not len(above) or below.max() < above.min() for below, above in parts)


def test_scales_of_a_trained_network() -> None:
    graph = two_branches((1337, 662), threshold([[334, 1671, 3008, 5682, 9025]]))
    assert sums(align_branches(graph)) == (2, 1)


def test_a_wide_operand_beside_a_narrow_one() -> None:
    graph = two_branches((3, 400), threshold([[300, 1200], [-5, 10**6]]), a=6, b=1)
    small = align_branches(graph)
    samples = every_sample(graph)[::7]
    assert np.array_equal(run(small, samples), run(graph, samples)) and max(sums(small)) < 400


def test_several_thresholds_agree_on_one_pair() -> None:
    y = threshold([[7, 16, 40]], "y")
    graph = two_branches((5, 7), y, threshold([[13], [29]], "z"), Add("both", ("y", "z"), Tensor((2,), Format(4))))
    small = align_branches(graph)
    assert np.array_equal(run(small, every_sample(graph)), run(graph, every_sample(graph)))


@pytest.mark.parametrize(("reader", "left"), [
    (Requantize("y", ("sum",), Tensor((2,), Format(3)), np.array([3]), np.array([5, 8]), 7, 0, 7), (5, 2)),
    (Requantize("y", ("sum",), Tensor((2,), Format(3)), np.array([3]), np.array([5, 8]), 7, 0, 7,
                np.arange(7)[None] & 1), (5, 2)),
    (Add("y", ("a", "sum"), Tensor((2,), Format(20, True)), (3, 7)), (5, 2)),
    (Add("y", ("sum", "sum"), Tensor((2,), Format(20, True)), (3, 7)), (5, 2)),
    (Reshape("y", ("sum",), Tensor((1, 2), Format(20, True))), (30, 12)),
    (ArgMax("y", ("sum",), Tensor((1,), Format(1))), (30, 12)),
])
def test_common_factors_go_where_a_reader_takes_them(reader: Node, left: tuple[int, int]) -> None:
    graph = two_branches((30, 12), reader)
    small = align_branches(graph)
    assert np.array_equal(run(small, every_sample(graph)), run(graph, every_sample(graph)))
    assert sums(small) == left


def test_an_output_stays() -> None:
    graph = two_branches((30, 12))
    assert sums(align_branches(graph)) == (30, 12)
