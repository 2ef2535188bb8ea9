"""Behaviour of the vendors' cells, for simulating netlists.

A cell's model comes from yosys' simulation library where that has one, and from the Verilog files in this folder where
the library has an empty shell (a shell reads as zeros and proves nothing) or a slow model. The models here are named
``model_<cell>``. Only cells in :data:`LIBRARY` and those modelled here count as supported: each of them is tested
against what yosys infers it from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from bitloom import WorkError
from bitloom.sim.toolchain import ToolMissing

_HERE = Path(__file__).parent
LIBRARY: dict[str, frozenset[str]] = {
    "ice40": frozenset([*(f"SB_DFF{kind}" for kind in ("", "E", "SR", "R", "SS", "S", "ESR", "ER", "ESS", "ES")),
                        "SB_CARRY", "SB_MAC16", "SB_RAM40_4K"]),
    "ecp5": frozenset(["CCU2C", "L6MUX21", "PFUMX", "TRELLIS_DPR16X4", "TRELLIS_FF"]),
    "gowin": frozenset([*(f"DFF{kind}{enable}" for kind in ("", "S", "R", "P", "C") for enable in ("", "E")),
                        "ALU", "GND", "IBUF", "MUX2_LUT5", "MUX2_LUT6", "MUX2_LUT7", "MUX2_LUT8", "OBUF", "RAM16SDP4",
                        "VCC"]),
}  # fmt: skip
"""Per family, the cells whose model in yosys' simulation library is used."""

_SOURCES = {"ice40": "ice40/cells_sim.v", "ecp5": "ecp5/cells_sim.v", "gowin": "gowin/cells_sim.v"}
_OWN = {"ice40": ("ice40.v",), "ecp5": ("ecp5.v", "block_memory.v", "dsp_register.v"),
        "gowin": ("gowin.v", "block_memory.v", "dsp_register.v")}  # fmt: skip
PRIMITIVES = {"SB_MAC16": "ice40", "MULT18X18D": "ecp5", "MULT18X18": "gowin", "MULT9X9": "gowin"}
"""The cells that emitted RTL may hold, with their family."""
IGNORED = frozenset(["$scopeinfo"])
"""Cells without function: yosys keeps notes on the hierarchy in them."""


@dataclass(frozen=True)
class Library:
    """The Verilog files that model a family, the folder of their include files, and each supported cell's module."""

    sources: tuple[Path, ...]
    include: Path
    modules: dict[str, str]

    def module(self, cell: str) -> str | None:
        """The module that models ``cell``; None if there is none."""
        return self.modules.get(cell)


@cache
def library(family: str) -> Library:
    """The models of ``family``; :class:`WorkError` if there are none, :class:`ToolMissing` without pyosys."""
    if family not in LIBRARY:
        raise WorkError(f"netlists of {family} cannot be simulated: there are models for {', '.join(LIBRARY)}")
    spec = find_spec("pyosys")
    if spec is None or spec.origin is None:
        raise ToolMissing("simulating a netlist needs yosys' simulation library: pip install pyosys")
    shared = Path(spec.origin).parent / "share" / _SOURCES[family]
    own = tuple(_HERE / name for name in _OWN[family])
    texts = "".join(path.read_text() for path in own)
    modelled = re.findall(r"^module model_([A-Z]\w*)", texts, re.MULTILINE)
    modules = {cell: cell for cell in LIBRARY[family]} | {cell: f"model_{cell}" for cell in modelled}
    return Library((shared, *own), shared.parent, modules)


@dataclass(frozen=True)
class Modelled:
    """RTL whose cells are the models': the text, and what else must be compiled with it."""

    text: str
    sources: tuple[Path, ...]
    include: tuple[Path, ...]


def modelled(text: str) -> Modelled:
    """The emitted Verilog ``text`` with the models of its :data:`PRIMITIVES`, all of one family; others as they are."""
    pattern = re.compile(rf"^( *)({'|'.join(PRIMITIVES)})(?= #\()", re.MULTILINE)
    families = {PRIMITIVES[match[2]] for match in pattern.finditer(text)}
    if not families:
        return Modelled(text, (), ())
    if len(families) > 1:
        raise WorkError(f"the RTL holds cells of {' and '.join(sorted(families))}: compile the design for one of them")
    models = library(families.pop())
    return Modelled(pattern.sub(lambda match: match[1] + models.modules[match[2]], text), models.sources,
                    (models.include,))
