"""What the board top takes beside the accelerator: an estimate, for planning and for the report."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from bitloom.codegen.families import Resources


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

    The beat is a register of its own, the samples wait in block memory.
    """
    c, beat = _FAMILIES[family], lanes * bits
    return Resources(c.lut + c.lut_per_bit * beat, c.ff + beat, ceil(elements * bits / c.block_bits), 0)
