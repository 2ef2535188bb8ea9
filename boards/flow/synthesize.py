"""Synthesis: the top's Verilog to a netlist of the family's cells, as JSON to place and as Verilog to simulate."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitloom import WorkError
from bitloom.codegen.families import Resources

from ..progress import Step
from .families import FLOWS
from .workbench import Workbench

NETLIST = "netlist.json"
NETLIST_VERILOG = "netlist.v"

_PASS = re.compile(r"^[\d.]+\. Executing (\S+) pass")


@dataclass(frozen=True)
class Synthesis:
    """A netlist and what it will take of the device: counted by cell type in ``cells``, by resource in the rest.

    ``lut`` is what packing makes of it: on iCE40 and Gowin a flip-flop without its own LUT takes a whole logic cell.
    """

    cells: dict[str, int]
    lut: int
    ff: int
    bram: int
    dsp: int
    netlist_json: Path
    netlist_v: Path

    @property
    def used(self) -> Resources:
        """The counts as resources."""
        return Resources(self.lut, self.ff, self.bram, self.dsp)


def synthesize(bench: Workbench, verilog: Path, *, dsp: bool = False) -> Synthesis:
    """Synthesize module ``top`` of ``verilog`` for the bench's board, flattened.

    Both netlists are written from the same design in memory, so that what is simulated is what is placed.

    :param dsp: infer multiplier blocks.
    :raises WorkError: synthesis fails; its own words and its log's path are in the message.
    """
    flow = FLOWS[bench.board.family]
    try:
        source = verilog.read_bytes()
    except OSError as error:
        raise WorkError(f"{verilog} cannot be read ({error.strerror}): compile the design first") from None
    script = "\n".join([
        "read_verilog top.v",
        flow.synthesis(bench.board, dsp),
        "check -assert",
        f"write_json {NETLIST}",
        f"write_verilog -noattr {NETLIST_VERILOG}",
    ]) + "\n"  # fmt: skip

    def work(folder: Path, step: Step) -> dict[str, Any]:
        shutil.copyfile(verilog, folder / "top.v")
        (folder / "synthesis.ys").write_text(script)
        bench.run("synthesize", bench.suite.yosys, ["-s", "synthesis.ys"], folder, lambda line: _listen(step, line))
        cells = cells_of(folder / NETLIST)
        used = flow.count(cells)
        step.note(f"{used.lut:,.0f} LUTs, {used.ff:,.0f} flip-flops, {used.bram:,.0f} memories")
        return {"cells": dict(sorted(Counter(cell["type"] for cell in cells.values()).items())), **used.rounded()}

    inputs = [source, script, str(bench.suite.yosys)]
    values = bench.step("synthesize", inputs, [NETLIST, NETLIST_VERILOG], work)
    return Synthesis(**values, netlist_json=bench.out / NETLIST, netlist_v=bench.out / NETLIST_VERILOG)


def _listen(step: Step, line: str) -> None:
    match = _PASS.match(line)
    if match:
        step.note(match[1].lower())


def cells_of(netlist: Path) -> dict[str, Any]:
    """The cells of module ``top`` in a netlist in yosys' JSON; :class:`WorkError` if it is not whole."""
    try:
        cells: dict[str, Any] = json.loads(netlist.read_bytes())["modules"]["top"]["cells"]
    except (OSError, ValueError, KeyError) as error:
        raise WorkError(f"{netlist.name} is not a whole netlist ({type(error).__name__}: {error}); is the disk full?"
                        ) from None
    return {name: cell for name, cell in cells.items() if cell["type"] != "$scopeinfo"}  # names of scopes, not cells
