"""``bitloom program`` and ``bitloom run``: the bitstream onto the board, samples through the board."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from bitloom import RequestError, WorkError

from ..console import Screen
from ..designs import design_arguments, followed
from ..errors import Command
from ..samples import held_out, read_samples

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
@click.option("--samples", type=click.IntRange(min=1), metavar="N", help="How many held-out samples [32, simulated 4].")
@click.option("--input", "source", type=click.Path(path_type=Path), help="Your own samples: .npy, or .csv of integers.")
def run(
    port: str | None, simulate: bool, samples: int | None, source: Path | None, as_json: bool, **chosen: Any
) -> None:
    """Classify samples on the board that runs DESIGN, or on its simulation, and compare with the integer graph."""
    from bitloom import quant
    from bitloom.boards.build import compile_design, load_build

    if simulate == (port is not None):
        raise RequestError("give either --port, the board's serial port, or --simulate")
    screen = Screen(as_json)
    design, folder = followed(screen, **chosen)
    compiled = compile_design(design, folder, screen) if simulate else load_build(folder)
    inputs, labels = _samples(compiled, source, samples or (4 if simulate else 32))
    expected = quant.run(compiled.graph, inputs).reshape(len(inputs), -1)
    answers, measured = _answers(screen, compiled, port, inputs)
    mismatches = int((answers != expected).any(axis=1).sum())
    _print(screen, compiled, answers, labels)
    _print_throughput(screen, measured, simulate)
    accuracy = None if labels is None or answers.shape[1] != 1 else float((answers[:, 0] == labels).mean())
    screen.result({"samples": len(inputs), "results": answers, "mismatches": mismatches, "accuracy": accuracy,
                   "samples_per_second": measured.samples_per_second, "simulated": simulate})
    if mismatches:
        raise WorkError(f"{mismatches} of {len(inputs)} results differ from the integer graph's")


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


def _samples(compiled: Compiled, source: Path | None, count: int) -> tuple[np.ndarray, np.ndarray | None]:
    """The samples to run, (n, elements), and their classes where they are known."""
    from bitloom.boards.report.samples import kept

    if source is not None:
        return read_samples(source, compiled.graph), None
    near = kept(compiled.out)
    if near is not None and len(near[0]) >= count:
        return near[0][:count], near[1][:count]
    found = held_out(compiled.graph)
    if found is None:
        raise RequestError("no held-out samples of this network are at hand; give your own with --input FILE")
    return found.inputs[:count], found.labels[:count]


def _print(screen: Screen, compiled: Compiled, answers: np.ndarray, labels: np.ndarray | None) -> None:
    """The results as people read them: classes where the network has names for them."""
    names = compiled.graph.classes
    if answers.shape[1] != 1 or not names:
        for row in answers:
            screen.say(" ".join(map(str, row)))
        return
    screen.say(" ".join(names[int(answer)] for answer in answers[:, 0]))
    if labels is not None:
        right = int((answers[:, 0] == labels).sum())
        screen.say(f"{right} of {len(labels)} right ({right / len(labels):.1%})")


def _print_throughput(screen: Screen, measured: Throughput, simulated: bool) -> None:
    """How fast it went, and what of that is the line's doing."""
    line = f"the line alone allows {measured.uart_samples_per_second:,.0f} at {measured.baud:,} baud"
    if simulated:
        screen.say(f"{measured.samples_per_second:,.1f} samples/s of simulation; on the board {line}")
    else:
        screen.say(f"{measured.samples_per_second:,.0f} samples/s measured over the serial port; {line}")
