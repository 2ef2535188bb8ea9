"""The Makefile: targets, variables, and what it says where something is missing. Nothing is installed here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TARGETS = ("setup", "test", "test-all", "train", "bitstream", "cosim", "sweep", "program", "bench", "lint")
NEEDED = ("sh", "make", "uname", "sed", "date", "rm", "mkdir", "touch")


def make(*arguments: str, folder: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``make`` as a user would, whatever a surrounding make or test run has set."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    for key in ("MODEL", "BOARD", "TARGET", "FPS", "STUDY", "JOBS"):
        clean.pop(key, None)
    environment = {**clean, **environment}
    return subprocess.run(["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def test_make_alone_prints_the_targets() -> None:
    done = make()
    assert done.returncode == 0
    for target in TARGETS:
        assert re.search(rf"^  {target} ", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(("arguments", "command"), [
    (["bitstream"], "bitloom build digits"),
    (["bitstream", "MODEL=digits-binary", "BOARD=icestick", "TARGET=area"],
     "bitloom build digits-binary --board icestick --target area"),
    (["cosim", "FPS=1000"], "bitloom verify digits --fps 1000 --level rtl"),
    (["train", "MODEL=mine"], "bitloom train mine"),
    (["sweep"], "bitloom sweep digits"),
    (["sweep", "MODEL=digits mine", "BOARD=icestick ecpix5-45f", "FPS=10 20", "JOBS=2"],
     "bitloom sweep digits mine --board icestick --board ecpix5-45f --fps 10 --fps 20 --jobs 2"),
    (["sweep", "STUDY=study.yaml"], "bitloom sweep study.yaml"),
    (["program"], "bitloom program digits"),
    (["program", "BOARD=icestick", "FPS=10"], "bitloom program digits --board icestick --fps 10"),
    (["test-all"], "pytest -q -n auto tests"),
])
def test_variables_reach_the_command(tmp_path: Path, arguments: list[str], command: str) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".venv").mkdir()
    for name in ("pyproject.toml", "constraints.txt", ".venv/.bitloom-ready"):
        (tmp_path / name).touch()
    done = make("-n", *arguments, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert command in re.sub(r" +", " ", done.stdout)


@pytest.mark.parametrize(("present", "words"), [
    ([], "setup needs Python 3.10 or newer as 'python3': apt install python3"),
    (["python3"], "co-simulation needs a C++ compiler: apt install g++"),
    (["python3", "g++"], "Verilator needs perl: apt install perl"),
])
def test_what_is_missing_is_said_before_anything_is_installed(tmp_path: Path, present: list[str], words: str) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in (*NEEDED, *present):
        # Whatever is called python3 may be a script of a version manager, which needs more than is here.
        found = str(Path(sys.executable).resolve()) if tool == "python3" else shutil.which(tool)
        if found is None:
            pytest.skip(f"{tool} is not here")
        (tools / tool).symlink_to(found)
    done = make("setup", folder=tmp_path, PATH=str(tools))
    assert done.returncode != 0
    assert words in done.stderr and not (tmp_path / ".venv").exists()


def test_every_dependency_is_pinned() -> None:
    pinned = {re.split(r"[=;\s]", line)[0].lower().replace("_", "-")
              for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")}
    wanted = {re.split(r"[\s<>=!;\[]", line)[0].lower().replace("_", "-") for line in requires("bitloom") or []}
    assert wanted - pinned - {"bitloom"} == set()
