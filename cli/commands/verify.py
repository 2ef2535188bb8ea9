"""``bitloom verify``: climb the ladder, from the trained network to the synthesized netlist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bitloom import WorkError

from ..console import Screen
from ..designs import design_arguments, followed, strict_option
from ..errors import Command
from ..samples import illustrate
from .report import print_ladder, print_warning

LEVELS = ("model", "rtl", "netlist", "top", "bitstream")


@click.command(cls=Command, short_help="Climb the verification ladder.")
@design_arguments
@click.option("--level", type=click.Choice(LEVELS), default="rtl", show_default=True, help="How high to climb.")
@click.option("--samples", type=click.IntRange(min=1), metavar="N", help="Samples per level [what a level takes].")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the random stalls.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write the outcome as JUnit XML.")
@strict_option
def verify(
    level: str, samples: int | None, seed: int, junit: Path | None, strict: bool, as_json: bool, **chosen: Any
) -> None:
    """Verify DESIGN bit for bit: the same samples at each level, up to the one named.

    \b
    model     the trained network against the integer graph
    rtl       the integer graph against the RTL, with and without random stalls; cycles against their closed forms
    netlist   ... against the synthesized netlist of the board's top, through its serial pins
    top       ... against that top itself, through its serial pins
    bitstream ... against gates decoded back from the bitstream

    What a level needs is built first where it is missing.
    """
    from bitloom import sim
    from bitloom.boards.build import build, compile_design, load_build, synthesize_build
    from bitloom.boards.design import resolve_model

    screen = Screen(as_json)
    design, folder = followed(screen, **chosen)
    if level == "bitstream":
        build(design, folder, screen, strict)
    else:
        compiled = compile_design(design, folder, screen, strict)
        if LEVELS.index(level) >= LEVELS.index("netlist"):
            synthesize_build(compiled, screen)
    trained = resolve_model(design.model)[0]
    results = sim.verify(folder, level=level, samples=samples, seed=seed, progress=screen, model=trained)
    if junit is not None:
        sim.write_junit(results, junit)
    illustrate(screen, design.model, folder)
    print_ladder(screen, results)
    print_warning(screen, load_build(folder).graph)
    screen.result({"design": design.design, "folder": folder, "levels": {
        result.level: {"status": result.status, "samples": result.samples, "mismatches": result.mismatches,
                       "seconds": result.seconds, "reason": result.reason} for result in results}})
    failed = [result for result in results if result.status == "failed"]
    if failed:
        raise WorkError(f"level {failed[0].level}: {failed[0].reason or f'{failed[0].mismatches} mismatches'}")
    if results[-1].status != "passed":
        raise WorkError(f"level {level} cannot run here: {results[-1].reason}")
