"""Passes over random graphs with branches: outputs stay, ranges hold, formats are minimal, nothing is done twice."""

from __future__ import annotations

from dataclasses import fields
from functools import cache

import numpy as np
import pytest
from support.graphs import random_dag, random_embedding, random_samples

from bitloom.codegen.passes import PIPELINE, simplify, value_ranges
from bitloom.codegen.passes.ranges import channel_ranges
from bitloom.codegen.passes.rewrite import unchanged
from bitloom.quant import (
    Add,
    Conv,
    Format,
    Graph,
    Input,
    MatMul,
    Pool,
    Requantize,
    Reshape,
    Table,
    Threshold,
    run,
    trace,
    verify,
)

SEEDS = range(240)
GRAPHS = {seed: random_dag(seed) for seed in SEEDS} | {seed: random_embedding(seed) for seed in range(1000, 1008)}
PASSES = tuple(dict.fromkeys(PIPELINE))


@cache
def simple(seed: int) -> Graph:
    """The graph of a seed after all passes."""
    return simplify(GRAPHS[seed])


def same(a: Graph, b: Graph) -> bool:
    """Whether two graphs have equal nodes, constants included."""
    if [(x.name, x.op) for x in a] != [(y.name, y.op) for y in b]:
        return False
    pairs = ((getattr(x, f.name), getattr(y, f.name)) for x, y in zip(a, b) for f in fields(x))
    return all(np.array_equal(x, y) if isinstance(x, np.ndarray) else x == y for x, y in pairs)


def check_ranges(graph: Graph, samples: np.ndarray) -> np.ndarray:
    """The outputs; every value traced lies within its range, and every range within its format."""
    values = trace(graph, samples)
    ranges = value_ranges(graph)
    for node in graph:
        lo, hi = ranges[node.name]
        assert lo.shape == hi.shape == node.output.shape
        assert np.all(values[node.name] >= lo) and np.all(values[node.name] <= hi)
        assert node.output.format.lo <= lo.min() and hi.max() <= node.output.format.hi
    return values[graph.output]


@pytest.mark.parametrize("run_pass", PASSES, ids=lambda p: p.__name__)
def test_a_pass_alone(run_pass) -> None:  # type: ignore[no-untyped-def]
    changed = 0
    for seed, graph in GRAPHS.items():
        samples = random_samples(graph, 24, seed)
        after = verify(run_pass(graph))
        assert np.array_equal(run(after, samples), run(graph, samples)), seed
        assert unchanged(after, verify(run_pass(after))), seed
        changed += not unchanged(graph, after)
    assert changed >= 2


@pytest.mark.parametrize("tens", range(len(SEEDS) // 10))
def test_all_passes(tens: int) -> None:
    for seed in range(10 * tens, 10 * tens + 10):
        graph = GRAPHS[seed]
        samples = random_samples(graph, 64, seed)
        assert np.array_equal(check_ranges(simple(seed), samples), run(graph, samples)), seed
        again = simplify(simple(seed))
        assert np.array_equal(run(again, samples), run(graph, samples)), seed
        assert same(again, simplify(again)), seed


@pytest.mark.parametrize("seed", range(500, 512))
def test_all_passes_over_larger_graphs(seed: int) -> None:
    graph = random_dag(seed, size="large")
    samples = random_samples(graph, 32, seed)
    assert np.array_equal(check_ranges(simplify(graph), samples), run(graph, samples))


def test_what_is_left() -> None:
    for graph in map(simple, SEEDS):
        for node in graph:
            if isinstance(node, Conv):
                assert node.depthwise
            if isinstance(node, Threshold):
                assert node.y_step == 1 or node.output.format.bipolar
                lo, hi = value_ranges(graph)[node.inputs[0]]
                assert lo.min() <= node.thresholds.min() and node.thresholds.max() <= hi.max() + 1
            if isinstance(node, Threshold | Requantize):
                assert graph[node.inputs[0]].output.format.bits > 1 or node.thresholds.tolist() == [[0]]
            if isinstance(node, Table):
                x = graph[node.inputs[0]].output.format
                assert x.bits <= 8 and node.table.shape[1] == x.hi - x.lo + 1
            if isinstance(node, Reshape):
                assert not isinstance(graph[node.inputs[0]], Reshape)
            if not isinstance(node, Input):
                assert graph.users(node.name) or node.name == graph.output


def test_formats_of_sums_are_minimal() -> None:
    for graph in map(simple, SEEDS):
        ranges = value_ranges(graph)
        for node in graph:
            if isinstance(node, MatMul | Conv | Add) or (isinstance(node, Pool) and node.kind == "sum"):
                lo, hi = ranges[node.name]
                if isinstance(node, MatMul):  # one unit serves all positions
                    lo, hi = node.ranges(channel_ranges(ranges[node.inputs[0]]))
                assert node.output.format == Format.of_range(int(lo.min()), int(hi.max()))
