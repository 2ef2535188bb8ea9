"""Convolutions as windows and matrix products: which, named how, and computing the same."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from support.graphs import graph_of, random_samples

from bitloom.codegen.passes import lower
from bitloom.quant import Conv, Format, Graph, MatMul, Reshape, Tensor, Window, run


def convolution(
    spatial: tuple[int, ...], channels: int, outputs: int, kernel: tuple[int, ...], *, stride: int = 1,
    dilation: int = 1, groups: int = 1, name: str = "conv",
) -> Graph:
    dims = len(spatial)
    rng = np.random.default_rng(prod(spatial) + outputs)
    shape = (*((n - dilation * (k - 1) - 1) // stride + 1 for n, k in zip(spatial, kernel)), outputs)
    weights = rng.integers(-3, 4, (outputs, *kernel, channels // groups))
    return graph_of(
        Tensor((*spatial, channels), Format(4, True), (0.5,)),
        Conv(name, ("x",), Tensor(shape, Format(20, True)), weights, Format(3, True), rng.integers(-9, 9, outputs),
             (stride,) * dims, (dilation,) * dims, groups),
    )


CASES = {
    "plain": (convolution((5, 7), 3, 4, (3, 2)), ["Window", "MatMul"]),
    "strided, dilated": (convolution((9, 7), 2, 3, (2, 3), stride=2, dilation=2), ["Window", "MatMul"]),
    "1-D": (convolution((11,), 3, 2, (3,)), ["Window", "MatMul"]),
    "groups": (convolution((4, 5), 6, 4, (2, 2), groups=2), ["Window", "MatMul"]),
    "one position": (convolution((5, 3), 4, 6, (1, 1)), ["MatMul"]),
    "one position, dilated": (convolution((5, 3), 4, 6, (1, 1), dilation=3), ["MatMul"]),
    "one position in groups": (convolution((5,), 4, 6, (1,), groups=2), ["MatMul"]),
    "one position, strided": (convolution((5, 3), 4, 6, (1, 1), stride=2), ["Window", "MatMul"]),
    "one position of one": (convolution((1, 1), 4, 6, (1, 1), stride=2), ["MatMul"]),
    "whole input": (convolution((4, 3), 5, 2, (4, 3)), ["Reshape", "MatMul"]),
    "whole input, strided": (convolution((4, 3), 5, 2, (4, 3), stride=3), ["Reshape", "MatMul"]),
    "whole line": (convolution((6,), 2, 3, (6,)), ["Reshape", "MatMul"]),
    "whole input in groups": (convolution((4, 3), 4, 2, (4, 3), groups=2), ["Window", "MatMul"]),
    "whole input, dilated": (convolution((5, 5), 2, 2, (3, 3), dilation=2), ["Window", "MatMul"]),
    "depthwise": (convolution((5, 4), 3, 3, (3, 3), groups=3), ["Conv"]),
    "several outputs a channel": (convolution((5, 4), 3, 6, (3, 3), groups=3), ["Window", "MatMul"]),
    "one channel": (convolution((5, 4), 1, 1, (3, 3)), ["Window", "MatMul"]),
}


@pytest.mark.parametrize("case", CASES)
def test_lowering(case: str) -> None:
    graph, operators = CASES[case]
    low = lower(graph)
    assert [node.op for node in low.nodes[1:]] == operators
    samples = random_samples(graph, 40)
    assert np.array_equal(run(low, samples), run(graph, samples))
    assert low.output == "conv" and low["conv"].output == graph["conv"].output


def test_names_follow_the_convolution() -> None:
    graph = convolution((5, 7), 3, 4, (3, 2))
    assert [node.name for node in lower(graph)] == ["x", "conv_window", "conv"]
    assert [node.name for node in lower(convolution((4, 3), 5, 2, (4, 3)))] == ["x", "conv_flat", "conv"]
    taken = graph_of(graph.input.output, Reshape("conv_window", ("x",), graph.input.output), *graph.nodes[1:])
    assert [node.name for node in lower(taken)] == ["x", "conv_window", "conv_window2", "conv"]


def test_windows_keep_format_and_scale() -> None:
    window = lower(convolution((5, 7), 3, 4, (3, 2)))["conv_window"]
    assert isinstance(window, Window) and window.output == Tensor((3, 6, 18), Format(4, True), (0.5,))
    product = lower(CASES["groups"][0])["conv"]
    assert isinstance(product, MatMul) and product.groups == 2 and product.weights.shape == (4, 12)
