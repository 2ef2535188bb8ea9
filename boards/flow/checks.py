"""What a netlist must pass before hours are spent on it: it fits the device, and it is the design that was planned."""

from __future__ import annotations

from bitloom import WorkError
from bitloom.codegen.families import Resources

from ..board import Board

LEAST_SHARE = 0.25
"""A netlist with fewer LUTs than this share of the prediction has lost part of the design."""

LEAST_LUTS = 40
"""Predictions below this many LUTs are too small to judge by."""

WORDS = {"lut": "LUTs", "ff": "flip-flops", "bram": "block memories", "dsp": "multipliers"}

WAY_OUT = "take target: area, a smaller folding (pe, simd) for the largest layers, or a larger board"


class TooLargeError(WorkError):
    """The netlist, or what packing made of it, takes more than the device has."""


def check_fit(board: Board, used: Resources) -> None:
    """:class:`TooLargeError` names each resource of which ``board`` has too few, and by how much."""
    over = [
        f"{getattr(used, kind):,.0f} {WORDS[kind]} of {getattr(board.resources, kind):,.0f} ({amount:,.0f} too many)"
        for kind, amount in used.excess(board.resources).items()
    ]
    if over:
        raise TooLargeError(f"the design does not fit {board.title}: it needs {', and '.join(over)}; {WAY_OUT}")


def check_plausible(used: Resources, predicted: Resources) -> None:
    """:class:`WorkError` if the netlist is so much smaller than predicted that part of the design must be missing.

    Constants that are not found become zeros, outputs that depend on nothing are optimized away, and every tool reports
    success: this is the guard against that.
    """
    if predicted.lut >= LEAST_LUTS and used.lut < LEAST_SHARE * predicted.lut:
        _implausible("LUTs", used.lut, predicted.lut)
    if round(predicted.bram) >= 1 and used.bram < 0.5 * predicted.bram:
        _implausible("block memories", used.bram, predicted.bram)


def _implausible(what: str, used: float, predicted: float) -> None:
    raise WorkError(f"the netlist is implausibly small: {used:,.0f} {what}, and {predicted:,.0f} were predicted; part "
                    "of the design was optimized away. If rtl/top.v was edited, look there; otherwise please report it")
