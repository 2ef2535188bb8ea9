"""What the board top takes beside the accelerator: an estimate, for planning and for the report."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from bitloom.codegen.families import Resources

from . import board as boards
from .board import Board


@dataclass(frozen=True)
class _Coefficients:
    """Of one family: LUTs and flip-flops of the bare link, LUTs per bit of the beat, bits of a block memory."""

    lut: int
    ff: int
    lut_per_bit: float
    block_bits: int


# Synthesized tops around an accelerator that does nothing, of 64 to 784 elements in beats of 5 to 784 bits.
_FAMILIES = {
    "ice40": _Coefficients(430, 190, 0.9, 4096),
    "ecp5": _Coefficients(450, 190, 0.05, 16384),
    "gowin": _Coefficients(690, 200, 1.2, 16384),
}


def link_cost(family: str, elements: int, bits: int, lanes: int) -> Resources:
    """The host link for samples of ``elements`` × ``bits``, which leave it ``lanes`` elements at a time.

    The beat is a register of its own, the samples wait in block memory. One of the two that can is planned for: the
    share of a device that is left free holds the other.
    """
    c, beat = _FAMILIES[family], lanes * bits
    return Resources(c.lut + c.lut_per_bit * beat, c.ff + beat, ceil(elements * bits / c.block_bits), 0)


def buffer_memories(family: str, elements: int, bits: int) -> int:
    """The block memories, at least, in which two samples of ``elements`` × ``bits`` wait.

    A word is an element, or, where an element takes several bytes on the wire, a byte.
    """
    return ceil(2 * elements * (bits if bits <= 8 else 8 * ceil(bits / 8)) / _FAMILIES[family].block_bits)


def holds(board: Board, elements: int, bits: int) -> bool:
    """Whether the block memories of ``board`` can take the samples that wait in the host link."""
    return buffer_memories(board.family, elements, bits) <= board.resources.bram


def too_large(board: Board, elements: int, bits: int) -> str:
    """Why no design for samples of ``elements`` × ``bits`` can be on ``board``, and the ways out; empty if one can."""
    if holds(board, elements, bits):
        return ""
    needed = buffer_memories(board.family, elements, bits)
    larger = ", ".join(name for name in boards.names() if holds(boards.load(name), elements, bits))
    way = f"take a board with as many ({larger})" if larger else "no board that comes with bitloom has as many"
    return (f"the host link keeps two samples of {elements:,} elements in {needed:,} block memories, and board "
            f"{board.name} has {board.resources.bram:,.0f}; {way}, or make the samples smaller (levels model and rtl "
            "need no link)")
