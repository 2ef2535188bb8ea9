# amaranth: UnusedElaboratable=no
"""Running a whole accelerator in simulation against the interpreter and against its plan."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bitloom.codegen import Accelerator, Plan
from bitloom.codegen.mapping import shape_of
from bitloom.quant import Graph, run

from .streams import Run, drive, gaps

PLAIN, STALLED = 5, 3
"""Samples without stalls, and with stalls behind them."""


def run_plan(plan: Plan, samples: np.ndarray, outputs: int, **stalls: Callable[[int], bool] | None) -> Run:
    """The accelerator of ``plan`` in the simulator, stalled at its ends as :func:`~.streams.drive` says."""
    source, result = plan.input.format, plan.output.format
    return drive(Accelerator(plan), samples, outputs, i_shape=shape_of(source), i_lanes=plan.input_lanes,
                 o_shape=shape_of(result), o_lanes=plan.output_lanes, bipolar=(source.bipolar, result.bipolar),
                 **stalls)


def check(plan: Plan, graph: Graph, samples: np.ndarray, seed: int) -> None:
    """One run: first samples without stalls, each in the very cycles that the plan predicts; then random stalls.

    All results are those of ``graph``, before any pass.

    :param samples: :data:`PLAIN` and :data:`STALLED` of them.
    """
    expected = run(graph, samples).reshape(len(samples), -1)
    predicted = plan.timeline(PLAIN + 1)
    calm = predicted.starts_out[PLAIN]
    stalls = {"i_gap": _after(calm, gaps("random", seed)), "o_gap": _after(calm, gaps("random", seed + 1))}
    seen = run_plan(plan, samples, expected.shape[1], **stalls)
    assert np.array_equal(seen.y, expected), f"results differ: samples {np.flatnonzero((seen.y != expected).any(1))}"
    beats_in, beats_out = samples[0].size // plan.input_lanes, expected.shape[1] // plan.output_lanes
    first = seen.i_cycles[0]
    assert [c - first for c in seen.i_cycles[::beats_in]][:PLAIN] == predicted.starts_in[:PLAIN]
    assert [c - first for c in seen.o_cycles[::beats_out]][:PLAIN] == predicted.starts_out[:PLAIN]
    assert seen.o_cycles[0] - first == plan.latency
    starts = np.array(plan.timeline(12).starts_out[6:])
    turns = next((n for n in (1, 2) if set(starts[n:] - starts[:-n]) == {n * plan.interval}), None)
    assert turns, f"samples come {set(np.diff(starts))} cycles apart, not {plan.interval}"
    assert plan.paced(int(np.diff(starts).min()), int(np.diff(starts).max()))


def _after(cycle: int, gap: Callable[[int], bool] | None) -> Callable[[int], bool]:
    """``gap`` from that cycle on, and one cycle idle after reset."""
    assert gap is not None
    return lambda now: not now or (now > cycle + 1 and gap(now))
