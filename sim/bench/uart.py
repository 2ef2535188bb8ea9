"""A host's UART at a design's pins: eight data bits, no parity, one stop bit, bit by bit.

It wakes at the edges of ``rx`` and in the middle of the bits of ``tx``, never every clock cycle. Its bits have the
length of the nominal baud rate, not that of the design's divisor: the difference is part of what is tested.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

from cocotb.triggers import FallingEdge, Timer
from cocotb.utils import get_sim_time


class Uart:
    """Drives ``rx`` and listens to ``tx``; ``bit`` is the length of a bit in picoseconds."""

    def __init__(self, dut: Any, bit: float) -> None:
        self._rx, self._tx, self._bit = dut.rx, dut.tx, bit
        self._rx.value = 1
        self.heard = 0
        self.framing_errors = 0

    async def send(self, data: bytes) -> None:
        """Send ``data``, byte by byte without a pause; returns when the last stop bit is over."""
        start, elapsed = get_sim_time("ps"), 0.0
        for byte in data:
            bits = [0, *(byte >> k & 1 for k in range(8)), 1]
            for level, run in groupby(bits):
                self._rx.value = level
                elapsed += self._bit * len(list(run))
                await Timer(start + round(elapsed) - get_sim_time("ps"), unit="ps")

    async def listen(self, take: Callable[[int], None]) -> None:
        """Give every byte that arrives to ``take``, until cancelled; a byte without its stop bit is dropped."""
        falling = FallingEdge(self._tx)
        while True:
            await falling
            start, byte = get_sim_time("ps"), 0
            for k in range(9):
                await Timer(start + round((1.5 + k) * self._bit) - get_sim_time("ps"), unit="ps")
                byte |= int(self._tx.value) << k
            if byte >> 8:
                self.heard += 1
                take(byte & 0xFF)
            else:
                self.framing_errors += 1
