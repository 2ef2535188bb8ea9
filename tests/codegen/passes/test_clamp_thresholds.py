"""Constants within what occurs; levels that nothing tells apart go."""

from __future__ import annotations

import numpy as np
import pytest
from support.graphs import every_sample, graph_of, random_samples

from bitloom.codegen.passes import clamp_thresholds, value_ranges
from bitloom.quant import BIPOLAR, Format, Pad, Requantize, Table, Tensor, Threshold, run

X = Tensor((2,), Format(4))


def threshold(rows: object, y: Format, y_min: int = 0, y_step: int = 1) -> Threshold:
    return Threshold("y", ("x",), Tensor((2,), y), np.array(rows), y_min, y_step)


CASES = {
    "within": (threshold([[1, 5], [3, 15]], Format(2)), [[1, 5], [3, 15]], 0),
    "clipped": (threshold([[-90, 5], [3, 900]], Format(2)), [[0, 5], [3, 16]], 0),
    "always": (threshold([[-9, -2, 5], [-1, 0, 7]], Format(2)), [[5], [7]], 2),
    "never": (threshold([[1, 16, 50], [2, 20, 20]], Format(2)), [[1], [2]], 0),
    "one row": (threshold([[-9, 3, 99]], Format(2)), [[3]], 1),
    "always or never": (threshold([[-9, 99], [-9, 99]], Format(2)), [[16], [16]], 1),
    "all always": (threshold([[-9, -9], [-9, -8]], Format(2)), [[0], [0]], 1),
    "all never": (threshold([[99, 99]], Format(2)), [[16]], 0),
    "a sign": (threshold([[-5], [99]], BIPOLAR, -1, 2), [[0], [16]], -1),
    "steps of three": (threshold([[4, 9]], Format(4), 1, 3), [[4, 4, 4, 9, 9, 9]], 1),
}


@pytest.mark.parametrize("name", CASES)
def test_thresholds(name: str) -> None:
    node, rows, y_min = CASES[name]
    graph = graph_of(X, node)
    clamped = clamp_thresholds(graph)
    y = clamped["y"]
    assert isinstance(y, Threshold)
    assert (y.thresholds.tolist(), y.y_min) == (rows, y_min)
    assert np.array_equal(run(clamped, every_sample(graph)), run(graph, every_sample(graph)))


def test_ranges_are_those_of_each_channel_over_all_positions() -> None:
    x = Tensor((3, 2), Format(3))
    first = Threshold("a", ("x",), Tensor((3, 2), Format(4)), np.array([[1, 2, 9, 9, 9], [1, 2, 3, 4, 5]]), 3)
    border = Pad("p", ("a",), Tensor((4, 2), Format(4)), ((0, 1),), 1)
    rows = np.array([[0, 4, 9, 10], [0, 6, 8, 15]])
    graph = graph_of(x, first, border, Threshold("y", ("p",), Tensor((4, 2), Format(3)), rows))
    clamped = clamp_thresholds(graph)
    assert clamped["y"].thresholds.tolist() == [[4, 6], [6, 8]]  # type: ignore[attr-defined]
    samples = random_samples(graph, 100)
    assert np.array_equal(run(clamped, samples), run(graph, samples))


def test_requantizations_clip_to_what_occurs() -> None:
    node = Requantize("y", ("x",), Tensor((2,), Format(9, True)), np.array([3, 2]), np.array([5, -9]), 1, -200, 200)
    clamped = clamp_thresholds(graph_of(X, node))["y"]
    assert isinstance(clamped, Requantize) and (clamped.y_min, clamped.y_max) == (-5, 25)


def test_corrections_of_outputs_that_do_not_occur_go() -> None:
    late = np.arange(400)[None] % 3 == 0
    y = Tensor((2,), Format(9, True))
    node = Requantize("y", ("x",), y, np.array([3, 2]), np.array([5, -9]), 2, -200, 200, late)
    graph = graph_of(X, node)
    clamped = clamp_thresholds(graph)["y"]
    assert isinstance(clamped, Requantize) and clamped.late is not None
    assert np.array_equal(clamped.late, late[:, clamped.y_min + 200 : clamped.y_max + 200])
    assert np.array_equal(run(graph_of(X, clamped), every_sample(graph)), run(graph, every_sample(graph)))


def test_tables_repeat_their_last_entries() -> None:
    first = Threshold("a", ("x",), Tensor((2,), Format(3)), np.array([[3, 9]]), 2)
    graph = graph_of(X, first, Table("y", ("a",), Tensor((2,), Format(5)), np.array([[9, 17, 4, 2, 8, 31, 30, 29]]), 0))
    clamped = clamp_thresholds(graph)
    assert clamped["y"].table.tolist() == [[4, 4, 4, 2, 8, 8, 8, 8]]  # type: ignore[attr-defined]
    assert value_ranges(clamped)["y"][1].tolist() == [8, 8]
