"""The accelerator computes the interpreter's bits in the cycles that the plan says, for any folding and any stalls.

| testpoint | stage | test |
| --- | --- | --- |
| bits over random graphs, foldings and stalls | full | test_random_graphs |
| interval and latency are the closed forms | full | test_cycles_are_the_closed_forms |
| lanes that do not divide each other | full | test_cycles_are_the_closed_forms |
| units with fewer lanes than the unit ahead of them | full | test_fewer_lanes_behind_a_unit |
"""

from __future__ import annotations

import numpy as np
import pytest
from support.graphs import random_graph, random_samples
from support.streams import Run, drive, gaps

from bitloom.codegen import FAMILIES, Accelerator, Folding, Plan, compile, simplify
from bitloom.codegen.folding import divisors
from bitloom.codegen.mapping import shape_of
from bitloom.quant import Graph, MatMul, run


def run_plan(plan: Plan, samples: np.ndarray, outputs: int, stall: str = "none", seed: int = 0) -> Run:
    """The accelerator of ``plan`` in the simulator, both sides stalled by the pattern ``stall``."""
    source, result = plan.input.format, plan.output.format
    return drive(Accelerator(plan), samples, outputs, i_shape=shape_of(source), i_lanes=plan.input_lanes,
                 o_shape=shape_of(result), o_lanes=plan.output_lanes, i_gap=gaps(stall, seed),
                 o_gap=gaps(stall, seed + 1), bipolar=(source.bipolar, result.bipolar))


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
    for stall in ("none", "random"):
        plan = compile(graph, overrides=random_overrides(graph, rng))
        assert np.array_equal(run_plan(plan, samples, outputs, stall, seed).y, expected)


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
    seen = run_plan(plan, samples, expected.shape[1])
    assert np.array_equal(seen.y, expected)
    assert seen.o_cycles[0] - seen.i_cycles[0] == plan.latency
    starts = seen.o_cycles[:: expected.shape[1] // plan.output_lanes]
    assert starts[-1] - starts[-2] == starts[-2] - starts[-3] == plan.interval


LANES = [
    {"fc1": (12, 2), "act1": 2, "fc2": (8, 3), "act2": 2, "fc3": (6, 2), "class": 1},
    {"fc1": (12, 12), "act1": 1, "fc2": (8, 12), "act2": 4, "fc3": (6, 8), "class": 2},
    {"fc1": (6, 4), "act1": 3, "fc2": (4, 2), "act2": 1, "fc3": (3, 8), "class": 3},
    {"fc1": (12, 1), "act1": 3, "fc2": (2, 6), "act2": 2, "fc3": (2, 1), "class": 1},
    {"fc1": (4, 6), "act1": 2, "fc2": (8, 3), "act2": 8, "fc3": (6, 4), "class": 6},
]


@pytest.mark.parametrize("lanes", LANES, ids=str)
@pytest.mark.parametrize("stall", ["none", "random"])
def test_fewer_lanes_behind_a_unit(lanes: dict[str, object], stall: str) -> None:
    graph = simplify(random_graph(1, (12, 12, 8, 6)))
    foldings = {}
    for node in graph.nodes[1:]:
        value = lanes.get(node.name, lanes["fc1"][1])  # type: ignore[index]
        pe, simd = value if isinstance(value, tuple) else (value, value)
        foldings[node.name] = Folding(pe, simd, "distributed")
    plan = Plan(graph, FAMILIES["ice40"], 12e6, "throughput", foldings)
    samples = random_samples(graph, 12)
    seen = run_plan(plan, samples, 1, stall)
    assert np.array_equal(seen.y, run(graph, samples))
    if stall == "none":
        assert seen.o_cycles[0] - seen.i_cycles[0] == plan.latency
        assert seen.o_cycles[-1] - seen.o_cycles[-2] == plan.interval
