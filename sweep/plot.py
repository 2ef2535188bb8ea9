"""The picture of a study: samples per second against LUTs, with each network's Pareto front."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from matplotlib.transforms import Bbox

from bitloom.boards.design import short_name
from bitloom.boards.files import replacing
from bitloom.boards.report.figures import number

from .pareto import fronts
from .point import Outcome

FILE = "pareto.svg"

COLOURS = ("#1f5a99", "#c2571a", "#2e7d4f", "#8e3b8a", "#8a6d1f", "#b3263c", "#3a8a94", "#555555")
"""One per model; then again from the first."""

MARKERS = "osD^vPX*<>hp"
"""One per board; then again from the first."""

OFFSETS = ((-6, 5), (6, -11), (6, 5), (-6, -11), (0, 8), (0, -14), (8, -3), (-8, -3), (-12, 13), (12, -19))
"""Where a label may stand, in points from its marker, the best place first."""


def draw(outcomes: Sequence[Outcome], out: Path) -> Path | None:
    """Draw ``pareto.svg`` into ``out``: whole or not at all, the same outcomes giving the same bytes.

    :returns: the file; None where no point is known well enough to be drawn (an old drawing is removed then).
    """
    path = out / FILE
    figure = picture(outcomes)
    if figure is None:
        path.unlink(missing_ok=True)
        return None
    with replacing(path) as partial, _style():
        figure.savefig(partial, format="svg", metadata={"Date": None})
    return path


def picture(outcomes: Sequence[Outcome]) -> Figure | None:
    """The drawing itself: colour for the model, marker for the board, hollow and grey what cannot be used as it is."""
    shown = [o for o in outcomes if o.figures.get("lut") and o.figures.get("throughput_fps")]
    if not shown:
        return None
    colours = {model: COLOURS[i % len(COLOURS)] for i, model in enumerate(_each(o.design.model for o in shown))}
    markers = {place: MARKERS[i % len(MARKERS)] for i, place in enumerate(_each(o.design.board for o in shown))}
    best = fronts(shown)
    with _style():
        figure = Figure(figsize=(8, 5.4), layout="constrained", facecolor="white")
        axes = figure.add_subplot()
        _frame(axes, shown)
        for model, found in best.items():
            axes.plot(*_places(found), color=colours[model], linewidth=1.2, alpha=0.55, drawstyle="steps-post",
                      zorder=2)
        for outcome in shown:
            design = outcome.design
            axes.add_line(_mark(markers[design.board], colours[design.model], outcome.good, [outcome]))
        _legend(figure, shown, colours, markers)
        on_front = [outcome for found in best.values() for outcome in found]
        _label(figure, axes, [*on_front, *(o for o in shown if o not in on_front)], colours)
    return figure


def _style() -> AbstractContextManager[None]:
    return matplotlib.rc_context({"svg.hashsalt": "bitloom", "svg.fonttype": "none", "font.size": 9})


def _each(names: Iterable[str]) -> list[str]:
    """``names`` without repetition, in their order."""
    return list(dict.fromkeys(names))


def _places(outcomes: Sequence[Outcome]) -> tuple[list[float], list[float]]:
    return [o.figures["lut"] for o in outcomes], [o.figures["throughput_fps"] for o in outcomes]


def _frame(axes: Axes, outcomes: Sequence[Outcome]) -> None:
    """Logarithmic axes with round numbers, each saying by which stage its figures are known."""
    xs, ys = _places(outcomes)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis, values, limit, share in ((axes.xaxis, xs, axes.set_xlim, 0.2), (axes.yaxis, ys, axes.set_ylim, 0.09)):
        low, high = min(values), max(values)
        margin = max(1.25, (high / low) ** share)  # room for labels
        limit(low / margin, high * margin)
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low > 5 else (1, 1.5, 2, 3, 4, 5, 7)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.set_xlabel(f"LUTs ({', '.join(sorted({o.resources_stage for o in outcomes}))})")
    axes.set_ylabel(f"samples per second ({', '.join(sorted({o.cycles_stage for o in outcomes}))})")
    axes.set_title("labels: PE×SIMD of each layer", loc="right", fontsize=8, color="#777777")
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _legend(figure: Figure, shown: Sequence[Outcome], colours: dict[str, str], markers: dict[str, str]) -> None:
    """Colours and fronts on the left, markers on the right."""
    right = {o.design.model: o.figures.get("accuracy") for o in shown}
    models = [
        Line2D([], [], color=colour, linewidth=2, label=f"{short_name(model)}, Pareto front"
               + (f" ({right[model]:.1%} right)" if right[model] is not None else ""))
        for model, colour in colours.items()
    ]  # fmt: skip
    places = [_mark(marker, "#444444", label=short_name(place)) for place, marker in markers.items()]
    if not all(o.good for o in shown):
        places.append(_mark("o", "#444444", good=False, label="does not fit, or misses timing"))
    figure.legend(handles=models, loc="outside lower left", ncols=1 + (len(models) > 4), frameon=False)
    figure.legend(handles=places, loc="outside lower right", ncols=1 + (len(places) > 4), frameon=False)


def _mark(marker: str, colour: str, good: bool = True, at: Sequence[Outcome] = (), label: str = "") -> Line2D:
    """A marker for each outcome of ``at``: full, or hollow where it is no good."""
    return Line2D(*_places(at), marker=marker, linestyle="none", markersize=7, color=colour, label=label,
                  markerfacecolor=colour if good else "white", markeredgecolor="white" if good else colour,
                  alpha=1 if good else 0.6, zorder=4)


def _label(figure: Figure, axes: Axes, outcomes: Sequence[Outcome], colours: dict[str, str]) -> None:
    """Write PE×SIMD beside the points, the first ones first; where there is no room, a point goes without."""
    figure.draw_without_rendering()  # places the axes, so that what is covered is known
    taken = [box for line in axes.get_lines() for box in _covered(axes, line)]
    for outcome in outcomes:
        (x,), (y,) = _places([outcome])
        note = axes.annotate(outcome.folding, (x, y), (0, 0), textcoords="offset points", fontsize=7.5, zorder=5,
                             color=colours[outcome.design.model])
        for dx, dy in OFFSETS:
            note.set(position=(dx, dy), horizontalalignment="left" if dx > 0 else "right" if dx < 0 else "center")
            box = note.get_window_extent().padded(2)
            inside = all(axes.bbox.x0 < corner[0] < figure.bbox.x1 and axes.bbox.y0 < corner[1] < figure.bbox.y1
                         for corner in (box.min, box.max))
            if inside and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
        else:
            note.remove()


def _covered(axes: Axes, line: Line2D) -> list[Bbox]:
    """What ``line`` covers, in pixels: its markers, or the steps between its points."""
    places = axes.transData.transform(line.get_xydata())
    if line.get_linestyle() == "None":
        return [Bbox([place - 6, place + 6]) for place in places]
    corners = [(x1, y0) for (_, y0), (x1, _) in pairwise(places)]
    return [Bbox([np.minimum(a, b) - 1, np.maximum(a, b) + 1])
            for start, corner, end in zip(places, corners, places[1:]) for a, b in ((start, corner), (corner, end))]
