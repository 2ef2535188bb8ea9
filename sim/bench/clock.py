"""Run a design that needs nothing but a clock, then read some of its signals.

Parameters: ``cycles``, and ``watch``, the names of signals of the top. Results: ``values``, by name.
"""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import Timer

from bitloom.sim.bench.exchange import Exchange

PERIOD = 10


async def bench(exchange: Exchange) -> dict[str, Any]:
    """All that the parameters ask for."""
    dut: Any = cocotb.top
    cycles = exchange.parameters["cycles"]
    clock = Clock(dut.clk, PERIOD, unit="ns")
    clock.start()
    for done in range(0, cycles, 1000):
        await Timer(PERIOD * min(1000, cycles - done), unit="ns")
        exchange.progress("cycles", done, cycles)
    return {"values": {name: int(getattr(dut, name).value) for name in exchange.parameters["watch"]}}


@cocotb.test(timeout_time=1000, timeout_unit="sec")
async def clock(_: Any) -> None:
    """The entry that cocotb calls."""
    await Exchange().run(bench)
