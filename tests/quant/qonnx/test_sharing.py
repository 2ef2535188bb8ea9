"""Averages over borders that do not count: positions share thresholds, exactly, or keep their own."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qonnx")
from support.imports import agree, imported_from
from support.onnx_models import Net

from bitloom import codegen
from bitloom.quant import Graph, Requantize, Table, Threshold


def averages(size: int = 6, stride: int = 1, norm: bool = False, scale: float = 0.21, zero: int = 0) -> tuple[Net, str]:
    """Means of 3 × 3 windows whose padding is not counted: six divisors, four where the stride skips some."""
    net = Net(1, (3, size, size))
    x = net.add("Conv", net.quant("x", 0.125, 6), net.weights((4, 3, 3, 3)), pads=[1] * 4)
    x = net.quant(net.add("Relu", x), scale, 4, signed=0, zero=zero)
    x = net.add("AveragePool", x, kernel_shape=[3, 3], pads=[1] * 4, strides=[stride] * 2, count_include_pad=0)
    return net, net.quant(net.norm(x, 4) if norm else x, 0.17, 4, signed=int(norm))


def behind_pool(graph: Graph) -> list[str]:
    """The operators between the pool and the next layer, but for reshapes."""
    kinds = [node.op for node in graph]
    return [op for op in kinds[kinds.index("Pool") + 1 :] if op != "Reshape"]


@pytest.mark.parametrize("options", [
    {}, {"size": 7, "stride": 2}, {"norm": True}, {"scale": 0.25}, {"zero": 2}, {"zero": 2, "norm": True}], ids=str)
def test_one_multiplier_per_element_in_place_of_its_thresholds(options: dict[str, int]) -> None:
    net, x = averages(**options)  # type: ignore[arg-type]
    model = net.model(net.quant(net.add("Conv", x, net.weights((2, 4, 2, 2))), 0.7, 5))
    imported = imported_from(model)
    assert behind_pool(imported.graph)[:2] == ["Requantize", "Threshold"]
    for node in imported.graph:
        if isinstance(node, Threshold):
            assert len(node.thresholds) <= 4
        if isinstance(node, Table):
            assert len(node.table) <= 4
        if isinstance(node, Requantize):
            assert set(node.multiplier) <= {4, 6, 9} and {4, 6} <= set(node.multiplier)
    agree(imported, model, count=20)


def test_it_takes_less_memory() -> None:
    """The pool's divisors cost one memory of four bits per element."""
    net, x = averages(12)
    model = net.model(net.quant(net.add("Conv", x, net.weights((2, 4, 2, 2))), 0.7, 5))
    plan = codegen.compile(imported_from(model).graph, family="ecp5", target="area")
    stages = {stage.name: stage for stage in plan.stages}
    assert stages["spread1"].predicted.bram <= 1 and stages["act2"].predicted.bram == 0


def test_divisors_that_have_no_small_common_multiple_keep_thresholds_of_their_own() -> None:
    net = Net(1, (2, 19))
    x = net.quant("x", 0.125, 6)
    x = net.add("AveragePool", x, kernel_shape=[13], pads=[6, 6], count_include_pad=0)
    model = net.model(net.quant(x, 0.1, 5))
    imported = imported_from(model)
    assert behind_pool(imported.graph) == ["Threshold"]
    agree(imported, model, count=20)
    shared = [node for node in imported.graph if isinstance(node, Threshold)]
    assert np.array_equal(shared[0].thresholds.shape, (38, 31))
