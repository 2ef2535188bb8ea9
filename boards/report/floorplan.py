"""The router's floorplan, made legible: what is used, coloured by layer, on the grid of the device's tiles.

nextpnr draws every cell of the device as a rectangle, 50 units to the tile; those taken by the design are filled with
``#FF8080``. Only these are kept. Most are specks in their tile, so each tile is drawn as one square of as many slots as
the fullest tile has small cells, and each used cell fills one slot; a large cell (a block memory) fills its whole tile.
One path per layer: megabytes become kilobytes.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

PITCH = 50
"""Units of nextpnr's drawing per tile, in both directions and all families."""

GAP = 3
"""Units left free at each side of a tile."""

_VIEW = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
_USED = re.compile(r'<rect x="([-\d.]+)" y="([-\d.]+)" width="([\d.]+)" height="([\d.]+)"[^>]*fill="#FF8080"')
_BEL = re.compile(r"X(\d+)/?Y(\d+)/?(.*)")

Tile = tuple[int, int]


@dataclass(frozen=True)
class Floorplan:
    """A drawing: its view box, the device's size in tiles, and one SVG path per owner, most cells first.

    ``cells`` counts each owner's cells; an owner of "" is what belongs to no layer (host link, clocks, pins).
    ``whole`` is False where the view is only the used part of the device.
    """

    view: tuple[int, int, int, int]
    columns: int
    rows: int
    paths: dict[str, str]
    cells: dict[str, int]
    whole: bool


def owners(placement: Mapping[str, str], layers: Mapping[str, str]) -> dict[Tile, list[str]]:
    """For each tile, which layer each of its cells belongs to, in the order of the cells' places.

    :param placement: cell name → where it was placed (``X12/Y3/lc5``, ``X12Y3/LUT5``).
    :param layers: the layers' instance names; a cell belongs to the longest that occurs in its path.
    """
    longest = sorted(layers.items(), key=lambda layer: -len(layer[1]))
    patterns = [(name, re.compile(rf"(?:^|[._\\/]){re.escape(part)}(?:[._\[$/]|$)")) for name, part in longest]
    found: dict[Tile, list[tuple[str, str]]] = defaultdict(list)
    for cell, bel in placement.items():
        where = _BEL.match(bel)
        if where:
            owner = next((name for name, pattern in patterns if pattern.search(cell)), "")
            found[int(where[1]), int(where[2])].append((where[3], owner))
    return {tile: [owner for _, owner in sorted(cells)] for tile, cells in found.items()}


def distil(path: str | Path, tiles: Mapping[Tile, list[str]] | None = None) -> Floorplan | None:
    """The drawing at ``path``, reduced to what is used; None where there is none or nothing in it is used."""
    path = Path(path)
    if not path.exists():
        return None
    size, used = _read(path)
    if not used or size is None:
        return None
    typical = median(area for cells in used.values() for _, _, area in cells)
    slots = max(sum(area <= 8 * typical for _, _, area in cells) for cells in used.values()) or 1
    shapes: dict[str, list[str]] = defaultdict(list)
    for tile, cells in used.items():
        names = (tiles or {}).get(tile, [])
        common = Counter(names).most_common(1)[0][0] if names else ""
        for slot, (_, _, area) in enumerate(sorted(cells)):
            owner = names[slot] if len(names) == len(cells) else common
            shapes[owner].append(_slot(tile, slot, slots) if area <= 8 * typical else _slot(tile, 0, 1))
    order = sorted(shapes, key=lambda owner: -len(shapes[owner]))
    columns, rows = size
    view = _crop([tile for tile, cells in used.items() if len(cells) > 1 or cells[0][2] > 8 * typical] or list(used),
                 columns, rows)
    return Floorplan(view, columns, rows, {owner: "".join(shapes[owner]) for owner in order},
                     {owner: len(shapes[owner]) for owner in order}, view == (0, 0, columns * PITCH, rows * PITCH))


def _read(path: Path) -> tuple[tuple[int, int] | None, dict[Tile, list[tuple[float, float, float]]]]:
    """The drawing's size in tiles, and (y, x, area) of each used rectangle by the tile that it lies in."""
    size = None
    used: dict[Tile, list[tuple[float, float, float]]] = defaultdict(list)
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            view = _VIEW.search(line)
            if view:
                size = -(-int(float(view[1])) // PITCH), -(-int(float(view[2])) // PITCH)
            rectangle = _USED.match(line)
            if rectangle:
                x, y, width, height = (float(value) for value in rectangle.groups())
                used[int(x // PITCH), int(y // PITCH)].append((y, x, width * height))
    return size, used


def _slot(tile: Tile, slot: int, slots: int) -> str:
    """One of ``slots`` slices of a tile's square, top to bottom, as a piece of an SVG path."""
    side = PITCH - 2 * GAP
    height = side / slots
    trim = 0 if slots == 1 else min(1.0, height / 5)
    return f"M{tile[0] * PITCH + GAP} {tile[1] * PITCH + GAP + slot * height:g}h{side}v{height - trim:.3g}h-{side}z"


def _crop(tiles: list[Tile], columns: int, rows: int) -> tuple[int, int, int, int]:
    """The whole device, or, where the box around ``tiles`` (lone pins left out) is less than half of it, that box."""
    xs, ys = [x for x, _ in tiles], [y for _, y in tiles]
    x0, y0, x1, y1 = max(0, min(xs) - 1), max(0, min(ys) - 1), min(columns, max(xs) + 2), min(rows, max(ys) + 2)
    if (x1 - x0) * (y1 - y0) > columns * rows / 2:
        x0, y0, x1, y1 = 0, 0, columns, rows
    return x0 * PITCH, y0 * PITCH, (x1 - x0) * PITCH, (y1 - y0) * PITCH
