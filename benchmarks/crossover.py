# amaranth: UnusedElaboratable=no
"""The crossover map: what a ternary multiply-accumulate per cycle takes in every engine, on four device families.

    python benchmarks/crossover.py [--families ice40 …] [--engines select …] [--no-route] [--docs docs/engines.md]

Each point is one engine (:mod:`crossover_points`), weights in block memory, synthesized alone and counted as packing
will count it (7-series: as :mod:`xc7` says). Those that find room are routed too, between registers
(:mod:`crossover_measure`), for their clock: on iCE40UP5K, ECP5 LFE5U-85F-6 and GW1NR-9; no open tool from pip routes a
7-series part. Points are kept in the work folder, so that an interrupted run goes on where it was, and a second one
only draws; from nothing it takes hours, most of them for place and route. Counts are divided by the
multiply-accumulates per cycle that the engine really does: K · N / interval.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import crossover_fit
import crossover_page
from crossover_measure import Measured, count, route
from crossover_points import ENGINES, FAMILIES, Point, grid
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bitloom import BitloomError
from bitloom.boards.files import make_folder, write_text
from bitloom.boards.tools import find
from bitloom.codegen import emit_rtlil


class Known:
    """What has been measured, kept in a file by the digest of what was synthesized with which tool."""

    def __init__(self, folder: Path) -> None:
        self.folder = make_folder(folder)
        self.path = folder / "points.json"
        self.rows: dict[str, dict] = json.loads(self.path.read_text()) if self.path.is_file() else {}
        self.yosys = str(find("yosys"))

    def measure(self, point: Point, routes: bool) -> Measured:
        """``point``, now or then."""
        text = emit_rtlil(point.component(), "top")
        key = sha256(repr([point.family, self.yosys, text]).encode()).hexdigest()
        folder = make_folder(self.folder / point.family / key[:16])
        if key not in self.rows:
            self._keep(key, point, count(point, folder))
        known = self._row(key)
        if routes and point.routed and not known.fmax_mhz and not known.why_not:
            self._keep(key, point, route(point, known, folder))
        return self._row(key)

    def _row(self, key: str) -> Measured:
        return Measured(**self.rows[key]["measured"])

    def _keep(self, key: str, point: Point, measured: Measured) -> None:
        if self.path.is_file():  # of another process, for another family
            self.rows = {**self.rows, **json.loads(self.path.read_text())}
        self.rows[key] = {"point": asdict(point), "measured": asdict(measured)}
        write_text(self.path, json.dumps(self.rows, indent=1))


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--families", nargs="+", default=list(FAMILIES), choices=FAMILIES)
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=ENGINES)
    parser.add_argument("--no-route", action="store_true", help="leave out place and route")
    parser.add_argument("--points", type=int, help="no more than the first so many")
    parser.add_argument("--out", type=Path, default=Path("build") / "crossover")
    parser.add_argument("--fit", action="store_true", help="write the mapper's cost entries of these engines")
    parser.add_argument("--docs", type=Path, help="page into which tables and plots are written")
    arguments = parser.parse_args()
    chosen = [point for point in grid() if point.family in arguments.families and point.engine in arguments.engines]
    chosen = chosen[: arguments.points]
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    try:
        known, rows = Known(arguments.out), []
        with Progress(*columns) as progress:
            task = progress.add_task("", total=len(chosen))
            for point in chosen:
                progress.update(task, description=point.name)
                rows.append((point, known.measure(point, not arguments.no_route)))
                progress.advance(task)
    except BitloomError as error:
        sys.exit(f"crossover: {error}")
    print(crossover_page.table(rows))
    if arguments.fit:
        crossover_fit.write(rows, arguments.out)
    if arguments.docs:
        crossover_page.write(rows, arguments.docs, known.yosys)


if __name__ == "__main__":
    main()
