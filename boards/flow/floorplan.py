"""The floorplan: where the router put the cells, as a drawing of what is used.

nextpnr's own drawing shows every cell of the device: 36 MB and a quarter of a minute for the largest ECP5. This one is
made from the places alone. It keeps nextpnr's scale (50 units to the tile), so that both can be read alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import ceil

from .family import Cells

PITCH = 50
"""Units of the drawing per tile."""

_BEL = re.compile(r"X(\d+)/?Y(\d+)/?(.*)")
_BIG = re.compile(r"ram|EBR|BSRAM|mac16|MULT|DSP|spram", re.IGNORECASE)


def places(cells: Cells) -> dict[str, str]:
    """Cell name → its place (``X12/Y3/lc5``, ``X4/Y47/SLICEB.K0``, ``X2Y15/LUT5``), of every cell that has one."""
    found = ((name, cell["attributes"].get("NEXTPNR_BEL")) for name, cell in cells.items())
    return {name: bel for name, bel in found if bel and _BEL.match(bel)}


def draw(placement: Mapping[str, str], grid: tuple[int, int]) -> str:
    """The drawing of ``placement`` on a device of ``grid`` = columns × rows of tiles, as SVG.

    A memory or multiplier fills its tile; other cells share theirs in rows, in the order of their places' names.
    """
    tiles: dict[tuple[int, int], list[str]] = {}
    for bel in placement.values():
        match = _BEL.match(bel)
        if match:
            tiles.setdefault((int(match[1]), int(match[2])), []).append(match[3])
    width, height = grid[0] * PITCH, grid[1] * PITCH
    lines = [f'<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">']
    for (x, y), bels in sorted(tiles.items()):
        lines += [_rectangle(x, y, *spot) for spot in _spots(sorted(bels))]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _spots(bels: list[str]) -> list[tuple[float, float, float, float]]:
    """Where in its tile each cell is drawn: x, y, width, height."""
    if any(_BIG.search(bel) for bel in bels):
        return [(4, 4, PITCH - 8, PITCH - 8)]
    side = max(4, ceil(len(bels) ** 0.5))
    cell = (PITCH - 4) / side
    return [(2 + cell * (i % side), 2 + cell * (i // side), cell - 1, cell - 1) for i in range(len(bels))]


def _rectangle(x: int, y: int, dx: float, dy: float, width: float, height: float) -> str:
    return (f'<rect x="{x * PITCH + dx:g}" y="{y * PITCH + dy:g}" width="{width:g}" height="{height:g}" '
            'stroke="#FF3030" fill="#FF8080"/>')
