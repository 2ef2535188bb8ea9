"""Lattice ECP5: Project Trellis' device, ``ecppack``'s bitstream."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import ceil

from bitloom.codegen.families import Resources

from ..board import Board
from .family import Cells, FamilyFlow, Use, one_of

_DEVICES = {
    "LFE5U-12F": "--12k", "LFE5U-25F": "--25k", "LFE5U-45F": "--45k", "LFE5U-85F": "--85k",
    "LFE5UM-25F": "--um-25k", "LFE5UM-45F": "--um-45k", "LFE5UM-85F": "--um-85k",
    "LFE5UM5G-25F": "--um5g-25k", "LFE5UM5G-45F": "--um5g-45k", "LFE5UM5G-85F": "--um5g-85k",
}  # fmt: skip
_PACKAGES = {"BG256": "CABGA256", "MG285": "CSFBGA285", "BG381": "CABGA381", "BG554": "CABGA554", "BG756": "CABGA756"}


class ECP5(FamilyFlow):
    """ECP5: LUT4 and flip-flop apart, carries of two LUTs, 18 kbit memories, 18×18 multipliers."""

    suffix = ".bit"
    routed = "routed.config"
    logic = "TRELLIS_COMB"

    def synthesis(self, board: Board, dsp: bool) -> str:
        return f"synth_ecp5 -nowidelut{'' if dsp else ' -nodsp'} -top top"

    def count(self, cells: Cells) -> Resources:
        kinds = Counter(cell["type"] for cell in cells.values())
        luts = kinds["LUT4"] + 2 * kinds["CCU2C"] + 4 * _chains(cells) + 6 * kinds["TRELLIS_DPR16X4"]
        return Resources(luts, kinds["TRELLIS_FF"], kinds["DP16KD"] + kinds["PDPW16KD"],
                         kinds["MULT18X18D"] + ceil(kinds["MULT9X9D"] / 2))

    def placement(self, board: Board) -> list[str]:
        platform = board.make_platform()
        return [one_of(board, "device", platform.device, _DEVICES),
                "--package", one_of(board, "package", platform.package, _PACKAGES), "--speed", platform.speed,
                "--lpf", "pins.lpf", "--textcfg", self.routed]  # fmt: skip

    def taken(self, use: Mapping[str, Use], cells: Cells) -> Resources:
        return Resources(use[self.logic].used, use["TRELLIS_FF"].used, use["DP16KD"].used, use["MULT18X18D"].used)

    def packing(self, board: Board, bitstream: str) -> list[str]:
        return [*board.pack, "--input", self.routed, "--bit", bitstream]


def _chains(cells: Cells) -> int:
    """How many carry chains there are: packing puts a cell before and a cell behind each, of two LUTs apiece."""
    carries = (cell["connections"].get("CIN", ["0"]) for cell in cells.values() if cell["type"] == "CCU2C")
    return sum(not cin or isinstance(cin[0], str) for cin in carries)
