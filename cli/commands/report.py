"""``bitloom report``: the page of a build, drawn again, and its figures in short."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..console import Screen
from ..designs import design_arguments, followed
from ..errors import Command

if TYPE_CHECKING:
    from bitloom.quant import Graph


@click.command(cls=Command, short_help="Draw the page of a build and print its figures.")
@design_arguments
@click.option("--open", "show", is_flag=True, help="Open the page in a browser.")
def report(show: bool, as_json: bool, **chosen: Any) -> None:
    """Draw report.html of DESIGN (or of a build folder) from what is known, and print its figures."""
    from bitloom.boards.compiled import outdated
    from bitloom.boards.report import read, render
    from bitloom.boards.report.record import FILE as RECORD

    screen = Screen(as_json)
    path = Path(chosen["design"] or ".")
    folder = path if (path / RECORD).is_file() else followed(screen, **chosen)[1]
    stale = outdated(folder)
    page = render(folder, stale)
    values = read(folder)
    if stale:
        screen.say(f"stale: {stale}; build it again to know what it comes to now")
    print_figures(screen, values)
    screen.say(f"{page}")
    screen.result({**values, "stale": stale or None, "report": page})
    if show:
        webbrowser.open(page.resolve().as_uri())


def print_figures(screen: Screen, values: dict[str, Any]) -> None:
    """The headline figures with their stages, and the ladder, as tables."""
    from bitloom.boards.report.figures import headline, ladder
    from bitloom.boards.report.record import check

    record = check(values, "report.json")
    screen.table(["", "", "", ""], [(f.title, f"{f.value} {f.unit}", f.stage, f.note) for f in headline(record)])
    climbed = [rung for rung in ladder(record) if rung.status != "not run"]
    if climbed:
        print_ladder(screen, climbed)


def print_ladder(screen: Screen, rungs: list[Any]) -> None:
    """A table of levels; each has level, status, samples, mismatches, seconds and reason."""
    screen.table(["level", "", ">samples", ">mismatches", ">seconds", ""], [
        (rung.level, rung.status, f"{rung.samples:,}", f"{rung.mismatches:,}", f"{rung.seconds:.1f}", rung.reason)
        if rung.status != "unavailable" else (rung.level, rung.status, "", "", "", rung.reason)
        for rung in rungs
    ])


def print_warning(screen: Screen, graph: Graph) -> None:
    """Say that ``graph`` was not compared with the file that it was imported from, if so."""
    from bitloom.quant.provenance import warning

    if line := warning(graph):
        screen.warn(line)
