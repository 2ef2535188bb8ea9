"""Products of two activations: gates of every shape, what is refused, and what unequal scales of branches cost."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("qonnx")
from support.imports import agree, imported_from
from support.onnx_models import Net

from bitloom import RequestError, codegen
from bitloom.quant import Multiply
from bitloom.quant.qonnx import ImportFailure


def _linear_unit(net: Net, x: str) -> str:
    """Half of the channels gate the other half."""
    x = net.quant(net.add("Conv", x, net.weights((6, 4, 1, 1))), 0.21, 5)
    a, b = net.add("Split", x, outputs=2, axis=1)
    return str(net.add("Mul", a, net.quant(net.add("Sigmoid", b), 1 / 15, 4, signed=0)))


def _features(net: Net, x: str) -> str:
    x = net.add("Flatten", x)
    return str(net.add("Mul", net.quant(net.dense(x, 64, 4), 0.21, 4), net.quant(net.dense(x, 64, 4), 0.37, 4)))


def _scale_per_channel(net: Net, x: str) -> str:
    a = net.quant(x, net.rng.uniform(0.1, 0.2, (1, 4, 1, 1)), 5)
    return str(net.add("Mul", a, net.quant(net.add("Conv", x, net.weights((4, 4, 1, 1))), 0.2, 4)))


def _channels_last(net: Net, x: str) -> str:
    x = net.add("Transpose", x, perm=[0, 2, 3, 1])
    g = net.dense(net.quant(net.add("ReduceMean", x, axes=[1, 2], keepdims=0), 0.1, 5), 4, 4)
    g = net.add("Reshape", net.quant(net.add("Sigmoid", g), 1 / 15, 4, signed=0), np.array([-1, 1, 1, 4]))
    return str(net.add("Mul", g, x))


@pytest.mark.parametrize("body", [_linear_unit, _features, _scale_per_channel, _channels_last])
def test_products_agree_and_wait_for_their_unit(body: Callable[[Net, str], str]) -> None:
    net = Net(3, (4, 4, 4))
    model = net.model(net.quant(body(net, net.quant("x", 0.125, 5)), 0.17, 5))
    imported = imported_from(model)
    assert any(isinstance(node, Multiply) for node in imported.graph)
    assert any("not yet mapped" in note for note in imported.notes)
    agree(imported, model, count=16)
    with pytest.raises(RequestError, match="Multiply is not yet mapped onto a unit"):
        codegen.compile(imported.graph)


def _outer(net: Net, x: str) -> str:
    a, b = (net.quant(net.add("ReduceMean", x, axes=[k], keepdims=1), 0.1, 5) for k in (2, 3))
    return str(net.add("Mul", a, b))


def _no_zero(net: Net, x: str) -> str:
    return str(net.add("Mul", x, net.quant(net.add("Conv", x, net.weights((4, 4, 1, 1))), 0.2, 4, signed=0, zero=2.5)))


def _unquantized(net: Net, x: str) -> str:
    return str(net.add("Mul", x, net.add("Sigmoid", net.add("Conv", x, net.weights((4, 4, 3, 3)), pads=[1] * 4))))


@pytest.mark.parametrize(("body", "words"), [
    (_outer, "would both have to be repeated"), (_no_zero, "0 is no integer of its operand 2"),
    (_unquantized, "put a quantizer in front of it")])
def test_what_no_product_of_integers_is(body: Callable[[Net, str], str], words: str) -> None:
    net = Net(3, (4, 4, 4))
    with pytest.raises(ImportFailure, match=words):
        imported_from(net.model(net.quant(body(net, net.quant("x", 0.125, 5)), 0.17, 5)))


def test_what_unequal_scales_of_branches_cost_is_said_in_bits() -> None:
    net = Net(3, (4, 4, 4))
    x = net.quant("x", 0.125, 5)
    y = net.quant(net.add("Conv", x, net.weights((4, 4, 1, 1))), 0.1234567, 5)
    imported = imported_from(net.model(net.quant(net.add("Add", x, y), 0.17, 5)))
    (note,) = (note for note in imported.notes if "branches" in note)
    found = re.search(r"multipliers of up to (\d+) \((\d+) bits more in the sum", note)
    assert found and "one quantizer that both branches share makes them 1" in note
    add = next(node for node in imported.graph if node.op == "Add")
    assert int(found[1]) == max(abs(m) for m in add.multipliers)  # type: ignore[attr-defined]
    assert add.output.format.bits == 6 + int(found[2])  # two of 5 bits have a sum of 6
