"""``bitloom program`` and ``bitloom run``: the bitstream onto the board, samples through the board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import numpy as np

from bitloom import RequestError, WorkError

from ..answers import Answers, agreed
from ..console import Screen
from ..designs import design_arguments, followed
from ..errors import Command
from ..own import Chosen, Wishes, checked, held_out_samples, own_samples, sample_options

if TYPE_CHECKING:
    from bitloom.boards.build import Compiled
    from bitloom.boards.client import Throughput


@click.command(cls=Command, short_help="Load a bitstream onto its board.")
@design_arguments
def program(as_json: bool, **chosen: Any) -> None:
    """Load the bitstream of DESIGN onto its board with openFPGALoader."""
    from bitloom.boards.build import load_build
    from bitloom.boards.compiled import outdated
    from bitloom.boards.program import program as load_onto

    screen = Screen(as_json)
    _, folder = followed(screen, **chosen)
    compiled = load_build(folder)
    if stale := outdated(folder):
        screen.say(f"stale: {stale}; `bitloom build` makes the bitstream anew")
    seconds = load_onto(compiled.board, compiled.bitstream, screen)
    screen.say(f"{compiled.bitstream.name} runs on {compiled.board.title}")
    screen.result({"board": compiled.board.name, "bitstream": compiled.bitstream, "seconds": seconds})


@click.command(cls=Command, short_help="Classify samples on a board, or simulated.")
@design_arguments
@click.option("--port", help="The board's serial port, such as /dev/ttyUSB1.")
@click.option("--simulate", is_flag=True, help="Simulate the board's top instead of talking to a board.")
@sample_options("all of --input; 32 held-out ones, simulated 4")
@click.option("--scores", is_flag=True, help="Print scores, in the network's units, and not classes.")
def run(port: str | None, simulate: bool, wishes: Wishes, scores: bool, as_json: bool, **chosen: Any) -> None:
    """Classify samples on the board that runs DESIGN, or on its simulation, and compare with the integer graph."""
    from bitloom import quant
    from bitloom.boards.build import compile_design, load_build

    if simulate == (port is not None):
        raise RequestError("give either --port, the board's serial port, or --simulate")
    screen, wishes = Screen(as_json), checked(wishes)
    design, folder = followed(screen, **chosen)
    compiled = compile_design(design, folder, screen) if simulate else load_build(folder)
    samples = own_samples(screen, compiled.graph, wishes)
    samples = samples or _held_out(compiled, wishes.samples or (4 if simulate else 32))
    inputs = samples.inputs.reshape(len(samples.inputs), -1)
    expected = quant.run(compiled.graph, inputs).reshape(len(inputs), -1)
    results, measured = _answers(screen, compiled, port, inputs)
    mismatches = int((results != expected).any(axis=1).sum())
    answers = Answers(compiled.graph, samples, results)
    answers.show(screen, scores)
    _print_throughput(screen, measured, simulate)
    facts = {**answers.facts(), **answers.compare(screen, wishes)}
    screen.result({"samples": len(inputs), "mismatches": mismatches, **facts,
                   "samples_per_second": measured.samples_per_second, "simulated": simulate})
    if mismatches:
        raise WorkError(f"{mismatches} of {len(inputs)} results differ from the integer graph's")
    agreed(facts, wishes)


def _answers(screen: Screen, compiled: Compiled, port: str | None, inputs: np.ndarray) -> tuple[np.ndarray, Throughput]:
    """What the board, or its simulation, answers: int64 (samples, results); and how fast."""
    from bitloom.boards.client import Client

    if port is None:
        from bitloom.sim import SimulatedBoard

        with screen.step("simulate") as step, SimulatedBoard(compiled.out, note=step.note) as board:
            step.note("running")
            answers, measured = board.infer(inputs, step.advance), board.throughput
    else:
        with screen.step("run") as step, Client(port, compiled.interface, baud=compiled.board.baud) as client:
            answers, measured = client.infer(inputs, step.advance), client.throughput
    assert measured is not None  # infer has measured
    return answers, measured


def _held_out(compiled: Compiled, count: int) -> Chosen:
    """The first held-out samples: those that lie with the build, if they are enough."""
    from bitloom.boards.report.samples import kept

    near = kept(compiled.out)
    return held_out_samples(compiled.graph, count, None if near is None else near[:2])


def _print_throughput(screen: Screen, measured: Throughput, simulated: bool) -> None:
    """How fast it went, and what of that is the line's doing."""
    line = f"the line alone allows {measured.uart_samples_per_second:,.0f} at {measured.baud:,} baud"
    if simulated:
        screen.say(f"{measured.samples_per_second:,.1f} samples/s of simulation; on the board {line}")
    else:
        screen.say(f"{measured.samples_per_second:,.0f} samples/s measured over the serial port; {line}")
