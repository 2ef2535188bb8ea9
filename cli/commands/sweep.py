"""``bitloom sweep``: studies over boards, targets, rates and foldings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bitloom import WorkError

from ..console import Screen
from ..designs import TARGETS, trust_option
from ..errors import Command

if TYPE_CHECKING:
    from bitloom.sweep import Outcome

STAGES = ("estimate", "synthesis", "route")


@click.command(cls=Command, short_help="Study boards, targets and rates: tables and a Pareto front.")
@click.argument("requests", nargs=-1, required=True, metavar="MODEL...")
@click.option("--board", "boards", multiple=True, help="A board: its name or YAML file; give it as often as you like.")
@click.option("--target", "targets", multiple=True, type=click.Choice(TARGETS),
              help="What to make best; as often as you like [all three; with --fps, the smallest that reaches it].")
@click.option("--fps", multiple=True, type=click.FloatRange(min=0, min_open=True), metavar="N",
              help="Samples per second to reach; as often as you like.")
@click.option("--stage", type=click.Choice(STAGES), help="How far each point is built [estimate].")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path),
              help="Where results and the points' folders go [build/sweep/<study>].")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
              help="Points under way at a time, each in a process of its own.")
@trust_option
def sweep(requests: tuple[str, ...], out: Path | None, jobs: int, as_json: bool, **varied: Any) -> None:
    """Build every combination of MODELs, boards, targets and rates, and compare them.

    Instead of MODELs, a study file (YAML) can say what is varied: lists of models, boards, targets, fps, utilization
    and layers. Options given here replace the file's lists.

    Each study has a folder of its own, named after its file or all that is varied, and each point one below it; what
    is there already is not built again, so an interrupted study goes on where it was. Points that do not fit or
    miss their clock stay in the table. Writes study.json, study.csv and pareto.svg.
    """
    from bitloom.sweep import OUT, find_study, name_of, run_study
    from bitloom.sweep.plot import FILE
    from bitloom.sweep.results import CSV, JSON, results

    screen = Screen(as_json)
    study = find_study(requests, **varied)
    out = out or OUT / name_of(study, requests)
    outcomes = run_study(study, out, jobs, screen)
    found = results(study, outcomes)
    print_points(screen, found["points"])
    files = [path for path in (out / JSON, out / CSV, out / FILE) if path.is_file()]
    screen.say("\n".join(map(str, files)))
    screen.result({**found, "files": files})
    _judge(outcomes)


def print_points(screen: Screen, rows: list[dict[str, Any]]) -> None:
    """The table of points, then why those that are no good are none."""
    from bitloom.boards.report.figures import number

    figures = ("interval_cycles", "throughput_fps", "latency_us", "lut", "ff", "bram", "dsp", "fmax_mhz")
    screen.table(
        ["", "point", "status", "PE×SIMD", ">interval", ">samples/s", ">latency µs", ">LUT", ">FF", ">BRAM", ">DSP",
         ">Fmax MHz", ""],
        [("*" if row["pareto"] else "", row["point"], row["status"], row["folding"],
          *(number(row[name]) for name in figures), row["resources_stage"]) for row in rows],
        optional=["PE×SIMD", ">DSP", ">FF", ">Fmax MHz", ">BRAM", ">interval"],
    )
    screen.say("* on the Pareto front of its network: no other point has fewer LUTs and more samples per second")
    for row in rows:
        if row["reason"]:
            screen.say(f"{row['point']}: {row['reason']}")


def _judge(outcomes: list[Outcome]) -> None:
    """An error where the study could not do its work: a point failed, or none is any good."""
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    if failed:
        raise WorkError(f"{len(failed)} of {len(outcomes)} points failed; the first, {failed[0].design.design}: "
                        f"{failed[0].reason}")
    if not any(outcome.good for outcome in outcomes):
        raise WorkError(f"none of the {len(outcomes)} points is any good; the first, {outcomes[0].design.design}: "
                        f"{outcomes[0].reason}")
