"""What is planted must be found, wherever it is: in one element of a map, in one weight, in one zero point."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("qonnx")
from onnx import ModelProto
from support.imports import imported_from
from support.onnx_models import GENERAL, Net

from bitloom.quant import Conv, Node, Threshold
from bitloom.quant.qonnx import Imported, judge, reference
from bitloom.quant.qonnx.compare import PLACED, Compared, compare
from bitloom.quant.qonnx.runnable import Context
from bitloom.quant.qonnx.samples import random_integers, real_inputs

SIDE = 24
PLACES = [(0, 0, 0), (0, SIDE - 1, SIDE - 1), (7, SIDE // 2, 0), (3, 5, 17), (6, 22, 11)]
"""Elements of a map: corners, a border, and some that no list of places would name."""


def picture(side: int, scale: float = 0.0625) -> tuple[Net, str]:
    """Two convolutions, the second of which no quantizer follows."""
    net = Net(0, (3, side, side), GENERAL)
    x = net.add("Conv", net.quant("x", scale, 4), net.weights((4, 3, 3, 3)), pads=[1] * 4)
    x = net.quant(net.add("Relu", x), 0.2, 4, signed=0)
    return net, net.add("Conv", x, net.weights((8, 4, 1, 1), scale=0.12371))


@pytest.fixture(scope="module", params=["scores", "quantizer"])
def network(request: pytest.FixtureRequest) -> tuple[Imported, ModelProto]:
    """A map at the end, as sums or behind a quantizer."""
    net, y = picture(SIDE)
    model = net.model(y if request.param == "scores" else net.quant(y, 0.1, 6))
    return imported_from(model), model


def judged(imported: Imported, model: ModelProto, count: int = PLACED + 2) -> Compared:
    return compare(imported, model, real_inputs(imported, model, random_integers(imported.graph, count)))


def planted(monkeypatch: pytest.MonkeyPatch, change: Callable[[Context], None]) -> None:
    """Let ``change`` spoil what runs a file."""
    given = reference.Reference.__iter__

    def spoiled(self: reference.Reference) -> Iterator[tuple[slice, Context]]:
        for where, context in given(self):
            spoilt = {name: value.copy() for name, value in context.items()}
            change(spoilt)
            yield where, spoilt

    monkeypatch.setattr(reference.Reference, "__iter__", spoiled)


def test_nothing_is_found_where_nothing_is_wrong(network: tuple[Imported, ModelProto]) -> None:
    found = judged(*network)
    assert all(row.mismatches == 0 for row in found.rows) and found.rows[-1].elements == (PLACED + 2) * 8 * SIDE**2


@pytest.mark.parametrize("place", PLACES)
def test_one_element_of_a_map_that_is_a_level_off(
    network: tuple[Imported, ModelProto], monkeypatch: pytest.MonkeyPatch, place: tuple[int, ...]
) -> None:
    """In the last sample, of which rational numbers see no more than what differs."""
    imported, model = network
    output, node = model.graph.output[0].name, imported.graph.output
    zeros = np.zeros((1, *imported.graph[node].output.shape), np.int64)
    level = float((imported.real(node, zeros + 1) - imported.real(node, zeros)).ravel()[0])
    planted(monkeypatch, lambda context: np.add.at(context[output], (-1, *place), np.float32(level)))
    rows = judged(imported, model).rows
    assert [row.mismatches for row in rows] == [0] * (len(rows) - 1) + [1]


def test_one_weight_that_is_off_by_one(network: tuple[Imported, ModelProto]) -> None:
    imported, model = network
    for name in ("conv1", "conv2"):
        node = imported.graph[name]
        assert isinstance(node, Conv)
        weights = node.weights.copy()
        weights[(3, *(0,) * (weights.ndim - 1))] += 1 if weights[(3, *(0,) * (weights.ndim - 1))] < 1 else -1
        nodes: list[Node] = [replace(n, weights=weights) if n.name == name else n for n in imported.graph]
        rows = judged(replace(imported, graph=imported.graph.with_nodes(nodes)), model, 2).rows
        assert sum(row.mismatches for row in rows) == 2


def test_one_threshold_of_one_channel_that_is_off_by_one(network: tuple[Imported, ModelProto]) -> None:
    imported, model = network
    act = imported.graph["act1"]
    assert isinstance(act, Threshold)
    rows = np.repeat(act.thresholds, 4, axis=0) if len(act.thresholds) == 1 else act.thresholds.copy()
    rows[2, 3] += 1
    nodes: list[Node] = [replace(n, thresholds=rows) if n.name == "act1" else n for n in imported.graph]
    found = judged(replace(imported, graph=imported.graph.with_nodes(nodes)), model)
    assert next(row for row in found.rows if row.node == "act1").mismatches > 0


def test_a_zero_point_that_is_off_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Net(0, (1, 12, 12), GENERAL)
    zero = np.uint8(100)
    x = net.add("DequantizeLinear", net.add("QuantizeLinear", "x", np.float32(0.05), zero), np.float32(0.05), zero)
    model = net.model(net.add("Conv", x, net.weights((2, 1, 3, 3))))
    imported = imported_from(model)
    assert all(row.mismatches == 0 for row in judged(imported, model).rows)
    node = imported.graph["conv1"]
    assert isinstance(node, Conv)
    bias = (np.zeros(2, np.int64) if node.bias is None else node.bias) + node.weights.reshape(2, -1).sum(axis=1)
    nodes: list[Node] = [replace(n, bias=bias) if n.name == "conv1" else n for n in imported.graph]
    wrong = replace(imported, graph=imported.graph.with_nodes(nodes))
    assert judged(wrong, model).rows[-1].mismatches == PLACED + 2


def test_a_larger_map_takes_no_more_rational_numbers() -> None:
    looked = []
    for side in (16, 48):
        net, y = picture(side)
        model = net.model(y)
        found = judged(imported_from(model), model)
        looked.append(found.rows[-1].exact)
        assert found.rows[-1].elements == (PLACED + 2) * 8 * side**2
    assert looked == [PLACED * judge.PLACES] * 2


def test_differences_that_are_alike_are_looked_into_once() -> None:
    """Halves of a step between scales that are no powers of two: float32 decides in hundreds of elements."""
    net = Net(0, (2, 32, 32), GENERAL)
    x = net.quant("x", 0.3, 4)
    y = net.quant(net.add("Mul", x, np.float32(0.7)), 0.21, 4)
    x, y = (net.add("Mul", part, np.float32(0.5)) for part in (x, y))
    model = net.model(net.quant(net.add("Add", x, y), 0.15, 5))
    row = judged(imported_from(model), model).rows[-1]
    assert (row.mismatches, row.ties) == (0, PLACED + 2) and 0 < row.exact < 16
