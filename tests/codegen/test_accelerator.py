"""The accelerator computes the interpreter's bits in the cycles that the plan says, for any folding and any stalls.

| testpoint | stage | test |
| --- | --- | --- |
| bits over random graphs, foldings and stalls | full | test_random_graphs |
| interval and latency are the closed forms | full | test_cycles_are_the_closed_forms |
| lanes that do not divide each other | full | test_cycles_are_the_closed_forms |
"""

from __future__ import annotations

import numpy as np
import pytest
from support.graphs import random_graph, random_samples
from support.streams import drive

from bitloom.codegen import Accelerator, compile
from bitloom.codegen.folding import divisors
from bitloom.quant import Graph, MatMul, run


def wire(values: np.ndarray, graph: Graph) -> np.ndarray:
    """Integers as they stand on the wires: a bipolar value is its bit."""
    return (values + 1) // 2 if graph.input.output.format.bipolar else values


def random_overrides(graph: Graph, rng: np.random.Generator) -> dict[str, dict[str, object]]:
    return {
        node.name: {
            "pe": int(rng.choice(divisors(node.weights.shape[0]))),
            "simd": int(rng.choice(divisors(node.weights.shape[1]))),
            "memory": str(rng.choice(["block", "distributed"])),
        }
        for node in graph if isinstance(node, MatMul)
    }


@pytest.mark.parametrize("seed", range(12))
def test_random_graphs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(seed, argmax=bool(rng.integers(2)), bias=bool(rng.integers(2)))
    samples = random_samples(graph, 8, seed)
    expected = run(graph, samples)
    outputs = expected.shape[1]
    for stall in (0.0, 0.4):
        plan = compile(graph, overrides=random_overrides(graph, rng))
        got, _, _ = drive(Accelerator(plan), samples, outputs=outputs, stall=stall, seed=seed)
        assert np.array_equal(got, expected)


FOLDINGS = [
    {"fc1": (1, 1), "fc2": (1, 1), "fc3": (1, 1)},
    {"fc1": (12, 12), "fc2": (8, 12), "fc3": (6, 8)},
    {"fc1": (2, 3), "fc2": (4, 2), "fc3": (3, 4)},
    {"fc1": (4, 3), "fc2": (2, 6), "fc3": (1, 8)},
    {"fc1": (12, 1), "fc2": (1, 12), "fc3": (6, 1)},
    {"fc1": (3, 4), "fc2": (8, 4), "fc3": (2, 2)},
    {"fc1": (1, 12), "fc2": (8, 1), "fc3": (2, 4)},
    {"fc1": (12, 12), "fc2": (1, 1), "fc3": (6, 8)},
    {"fc1": (6, 2), "fc2": (4, 3), "fc3": (6, 2)},
]


@pytest.mark.parametrize("folding", FOLDINGS, ids=lambda f: "-".join(f"{pe}x{simd}" for pe, simd in f.values()))
@pytest.mark.parametrize("argmax", [True, False])
def test_cycles_are_the_closed_forms(folding: dict[str, tuple[int, int]], argmax: bool) -> None:
    graph = random_graph(1, (12, 12, 8, 6), argmax=argmax)
    plan = compile(graph, overrides={name: {"pe": pe, "simd": simd} for name, (pe, simd) in folding.items()})
    samples = random_samples(graph, 12)
    expected = run(graph, samples)
    got, sent, received = drive(Accelerator(plan), samples, outputs=expected.shape[1])
    assert np.array_equal(got, expected)
    assert received.cycles[0] - sent.cycles[0] == plan.latency
    starts = received.cycles[:: expected.shape[1] // plan.output_lanes]
    assert starts[-1] - starts[-2] == starts[-2] - starts[-3] == plan.interval
