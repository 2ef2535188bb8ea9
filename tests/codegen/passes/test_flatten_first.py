"""Functions that treat all channels alike work on flattened values."""

from __future__ import annotations

import numpy as np
from support.graphs import random_samples

from bitloom.codegen import simplify
from bitloom.codegen.passes import flatten_first
from bitloom.quant import BIPOLAR, Format, Graph, Input, MatMul, Reshape, Tensor, Threshold, run, verify


def image_network(rows: int) -> Graph:
    """A threshold over an image, flattened for a matrix product."""
    thresholds = np.arange(rows)[:, None] + 3
    weights = np.where(np.arange(60).reshape(3, 20) % 3, 1, -1)
    return verify(Graph("image", (
        Input("x", (), Tensor((2, 5, 2), Format(4))),
        Threshold("act", ("x",), Tensor((2, 5, 2), BIPOLAR), thresholds, -1, 2),
        Reshape("flat", ("act",), Tensor((20,), BIPOLAR)),
        MatMul("fc", ("flat",), Tensor((3,), Format(6, True)), weights, BIPOLAR),
    ), "fc"))


def test_a_shared_row_works_on_the_flattened_image() -> None:
    graph = image_network(1)
    moved = verify(flatten_first(graph))
    assert [node.op for node in moved] == ["Input", "Reshape", "Threshold", "MatMul"]
    assert moved["act"].output.shape == (20,) and moved["fc"].inputs == ("act",)
    samples = random_samples(graph, 20)
    assert np.array_equal(run(moved, samples), run(graph, samples))
    assert flatten_first(moved) is moved
    assert np.array_equal(run(simplify(graph), samples), run(graph, samples))


def test_rows_per_channel_stay() -> None:
    graph = image_network(2)
    assert flatten_first(graph) is graph
