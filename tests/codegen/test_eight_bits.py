"""Networks of 8-bit weights and activations with batch norms: lines instead of thresholds, within an ECP5-85F."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qonnx")
from support.eight_bits import gtsrb_cnn, radioml_vgg10
from support.imports import imported_from

from bitloom import codegen
from bitloom.boards import board as boards
from bitloom.codegen.passes import requantize
from bitloom.codegen.passes.ranges import channel_ranges, value_ranges
from bitloom.codegen.passes.requantize import WIDE_MULTIPLIER_BITS
from bitloom.quant import Graph, Requantize, Threshold

MAKERS = {"radioml": radioml_vgg10, "gtsrb": gtsrb_cnn}


@pytest.fixture(scope="module", params=MAKERS)
def graph(request: pytest.FixtureRequest) -> Graph:
    return imported_from(MAKERS[request.param]()).graph


def test_every_activation_is_a_line_and_exact(graph: Graph) -> None:
    """Compared where each channel takes each level, right before, and at the ends of its range: for functions that
    never fall, that is everywhere."""
    after, ranges = requantize(graph), value_ranges(graph)
    activations = [node for node in graph if isinstance(node, Threshold)]
    assert len(activations) >= 4
    for node in activations:
        line = after[node.name]
        assert isinstance(line, Requantize) and line.multiplier.max() < 1 << WIDE_MULTIPLIER_BITS
        assert line.late is None or line.late.max() == 1
        lo, hi = channel_ranges(ranges[node.inputs[0]])
        steps = node.thresholds.T
        x = np.clip(np.concatenate([steps, steps - 1, [lo, hi]]), lo, hi)
        assert np.array_equal(line.evaluate(x), node.evaluate(x))
        stored = line.multiplier.size * 80 + (0 if line.late is None else line.late.size)
        assert stored * 10 < node.thresholds.size * graph[node.inputs[0]].output.format.bits


@pytest.mark.slow
def test_within_the_memories_of_an_85f(graph: Graph) -> None:
    board = boards.load("ulx3s-85f")
    budget = board.resources.scaled(0.75)
    plan = codegen.compile(graph, family=board.family, budget=budget, clock_hz=25e6, fps=400)
    assert plan.predicted.bram <= budget.bram and plan.predicted.lut <= budget.lut
    memories = {stage.name: stage.predicted.bram for stage in plan.stages if stage.template == "Requantizer"}
    assert len(memories) >= 4 and sum(memories.values()) < 20
