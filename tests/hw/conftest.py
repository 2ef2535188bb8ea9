"""What the template tests share: the stream driver, stall patterns, and synthesis of one template."""

import re
import tempfile
from pathlib import Path

import pytest
from amaranth.back import rtlil
from support.streams import drive, gaps


@pytest.fixture(name="drive")
def _drive():
    return drive


@pytest.fixture(name="gaps")
def _gaps():
    return gaps


def _yosys(component, command: str, result: str) -> str:
    """The text that ``result`` writes to the file ``{out}``, after ``component`` was read and ``command`` was run."""
    from pyosys import libyosys as ys

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "top.il").write_text(rtlil.convert(component, name="top"))
        design = ys.Design()
        for step in (f"read_rtlil {folder}/top.il", "proc", "memory_collect", "opt_clean -purge", command):
            ys.run_pass(f"tee -q -o {folder}/log {step}", design)
        ys.run_pass(result.format(out=f"{folder}/out"), design)
        return Path(folder, "out").read_text()


def _cells(component, family: str) -> dict[str, int]:
    text = _yosys(
        component, f"synth_{family} -top top" + (" -noiopads" if family == "gowin" else ""), "tee -q -o {out} stat"
    )
    found = re.findall(r"^\s+(\d+)\s+([A-Z]\w+)\s*$", text, flags=re.MULTILINE)
    return {cell: int(count) for count, cell in found if cell not in ("GND", "VCC")}


@pytest.fixture
def synthesize():
    """``synthesize(component, family)``: the cells that yosys maps it to."""
    return _cells


@pytest.fixture
def verilog():
    """``verilog(component)``: its Verilog."""
    return lambda component: _yosys(component, "check", "tee -q write_verilog -noattr -norename {out}")
