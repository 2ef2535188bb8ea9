"""Random foldings of every unit of a lowered graph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bitloom.codegen import FAMILIES, Folding, Plan, simplify
from bitloom.codegen.families import Family
from bitloom.codegen.mapping import foldings, templates
from bitloom.codegen.topology import units
from bitloom.quant import Graph, MatMul


def random_foldings(graph: Graph, family: Family, rng: np.random.Generator, plain: bool = False) -> dict[str, Folding]:
    """Lanes, memory and template of every unit of ``graph`` at random; with ``plain`` the usual matrix–vector unit."""
    chosen = {}
    for node in units(graph):
        served = templates(graph, node, family)
        template = str(rng.choice(served[:1] if plain and isinstance(node, MatMul) else served))
        choices = foldings(graph, node, template)
        folding = choices[int(rng.integers(len(choices)))]
        chosen[node.name] = replace(folding, memory=str(rng.choice(["block", "distributed"])))
    return chosen


def random_plan(graph: Graph, seed: int, plain: bool = False) -> Plan:
    """A plan of ``graph``, passed through the passes, with random foldings."""
    lowered, family = simplify(graph), FAMILIES["ecp5"]
    return Plan(lowered, family, 25e6, "area", random_foldings(lowered, family, np.random.default_rng(seed), plain))
