# amaranth: UnusedElaboratable=no
"""Whatever a network calls its nodes, each part of the circuit has a name that simulators and tools find again.

| testpoint | stage | test |
| --- | --- | --- |
| names of the circuit's own, keywords, signs, scripts, lengths | full | test_every_part_is_found_by_its_name |
| plain names are kept | smoke | test_plain_names_are_kept |
| names that meet a part's name | full | test_units_links_and_forks_never_share_a_name |
| constants' paths | full | test_every_part_is_found_by_its_name |
"""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from support.graphs import random_samples
from support.pipelines import run_plan

from bitloom.codegen import Accelerator, compile, emit_verilog
from bitloom.codegen.emit import _flattened, emit_rtlil
from bitloom.codegen.names import LONGEST, Names, is_plain, plain
from bitloom.quant import Add, Format, Graph, Input, MatMul, Node, Tensor, Threshold, run, verify
from bitloom.sim.ports import STREAMS, ports_of

VECTOR = Tensor((4,), Format(4))
STEPS = np.arange(1, 16)[None] ** 2

ODD = ["clk", "conv 1", "conv-1", "conv_1", "/conv.1/層", "$x", "int", "fc", "fc_weights", "i__payload", "_signal",
       "x" * 300, "x" * 301, "output"]  # fmt: skip


def network(names: list[str]) -> Graph:
    """Matrix products and thresholds in turn, called ``names``."""
    rng, last = np.random.default_rng(0), "input"
    nodes: list[Node] = [Input("input", (), VECTOR)]
    for product, function in zip(names[::2], names[1::2]):
        weights = rng.integers(-7, 8, (4, 4))
        nodes += [MatMul(product, (last,), Tensor((4,), Format(14, True)), weights, Format(4, True)),
                  Threshold(function, (product,), VECTOR, STEPS)]
        last = function
    return verify(Graph("names", tuple(nodes), last))


def test_every_part_is_found_by_its_name() -> None:
    graph = network(ODD)
    folds = {name: {"pe": [1, 2, 4][k % 3], "simd": [4, 1, 2][k % 3]} for k, name in enumerate(ODD[::2])}
    plan = compile(graph, overrides=folds)
    text = emit_verilog(Accelerator(plan), "top")
    assert max(Counter(re.findall(r"^module (\S+)\(", text, re.MULTILINE)).values()) == 1
    instances = plan.topology.instances
    assert set(instances.units) == {stage.name for stage in plan.stages}
    given = [*instances.units.values(), *instances.forks.values(), *instances.parts.values()]
    assert len(set(given)) == len(given) and all(map(is_plain, given))
    for name in given:
        assert len(re.findall(rf"^  \\?{name} +\\?{name} +\(", text, re.MULTILINE)) == 1
    for name in [*instances.units.values(), *plan.topology.queue_names]:
        ports_of(text, name, STREAMS)
    assert {path.split(".")[0] for path in Accelerator(plan).roms()} <= set(given)


def test_plain_names_are_kept() -> None:
    names = ["fc1", "Act_2", "conv1x1", "module", "reg", "n", "x" * LONGEST]
    assert [Names().give(name) for name in names] == names
    plan = compile(network(["fc1", "act1", "fc2", "act2"]))
    assert all(node == part for node, part in plan.topology.instances.units.items())


@pytest.mark.parametrize("name", [*ODD, "rst", "o", "o12__ready", "a__b", "1", "\\", "_", "é", "x" * 101, "9" * 200])
def test_a_plain_name_is_plain(name: str) -> None:
    assert is_plain(plain(name)) and plain(plain(name)) == plain(name)


def test_units_links_and_forks_never_share_a_name() -> None:
    def product(name: str, source: str) -> MatMul:
        return MatMul(name, (source,), Tensor((4,), Format(15, True)), np.eye(4, dtype=int) * 3, Format(3, True))

    nodes = (Input("x", (), VECTOR), product("add", "x"), product("x_fork", "x"), product("add1", "add"),
             product("add1_widen", "add1"), product("output_narrow", "x_fork"), product("x_fork_2", "output_narrow"),
             Add("add1_queue", ("add1_widen", "x_fork_2"), Tensor((4,), Format(16, True)), (1, 1)))
    graph = verify(Graph("met", nodes, "add1_queue"))
    folds = {"add": {"pe": 1, "simd": 4}, "x_fork": {"pe": 4, "simd": 4}, "add1": {"pe": 4, "simd": 4},
             "add1_widen": {"pe": 1, "simd": 1}, "output_narrow": {"pe": 4, "simd": 1},
             "x_fork_2": {"pe": 2, "simd": 4}}
    plan = compile(graph, overrides=folds)
    instances = plan.topology.instances
    given = [*instances.units.values(), *instances.forks.values(), *instances.parts.values()]
    assert len(set(given)) == len(given) and list(instances.units) == list(instances.units.values())
    assert instances.forks == {"x": "x_fork_3"} and plan.topology.queue_names
    samples = random_samples(graph, 4)
    assert np.array_equal(run_plan(plan, samples, 4).y, run(graph, samples))
    assert set(plan.timeline(2, drain=True).peaks) == set(plan.topology.queue_names)


def test_modules_whose_paths_meet_are_two() -> None:
    assert _flattened(["a_b", "a.b", "a", "a_b.c", "a.b.c"], "a_b_c") == {
        "a_b": "a_b", "a": "a", "a.b": "a_b_2", "a_b.c": "a_b_c_2", "a.b.c": "a_b_c_3"}
    text = emit_rtlil(Accelerator(compile(network(["fc", "fc_weights"]))), "top")
    modules = re.findall(r"^module \\(\S+)", text, re.MULTILINE)
    assert len(modules) == len(set(modules)) and {"fc", "fc_weights", "fc_weights_2"} <= set(modules)
