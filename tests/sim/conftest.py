"""Shared between the tests of co-simulation: a cache for compiled simulators, and synthesis of small sources."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from bitloom.boards import tools


@pytest.fixture(scope="session")
def simulators(tmp_path_factory) -> Path:
    """The folder of compiled simulators, one for all workers; `build` keeps them from compiling the same thing
    twice.
    """
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if base.name.startswith("popen-") else base) / "simulators"
    shared.mkdir(exist_ok=True)
    return shared


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
