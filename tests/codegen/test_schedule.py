"""The plan's closed forms where units behind a matrix–vector unit have fewer lanes than it."""

from __future__ import annotations

import numpy as np
import pytest
from support.graphs import random_graph, random_samples
from support.streams import drive

from bitloom.codegen import Accelerator, Folding, Plan, Resources, simplify
from bitloom.codegen.families import FAMILIES
from bitloom.quant import run

LANES = [
    {"fc1": (12, 2), "act1": 2, "fc2": (8, 3), "act2": 2, "fc3": (6, 2), "class": 1},
    {"fc1": (12, 12), "act1": 1, "fc2": (8, 12), "act2": 4, "fc3": (6, 8), "class": 2},
    {"fc1": (6, 4), "act1": 3, "fc2": (4, 2), "act2": 1, "fc3": (3, 8), "class": 3},
    {"fc1": (12, 1), "act1": 3, "fc2": (2, 6), "act2": 2, "fc3": (2, 1), "class": 1},
    {"fc1": (4, 6), "act1": 2, "fc2": (8, 3), "act2": 8, "fc3": (6, 4), "class": 6},
]


@pytest.mark.parametrize("lanes", LANES, ids=str)
@pytest.mark.parametrize("stall", [0.0, 0.3])
def test_fewer_lanes_behind_a_unit(lanes: dict[str, object], stall: float) -> None:
    graph = simplify(random_graph(1, (12, 12, 8, 6)))
    foldings = {}
    for node in graph.nodes[1:]:
        value = lanes.get(node.name, lanes["fc1"][1])  # type: ignore[index]
        pe, simd = value if isinstance(value, tuple) else (value, value)
        foldings[node.name] = Folding(pe, simd, "distributed")
    plan = Plan(graph, FAMILIES["ice40"], 12e6, "throughput", foldings)
    samples = random_samples(graph, 12)
    got, sent, received = drive(Accelerator(plan), samples, outputs=1, stall=stall)
    assert np.array_equal(got, run(graph, samples))
    if not stall:
        assert received.cycles[0] - sent.cycles[0] == plan.latency
        assert received.cycles[-1] - received.cycles[-2] == plan.interval
    assert plan.predicted.excess(Resources()) # an accelerator is never free
