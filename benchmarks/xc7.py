"""What a component takes of a 7-series device, as yosys synthesizes it: for comparisons with published figures.

LUT6 are counted to our disadvantage: every LUT1 to LUT6 and inverter as one (no two share a site), the LUTs of
distributed memory and of shift registers, and one for each carry or wide-multiplexer input that no LUT drives, where
packing routes through one.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from amaranth.lib.wiring import Component

from bitloom import BitloomError
from bitloom.boards.process import run
from bitloom.boards.tools import find
from bitloom.codegen import emit_verilog

SYNTHESIS = "synth_xilinx -family xc7 -flatten -noiopad -top top"
SCRIPT = f"read_verilog top.v\n{SYNTHESIS}\ncheck -assert\nwrite_json netlist.json\n"

LUTRAM = {"RAM32X1S": 1, "RAM64X1S": 1, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1S": 2, "RAM128X1D": 4, "RAM256X1S": 4,
          "RAM32M": 4, "RAM64M": 4}  # fmt: skip
"""LUTs of each distributed memory (Xilinx UG474, 7 Series CLB)."""


@dataclass(frozen=True)
class Cells:
    """What a netlist takes of a 7-series device; ``luts`` are the LUT cells alone, ``through`` those routed through."""

    luts: int
    lutram: int
    srl: int
    through: int
    ff: int
    carry4: int
    ramb18: int
    dsp: int

    @property
    def lut6(self) -> int:
        """All LUT sites."""
        return self.luts + self.lutram + self.srl + self.through


def count(netlist: Path) -> Cells:
    """The cells of module ``top`` in a netlist in yosys' JSON."""
    cells = json.loads(netlist.read_text())["modules"]["top"]["cells"].values()
    cells = [cell for cell in cells if cell["type"] != "$scopeinfo"]
    kinds = Counter(cell["type"] for cell in cells)
    known = r"LUT[1-6]|INV|FD[RSCP]E|CARRY4|MUXF[78]|SRL16E|SRLC32E|RAMB(18|36)E1|DSP48E1|BUFG|" + "|".join(LUTRAM)
    unknown = [kind for kind in kinds if not re.fullmatch(known, kind)]
    if unknown:
        raise BitloomError(f"cells that are not counted: {', '.join(unknown)}")
    luts = [cell for cell in cells if re.fullmatch("LUT[1-6]|INV", cell["type"])]
    driven = {cell["connections"]["O"][0] for cell in luts}
    inputs = [bit for cell in cells if cell["type"] == "CARRY4" for bit in cell["connections"]["S"]]
    inputs += [cell["connections"][port][0] for cell in cells if cell["type"] == "MUXF7" for port in ("I0", "I1")]
    return Cells(
        luts=len(luts),
        lutram=sum(kinds[kind] * each for kind, each in LUTRAM.items()),
        srl=kinds["SRL16E"] + kinds["SRLC32E"],
        through=sum(isinstance(bit, int) and bit not in driven for bit in inputs),
        ff=sum(n for kind, n in kinds.items() if kind.startswith("FD")),
        carry4=kinds["CARRY4"],
        ramb18=kinds["RAMB18E1"] + 2 * kinds["RAMB36E1"],
        dsp=kinds["DSP48E1"],
    )


def synthesize(component: Component, folder: Path) -> Cells:
    """``component``, emitted and synthesized in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "top.v").write_text(emit_verilog(component, "top"))
    (folder / "synthesis.ys").write_text(SCRIPT)
    yosys = find("yosys")
    run("yosys", [*yosys.command, "-s", "synthesis.ys"], folder=folder, log=folder / "yosys.log")
    return count(folder / "netlist.json")
