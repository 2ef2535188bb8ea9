# amaranth: UnusedElaboratable=no
"""Predictions grow with what is built, count block memories exactly, and know every family and template."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from support.graphs import random_graph

from bitloom import RequestError, hw
from bitloom.codegen import FAMILIES, Family, Folding, Plan, simplify
from bitloom.codegen.cost import blocks, estimate, fork, link, predict, queue
from bitloom.codegen.cost.model import coefficients
from bitloom.hw.component import Component

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


@pytest.mark.parametrize("family", FAMILIES.values(), ids=str)
def test_every_template_has_entries(family: Family) -> None:
    parts = {"RegisterSlice", "Rom", "LoopBuffer"}  # of templates, which count them
    exported = [getattr(hw, name) for name in hw.__all__]
    templates = {part.__name__ for part in exported if isinstance(part, type) and issubclass(part, Component)}
    assert templates - parts <= set(coefficients(family.name))


def test_missing_entries_say_how_to_fit_them() -> None:
    with pytest.raises(RequestError, match=r"family 'ice40' has no cost entries for the template RegisterSlice; .* "
                                           r"benchmarks/cost_model.py --families ice40 --templates RegisterSlice"):
        predict(FAMILIES["ice40"], hw.RegisterSlice(unsigned(4)))
    with pytest.raises(RequestError, match="family 'spartan' has no cost entries"):
        coefficients("spartan")


def test_buffers_and_roms_take_block_memories() -> None:
    family = FAMILIES["ice40"]
    window = hw.Window((28, 28), 8, lanes=8, element=unsigned(4), kernel=(3, 3), stride=(1, 1), dilation=(1, 1))
    (depth, width, kind), = window.buffers
    assert kind == "block" and blocks(family, window) == family.blocks(depth, width) == 2
    assert queue(family, 300, 20).bram == family.blocks(299, 20) and queue(family, 3, 4).bram == 0
    weights = np.ones((64, 32), dtype=np.int64)
    matvec = hw.MatVec(weights, pe=4, simd=32, activation=unsigned(4), accumulator=signed(12), memory="block")
    assert matvec.buffers == [(2, 128, "registers")]
    assert blocks(family, matvec) == sum(family.blocks(rom.depth, rom.width) for rom in matvec.roms().values()
                                         if rom.memory == "block")


def test_forks_of_wide_beats() -> None:
    for family in FAMILIES.values():
        assert fork(family, 500, 3).lut > fork(family, 500, 2).lut > 0
