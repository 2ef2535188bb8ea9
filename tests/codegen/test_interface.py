# amaranth: UnusedElaboratable=no
"""What travels over the circuit's streams is the plan's to say, whatever the network declares for its result.

| testpoint | stage | test |
| --- | --- | --- |
| each operator as the last one, its result declared wider than it is | full | test_a_result_that_is_declared_too_wide |
| a result that takes one value or two | full | test_results_of_few_values |
| the host's interface is that of the streams | full | both |
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.graphs import graph_of, random_samples
from support.pipelines import run_plan

from bitloom.boards import board
from bitloom.boards.compiled import Compiled
from bitloom.boards.design import make_design
from bitloom.boards.protocol import decode_values, encode_values
from bitloom.codegen import Accelerator, compile
from bitloom.quant import (
    BIPOLAR,
    Add,
    ArgMax,
    Concat,
    Conv,
    DepthToSpace,
    Format,
    Graph,
    MatMul,
    Node,
    Pad,
    Pool,
    Requantize,
    Reshape,
    Table,
    Tensor,
    Threshold,
    Upsample,
    run,
)

MAP = Tensor((4, 4, 2), Format(3, True))
WIDE = Format(29, True)
RNG = np.random.default_rng(7)

LAST: dict[str, Node] = {
    "MatMul": MatMul("y", ("h",), Tensor((4, 4, 3), WIDE), RNG.integers(-3, 4, (3, 2)), Format(3, True),
                     np.array([5, 0, -5])),
    "Conv": Conv("y", ("h",), Tensor((3, 3, 2), WIDE), RNG.integers(-3, 4, (2, 2, 2, 2)), Format(3, True),
                 stride=(1, 1)),
    "Depthwise": Conv("y", ("h",), Tensor((3, 3, 2), WIDE), RNG.integers(-3, 4, (2, 2, 2, 1)), Format(3, True),
                      stride=(1, 1), groups=2),
    "Threshold": Threshold("y", ("h",), Tensor(MAP.shape, WIDE), np.array([[-3, 0, 1]]), -2),
    "Requantize": Requantize("y", ("h",), Tensor(MAP.shape, WIDE), np.array([3]), np.array([1]), 2, -1, 2),
    "Table": Table("y", ("h",), Tensor(MAP.shape, WIDE), np.array([[9, -2, 3, 0, 7, -5, 1, 4]]), -4),
    "sum": Pool("y", ("h",), Tensor((2, 2, 2), WIDE), "sum", (2, 2), (2, 2)),
    "max": Pool("y", ("s",), Tensor((2, 2, 2), WIDE), "max", (2, 2), (2, 2)),
    "global": Pool("y", ("h",), Tensor((1, 1, 2), WIDE), "sum", (4, 4), (1, 1)),
    "Add": Add("y", ("h", "h"), Tensor(MAP.shape, WIDE), (3, -1)),
    "Concat": Concat("y", ("h", "x"), Tensor((4, 4, 4), WIDE)),
    "Pad": Pad("y", ("h",), Tensor((6, 5, 2), WIDE), ((1, 1), (0, 1)), 6),
    "Upsample": Upsample("y", ("s",), Tensor((8, 8, 2), WIDE), (2, 2)),
    "DepthToSpace": DepthToSpace("y", ("s",), Tensor((8, 8, 1), WIDE), 2),
    "Reshape": Reshape("y", ("s",), Tensor((32,), WIDE)),
    "ArgMax": ArgMax("y", ("h",), Tensor((4, 4, 1), Format(1))),
}


def sound(graph: Graph) -> None:
    """The circuit computes what ``graph`` says, and a host with the plan's interface understands it."""
    plan = compile(graph)
    samples = random_samples(graph, 5)
    expected = run(graph, samples).reshape(5, -1)
    seen = run_plan(plan, samples, expected.shape[1])
    assert np.array_equal(seen.y, expected)
    face = Compiled(make_design("digits"), board.load("icebreaker"), graph, plan, Path(), 0).interface
    accelerator = Accelerator(plan)
    for fmt, stream in ((face.element, accelerator.i), (face.result, accelerator.o)):
        assert fmt.bits == stream.payload[0].shape().width
    assert (face.elements, face.results) == (samples[0].size, expected.shape[1])
    assert np.array_equal(decode_values(encode_values(expected, face.result), face.result), expected.ravel())


@pytest.mark.parametrize("last", LAST.values(), ids=LAST)
def test_a_result_that_is_declared_too_wide(last: Node) -> None:
    rows, channels = np.array([[-5, -2, 0, 2, 6]]), 4 if last.op == "DepthToSpace" else 2
    sums = MatMul("s", ("x",), Tensor((4, 4, channels), WIDE), RNG.integers(-2, 3, (channels, 2)), Format(3, True))
    function = Threshold("h", ("s",), Tensor(sums.output.shape, Format(3, True)), rows, -2)
    sound(graph_of(MAP, sums, function, last))


STEP = Threshold("y", ("x",), Tensor((6,), WIDE), np.array([[1]]), -1, 2)
FEW: dict[str, Node] = {
    "−1 and 1": STEP,
    "−1 and 1, declared bipolar": replace(STEP, output=Tensor((6,), BIPOLAR)),
    "0 and 1": Threshold("y", ("x",), Tensor((6,), WIDE), np.array([[1]])),
    "−1 and 0": Threshold("y", ("x",), Tensor((6,), WIDE), np.array([[1]]), -1),
    "one class": ArgMax("y", ("x",), Tensor((6, 1), Format(1))),
    "one row of zeros": MatMul("y", ("x",), Tensor((2,), WIDE), np.array([[0] * 6, [1] * 6]), Format(2, True)),
    "nothing but zeros": MatMul("y", ("x",), Tensor((2,), WIDE), np.zeros((2, 6), int), Format(2, True)),
    "nothing but a bias": MatMul("y", ("x",), Tensor((2,), WIDE), np.zeros((2, 6), int), Format(2, True),
                                 np.array([-7, 300])),
}


@pytest.mark.parametrize("last", FEW.values(), ids=FEW)
def test_results_of_few_values(last: Node) -> None:
    sound(graph_of(Tensor((6, 1) if last.op == "ArgMax" else (6,), Format(3, True)), last))
