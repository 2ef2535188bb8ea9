# amaranth: UnusedElaboratable=no
"""Running a whole accelerator in simulation against the interpreter and against its plan."""

from __future__ import annotations

import numpy as np

from bitloom.codegen import Accelerator, Plan
from bitloom.codegen.mapping import shape_of
from bitloom.quant import Graph, run

from .streams import Run, drive, gaps


def run_plan(plan: Plan, samples: np.ndarray, outputs: int, stall: str = "none", seed: int = 0) -> Run:
    """The accelerator of ``plan`` in the simulator, both sides stalled by the pattern ``stall``."""
    source, result = plan.graph.input.output.format, plan.graph[plan.graph.output].output.format
    return drive(Accelerator(plan), samples, outputs, i_shape=shape_of(source), i_lanes=plan.input_lanes,
                 o_shape=shape_of(result), o_lanes=plan.output_lanes, i_gap=gaps(stall, seed),
                 o_gap=gaps(stall, seed + 1), bipolar=(source.bipolar, result.bipolar))


def check_bits(plan: Plan, graph: Graph, samples: np.ndarray, seed: int) -> None:
    """With random stalls at both ends, the results are those of ``graph``, before any pass."""
    expected = run(graph, samples).reshape(len(samples), -1)
    seen = run_plan(plan, samples, expected.shape[1], "random", seed)
    assert np.array_equal(seen.y, expected), "results differ under stalls"


def check_cycles(plan: Plan, graph: Graph, samples: np.ndarray) -> None:
    """Without stalls: the results, and the plan's latency, interval and the cycle in which each sample comes out."""
    expected = run(graph, samples).reshape(len(samples), -1)
    seen = run_plan(plan, samples, expected.shape[1])
    assert np.array_equal(seen.y, expected), "results differ"
    predicted = plan.timeline(len(samples))
    beats_in, beats_out = samples[0].size // plan.input_lanes, expected.shape[1] // plan.output_lanes
    assert seen.i_cycles[::beats_in] == [c + seen.i_cycles[0] for c in predicted.starts_in[: len(samples)]]
    assert seen.o_cycles[::beats_out] == [c + seen.i_cycles[0] for c in predicted.starts_out]
    assert seen.o_cycles[0] - seen.i_cycles[0] == plan.latency
    steps = np.diff(predicted.starts_out[len(samples) // 2 :])
    assert set(steps) == {plan.interval}, f"samples come {sorted(set(steps))} cycles apart, not {plan.interval}"
