"""Running studies: every point keeps its row, nothing is built twice, results appear whole."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bitloom import WorkError, codegen
from bitloom.boards.board import load
from bitloom.boards.files import locked
from bitloom.boards.flow import TimingError, TooLargeError
from bitloom.boards.progress import Step
from bitloom.boards.report import update
from bitloom.sweep import Study, run_study
from bitloom.sweep import point as points

STUDY = Study(models=("tiny.npz", "wide.npz"), boards=("icestick",), targets=("area", "throughput"))
BOARDS = Study(models=("tiny.npz",), boards=("icebreaker", "icestick"), targets=("area",))


class Seen:
    """A progress that remembers: step → its notes."""

    def __init__(self) -> None:
        self.notes: dict[str, list[str]] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Remember the notes of one step."""
        notes = self.notes[name] = []
        yield SimpleNamespace(note=notes.append)


def solved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The networks that were folded, as a list that grows."""
    seen: list[str] = []
    compile_ = codegen.compile

    def counted(graph: Any, **options: Any) -> Any:
        seen.append(f"{graph.name} {options['family']} {options['target']}")
        return compile_(graph, **options)

    monkeypatch.setattr(codegen, "compile", counted)
    return seen


def rows(out: str = "out") -> dict[str, dict[str, Any]]:
    return {row["point"]: row for row in json.loads(Path(out, "study.json").read_text())["points"]}


def test_points_that_do_not_fit_keep_their_rows(folder: Path) -> None:
    seen = Seen()
    outcomes = run_study(STUDY, "out", progress=seen)
    assert [(o.design.design, o.status) for o in outcomes] == [
        ("tiny-icestick-area", "good"), ("tiny-icestick-throughput", "good"),
        ("wide-icestick-area", "does not fit"), ("wide-icestick-throughput", "does not fit")]
    found = rows()
    assert list(found) == [o.design.design for o in outcomes]
    row = found["wide-icestick-area"]
    assert (row["status"], row["lut"], row["pareto"]) == ("does not fit", None, False)
    assert "at least" in row["reason"] and "LUT" in row["reason"]
    row = found["tiny-icestick-throughput"]
    assert (row["resources_stage"], row["cycles_stage"], row["fmax_mhz"]) == ("estimated", "estimated", None)
    assert row["throughput_fps"] == 12e6 / row["interval_cycles"] and row["lut"] > found["tiny-icestick-area"]["lut"]
    assert row["folding"] == outcomes[1].folding and "×" in row["folding"]
    with Path("out/study.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [line["point"] for line in table] == list(found)
    assert [int(line["lut"] or -1) for line in table] == [r["lut"] or -1 for r in found.values()]
    assert Path("out/pareto.svg").read_text().startswith("<?xml")
    assert seen.notes["wide-icestick-area"][-1] == "does not fit"
    assert "LUTs estimated" in seen.notes["tiny-icestick-area"][-1]
    assert seen.notes["sweep"] == [f"{i} of 4 points" for i in range(1, 5)]


def test_an_interrupted_study_goes_on_where_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = points._built

    def interrupted(design: Any, *rest: Any) -> Any:
        if design.design == "wide-icestick-throughput":
            raise KeyboardInterrupt
        return built(design, *rest)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(points, "_built", interrupted)
        run_study(STUDY, "out")
    before = rows()
    assert [row["status"] for row in before.values()][-2:] == ["does not fit", "not run"]

    seen = solved(monkeypatch)
    run_study(STUDY, "out")
    assert seen == ["random5 ice40 throughput"]
    after = rows()
    assert after.pop("wide-icestick-throughput")["status"] == "does not fit"
    del before["wide-icestick-throughput"]
    assert after == before

    run_study(STUDY, "out")
    assert len(seen) == 1


def test_other_inputs_are_built_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Study(models=("wide.npz",), boards=("icestick",), targets=("area",))
    assert not run_study(one, "out")[0].good
    (folder / "tiny.npz").replace(folder / "wide.npz")
    assert run_study(one, "out")[0].good


def test_several_processes_come_to_the_same(folder: Path) -> None:
    run_study(BOARDS, "alone")
    seen = Seen()
    outcomes = run_study(BOARDS, "out", jobs=2, progress=seen)
    assert {name: {**row, "folder": ""} for name, row in rows().items()} == {
        name: {**row, "folder": ""} for name, row in rows("alone").items()}
    assert [o.status for o in outcomes] == ["good", "good"]
    assert set(seen.notes) == {"sweep", "tiny-icebreaker-area", "tiny-icestick-area"}
    assert Path("out/pareto.svg").read_bytes() == Path("alone/pareto.svg").read_bytes()


def late(design: Any, folder: Path, progress: Any) -> None:
    """A build that is routed and too slow."""
    update(folder, {"stage": "route", "lut": 1234, "ff": 99, "bram": 1, "dsp": 0, "fmax_mhz": 8.5})
    raise TimingError(SimpleNamespace(fmax_mhz=8.5, clock_mhz=12, critical_path=[]))  # type: ignore[arg-type]


def test_a_point_that_misses_its_clock_keeps_its_figures(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study(models=("tiny.npz",), targets=("area",), stage="route")
    monkeypatch.setattr(points, "build", late)
    outcome, = run_study(study, "out")
    row, = rows().values()
    assert (row["status"], row["lut"], row["fmax_mhz"], row["resources_stage"]) == (
        "misses timing", 1234, 8.5, "routed")
    assert not row["pareto"] and "8.5 MHz" in row["reason"]

    # What is known is not built again; an estimate of the same point is one.
    monkeypatch.setattr(points, "build", None)
    assert run_study(study, "out")[0].figures == outcome.figures
    estimate, = run_study(study.model_copy(update={"stage": "estimate"}), "out")
    assert (estimate.good, estimate.resources_stage, estimate.figures["fmax_mhz"]) == (True, "estimated", None)
    assert estimate.figures["lut"] != 1234


@pytest.mark.parametrize(("error", "status"), [
    (TooLargeError("the design does not fit: 6,000 LUTs of 5,280"), "does not fit"),
    (WorkError("nextpnr-ice40 is missing"), "failed"),
    (ZeroDivisionError("by zero"), "failed"),
])
def test_a_point_that_fails_does_not_stop_the_study(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, status: str
) -> None:
    def synthesize(compiled: Any, progress: Any) -> Any:
        if compiled.board == load("icestick"):
            raise error
        return SimpleNamespace(used=codegen.Resources(700, 300, 1, 0))

    monkeypatch.setattr(points, "synthesize_build", synthesize)
    good, bad = run_study(BOARDS.model_copy(update={"stage": "synthesis"}), "out")
    assert (good.status, good.resources_stage, good.figures["lut"]) == ("good", "synthesized", 700)
    assert (bad.status, str(error) in bad.reason) == (status, True)
    if isinstance(error, ZeroDivisionError):
        assert "ZeroDivisionError" in Path("out/tiny-icestick-area/logs/error.log").read_text()


def test_a_rate_out_of_reach_is_impossible(folder: Path) -> None:
    outcome, = run_study(Study(models=("tiny.npz",), fps=(1e9,)), "out")
    assert outcome.status == "impossible" and "fps" in outcome.reason
    assert not Path("out/pareto.svg").exists()


def test_one_study_at_a_time_in_a_folder(folder: Path) -> None:
    with locked(Path("out")), pytest.raises(WorkError, match="another bitloom"):
        run_study(STUDY, "out")
