"""``bitloom sweep``: its table, its JSON, its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bitloom import WorkError
from bitloom.cli.main import main
from bitloom.sweep import point as points


@pytest.fixture
def run(folder: Path) -> Callable[..., Result]:
    """Run ``bitloom sweep`` with the given arguments."""
    return lambda *arguments: CliRunner().invoke(main, ["sweep", *arguments])


def test_the_table_has_every_point(run: Callable[..., Result]) -> None:
    result = run("tiny.npz", "wide.npz", "--board", "icestick", "--target", "area")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split()[:3] for line in lines[:2]] == [
        ["point", "status", "PE×SIMD"], ["*", "tiny-icestick-area", "good"]]
    assert "wide-icestick-area" in lines[2] and "does not fit" in lines[2]
    assert any(line.startswith("wide-icestick-area: network") for line in lines)
    place = "build/sweep/tiny-wide-icestick-area"
    assert lines[-3:] == [f"{place}/study.json", f"{place}/study.csv", f"{place}/pareto.svg"]
    assert "2 of 2 points" in result.stderr


def test_json_is_the_study(run: Callable[..., Result]) -> None:
    result = run("tiny.npz", "--fps", "1000", "--fps", "1e5", "--out", "here", "--json")
    values = json.loads(result.stdout)
    assert [row["fps"] for row in values["points"]] == [1000, 1e5]
    assert all(row["throughput_fps"] >= row["fps"] for row in values["points"])
    files = values.pop("files")
    assert values == json.loads(Path("here/study.json").read_text())
    assert all(Path(file).is_file() for file in files) and len(files) == 3


@pytest.mark.parametrize(("arguments", "words"), [
    ([], ["MODEL"]),
    (["digts"], ["digts", "did you mean 'digits'"]),
    (["tiny.npz", "--board", "icebraker"], ["icebraker", "did you mean 'icebreaker'"]),
    (["nowhere.yaml"], ["nowhere.yaml", "there is no such file"]),
    (["bad.yaml"], ["bad.yaml", "unknown key model", "did you mean 'models'"]),
    (["tiny.npz", "--jobs", "0"], ["jobs"]),
])
def test_a_wrong_request_is_one_line_and_2(run: Callable[..., Result], arguments: list[str], words: list[str]) -> None:
    Path("bad.yaml").write_text("model: tiny.npz\n")
    result = run(*arguments)
    line = result.stderr.splitlines()[-1]
    assert (result.exit_code, result.stdout) == (2, "") and line.startswith("bitloom: ")
    assert all(word in line for word in words), line
    assert not Path("build").exists()


def test_a_study_in_which_nothing_is_good_ends_with_1(run: Callable[..., Result]) -> None:
    result = run("wide.npz", "--board", "icestick", "--target", "area")
    assert result.exit_code == 1 and "wide-icestick-area" in result.stdout
    assert "none of the 1 points" in result.stderr.splitlines()[-1]


def test_a_point_that_failed_ends_with_1(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*arguments: object) -> None:
        raise WorkError("yosys is missing: install it")

    monkeypatch.setattr(points, "synthesize_build", missing)
    result = run("tiny.npz", "--target", "area", "--stage", "synthesis")
    assert result.exit_code == 1 and "failed" in result.stdout
    assert result.stderr.splitlines()[-1].endswith("yosys is missing: install it")
