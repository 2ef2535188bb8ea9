"""Level ``bitstream``: gates decoded back from the bitstream."""

from __future__ import annotations

from collections.abc import Callable

from bitloom.boards.build import Compiled

from ..levels import Findings, Unavailable
from ..vectors import Samples

REASONS = {
    "ice40": "decoding an iCE40 bitstream needs `icebox_vlog` of Project IceStorm, which no Python package holds",
    "ecp5": "no tool decodes the gates of an ECP5 bitstream: `ecpunpack` gives back fuses and routing only",
    "gowin": "`gowin_unpack` gives back no contents of block memories, so the constants would be missing",
}


def verify_bitstream(compiled: Compiled, samples: Samples, seed: int, note: Callable[[str], None]) -> Findings:
    """Nothing yet: no family's tools decode whole designs."""
    raise Unavailable(REASONS[compiled.board.family])
