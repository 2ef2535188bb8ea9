"""Lattice iCE40: Project IceStorm's device, ``icepack``'s bitstream."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from bitloom.codegen.families import Resources

from ..board import Board
from .family import Cells, FamilyFlow, Use, lone_flip_flops, one_of

_DEVICES = {
    "iCE40LP384": "--lp384", "iCE40LP1K": "--lp1k", "iCE40LP4K": "--lp4k", "iCE40LP8K": "--lp8k",
    "iCE40HX1K": "--hx1k", "iCE40HX4K": "--hx4k", "iCE40HX8K": "--hx8k",
    "iCE40UP3K": "--up3k", "iCE40UP5K": "--up5k", "iCE5LP1K": "--u1k", "iCE5LP2K": "--u2k", "iCE5LP4K": "--u4k",
}  # fmt: skip
_SPEEDS = {"iCE40LP": "lp", "iCE40HX": "hx", "iCE40UP": "u", "iCE5LP": "u"}

# Inference takes the multipliers that stand in the RTL for its own and sets them anew, without their registers (seen in
# yosys 0.70; its issue 2922 is of the kind): meanwhile they have another name.
_HIDE = ("read_verilog -lib +/ice40/cells_sim.v", "copy SB_MAC16 instantiated_SB_MAC16",
         "chtype -set instantiated_SB_MAC16 t:SB_MAC16")  # fmt: skip
_SHOW = ("chtype -set SB_MAC16 t:instantiated_SB_MAC16",)


class ICE40(FamilyFlow):
    """iCE40: logic cells of one LUT4, one carry and one flip-flop; 4 kbit memories; 16×16 multipliers on UltraPlus."""

    suffix = ".bin"
    routed = "routed.asc"
    logic = "ICESTORM_LC"
    untimed = ("ICESTORM_DSP",)

    def synthesis(self, board: Board, dsp: bool) -> str:
        speed = next(value for key, value in _SPEEDS.items() if board.make_platform().device.startswith(key))
        command = f"synth_ice40 -device {speed}{' -dsp' if dsp else ''} -top top"
        return "\n".join([*_HIDE, command, *_SHOW]) if dsp else command

    def count(self, cells: Cells) -> Resources:
        kinds = Counter(cell["type"] for cell in cells.values())
        flip_flops = sum(n for kind, n in kinds.items() if kind.startswith("SB_DFF"))
        memories = sum(n for kind, n in kinds.items() if kind.startswith("SB_RAM40"))
        lone = lone_flip_flops(cells, ("SB_DFF",), {"SB_LUT4": "O"})
        return Resources(kinds["SB_LUT4"] + lone + _lone_carries(cells), flip_flops, memories, kinds["SB_MAC16"])

    def placement(self, board: Board) -> list[str]:
        platform = board.make_platform()
        device = one_of(board, "device", platform.device, _DEVICES)
        return [device, "--package", platform.package.lower(), "--pcf", "pins.pcf", "--asc", self.routed]

    def taken(self, use: Mapping[str, Use], cells: Cells) -> Resources:
        logic = [cell["parameters"] for cell in cells.values() if cell["type"] == self.logic]
        flip_flops = sum(int(parameters.get("DFF_ENABLE", "0"), 2) for parameters in logic)
        return Resources(use[self.logic].used, flip_flops, use["ICESTORM_RAM"].used,
                         use["ICESTORM_DSP"].used if "ICESTORM_DSP" in use else 0)

    def packing(self, board: Board, bitstream: str) -> list[str]:
        return [*board.pack, self.routed, bitstream]


def _lone_carries(cells: Cells) -> int:
    """How many carries have no LUT on the same two operands beside them, so that packing gives them a cell each."""
    operands = {frozenset((str(cell["connections"]["I1"]), str(cell["connections"]["I2"])))
                for cell in cells.values() if cell["type"] == "SB_LUT4"}
    carries = [cell["connections"] for cell in cells.values() if cell["type"] == "SB_CARRY"]
    return sum(frozenset((str(carry["I0"]), str(carry["I1"]))) not in operands for carry in carries)
