"""Which build a command works on: each request has its own folder, and what follows takes the one compiled last."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from bitloom.cli.designs import asked_for, followed
from bitloom.cli.main import main
from bitloom.quant import Format, Graph, Input, MatMul, Tensor, save


def network(path: Path, seed: int = 0) -> Path:
    """The smallest network there is, as a file."""
    weights = np.random.default_rng(seed).integers(-1, 2, (2, 4)) | 1
    nodes = (Input("input", (), Tensor((4,), Format(2))),
             MatMul("fc", ("input",), Tensor((2,), Format(6, True)), weights=weights, weight_format=Format(2, True)))
    save(Graph("tiny", nodes, "fc", (), {}), path)
    return path


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A network in a working directory of its own."""
    monkeypatch.chdir(tmp_path)
    return network(tmp_path / "tiny.npz")


def run(*arguments: object) -> Result:
    """The command line; good unless it says otherwise."""
    return CliRunner().invoke(main, [str(a) for a in arguments])


def compiled(*arguments: object) -> Path:
    """Compile, later than all before."""
    done = run("compile", *arguments, "--json")
    assert done.exit_code == 0, done.output
    folder = Path(json.loads(done.stdout)["folder"])
    times = [manifest.stat().st_mtime for manifest in Path("build").glob("*/manifest.json")]
    os.utime(folder / "manifest.json", (max(times) + 1,) * 2)
    return folder


class Quiet:
    """A screen that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.err = self

    def print(self, text: str, **_: Any) -> None:
        """Keep a line."""
        self.lines.append(text)


def follow(**chosen: Any) -> tuple[Path, list[str]]:
    """The folder that a following command takes, and what it says."""
    screen = Quiet()
    options: dict[str, Any] = {"model": None, "board": None, "target": None, "fps": None, **chosen}
    return followed(screen, **options)[1], screen.lines  # type: ignore[arg-type]


def test_each_request_has_a_folder_of_its_own(tiny: Path) -> None:
    folders = {compiled(tiny, *options) for options in (
        (), ("--target", "area"), ("--fps", 1000), ("--fps", 2000), ("--board", "ulx3s-85f"))}
    assert {folder.name for folder in folders} == {
        "tiny-icebreaker", "tiny-icebreaker-area", "tiny-icebreaker-1000fps", "tiny-icebreaker-2000fps",
        "tiny-ulx3s-85f"}
    assert all((folder / "rtl" / "top.v").is_file() for folder in folders)


def test_what_follows_takes_what_was_compiled_last_and_says_so(tiny: Path) -> None:
    first, second = compiled(tiny, "--board", "ulx3s-85f"), compiled(tiny, "--fps", 1000)
    assert follow(design=str(tiny)) == (
        second, [f"design tiny-icebreaker-1000fps, compiled last in {second}: icebreaker, 1000 samples per second"])
    assert follow(design=str(tiny), board="ulx3s-85f")[0] == first
    compiled(tiny, "--board", "ulx3s-85f")
    assert follow(design=str(tiny))[0] == first
    assert follow(design=str(tiny), fps=1000)[0] == second


def test_what_was_not_compiled_is_what_build_would_make(tiny: Path) -> None:
    compiled(tiny, "--target", "area")
    other = network(tiny.with_name("other.npz"), 1)
    for chosen in ({"design": str(other)}, {"design": str(tiny), "fps": 5.0},
                   {"design": str(tiny), "board": "icestick"}):
        options: dict[str, Any] = {"model": None, "board": None, "target": None, "fps": None, **chosen}
        assert follow(**chosen) == (asked_for(**options)[1], [])


def test_a_design_file_leaves_nothing_open(tiny: Path) -> None:
    compiled(tiny, "--board", "ulx3s-85f")
    Path("mine.yaml").write_text(f"model: {tiny}\nboard: icestick\n")
    assert follow(design="mine.yaml") == (Path("build/mine"), [])


def test_a_build_is_not_overwritten_by_another_network_of_that_name(tiny: Path) -> None:
    folder = compiled(tiny)
    Path("elsewhere").mkdir()
    other = network(Path("elsewhere/tiny.npz"), 1)
    done = run("compile", other)
    assert done.exit_code == 2
    assert f"holds a build of {tiny}" in done.output and "--out" in done.output
    assert run("compile", other, "--out", "build/second").exit_code == 0
    assert run("compile", folder / "design.yaml").exit_code == 0, "a build's own request may be built again"
    assert json.loads((folder / "manifest.json").read_text())["model"] == str(tiny)


def test_a_report_says_when_its_network_has_changed(tiny: Path) -> None:
    folder = compiled(tiny, "--fps", 1000)
    good = run("report", tiny, "--fps", 1000, "--json")
    assert json.loads(good.stdout)["stale"] is None
    network(tiny, 1)
    done = run("report", tiny)
    assert done.exit_code == 0 and f"stale: the network {tiny} has changed since" in done.output
    assert "has changed since" in (folder / "report.html").read_text()
    assert run("compile", tiny, "--fps", 1000).exit_code == 0
    assert "stale" not in run("report", tiny).output
    tiny.unlink()
    assert "is not there any more" in run("report", folder).output


def test_a_report_of_what_was_not_built_is_refused(tiny: Path) -> None:
    compiled(tiny)
    done = run("report", tiny, "--fps", 1000)
    assert done.exit_code == 2 and "tiny-icebreaker-1000fps" in done.output
