# amaranth: UnusedElaboratable=no
"""The crossover map's bookkeeping: points, what is kept of them, tables and plots.

| testpoint | stage | test |
| --- | --- | --- |
| at least 200 points, each once, of every engine on every family that has it | smoke | test_grid |
| every engine has the interval that its parallelism says | smoke | test_components |
| an interrupted run goes on where it was; what is known is not measured again | smoke | test_resumes |
| a page has a line per point, the winners and every plot; a second time it stays as it is | smoke | test_page |
| the winner is the engine of the fewest LUTs without multipliers | smoke | test_winner |
"""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import crossover
import crossover_page
from crossover_measure import Measured
from crossover_points import ENGINES, FAMILIES, Point, grid

POINTS = list(grid())


def measured(rng, point):
    interval = -(-(point.size**2) // (point.pe * point.simd))
    multipliers = 7 if point.engine == "multipliers" else 0
    fmax = 50.0 if point.routed and rng.integers(2) else 0.0
    return Measured(interval, int(rng.integers(100, 9000)), 50, 4, multipliers, fmax, "" if fmax else "too large")


def test_grid():
    assert len(POINTS) == len(set(POINTS)) >= 200
    for family in FAMILIES:
        found = {point.engine for point in POINTS if point.family == family}
        assert found >= set(ENGINES) - {"table 5"}, family


@pytest.mark.parametrize("engine", ENGINES)
def test_components(engine):
    point = next(point for point in POINTS if point.engine == engine and point.weights == "ternary")
    planes = 2 if engine == "bit-serial" else 1
    assert point.component().interval == planes * point.size**2 // (point.pe * point.simd)


def test_resumes(tmp_path, monkeypatch):
    few = [point for point in POINTS if point.family == "ecp5" and point.engine == "select"][:3]
    rng, asked = np.random.default_rng(0), []

    def count(point, folder):
        asked.append(point)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return measured(rng, point)

    monkeypatch.setattr(crossover, "count", count)
    known = crossover.Known(tmp_path)
    first = [known.measure(point, False) for point in few[:2]]
    with pytest.raises(KeyboardInterrupt):
        known.measure(few[2], False)
    again = crossover.Known(tmp_path)
    assert [again.measure(point, False) for point in few[:2]] == first and len(asked) == 3
    again.measure(few[2], False)
    assert asked == [*few, few[2]]


def test_page(tmp_path):
    rng = np.random.default_rng(1)
    rows = [(point, measured(rng, point)) for point in POINTS]
    page = tmp_path / "engines.md"
    page.write_text("# Engines\n\n## In plain words\n\nWords.\n")
    crossover_page.write(rows, page, "0.70")
    text = page.read_text()
    assert text.startswith("# Engines\n\n## In plain words\n\nWords.\n") and f"{len(POINTS)} points" in text
    assert len(re.findall(r"(?m)^\| (ice40|ecp5|gowin|xc7) \|", text)) == len(POINTS)
    drawn = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert set(drawn) == {path.name for path in tmp_path.glob("*.svg")} and len(drawn) == 5
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    crossover_page.write(rows, page, "0.70")
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_winner():
    places = {"pe": 4, "simd": 12, "size": 48, "bits": 8, "family": "xc7", "weights": "ternary"}
    luts = {"select": (500, 0), "table 3": (400, 0), "multipliers": (100, 8)}
    rows = [(Point(engine=engine, **places), Measured(48, lut, 0, 0, dsp)) for engine, (lut, dsp) in luts.items()]
    assert "**table 3 8.33** | select 10.42, multipliers 2.08 and 0.17 multipliers |" in crossover_page.winners(rows)
