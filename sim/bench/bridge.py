"""A board at a pseudo-terminal: what is written there reaches the pin ``rx`` of ``top``, what ``tx`` says can be read.

Parameters: those of :mod:`bitloom.sim.bench.pins` that describe clock and line. Once the design listens, the terminal's
name is published. The simulation stands still while there is nothing to do, and runs until it is ended.
"""

from __future__ import annotations

import os
import select
import tty
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import Timer

from bitloom.sim.bench.exchange import Exchange
from bitloom.sim.bench.uart import Uart

IDLE_SECONDS = 0.5

KEPT = 1 << 20
"""Bytes kept for a terminal that nobody reads at the moment."""


async def bench(exchange: Exchange) -> dict[str, Any]:
    """All that the parameters ask for; it does not return."""
    dut: Any = cocotb.top
    parameters = exchange.parameters
    period = parameters["period"]
    terminal, client = os.openpty()
    tty.setraw(client)
    os.set_blocking(terminal, False)
    uart = Uart(dut, parameters["bit"])
    Clock(dut.clk, period, unit="ps").start()
    await Timer((parameters["reset"] + 16) * period + period // 3, unit="ps")
    waiting = bytearray()
    cocotb.start_soon(uart.listen(waiting.append))
    exchange.ready(os.ttyname(client))
    byte = round(10 * parameters["bit"])
    quiet, patience = 0, parameters["patience"] * period
    while True:
        if waiting:
            quiet = 0
            _write(terminal, waiting)
        data = _read(terminal)
        if data:
            quiet = 0
            await uart.send(data)
        elif quiet < patience:
            quiet += byte
            await Timer(byte, unit="ps")
        else:
            select.select([terminal], [], [], IDLE_SECONDS)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 64)
    except BlockingIOError:
        return b""


def _write(terminal: int, waiting: bytearray) -> None:
    """Pass on what the terminal takes; nobody may be reading it."""
    try:
        del waiting[: os.write(terminal, waiting)]
    except BlockingIOError:
        del waiting[:-KEPT]


@cocotb.test(timeout_time=100_000, timeout_unit="sec")
async def bridge(_: Any) -> None:
    """The entry that cocotb calls."""
    await Exchange().run(bench)
