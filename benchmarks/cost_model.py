# amaranth: UnusedElaboratable=no
"""Fit the cost model: synthesize random instances of every template for every family, and solve for the coefficients.

    python benchmarks/cost_model.py [--families ice40 ecp5 gowin] [--templates MatVec …] [--points 48]

Each point is one template with random parameters (:mod:`cost_points`), emitted, synthesized with yosys and counted as
packing will count it (LUTs and flip-flops that share a cell once, what carry chains add). The fit is non-negative least
squares on relative errors (Lawson and Hanson, 1974). Prints, per family and template, the median and the worst relative
error over the points that the fit saw and over a fifth that it did not, and how many predictions of block memories were
wrong. Points are kept in the work folder, so that an interrupted run goes on where it was. Stage of all figures:
synthesized.
"""

from __future__ import annotations

import argparse
import json
import random
from hashlib import sha256
from pathlib import Path

import numpy as np
import yaml
from amaranth.lib.wiring import Component
from cost_points import TEMPLATES, VARIANTS, Maker
from rich.progress import track
from scipy.optimize import nnls

from bitloom.boards.board import load
from bitloom.boards.flow import synthesize
from bitloom.boards.flow.workbench import Workbench
from bitloom.codegen import FAMILIES, Resources, emit_rtlil, emit_verilog
from bitloom.codegen.cost import blocks

BOARDS = {"ice40": "icebreaker", "ecp5": "ulx3s-85f", "gowin": "tang-nano-9k"}
"""The board whose device stands for each family."""

HEADER = "# LUTs and flip-flops per unit of each feature, synthesized: benchmarks/cost_model.py and crossover.py.\n"


class Points:
    """Synthesized counts, kept in a file by the digest of what was synthesized."""

    def __init__(self, family: str, folder: Path) -> None:
        self.bench = Workbench(load(BOARDS[family]), folder / family)
        self.path = self.bench.out / "points.json"
        self.known: dict[str, dict[str, float]] = json.loads(self.path.read_text()) if self.path.is_file() else {}

    def measure(self, component: Component) -> Resources:
        """``component`` alone, synthesized for the bench's board."""
        key = sha256(emit_rtlil(component, "top").encode()).hexdigest()
        if key not in self.known:
            source = self.bench.out / "point.v"
            source.parent.mkdir(parents=True, exist_ok=True)
            source.write_text(emit_verilog(component, "top"))
            self.known[key] = synthesize(self.bench, source).used.rounded()
            self.path.write_text(json.dumps(self.known))
        return Resources(**self.known[key])


def fit(features: list[dict[str, float]], counts: list[float], known: list[float] | None = None) -> dict[str, float]:
    """Non-negative coefficients that minimize the relative errors of ``features`` · coefficients against ``counts``.

    :param known: what other features contribute to each count already.
    """
    names = sorted({name for row in features for name in row if not name.startswith("block")})
    rows = np.array([[row.get(name, 0.0) for name in names] for row in features])
    scale = 1 / np.maximum(np.array(counts), 8.0)
    rest = np.array(counts) - (0 if known is None else np.array(known))
    solution, _ = nnls(rows * scale[:, None], rest * scale)
    return {name: round(float(value), 4) for name, value in zip(names, solution) if value > 1e-4}


def errors(coefficients: dict[str, float], features: list[dict[str, float]], counts: list[float]) -> np.ndarray:
    """Relative errors of the predictions."""
    predicted = [sum(coefficients.get(name, 0) * value for name, value in row.items()) for row in features]
    return np.abs(np.array(predicted) - counts) / np.maximum(np.array(counts), 8.0)


def calibrate(family: str, names: list[str], count: int, folder: Path) -> dict[str, object]:
    """The cost entries of the templates ``names`` for one family."""
    points = Points(family, folder)
    templates: dict[str, object] = {}
    for name in names:
        components, used = _measured(family, name, TEMPLATES[name], count, points)
        features = [{**component.features(), "unit": 1.0} for component in components]
        seen = slice(0, count * 4 // 5)
        templates[name] = {}
        for kind in ("lut", "ff"):
            counts = [getattr(point, kind) for point in used]
            trial = fit(features[seen], counts[seen])
            inside, outside = (errors(trial, features[part], counts[part]) for part in (seen, slice(seen.stop, None)))
            print(f"{family:6} {name:15} {kind:4} seen {np.median(inside):6.1%} median {inside.max():6.1%} worst error;"
                  f" unseen {np.median(outside):6.1%} median {outside.max():6.1%} worst")
            templates[name][kind] = fit(features, counts)
    return {"synthesized_with": points.bench.tools["yosys"], "templates": templates}


def extend(family: str, name: str, known: dict[str, dict[str, float]], count: int, folder: Path
           ) -> dict[str, dict[str, float]]:
    """The entries ``known`` of a template with those of what a variant of it has beyond."""
    _, maker, own = VARIANTS[name]
    components, used = _measured(family, name, maker, count, Points(family, folder))
    features = [{**component.features(), "unit": 1.0} for component in components]
    extra = [{feature: row.get(feature, 0.0) for feature in own} for row in features]
    entries = {}
    for kind in ("lut", "ff"):
        counts = [getattr(point, kind) for point in used]
        rest = [sum(known[kind].get(feature, 0) * value for feature, value in row.items() if feature not in own)
                for row in features]
        entries[kind] = {feature: cost for feature, cost in known[kind].items() if feature not in own}
        entries[kind] |= fit(extra, counts, rest)
        wrong = errors(entries[kind], features, counts)
        print(f"{family:6} {name:15} {kind:4} {np.median(wrong):6.1%} median {wrong.max():6.1%} worst error")
    return entries


def _measured(family: str, name: str, maker: Maker, count: int, points: Points
              ) -> tuple[list[Component], list[Resources]]:
    """Random instances and what each takes."""
    rng, numbers = random.Random(name), np.random.default_rng(1)
    components = [maker(rng, numbers) for _ in range(count)]
    used = [points.measure(component) for component in track(components, f"{family} {name}")]
    wrong = sum(blocks(FAMILIES[family], component) != count.bram for component, count in zip(components, used))
    if wrong:
        print(f"{family:6} {name:15} block memories of {wrong} points predicted wrongly")
    return components, used


def main() -> None:
    """Calibrate the families asked for and write their YAML."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", nargs="+", default=list(BOARDS), choices=list(BOARDS))
    parser.add_argument("--templates", nargs="+", default=[*TEMPLATES, *VARIANTS],
                        choices=[*TEMPLATES, *VARIANTS])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "codegen" / "cost")
    parser.add_argument("--work", type=Path, default=Path("build") / "cost_model")
    parser.add_argument("--points", type=int, default=48)
    arguments = parser.parse_args()
    for family in arguments.families:
        path = arguments.out / f"{family}.yaml"
        known = yaml.safe_load(path.read_text())["templates"] if path.is_file() else {}
        names = [name for name in arguments.templates if name in TEMPLATES]
        entries = calibrate(family, names, arguments.points, arguments.work)
        entries["templates"] = {**known, **entries["templates"]}
        for name in (name for name in arguments.templates if name in VARIANTS):
            template = VARIANTS[name][0]
            known = entries["templates"][template]
            entries["templates"][template] = extend(family, name, known, arguments.points, arguments.work)
        path.write_text(HEADER + yaml.safe_dump(entries, sort_keys=False))


if __name__ == "__main__":
    main()
