"""The crossover map as plots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib
from crossover_measure import Measured
from crossover_points import ENGINES, FAMILIES, LANES, SIZES, TERNARY, Point
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from bitloom.boards.files import replacing

Row = tuple[Point, Measured]

COLOURS = dict(zip(ENGINES, ("#1f5a99", "#8cb4dc", "#c2571a", "#2e7d4f", "#8e3b8a", "#555555", "#8a6d1f", "#b3263c")))
TITLES = {"ice40": "iCE40 UP5K", "ecp5": "ECP5-85F", "gowin": "Gowin GW1NR-9", "xc7": "7-series (LUT6)"}

PLOTS: dict[str, tuple[str, tuple[int, int], Callable[[Row], float]]] = {
    "lut": ("LUTs per MAC per cycle", LANES[1], lambda row: row[1].lut / macs(row)),
    "memories": ("block memories per 100 MACs per cycle", LANES[1], lambda row: 100 * row[1].bram / macs(row)),
    "multipliers": ("multipliers per 100 MACs per cycle", LANES[1], lambda row: 100 * row[1].dsp / macs(row)),
    "fmax": ("Fmax, MHz (routed)", LANES[0], lambda row: row[1].fmax_mhz),
}
"""What is drawn as bars: a title, the parallelism, the height."""


def macs(row: Row) -> float:
    """Multiply-accumulates per cycle."""
    return row[0].size ** 2 / row[1].interval


def write(rows: Sequence[Row], folder: Path) -> dict[str, str]:
    """All plots into ``folder``: the file names and what they show."""
    ternary = [row for row in rows if row[0].weights == TERNARY]
    drawn = {"crossover-engine.svg": "The engine of the fewest LUTs per MAC per cycle, without multipliers"}
    with _style():
        _save(_map(ternary), folder / "crossover-engine.svg")
        for name, (title, lanes, height) in PLOTS.items():
            chosen = [row for row in ternary if row[0].size == SIZES[1] and (row[0].pe, row[0].simd) == lanes]
            drawn[f"crossover-{name}.svg"] = f"{title}: K = N = {SIZES[1]}, PE × SIMD = {lanes[0]} × {lanes[1]}"
            _save(_bars(chosen, title, height), folder / f"crossover-{name}.svg")
    return drawn


def _style() -> AbstractContextManager:
    return matplotlib.rc_context({"svg.hashsalt": "bitloom", "svg.fonttype": "none", "font.size": 9})


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as partial:
        figure.savefig(partial, format="svg", metadata={"Date": None})


def _panels(rows: Sequence[Row], height: float) -> tuple[Figure, dict[str, Axes]]:
    """A figure with a panel for each family."""
    present = [family for family in FAMILIES if any(point.family == family for point, _ in rows)]
    lines = max(1, (len(present) + 1) // 2)
    figure = Figure(figsize=(9, height * lines), layout="constrained", facecolor="white")
    axes = figure.subplots(lines, 2, squeeze=False).ravel()
    for spare in axes[len(present) :]:
        spare.set_visible(False)
    for panel, family in zip(axes, present):
        panel.set_title(TITLES[family], fontsize=10, loc="left")
        panel.spines[["top", "right"]].set_visible(False)
    return figure, dict(zip(present, axes))


def _bars(rows: Sequence[Row], title: str, height: Callable[[Row], float]) -> Figure:
    """Bars by width of activations, colours are engines; families with nothing to show are left out."""
    figure, panels = _panels([row for row in rows if height(row)], 2.6)
    for family, axes in panels.items():
        found = {(row[0].engine, row[0].bits): height(row) for row in rows if row[0].family == family}
        widths = sorted({bits for _, bits in found})
        engines = [engine for engine in ENGINES if any((engine, bits) in found for bits in widths)]
        for k, engine in enumerate(engines):
            places = [x + (k - (len(engines) - 1) / 2) * 0.85 / len(engines) for x in range(len(widths))]
            heights = [found.get((engine, bits), 0) for bits in widths]
            axes.bar(places, heights, 0.8 / len(engines), color=COLOURS[engine], label=engine)
        axes.set_xticks(range(len(widths)), [_width(bits) for bits in widths])
        axes.grid(axis="y", color="#e4e4e4", linewidth=0.6)
        axes.set_axisbelow(True)
    handles = {label: handle for axes in panels.values() for handle, label in zip(*axes.get_legend_handles_labels())}
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=8, frameon=False)
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    return figure


def _map(rows: Sequence[Row]) -> Figure:
    """By shape and by width of activations, the engine without multipliers that takes the fewest LUTs, and how many."""
    shapes = sorted({_shape(point) for point, _ in rows})
    widths = sorted({point.bits for point, _ in rows})
    figure, panels = _panels(rows, 2.3)
    for family, axes in panels.items():
        best: dict[tuple[int, int], tuple[float, str]] = {}
        for row in rows:
            point, found = row
            if point.family == family and not found.dsp:
                place = shapes.index(_shape(point)), widths.index(point.bits)
                best[place] = min(best.get(place, (float("inf"), "")), (found.lut / macs(row), point.engine))
        for (x, y), (luts, engine) in best.items():
            light = sum(to_rgb(COLOURS[engine])) > 1.5
            axes.add_patch(matplotlib.patches.Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, color=COLOURS[engine]))
            axes.text(x, y, f"{engine}\n{luts:.1f}", ha="center", va="center", fontsize=6.5,
                      color="black" if light else "white")  # fmt: skip
        axes.set_xlim(-0.5, len(shapes) - 0.5)
        axes.set_ylim(-0.5, len(widths) - 0.5)
        axes.set_xticks(range(len(shapes)), [f"{size}²\n{pe}×{simd}" for size, pe, simd in shapes], fontsize=7)
        axes.set_yticks(range(len(widths)), [_width(bits) for bits in widths])
    return figure


def _shape(point: Point) -> tuple[int, int, int]:
    return point.size, point.pe, point.simd


def _width(bits: int) -> str:
    return f"{bits}-bit x" if bits else "x = ±1"
