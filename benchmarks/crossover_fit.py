# amaranth: UnusedElaboratable=no
"""The mapper's cost entries of the engines, from the points of the crossover map.

Fitted as :mod:`cost_model` fits the other templates', to these points and the small ones of :mod:`engine_points`.
Memories of weights and start words among LUTs, and constants that fold away, cost what they cost in the usual
matrix–vector unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import engine_points
import numpy as np
import yaml
from amaranth.lib.wiring import Component
from cost_model import BOARDS, HEADER, Points, errors, fit
from crossover_measure import Measured
from crossover_points import Point
from rich.progress import track

from bitloom.codegen import Resources

COST = Path(__file__).parent.parent / "codegen" / "cost"

ENGINES = {"TableMatVec": ("table 2", "table 3", "table 4"), "BitSerialMatVec": ("bit-serial",),
           "PackedMatVec": ("multipliers",)}  # fmt: skip
"""Which points tell about which template; MatVec's entries come from more points of its own."""

BORROWED = ("rom_luts", "rom_bits", "rom_word_bits", "constant_")
"""Features (or how they begin) whose cost is MatVec's."""

OWN = ("counter_bits",)
"""What a MatVec with a compressor tree has beyond one with adders."""


Sample = tuple[Component, Resources]
"""An instance, and what it takes."""


def write(rows: Sequence[tuple[Point, Measured]], folder: Path) -> None:
    """Fit, print the errors, and put the entries into the families' files; more points are kept in ``folder``."""
    for family in BOARDS:
        path = COST / f"{family}.yaml"
        entries = yaml.safe_load(path.read_text())
        usual = {kind: {name: cost for name, cost in entries["templates"]["MatVec"][kind].items() if name not in OWN}
                 for kind in ("lut", "ff")}  # fmt: skip
        for template, names in ENGINES.items():
            found = samples(rows, family, names)
            if found:
                more, points = engine_points.components(template, family), Points(family, folder)
                found += [(one, points.measure(one)) for one in track(more, f"{family} {template}")]
                entries["templates"][template] = {
                    kind: _entry(f"{family:6} {template:15} {kind:4}", found, kind, {name: cost for name, cost
                                 in usual[kind].items() if name.startswith(BORROWED)})
                    for kind in ("lut", "ff")
                }  # fmt: skip
        counted = samples([row for row in rows if not row[0].bits], family, ("compressor",))
        if counted:
            entries["templates"]["MatVec"] = {
                kind: _entry(f"{family:6} {'counters':15} {kind:4}", counted, kind, usual[kind], OWN)
                for kind in ("lut", "ff")
            }
        path.write_text(HEADER + yaml.safe_dump(entries, sort_keys=False))


def samples(rows: Sequence[tuple[Point, Measured]], family: str, engines: Sequence[str]) -> list[Sample]:
    """Those of the map's points that tell about one template on one family."""
    return [(point.component(), Resources(found.lut, found.ff, found.bram, found.dsp)) for point, found in rows
            if point.family == family and point.engine in engines]


def _entry(what: str, found: Sequence[Sample], kind: str, lent: dict[str, float],
           only: Sequence[str] | None = None) -> dict[str, float]:
    """The coefficients for LUTs or flip-flops: those ``lent``, fitted ones of the other features or ``only`` these."""
    features = [{**component.features(), "unit": 1.0} for component, _ in found]
    own = [{name: value for name, value in row.items()
            if (name in only if only else name not in lent and not name.startswith(BORROWED))} for row in features]
    rest = [sum(lent.get(name, 0) * value for name, value in row.items()) for row in features]
    counts = [getattr(used, kind) for _, used in found]
    trial = fit(own, counts, rest)
    missed = errors({**lent, **trial}, features, counts)
    print(f"{what} {len(found)} points: {np.median(missed):6.1%} median {missed.max():6.1%} worst error")
    return {**lent, **trial}
