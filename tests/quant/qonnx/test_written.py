"""Quantizers written out as arithmetic, in every order in which LSQ, HAWQ and others are exported."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

pytest.importorskip("qonnx")
from support.imports import agree, imported_from
from support.onnx_models import Net

from bitloom.quant import Conv, Format, MatMul, Table, Threshold

F = np.float32
Written = Callable[[Net, object, Any, int, int], str]


def _clip(net: Net, x: object, low: int, high: int) -> str:
    return str(net.add("Clip", x, F(low), F(high)))


def _bounds(net: Net, x: object, low: int, high: int) -> str:
    return str(net.add("Max", F(low), net.add("Min", x, F(high))))


def lsq(net: Net, x: object, scale: Any, low: int, high: int) -> str:
    return str(net.add("Mul", net.add("Round", _clip(net, net.add("Div", x, scale), low, high)), scale))


def rounded_first(net: Net, x: object, scale: Any, low: int, high: int) -> str:
    return str(net.add("Mul", _bounds(net, net.add("Round", net.add("Div", x, scale)), low, high), scale))


def by_the_reciprocal(net: Net, x: object, scale: Any, low: int, high: int) -> str:
    x = net.add("Round", _bounds(net, net.add("Mul", x, 1 / np.asarray(scale, F)), low, high))
    return str(net.add("Div", x, 1 / np.asarray(scale, F)))


def half_up(net: Net, x: object, scale: Any, low: int, high: int) -> str:
    x = net.add("Floor", net.add("Add", net.add("Div", x, scale), 0.5))
    return str(net.add("Mul", _clip(net, x, low, high), scale))


def shifted(net: Net, x: object, scale: Any, low: int, high: int) -> str:
    """A zero point added before and subtracted behind."""
    x = net.add("Round", _clip(net, net.add("Add", net.add("Div", x, scale), F(3)), low + 3, high + 3))
    return str(net.add("Mul", net.add("Sub", x, F(3)), scale))


def shifted_behind(net: Net, x: object, scale: Any, low: int, high: int) -> str:
    """As ONNX' QuantizeLinear: rounded, then the zero point added."""
    x = _clip(net, net.add("Add", net.add("Round", net.add("Div", x, scale)), F(3)), low + 3, high + 3)
    return str(net.add("Mul", net.add("Sub", x, F(3)), scale))


def truncated(net: Net, x: object, scale: Any, low: int, high: int) -> str:
    x = net.add("Cast", net.add("Cast", _clip(net, net.add("Div", x, scale), low, high), to=6), to=1)
    return str(net.add("Mul", x, scale))


KINDS: tuple[Written, ...] = (lsq, rounded_first, by_the_reciprocal, half_up, shifted, shifted_behind, truncated)
DIRECT = (lsq, rounded_first, shifted)
"""Those that the input takes as its own."""


@pytest.mark.parametrize(("kind", "channels"), product(KINDS, (False, True)))
def test_a_network_of_written_quantizers(kind: Written, channels: bool) -> None:
    net = Net(len(kind.__name__), (2, 5, 5))
    scale: Any = net.rng.uniform(0.1, 0.2, (4, 1, 1, 1)).astype(F) if channels else F(0.137)
    x = kind(net, "x", F(0.11), -8, 7)
    w = kind(net, net.rng.normal(0, 0.5, (4, 2, 3, 3)), scale, -7, 7)
    x = kind(net, net.add("Relu", net.norm(net.add("Conv", x, w, pads=[1, 1, 1, 1]), 4)), F(0.21), 0, 15)
    w = kind(net, net.rng.normal(0, 0.5, (3, 4, 1, 1)), F(0.13), -2, 1)
    model = net.model(kind(net, net.add("Conv", x, w), F(0.4), -16, 15))
    imported = imported_from(model, **({} if kind in DIRECT else {"input_format": Format(8, True), "input_scale": 0.1}))
    graph, moved = imported.graph, 3 * (kind in (shifted, shifted_behind))
    agree(imported, model, 20)
    layers = [node for node in graph if isinstance(node, (Conv, MatMul))]
    assert [node.weight_format.bits <= bits for node, bits in zip(layers, (4, 2))] == [True, True]
    made = [node.output.format for node in graph if isinstance(node, (Threshold, Table))]
    if kind in DIRECT:
        assert graph.input.output.format == Format.of_range(-8 + moved, 7 + moved)
    assert made[-2] == Format.of_range(moved, 15 + moved) and made[-1].bits <= 5
    assert len(made) == 2 + (kind not in DIRECT)


@pytest.mark.parametrize("sign", [
    lambda net, w: net.add("Sign", w),
    lambda net, w: net.add("Where", net.add("Greater", w, 0.0), 1.0, -1.0),
])
def test_signs_of_weights_times_one_number_per_output(sign: Callable[[Net, str], str]) -> None:
    net = Net(4, (6,))
    w = net.add("Mul", sign(net, net.const(net.rng.normal(0, 1, (6, 4)))), net.rng.uniform(0.1, 0.2, (1, 4)))
    model = net.model(net.quant(net.add("MatMul", net.quant("x", 0.25, 4), w), 0.2, 4))
    imported = imported_from(model)
    layer = imported.graph["fc1"]
    assert isinstance(layer, MatMul) and layer.weight_format.bipolar
    agree(imported, model, 20)


def test_the_input_is_quantized_as_the_file_does() -> None:
    net = Net(1, (6,))
    model = net.model(net.quant(net.dense(lsq(net, "x", F(0.25), -8, 7), 6, 4), 0.5, 4))
    imported = imported_from(model)
    facts = imported.graph.metadata["input"]
    assert isinstance(facts, dict) and (facts["scale"], facts["offset"]) == (0.25, 0.0)
    assert imported.quantize(np.array([[0.0, 0.3, 0.375, 5.0, -5.0, -0.125]])).tolist() == [[0, 1, 2, 7, -8, 0]]


def test_a_quantizer_that_gives_one_number_alone() -> None:
    net = Net(5, (6,))
    x = lsq(net, net.add("Add", net.dense(net.quant("x", 0.125, 4), 6, 4), 90.0), F(0.25), -8, 7)
    model = net.model(net.quant(net.dense(x, 4, 3), 0.5, 4))
    agree(imported_from(model), model, 10)


def test_two_readers_share_one_quantizer() -> None:
    net = Net(2, (3, 4, 4))
    x = net.add("Conv", net.quant("x", 0.125, 6), net.weights((3, 3, 1, 1)))
    x = lsq(net, x, F(0.25), -8, 7)
    y = net.add("Conv", x, net.weights((3, 3, 3, 3)), pads=[1, 1, 1, 1])
    model = net.model(lsq(net, net.add("Add", lsq(net, y, F(0.25), -8, 7), x), F(0.5), 0, 15))
    imported = imported_from(model)
    assert sum(isinstance(node, Threshold) for node in imported.graph) == 3
    agree(imported, model, 20)


def test_rounding_in_front_of_a_quantizer_stays_one_function_with_it() -> None:
    net = Net(3, (6,))
    x = net.add("Round", net.dense(net.quant("x", 0.125, 6), 6, 4))
    graph = imported_from(net.model(net.quant(net.add("Mul", x, F(0.3)), 0.5, 4))).graph
    assert [node.name for node in graph] == ["input", "fc1", "act1"]


def test_ties_of_written_quantizers_are_looked_at() -> None:
    """A graph that rounds halves up where the file rounds them to even is wrong."""
    net = Net(0, (4,))
    model = net.model(lsq(net, net.add("Add", net.quant("x", 0.25, 5), 0.0), F(0.5), -8, 7))
    imported = imported_from(model)
    rows = agree(imported, model, 40)
    assert {row.ties for row in rows if row.node == "act1"} == {0}
