"""Predictions grow with what is built, count block memories exactly, and know every family."""

from __future__ import annotations

import pytest
from support.graphs import random_graph

from bitloom.codegen import FAMILIES, Folding, Plan, simplify
from bitloom.codegen.cost import estimate, link

GRAPH = simplify(random_graph(1, (12, 12, 8, 6)))


@pytest.mark.parametrize("family", FAMILIES.values(), ids=str)
def test_more_lanes_cost_more(family: object) -> None:
    small, large = (estimate(family, GRAPH, GRAPH["fc1"], Folding(pe, 6, "block")) for pe in (1, 6))
    assert 0 < small.lut < large.lut and 0 < small.ff < large.ff


@pytest.mark.parametrize(
    ("family", "depth", "width", "blocks"),
    [("ice40", 256, 16, 1), ("ice40", 257, 16, 2), ("ice40", 64, 144, 9), ("ice40", 2048, 2, 1),
     ("ecp5", 512, 36, 1), ("ecp5", 64, 144, 4), ("gowin", 1025, 18, 2)],
)
def test_blocks_are_counted_in_the_best_aspect_ratio(family: str, depth: int, width: int, blocks: int) -> None:
    assert FAMILIES[family].blocks(depth, width) == blocks


def test_links_cost_nothing_between_equal_lanes() -> None:
    family = FAMILIES["ice40"]
    assert link(family, 4, 4, 3).lut == 0
    assert link(family, 4, 6, 3).lut > link(family, 2, 4, 3).lut > 0


def test_a_plan_costs_what_its_stages_and_links_cost() -> None:
    foldings = {node.name: Folding(2, 2, "distributed") for node in GRAPH.nodes[1:]}
    plan = Plan(GRAPH, FAMILIES["ice40"], 12e6, "area", foldings)
    assert plan.predicted.lut == pytest.approx(sum(stage.predicted.lut for stage in plan.stages))
