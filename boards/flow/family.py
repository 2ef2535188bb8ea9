"""What a family's flow has to say; one file per family says it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bitloom import RequestError
from bitloom.codegen.families import Resources

from ..board import Board

Cells = Mapping[str, Mapping[str, Any]]
"""The cells of a netlist in yosys' JSON, by name: ``type``, ``connections``, ``parameters``, ``attributes``."""


@dataclass(frozen=True)
class Use:
    """How many of one kind of the device's cells are taken."""

    used: int
    available: int


class FamilyFlow(ABC):
    """The words of one family: to synthesis, to place and route, to the packer, and what they answer."""

    suffix: str
    """The bitstream's suffix."""

    routed: str
    """What place and route leaves for the packer."""

    logic: str
    """nextpnr's name of the cell that holds a LUT."""

    untimed: tuple[str, ...] = ()
    """Placed cell types for which place and route has no delays, so that it times no path through them."""

    @abstractmethod
    def synthesis(self, board: Board, dsp: bool) -> str:
        """yosys' command up to the family's cells; multiplier blocks are inferred only where ``dsp`` asks for them."""

    @abstractmethod
    def count(self, cells: Cells) -> Resources:
        """What the synthesized ``cells`` will take of the device, as place and route will pack them (nearly)."""

    @abstractmethod
    def placement(self, board: Board) -> list[str]:
        """nextpnr's arguments: the device, and what it leaves for the packer. Constraints are in ``pins.<suffix>``."""

    @abstractmethod
    def taken(self, use: Mapping[str, Use], cells: Cells) -> Resources:
        """What the placed ``cells`` take, from nextpnr's own counts of the device's ``use``."""

    @abstractmethod
    def packing(self, board: Board, bitstream: str) -> list[str]:
        """The packer's arguments, from :attr:`routed` to ``bitstream``."""


def one_of(board: Board, what: str, value: str, table: Mapping[str, str]) -> str:
    """``table[value]``; :class:`RequestError` where the open tools do not know that part."""
    if value not in table:
        raise RequestError(f"board {board.name}: {what} must be one that place and route knows ({', '.join(table)}), "
                           f"not {value!r}")
    return table[value]


def lone_flip_flops(cells: Cells, flip_flops: tuple[str, ...], logic: Mapping[str, str]) -> int:
    """How many flip-flops have no LUT of their own in front, so that packing gives them a whole logic cell.

    :param flip_flops: prefixes of the flip-flops' cell types; their input is ``D``.
    :param logic: the cell types that can share a logic cell with a flip-flop, with the name of their output.
    """
    readers: dict[object, int] = {}
    sources: set[object] = set()
    ends = []
    for cell in cells.values():
        is_flip_flop = cell["type"].startswith(flip_flops)
        for port, bits in cell["connections"].items():
            if logic.get(cell["type"]) == port:
                sources.update(bits)
            else:
                for bit in bits:
                    readers[bit] = readers.get(bit, 0) + 1
        if is_flip_flop:
            ends.append(cell["connections"]["D"][0])
    return sum(not (bit in sources and readers[bit] == 1) for bit in ends)
