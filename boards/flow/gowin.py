"""Gowin: Project Apicula's device, ``gowin_pack``'s bitstream."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from math import ceil

from bitloom import RequestError
from bitloom.codegen.families import Resources

from ..board import Board
from .family import Cells, FamilyFlow, Use, lone_flip_flops

# Multipliers in units of one 18×18, of which the others are made or make up a part.
_MULTIPLIERS = {
    "MULT9X9": 0.5, "MULT18X18": 1, "MULT36X36": 4, "MULTALU18X18": 2, "MULTALU36X18": 2, "MULTADDALU18X18": 2,
}  # fmt: skip
_MEMORIES = ("SP", "SPX9", "SDP", "SDPX9", "SDPB", "SDPX9B", "DP", "DPX9", "DPB", "DPX9B", "pROM", "pROMX9")

_WIDE = "\n".join([
    "design -push",
    "read_verilog <<END",
    *(f"module LUT{n} (output F, input {', '.join(f'I{k}' for k in range(n))}); parameter [{(1 << n) - 1}:0] INIT = 0; "
      f"LUT4 #(.INIT({{{16 >> n}{{INIT}}}})) _TECHMAP_REPLACE_ (.F(F), {', '.join(f'.I{k}(I{k})' for k in range(n))}); "
      "endmodule" for n in (1, 2, 3)),
    "END",
    "design -stash wide",
    "design -pop",
    "techmap -map %wide",
])  # fmt: skip
"""Makes LUTs of four inputs of the narrower ones: place and route has delays for those alone, and would leave every
path through another untimed."""


class Gowin(FamilyFlow):
    """Gowin: LUT4 with flip-flop, adder cells in a LUT's place, 18 kbit memories, 18×18 multipliers."""

    suffix = ".fs"
    routed = "routed.json"
    logic = "LUT4"
    untimed = tuple(_MULTIPLIERS)

    def synthesis(self, board: Board, dsp: bool) -> str:
        family = "gw2a" if _device(board).startswith("GW2A") else "gw1n"
        return f"synth_gowin -family {family} -nowidelut{'' if dsp else ' -nodsp'} -top top\n{_WIDE}"

    def count(self, cells: Cells) -> Resources:
        kinds = Counter(cell["type"] for cell in cells.values())
        logic = {"LUT4": "F", "ALU": "SUM"}
        luts = sum(kinds[kind] for kind in logic) + 4 * kinds["RAM16SDP4"]
        flip_flops = sum(n for kind, n in kinds.items() if kind.startswith("DFF"))
        return Resources(luts + lone_flip_flops(cells, ("DFF",), logic), flip_flops,
                         sum(kinds[kind] for kind in _MEMORIES), _multipliers(lambda kind: kinds[kind]))

    def placement(self, board: Board) -> list[str]:
        return ["--device", board.part, "--vopt", f"family={_device(board)}", "--vopt", "cst=pins.cst"]

    def taken(self, use: Mapping[str, Use], cells: Cells) -> Resources:
        def used(kind: str) -> int:
            return use[kind].used if kind in use else 0

        return Resources(used("LUT4") + used("ALU") + 4 * used("RAM16SDP4"), used("DFF"), used("BSRAM"),
                         _multipliers(used))

    def packing(self, board: Board, bitstream: str) -> list[str]:
        return ["-d", _device(board), *board.pack, "-o", bitstream, self.routed]


def _multipliers(count: Callable[[str], int]) -> int:
    return ceil(sum(count(kind) * share for kind, share in _MULTIPLIERS.items()))


def _device(board: Board) -> str:
    if board.device is None:
        raise RequestError(f"board {board.name}: device is missing; it names the device's database, such as GW1N-9C")
    return board.device
