"""The crossover map as tables and plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import pages
from crossover_measure import Measured
from crossover_points import ENGINES, FAMILIES, LANES, TERNARY, Point
from matplotlib.figure import Figure

from bitloom.boards.files import replacing

Row = tuple[Point, Measured]

TITLE = "## The crossover map"
"""Of the section that this module writes."""

COLOURS = dict(zip(ENGINES, ("#1f5a99", "#8cb4dc", "#c2571a", "#2e7d4f", "#8e3b8a", "#8a6d1f", "#b3263c")))
TITLES = {"ice40": "iCE40 UP5K", "ecp5": "ECP5-85F", "gowin": "Gowin GW1NR-9", "xc7": "7-series (LUT6)"}


def macs(row: Row) -> float:
    """Multiply-accumulates per cycle."""
    return row[0].size ** 2 / row[1].interval


def table(rows: Sequence[Row]) -> str:
    """Every point, as Markdown."""
    header = ["family", "engine", "weights", "activations", "K = N", "PE × SIMD", "cycles", "MAC/cycle", "LUT", "FF",
              "memories", "multipliers", "LUT per MAC/cycle", "Fmax, MHz"]  # fmt: skip
    lines = []
    for point, found in rows:
        per = f"{found.lut / macs((point, found)):.2f}"
        fmax = f"{found.fmax_mhz:.1f}" if found.fmax_mhz else ("no room" if found.why_not else "")
        lines.append([point.family, point.engine, point.weights, f"{point.bits} bits" if point.bits else "±1",
                      f"{point.size}", f"{point.pe} × {point.simd}", f"{found.interval}", f"{macs((point, found)):.1f}",
                      f"{found.lut:,}", f"{found.ff:,}", f"{found.bram}", f"{found.dsp}", per, fmax])  # fmt: skip
    return pages.table(header, lines)


def write(rows: Sequence[Row], page: Path, yosys: str) -> None:
    """The winners, every point and the plots into ``page``; plots beside it."""
    names = [draw(rows, page, what) for what in ("lut", "fmax")]
    text = f"{TITLE}\n\nMade by `python benchmarks/crossover.py --docs docs/{page.name}` with yosys {yosys}: "
    text += f"{len(rows)} points, synthesized; Fmax routed.\n\n"
    text += "".join(f"![{title}]({name})\n\n" for name, title in zip(names, ("LUTs per MAC per cycle", "Fmax")))
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


def draw(rows: Sequence[Row], page: Path, what: str) -> str:
    """One panel per family, bars by width of activations; the file's name."""
    present = [family for family in FAMILIES if any(p.family == family for p, _ in rows)]
    if what == "fmax":
        present = [family for family in present if family != "xc7"]
    with matplotlib.rc_context({"svg.hashsalt": "bitloom", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(9, 2.6 * ((len(present) + 1) // 2)), layout="constrained", facecolor="white")
        panels = figure.subplots((len(present) + 1) // 2, 2, squeeze=False).ravel()
        for axes in panels[len(present) :]:
            axes.set_visible(False)
        for axes, family in zip(panels, present):
            _panel(axes, [row for row in rows if row[0].family == family and row[0].weights == TERNARY], what)
            axes.set_title(TITLES[family], fontsize=10, loc="left")
        handles = {label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels())}
        figure.legend(handles.values(), handles, loc="outside lower center", ncols=7, frameon=False)
        name = f"crossover-{what}.svg"
        with replacing(page.parent / name) as partial:
            figure.savefig(partial, format="svg", metadata={"Date": None})
    return name


def _panel(axes, rows: Sequence[Row], what: str) -> None:
    """Bars of the larger layer: groups are widths of activations, colours engines."""
    largest, lanes = max(p.size for p, _ in rows), LANES[what == "lut"]
    chosen = [row for row in rows if row[0].size == largest and (row[0].pe, row[0].simd) == lanes]
    widths = sorted({p.bits for p, _ in chosen})
    engines = [engine for engine in ENGINES if any(p.engine == engine for p, _ in chosen)]
    for k, engine in enumerate(engines):
        heights = []
        for bits in widths:
            found = next((row for row in chosen if row[0].engine == engine and row[0].bits == bits), None)
            value = 0.0 if found is None else found[1].lut / macs(found) if what == "lut" else found[1].fmax_mhz
            heights.append(value)
        places = [x + (k - (len(engines) - 1) / 2) * 0.85 / len(engines) for x in range(len(widths))]
        axes.bar(places, heights, 0.8 / len(engines), color=COLOURS[engine], label=engine)
    axes.set_xticks(range(len(widths)), [f"{bits}-bit x" if bits else "x = ±1" for bits in widths])
    axes.set_ylabel("LUTs per MAC per cycle" if what == "lut" else "Fmax, MHz (routed)")
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
