"""Random foldings of every unit of a lowered graph."""

from __future__ import annotations

import numpy as np

from bitloom.codegen import FAMILIES, Folding, Plan, simplify
from bitloom.codegen.mapping import lanes, templates
from bitloom.codegen.topology import units
from bitloom.quant import Graph


def random_foldings(graph: Graph, rng: np.random.Generator) -> dict[str, Folding]:
    """Lanes, memory and template of every unit of ``graph`` at random."""
    chosen = {}
    for node in units(graph):
        template = str(rng.choice(templates(graph, node)))
        pe, simd = lanes(graph, node, template)[int(rng.integers(len(lanes(graph, node, template))))]
        memory = str(rng.choice(["block", "distributed"]))
        chosen[node.name] = Folding(pe, simd, memory, template)
    return chosen


def random_plan(graph: Graph, seed: int) -> Plan:
    """A plan of ``graph``, passed through the passes, with random foldings."""
    lowered = simplify(graph)
    return Plan(lowered, FAMILIES["ecp5"], 25e6, "area", random_foldings(lowered, np.random.default_rng(seed)))
