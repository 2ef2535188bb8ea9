"""``bitloom batch``: a whole data set through the RTL, in a compiled simulator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bitloom import RequestError, WorkError

from ..answers import Answers, agreed
from ..console import Screen
from ..designs import design_arguments, followed
from ..errors import Command
from ..own import Wishes, checked, held_out_samples, own_samples, sample_options


@click.command(cls=Command, short_help="Push a whole data set through the RTL.")
@design_arguments
@sample_options("all")
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE",
              help="Keep the results: .npy of scores in the network's units (or of classes), .npz of all.")
@click.option("--processes", type=click.IntRange(min=1), metavar="N", help="Simulators side by side [one per core].")
def batch(wishes: Wishes, output: Path | None, processes: int | None, as_json: bool, **chosen: Any) -> None:
    """Push samples, all held-out ones of DESIGN's data set or your own, through its RTL and compare with the graph.

    Verilator's model is driven by a compiled program, without cocotb in between: tens of thousands of samples, back to
    back, in minutes.
    """
    from bitloom.boards.build import compile_design
    from bitloom.sim.batch import run_batch

    screen, wishes = Screen(as_json), checked(wishes)
    if output is not None and output.suffix not in (".npy", ".npz"):
        raise RequestError(f"--output must end in .npy or .npz, and {output} does not")
    compiled = compile_design(*followed(screen, **chosen), screen)
    graph = compiled.graph
    samples = own_samples(screen, graph, wishes) or held_out_samples(graph, wishes.samples, None)
    with screen.step("run") as step:
        result = run_batch(compiled, samples.inputs, processes=processes, note=step.note, advance=step.advance)
        step.note(f"{result.cycles / max(result.seconds, 1e-9) / 1e6:.2f} million cycles per second")
    answers = Answers(graph, samples, result.outputs)
    plan, note = compiled.plan, compiled.graph.metadata.get("note", "")
    screen.table(["", ">measured", ">planned"], [
        ("samples", f"{result.samples:,}", ""), ("mismatches", f"{result.mismatches:,}", "0"),
        ("interval, cycles", _span(result.interval), f"{plan.interval:,}"),
        ("latency, cycles", _span(result.latency), f"{plan.latency:,}"),
        *([("accuracy", f"{answers.accuracy:.2%}", "")] if answers.accuracy is not None else []),
    ])
    if note:
        screen.say(str(note))
    if answers.right:
        screen.say(answers.right)
    if output is not None:
        answers.write(output)
        screen.say(f"{output}")
    facts = {**answers.facts(), **answers.compare(screen, wishes)}
    screen.result({"samples": result.samples, "mismatches": result.mismatches, **facts,
                   "interval_cycles": result.interval[1], "latency_cycles": result.latency[1],
                   "cycles": result.cycles, "seconds": result.seconds, "processes": result.processes})
    if result.mismatches:
        raise WorkError(f"{result.mismatches} of {result.samples} results differ from the integer graph's")
    if result.latency != (plan.latency, plan.latency):
        raise WorkError(f"the latency is {_span(result.latency)} cycles, and the plan says {plan.latency}")
    if result.samples > 8 and not plan.paced(*result.interval):
        raise WorkError(f"samples come {_span(result.interval)} cycles apart, and the plan says {plan.interval}")
    agreed(facts, wishes)


def _span(values: tuple[int, int]) -> str:
    low, high = values
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
