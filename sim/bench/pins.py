"""Talk to module ``top`` through its UART pins: refused requests first, then samples, two under way at a time.

Parameters: ``bit`` (picoseconds), ``period`` (of the clock, picoseconds), ``reset`` (cycles until the design listens),
``patience`` (cycles that an answer may take), ``exchanges`` (each with ``name``, ``send`` and ``answer``: bytes in
hexadecimal, of the answer the message without its frame), ``samples`` and ``expected`` (bodies in hexadecimal).

Results: the exchanges that were answered otherwise, ``answers`` (bodies), bytes and messages that nobody asked for.
"""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import Event, SimTimeoutError, Timer, with_timeout

from bitloom.boards.protocol import RESPONSE, WINDOW, Command, Deframer, Message
from bitloom.sim.bench.exchange import BenchError, Exchange
from bitloom.sim.bench.uart import Uart


class Host:
    """Sends requests and collects answers; ``messages`` are those that nobody has claimed yet."""

    def __init__(self, dut: Any, parameters: dict[str, Any]) -> None:
        self.uart = Uart(dut, parameters["bit"])
        self.messages: list[Message] = []
        self.deframer = Deframer()
        self._arrived = Event()
        self._patience = parameters["patience"] * parameters["period"]
        self._listening = cocotb.start_soon(self.uart.listen(self._take))

    def _take(self, byte: int) -> None:
        self.messages += self.deframer.feed(bytes([byte]))
        if self.messages:
            self._arrived.set()

    async def answer(self) -> Message | None:
        """The next message; None if none comes in time."""
        while not self.messages:
            self._arrived.clear()
            try:
                await with_timeout(self._arrived.wait(), self._patience, "ps")
            except SimTimeoutError:
                return None
        return self.messages.pop(0)

    async def silence(self) -> None:
        """Wait until nothing more comes."""
        while await self.answer() is not None:
            pass


async def converse(host: Host, exchanges: list[dict[str, str]]) -> list[str]:
    """One request after the other; what was answered otherwise, in words."""
    wrong = []
    for exchange in exchanges:
        await host.uart.send(bytes.fromhex(exchange["send"]))
        message = await host.answer()
        found = "" if message is None else (bytes([message.command, message.sequence]) + message.body).hex()
        if found != exchange["answer"]:
            wrong.append(f"{exchange['name']}: answered {found or 'nothing'}, and {exchange['answer']} is right")
    return wrong


async def infer(host: Host, exchange: Exchange, samples: list[str]) -> list[str]:
    """The answers to ``samples`` (bodies, hexadecimal), sent while the answer to the one before is still to come."""
    answers = [""] * len(samples)
    under_way: dict[int, int] = {}

    async def collect() -> None:
        message = await host.answer()
        if message is None:
            raise BenchError(f"sample {min(under_way.values())} of {len(samples)} was not answered")
        if message.command != RESPONSE | Command.INFER or message.sequence not in under_way:
            raise BenchError(f"sample {min(under_way.values())} of {len(samples)} was answered with command "
                             f"{message.command:#04x}, sequence {message.sequence}, {message.body.hex()}")
        answers[under_way.pop(message.sequence)] = message.body.hex()
        exchange.progress("samples", len(samples) - answers.count(""), len(samples))

    for index, body in enumerate(samples):
        while len(under_way) == WINDOW:
            await collect()
        under_way[index % 256] = index
        await host.uart.send(Message(Command.INFER, index % 256, bytes.fromhex(body)).to_frame())
    while under_way:
        await collect()
    return answers


async def bench(exchange: Exchange) -> dict[str, Any]:
    """All that the parameters ask for."""
    dut: Any = cocotb.top
    parameters = exchange.parameters
    host = Host(dut, parameters)
    Clock(dut.clk, parameters["period"], unit="ps").start()
    # A little after the edge: an input of the real design does not change with the clock either.
    await Timer((parameters["reset"] + 16) * parameters["period"] + parameters["period"] // 3, unit="ps")
    await host.uart.send(bytes.fromhex(parameters["garbage"]))
    await host.silence()
    bad = host.deframer.bad
    wrong = await converse(host, parameters["exchanges"])
    answers = await infer(host, exchange, parameters["samples"])
    await host.silence()
    return {"wrong": wrong, "answers": answers, "bad_frames": host.deframer.bad - bad,
            "framing_errors": host.uart.framing_errors, "surplus": len(host.messages)}


@cocotb.test(timeout_time=1000, timeout_unit="sec")
async def pins(_: Any) -> None:
    """The entry that cocotb calls."""
    await Exchange().run(bench)
