"""``bitloom batch``: a whole data set through the RTL, in a compiled simulator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bitloom import RequestError, WorkError

from ..console import Screen
from ..designs import design_arguments, followed
from ..errors import Command
from ..samples import held_out, read_samples


@click.command(cls=Command, short_help="Push a whole data set through the RTL.")
@design_arguments
@click.option("--samples", type=click.IntRange(min=1), metavar="N", help="How many held-out samples [all].")
@click.option("--input", "source", type=click.Path(path_type=Path), help="Your own samples: .npy, or .csv of integers.")
@click.option("--processes", type=click.IntRange(min=1), metavar="N", help="Simulators side by side [one per core].")
def batch(samples: int | None, source: Path | None, processes: int | None, as_json: bool, **chosen: Any) -> None:
    """Push all held-out samples of DESIGN's data set through its RTL and compare with the integer graph.

    Verilator's model is driven by a compiled program, without cocotb in between: tens of thousands of samples, back to
    back, in minutes.
    """
    from bitloom.boards.build import compile_design
    from bitloom.sim.batch import run_batch

    screen = Screen(as_json)
    compiled = compile_design(*followed(screen, **chosen), screen)
    labels = None
    if source is not None:
        inputs = read_samples(source, compiled.graph)
    else:
        found = held_out(compiled.graph)
        if found is None:
            raise RequestError("no held-out samples of this network are at hand; give your own with --input FILE")
        inputs, labels = found.inputs, found.labels
    inputs = inputs[:samples]
    with screen.step("run") as step:
        result = run_batch(compiled, inputs, processes=processes, note=step.note, advance=step.advance)
        step.note(f"{result.cycles / max(result.seconds, 1e-9) / 1e6:.2f} million cycles per second")
    accuracy = None
    if labels is not None:
        classes = result.outputs[:, 0] if result.outputs.shape[1] == 1 else result.outputs.argmax(axis=1)
        accuracy = float((classes == labels[: len(inputs)]).mean())
    plan, note = compiled.plan, compiled.graph.metadata.get("note", "")
    screen.table(["", ">measured", ">planned"], [
        ("samples", f"{result.samples:,}", ""), ("mismatches", f"{result.mismatches:,}", "0"),
        ("interval, cycles", _span(result.interval), f"{plan.interval:,}"),
        ("latency, cycles", _span(result.latency), f"{plan.latency:,}"),
        *([("accuracy", f"{accuracy:.2%}", "")] if accuracy is not None else []),
    ])
    if note:
        screen.say(str(note))
    screen.result({"samples": result.samples, "mismatches": result.mismatches, "accuracy": accuracy,
                   "interval_cycles": result.interval[1], "latency_cycles": result.latency[1],
                   "cycles": result.cycles, "seconds": result.seconds, "processes": result.processes})
    if result.mismatches:
        raise WorkError(f"{result.mismatches} of {result.samples} results differ from the integer graph's")
    if result.latency != (plan.latency, plan.latency):
        raise WorkError(f"the latency is {_span(result.latency)} cycles, and the plan says {plan.latency}")
    if result.samples > 8 and result.interval != (plan.interval, plan.interval):
        raise WorkError(f"samples come {_span(result.interval)} cycles apart, and the plan says {plan.interval}")


def _span(values: tuple[int, int]) -> str:
    low, high = values
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
