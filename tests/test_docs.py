"""What README and docs show is run: every command, and every design, study and board file.

A command is run unless its comment says what it needs that is not here, in words of :data:`NEEDS`. Each block of
commands is run from its first line to its last in a folder of its own, beside a network and samples for it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import pytest
import yaml

from bitloom.boards.board import Board
from bitloom.boards.build import compile_design
from bitloom.boards.design import load_design
from bitloom.boards.schema import validated
from bitloom.cli.main import main
from bitloom.sweep import load_study, points

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

NEEDS = ("needs a board", "needs MNIST", "needs IceStorm")
"""What the comment of a command says that is not run."""

ELSEWHERE = {"git clone <this repository> bitloom && cd bitloom": "continuous integration begins with it",
             "make bitstream": "continuous integration runs it, for the same board",
             "make train": "it writes into the checkout; training is tested on copies (tests/quant/train)",
             "make test": "it is what runs here"}
"""Commands that are run, but not by this test."""


@dataclass(frozen=True)
class Block:
    """A block of a page between fences: its language and its lines."""

    page: Path
    number: int
    language: str
    lines: tuple[str, ...]

    @property
    def commands(self) -> list[tuple[str, str]]:
        """Each command and its comment."""
        cut = (re.split(r"\s+#\s", line, maxsplit=1) for line in self.lines if line.strip())
        return [(command.strip(), "".join(comment)) for command, *comment in cut]

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(self.lines) + "\n"

    def __str__(self) -> str:
        return f"{self.page.stem}-{self.number}"


def blocks(language: str) -> list[Block]:
    """All blocks of a language, on all pages."""
    return [Block(page, number, language, tuple(text.splitlines())) for page in PAGES for number, text in enumerate(
        re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL))]


def mentioned() -> Iterator[str]:
    """Commands in running text."""
    for page in PAGES:
        text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        yield from (" ".join(found.split()) for found in re.findall(r"`(bitloom [a-z][^`]*)`", text))


def _prepare(folder: Path) -> dict[str, str]:
    """A checkout in which everything is set up, with a network and samples; the environment for commands."""
    from support.onnx_models import Net

    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (folder / ".venv" / ".bitloom-ready").touch()
    net = Net(3, (8,))
    hidden = net.quant(net.add("Relu", net.dense(net.quant("x", 0.25, 4), 8, 6)), 0.5, 3, 0)
    model = net.model(net.dense(hidden, 6, 3))
    (folder / "network.onnx").write_bytes(model.SerializeToString())
    np.save(folder / "samples.npy", np.random.default_rng(0).normal(0, 1, (20, 8)).astype(np.float32))
    np.save(folder / "labels.npy", np.random.default_rng(1).integers(0, 3, 20))
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), clean.get("PATH", "")])
    return {**clean, "PATH": path, "PYTHONPATH": str(ROOT / "src")}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("block", blocks("sh"), ids=str)
def test_every_command_does_what_the_page_says(block: Block, tmp_path: Path) -> None:
    environment = _prepare(tmp_path)
    for command, comment in block.commands:
        if command in ELSEWHERE or any(need in comment for need in NEEDS):
            continue
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def test_there_are_such() -> None:
    commands = [command for block in blocks("sh") for command, _ in block.commands]
    assert len(commands) > 15 and set(ELSEWHERE) <= set(commands)
    assert {"bitloom", "make"} <= {shlex.split(command)[0] for command in commands}


@pytest.mark.parametrize("command", sorted({
    *mentioned(), *(line for block in blocks("sh") for line, _ in block.commands if line.startswith("bitloom "))}))
def test_every_option_that_a_page_names_is_there(command: str) -> None:
    _, name, *words = shlex.split(command)
    known = main.get_command(click.Context(main), name)
    assert known is not None, f"no command {name}"
    options = {option for parameter in known.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word.split("=")[0] for word in words if word.startswith("-")} <= options


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_every_file_that_a_page_shows_is_one(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "shown.yaml"
    path.write_text(block.text, encoding="utf-8")
    keys = set(yaml.safe_load(block.text))
    if "models" in keys:
        assert len(points(load_study(path))) > 10
    elif "model" in keys:
        compiled = compile_design(load_design(path), tmp_path / "out")
        asked = yaml.safe_load(block.text)["layers"]
        assert asked.keys() <= {stage.name for stage in compiled.plan.stages}
    else:
        board = validated(Board, yaml.safe_load(block.text), "page")
        assert board.clock_hz > 1e6 and board.part


@pytest.mark.slow
@pytest.mark.parametrize("block", [b for b in blocks("python") if "from bitloom" in b.text], ids=str)
def test_every_script_runs(block: Block, tmp_path: Path) -> None:
    environment = _prepare(tmp_path)
    done = subprocess.run([sys.executable, "-c", block.text], cwd=tmp_path, env=environment, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr[-2000:]
