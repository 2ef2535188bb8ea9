"""Random foldings of every unit of a lowered graph."""

from __future__ import annotations

import numpy as np

from bitloom.codegen import FAMILIES, Folding, Plan, simplify
from bitloom.codegen.mapping import independent, lane_totals, templates
from bitloom.codegen.topology import units
from bitloom.quant import ArgMax, Graph


def divisors(n: int) -> list[int]:
    """The divisors of ``n``."""
    return [d for d in range(1, n + 1) if n % d == 0]


def random_foldings(graph: Graph, rng: np.random.Generator) -> dict[str, Folding]:
    """Lanes, memory and template of every unit of ``graph`` at random."""
    chosen = {}
    for node in units(graph):
        outputs, inputs = lane_totals(graph, node)
        simd = int(rng.choice(divisors(inputs)))
        pe = int(rng.choice(divisors(outputs))) if independent(node) else 1 if isinstance(node, ArgMax) else simd
        memory, template = str(rng.choice(["block", "distributed"])), str(rng.choice(templates(graph, node)))
        chosen[node.name] = Folding(pe, simd, memory, template)
    return chosen


def random_plan(graph: Graph, seed: int) -> Plan:
    """A plan of ``graph``, passed through the passes, with random foldings."""
    lowered = simplify(graph)
    return Plan(lowered, FAMILIES["ecp5"], 25e6, "area", random_foldings(lowered, np.random.default_rng(seed)))
