"""Data sets through the compiled driver: every result, the timing, and faults that must be noticed."""

from __future__ import annotations

import re

import numpy as np
import pytest
from support.graphs import graph_of, random_samples

from bitloom import RequestError, WorkError, quant
from bitloom.boards.build import compile_design
from bitloom.boards.design import make_design
from bitloom.sim.batch import run_batch


def test_every_sample_goes_through_and_the_cycles_are_the_plan_s(build):
    compiled = build()
    samples = random_samples(compiled.graph, 300)
    seen: list[tuple[int, int]] = []
    result = run_batch(compiled, samples, processes=2, advance=lambda done, total: seen.append((done, total)))
    assert np.array_equal(result.outputs, quant.run(compiled.graph, samples).reshape(300, -1))
    assert (result.samples, result.mismatches, result.processes) == (300, 0, 2)
    assert result.interval == (compiled.plan.interval, compiled.plan.interval)
    assert result.latency == (compiled.plan.latency, compiled.plan.latency)
    assert seen[-1] == (300, 300)


def test_a_wrong_constant_is_noticed(build):
    def edit(text: str) -> str:
        start = text.index("module accelerator_fc1_weights(")
        word = re.search(r"rom\[0\] = (\d+)'h([0-9a-f]+);", text[start:])
        assert word is not None
        value = int(word[2], 16) ^ 8
        return text[:start] + text[start:].replace(word[0], f"rom[0] = {word[1]}'h{value:x};", 1)

    compiled = build(edit)
    assert run_batch(compiled, random_samples(compiled.graph, 64), processes=1).mismatches > 0


def test_what_is_not_for_this_network_is_refused(build):
    compiled = build()
    with pytest.raises(RequestError, match="samples must have 6 elements each"):
        run_batch(compiled, np.zeros((3, 5), np.int64))
    with pytest.raises(RequestError, match="samples must have 6 elements each"):
        run_batch(compiled, np.zeros((0, 6), np.int64))
    with pytest.raises(RequestError, match="samples must lie in"):
        run_batch(compiled, np.full((3, 6), 1000))


def test_verilog_that_does_not_compile_is_one_error_with_its_log(build):
    compiled = build(lambda text: text.replace("module accelerator(", "module accelerator(((", 1))
    with pytest.raises(WorkError, match=r"must have one port|does not compile|holds no module"):
        run_batch(compiled, random_samples(compiled.graph, 4))


@pytest.mark.slow
def test_more_results_than_two_bytes_count(tmp_path):
    shape = (257, 256, 1)
    table = quant.Table("y", ("x",), quant.Tensor(shape, quant.Format(4)), np.array([[0, 3, 1, 15, 7, 2, 9, 4]]), 0)
    graph = graph_of(quant.Tensor(shape, quant.Format(3)), table)
    quant.save(graph, tmp_path / "large.npz")
    compiled = compile_design(make_design(str(tmp_path / "large.npz"), "ulx3s-85f"), tmp_path / "out")
    samples = random_samples(graph, 3)
    result = run_batch(compiled, samples)
    assert (result.samples, result.mismatches, result.outputs.shape[1]) == (3, 0, 65_792)
    assert np.array_equal(result.outputs, quant.run(graph, samples).reshape(3, -1))
