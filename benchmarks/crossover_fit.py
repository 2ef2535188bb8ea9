# amaranth: UnusedElaboratable=no
"""The mapper's cost entries of the engines, from the points of the crossover map.

Fitted as :mod:`cost_model` fits the other templates'. What the points do not vary, the memories of weights and start
words among LUTs, and constants that fold away, costs what it costs in the usual matrix–vector unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml
from cost_model import BOARDS, HEADER, errors, fit
from crossover_measure import Measured
from crossover_points import Point

COST = Path(__file__).parent.parent / "codegen" / "cost"

ENGINES = {"TableMatVec": ("table 2", "table 3", "table 4"), "BitSerialMatVec": ("bit-serial",),
           "PackedMatVec": ("multipliers",)}  # fmt: skip
"""Which points tell about which template; MatVec's entries come from more points of its own."""

BORROWED = ("rom_luts", "rom_bits", "rom_word_bits", "constant_")
"""Features (or how they begin) whose cost is MatVec's."""

OWN = ("counter_bits",)
"""What a MatVec with a compressor tree has beyond one with adders."""


def write(rows: Sequence[tuple[Point, Measured]]) -> None:
    """Fit, print the errors, and put the entries into the families' files."""
    for family in BOARDS:
        path = COST / f"{family}.yaml"
        entries = yaml.safe_load(path.read_text())
        usual = {kind: {name: cost for name, cost in entries["templates"]["MatVec"][kind].items() if name not in OWN}
                 for kind in ("lut", "ff")}  # fmt: skip
        for template, names in ENGINES.items():
            found = [row for row in rows if row[0].family == family and row[0].engine in names]
            if found:
                entries["templates"][template] = {
                    kind: _entry(f"{family:6} {template:15} {kind:4}", found, kind, {name: cost for name, cost
                                 in usual[kind].items() if name.startswith(BORROWED)})
                    for kind in ("lut", "ff")
                }  # fmt: skip
        counted = [row for row in rows if row[0].family == family and row[0].engine == "compressor" and not row[0].bits]
        if counted:
            entries["templates"]["MatVec"] = {
                kind: _entry(f"{family:6} {'counters':15} {kind:4}", counted, kind, usual[kind], OWN)
                for kind in ("lut", "ff")
            }
        path.write_text(HEADER + yaml.safe_dump(entries, sort_keys=False))


def _entry(what: str, rows: Sequence[tuple[Point, Measured]], kind: str, lent: dict[str, float],
           only: Sequence[str] | None = None) -> dict[str, float]:
    """The coefficients for LUTs or flip-flops: those ``lent``, fitted ones of the other features or ``only`` these."""
    features = [{**point.component().features(), "unit": 1.0} for point, _ in rows]
    own = [{name: value for name, value in row.items()
            if (name in only if only else name not in lent and not name.startswith(BORROWED))} for row in features]
    rest = [sum(lent.get(name, 0) * value for name, value in row.items()) for row in features]
    counts = [getattr(found, kind) for _, found in rows]
    trial = fit(own, list(np.maximum(0, np.array(counts) - rest)))
    missed = errors({**lent, **trial}, features, counts)
    print(f"{what} {len(rows)} points: {np.median(missed):6.1%} median {missed.max():6.1%} worst error")
    return {**lent, **trial}
