"""``report.html``: one self-contained page drawn from ``report.json`` and the drawings beside it."""

from __future__ import annotations

import base64
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from bitloom import RequestError, __version__
from bitloom.files.json_file import DamagedError, read_json

from ..files import write_text
from . import figures, floorplan, samples
from .record import check, read

FILE = "report.html"

PLACEMENT_BYTES = 1 << 24
"""Bytes that the placement may have; the largest device's has half as many."""


def render(build_dir: str | Path, stale: str = "") -> Path:
    """Draw ``report.html`` in ``build_dir`` and return its path; the file appears whole or not at all.

    It shows what is there: ``report.json``, and where present ``floorplan.svg`` with ``placement.json`` (cell name →
    place), ``samples.npz`` with ``graph.npz``, and ``curve.svg``. The page needs no network and no script. ``stale``
    says why the figures no longer hold, where they do not.

    :raises RequestError: ``build_dir`` has no report.
    """
    folder = Path(build_dir)
    values = read(folder)
    if not values:
        raise RequestError(f"{folder}: holds no report.json; make one with `bitloom build`")
    report = check(values, "report.json")
    instances = {layer.name: layer.instance or layer.name for layer in report.layers}
    environment = Environment(loader=PackageLoader("bitloom.boards.report", "."), autoescape=True,
                              undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"number": figures.number, "shortened": figures.shortened}
    html = environment.get_template("page.html.j2").render(
        report=report,
        stale=stale,
        headline=figures.headline(report),
        tones=figures.tones(report.layers),
        pipeline=figures.pipeline(report),
        ladder=figures.ladder(report),
        comparisons=figures.comparisons(report),
        utilization=figures.utilization(report),
        path=figures.critical_path(report),
        steps=figures.steps(report),
        plan=floorplan.distil(folder / "floorplan.svg", floorplan.owners(_placement(folder), instances)),
        pictures=samples.pictures(folder),
        curve=_embedded(folder / "curve.svg"),
        css=(Path(__file__).parent / "page.css").read_text(encoding="utf-8"),
        version=__version__,
    )
    write_text(folder / FILE, html)
    return folder / FILE


def _placement(folder: Path) -> dict[str, str]:
    """Cell name → its place; nothing where there is no such file, or none that can be read."""
    try:
        placement = read_json(folder / "placement.json", PLACEMENT_BYTES)
    except (FileNotFoundError, DamagedError):
        return {}
    return {cell: place for cell, place in placement.items() if isinstance(place, str)}


def _embedded(svg: Path) -> str:
    """``svg`` as a data URI (its identifiers cannot clash with the page's); "" where there is no such file."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.read_bytes()).decode() if svg.exists() else ""
