"""Shared between the tests of co-simulation: compiled simulators, synthesis of small sources, one small build."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.graphs import declaring, random_graph

from bitloom.boards import tools
from bitloom.boards.build import Compiled, compile_design, load_build, synthesize_build
from bitloom.boards.design import Design
from bitloom.quant import save


@pytest.fixture(scope="session")
def shared(tmp_path_factory) -> Path:
    """One folder for all workers of this session."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if base.name.startswith("popen-") else base) / "cosimulation"
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def once(marker: Path) -> Iterator[bool]:
    """Whether the caller is the first to come here; the others wait until it is done."""
    with open(marker.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not marker.exists()
        marker.touch()


@pytest.fixture(scope="session")
def pristine(shared) -> Path:
    """The folder of a small design, compiled and synthesized for an iCE40, that nobody may change.

    Its network declares more bits for its result than any result needs, as those of strangers do.
    """
    folder = shared / "small"
    with once(shared / "small.done") as first:
        if first:
            save(declaring(random_graph(1, (6, 8, 5), argmax=False, bias=True), 40), shared / "graph.npz")
            layers = {"fc1": {"pe": 4, "simd": 2, "memory": "block"}, "fc2": {"pe": 1, "simd": 4}}
            design = Design(design="small", model=str(shared / "graph.npz"), board="icebreaker", layers=layers)
            synthesize_build(compile_design(design, folder))
    return folder


@pytest.fixture
def build(pristine, tmp_path) -> Callable[..., Compiled]:
    """A copy of the small design; simulators stay shared unless its sources are changed."""

    def make(edit: Callable[[str], str] | None = None) -> Compiled:
        folder = tmp_path / "small"
        shutil.copytree(pristine, folder, ignore=shutil.ignore_patterns("sim"), copy_function=shutil.copy2)
        (pristine / "sim").mkdir(exist_ok=True)
        if edit is None:
            (folder / "sim").symlink_to(pristine / "sim")
        else:
            top = folder / "rtl" / "top.v"
            text = edit(top.read_text())
            assert text != top.read_text(), "the edit changed nothing"
            top.write_text(text)
        return load_build(folder)

    return make


def yosys(script: str, folder: Path) -> None:
    """Run a yosys script in ``folder``."""
    (folder / "script.ys").write_text(script)
    done = subprocess.run([*tools.find("yosys").command, "-s", "script.ys"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def synthesize(verilog: str, top: str, family: str, folder: Path, options: str = "") -> dict:
    """The netlist of ``verilog`` in yosys' JSON format, left in ``folder``/netlist.json."""
    (folder / "rtl.v").write_text(verilog)
    yosys(f"read_verilog rtl.v\nsynth_{family} {options} -top {top}\nwrite_json netlist.json\n", folder)
    return json.loads((folder / "netlist.json").read_text())
