"""Passes never change what a graph computes, and leave what they promise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.graphs import random_graph, random_samples

from bitloom.codegen.passes import PIPELINE, absorb_bias, simplify, value_ranges
from bitloom.quant import Format, MatMul, Tensor, Threshold, run, trace, verify


@pytest.mark.parametrize("seed", range(30))
def test_every_pass_keeps_the_outputs_and_is_safe_to_repeat(seed: int) -> None:
    graph = random_graph(seed, argmax=bool(seed % 2), bias=bool(seed % 3))
    samples = random_samples(graph, 64, seed)
    expected = run(graph, samples)
    for run_pass in PIPELINE:
        graph = verify(run_pass(graph))
        assert np.array_equal(run(graph, samples), expected)
        assert str(verify(run_pass(graph))) == str(graph)


@pytest.mark.parametrize("seed", range(10))
def test_ranges_hold_and_are_reached(seed: int) -> None:
    graph = simplify(random_graph(seed))
    ranges = value_ranges(graph)
    values = trace(graph, random_samples(graph, 200, seed))
    for name, (lo, hi) in ranges.items():
        assert np.all(values[name] >= lo) and np.all(values[name] <= hi)
    first = next(node for node in graph if isinstance(node, MatMul))
    lo, hi = ranges[first.inputs[0]]
    worst = np.where(first.weights > 0, hi, lo)
    bias = 0 if first.bias is None else first.bias
    assert np.array_equal((first.weights * worst).sum(1) + bias, ranges[first.name][1])


def test_accumulators_are_minimal() -> None:
    graph = random_graph(3, (8, 6, 4))
    fat = graph.with_nodes([
        replace(n, output=replace(n.output, format=Format(40, True))) if isinstance(n, MatMul) else n for n in graph
    ])
    slim = simplify(fat)
    for node in slim:
        if isinstance(node, MatMul):
            lo, hi = value_ranges(slim)[node.name]
            assert node.output.format == Format.of_range(int(lo.min()), int(hi.max()))


def test_biases_before_thresholds_disappear_and_the_last_one_stays() -> None:
    graph = absorb_bias(random_graph(5, (6, 6, 4), bias=True))
    biased = [node.name for node in graph if isinstance(node, MatMul) and node.bias is not None]
    assert biased == ["fc2"]


def test_dead_nodes_go() -> None:
    graph = random_graph(7, (6, 4))
    dead = Threshold("unused", ("x",), Tensor((6,), Format(1)), np.array([[1]]))
    assert "unused" not in {n.name for n in simplify(graph.with_nodes([*graph.nodes, dead]))}


def test_unreachable_thresholds_are_clamped_to_the_edge() -> None:
    graph = random_graph(8, (6, 4, 3))
    wild = graph.with_nodes([
        replace(n, thresholds=np.sort(np.concatenate([n.thresholds[:, :-1], np.full((4, 1), 10**9)], axis=1)))
        if n.name == "act1" else n for n in graph
    ])
    samples = random_samples(graph, 50)
    tame = simplify(wild)
    assert np.array_equal(run(tame, samples), run(wild, samples))
    _, hi = value_ranges(tame)["fc1"]
    assert np.all(tame["act1"].thresholds <= hi[:, None] + 1)  # type: ignore[attr-defined]
