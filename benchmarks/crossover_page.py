"""The crossover map as tables, and as a section of a page with its plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import crossover_plots
import pages
from crossover_plots import TITLES, Row, macs
from crossover_points import Point

TITLE = "## The crossover map"
"""Of the section that this module writes."""


def table(rows: Sequence[Row]) -> str:
    """Every point, as Markdown."""
    header = ["family", "engine", "weights", "activations", "K = N", "PE × SIMD", "cycles", "MAC/cycle", "LUT", "FF",
              "memories", "multipliers", "LUT per MAC/cycle", "Fmax, MHz"]  # fmt: skip
    lines = []
    for point, found in rows:
        per = f"{found.lut / macs((point, found)):.2f}"
        lines.append([point.family, point.engine, point.weights, f"{point.bits} bits" if point.bits else "±1",
                      f"{point.size}", f"{point.pe} × {point.simd}", f"{found.interval}", f"{macs((point, found)):.1f}",
                      f"{found.lut:,}", f"{found.ff:,}", f"{found.bram}", f"{found.dsp}", per,
                      found.clock])  # fmt: skip
    return pages.table(header, lines)


def write(rows: Sequence[Row], page: Path, yosys: str) -> None:
    """The winners, every point and the plots into ``page``; plots beside it."""
    text = f"{TITLE}\n\nMade by `python benchmarks/crossover.py --docs docs/{page.name}` with yosys {yosys}: "
    routed = sum(found.fmax_mhz > 0 for _, found in rows)
    text += f"{len(rows)} points, synthesized, of which {routed} are routed for their clock.\n\n"
    text += "".join(f"![{title}]({name})\n\n" for name, title in crossover_plots.write(rows, page.parent).items())
    text += f"{winners(rows)}\n<details><summary>Every point</summary>\n\n{table(rows)}\n</details>\n"
    pages.settle(text, page)


def winners(rows: Sequence[Row]) -> str:
    """For each family, weights, layer, parallelism and width of activations: the engines by LUTs, multipliers last."""
    lines = []
    for place in dict.fromkeys(map(_place, (point for point, _ in rows))):
        found = [row for row in rows if _place(row[0]) == place]
        order = [f"{point.engine} {done.lut / macs((point, done)):.2f}"
                 + (f" and {done.dsp / macs((point, done)):.2f} multipliers" if done.dsp else "")
                 for point, done in sorted(found, key=lambda row: (row[1].dsp > 0, row[1].lut / macs(row)))]
        family, weights, size, pe, simd, bits = place
        lines.append([TITLES[family], weights, f"{bits} bits" if bits else "±1", f"{size}", f"{pe} × {simd}",
                      f"**{order[0]}**" if order else "", ", ".join(order[1:])])  # fmt: skip
    header = ["family", "weights", "activations", "K = N", "PE × SIMD", "fewest LUTs per MAC/cycle", "then"]
    return pages.table(header, lines)


def _place(point: Point) -> tuple[str, str, int, int, int, int]:
    """What engines are compared at."""
    return point.family, point.weights, point.size, point.pe, point.simd, point.bits
