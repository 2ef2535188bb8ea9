"""The results of a study as files: ``study.json`` and ``study.csv``, one row per point."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bitloom import __version__
from bitloom.boards.files import write_text

from .pareto import fronts
from .point import FIGURES, Outcome
from .study import Study

JSON = "study.json"
CSV = "study.csv"


def write_results(study: Study, outcomes: Sequence[Outcome], out: Path) -> None:
    """Write both files into ``out``, each whole or not at all."""
    found = rows(outcomes)
    text = json.dumps(results(study, outcomes), indent=1, ensure_ascii=False, allow_nan=False)
    write_text(out / JSON, text + "\n")
    table = io.StringIO()
    writer = csv.DictWriter(table, list(found[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    write_text(out / CSV, table.getvalue())


def results(study: Study, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All that the study found out, in JSON's own types."""
    return {"bitloom": __version__, "study": study.model_dump(mode="json"), "points": rows(outcomes)}


def rows(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """One flat row per point: what was asked for, what came of it, each kind of figure with its stage."""
    best = {outcome.design.design for found in fronts(outcomes).values() for outcome in found}
    return [_row(outcome, outcome.design.design in best) for outcome in outcomes]


def _row(outcome: Outcome, pareto: bool) -> dict[str, Any]:
    design = outcome.design
    return {
        "point": design.design, "model": design.model, "board": design.board, "target": design.target,
        "fps": design.fps, "utilization": design.utilization,
        "layers": " ".join(f"{layer}.{key}={value}" for layer, given in design.overrides().items()
                           for key, value in given.items()),
        "status": outcome.status, "pareto": pareto,
        "resources_stage": outcome.resources_stage, "cycles_stage": outcome.cycles_stage,
        **{name: outcome.figures.get(name) for name in FIGURES},
        "folding": outcome.folding, "reason": outcome.reason, "folder": str(outcome.folder),
    }  # fmt: skip
