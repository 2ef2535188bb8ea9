# amaranth: UnusedElaboratable=no
"""What one point of the crossover map takes: LUTs, flip-flops, memories and multipliers; and the clock when routed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import xc7
from amaranth.hdl import Cat, ClockDomain, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Component, In, Out
from crossover_points import Point

from bitloom import WorkError
from bitloom.boards.board import load
from bitloom.boards.flow import synthesize
from bitloom.boards.flow.route import Routed, place_and_route
from bitloom.boards.flow.workbench import Workbench
from bitloom.boards.pins import constraints, pins_of
from bitloom.codegen import emit_verilog

BOARDS = {"ice40": "icebreaker", "ecp5": "ulx3s-85f", "gowin": "tang-nano-9k"}
"""The board whose device stands for each family."""

ASKED_MHZ = 400.0
"""What timing-driven placement aims at: more than any of them reaches."""


@dataclass(frozen=True)
class Measured:
    """Counts after synthesis of the engine alone; ``fmax_mhz`` after routing, 0 where there is none: it was not routed,
    or ``why_not``."""

    interval: int
    lut: int
    ff: int
    bram: int
    dsp: int
    fmax_mhz: float = 0.0
    why_not: str = ""

    @property
    def clock(self) -> str:
        """The clock in MHz, or why there is none, in a word."""
        if self.fmax_mhz:
            return f"{self.fmax_mhz:.1f}"
        if not self.why_not:
            return ""
        return "not timed" if "no delays" in self.why_not else "no room"


class Harness(wiring.Component):
    """The engine between registers: its input shifted in from one pin, its output added modulo 2 into another.

    So every path that is timed starts and ends at a register, and no more than three pins are needed.
    """

    def __init__(self, engine: Component):
        self._engine = engine
        super().__init__({"clk": In(1), "rx": In(1), "tx": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.sync = sync = ClockDomain(reset_less=True)
        m.d.comb += sync.clk.eq(self.clk)
        m.submodules.engine = engine = self._engine
        payload = Value.cast(engine.i.payload)
        shifted, went = Signal(len(payload) + 2), Signal(len(Value.cast(engine.o.payload)) + 2)
        m.d.sync += [shifted.eq(Cat(self.rx, shifted)),
                     went.eq(Cat(engine.o.payload, engine.o.valid, engine.i.ready))]  # fmt: skip
        m.d.comb += [engine.i.valid.eq(shifted[-1]), engine.o.ready.eq(shifted[-2]), payload.eq(shifted)]
        bits: list[Value] = list(went)
        while len(bits) > 1:
            sums = [Signal(name=f"parity_{len(bits)}_{k}") for k in range(0, len(bits), 4)]
            m.d.sync += [one.eq(Cat(*bits[4 * k : 4 * k + 4]).xor()) for k, one in enumerate(sums)]
            bits = list(sums)
        m.d.comb += self.tx.eq(bits[0])
        return m


def count(point: Point, folder: Path) -> Measured:
    """``point`` synthesized alone."""
    engine = point.component()
    if point.family == "xc7":
        cells = xc7.synthesize(engine, folder)
        return Measured(engine.interval, cells.lut6, cells.ff, cells.ramb18, cells.dsp)
    bench = Workbench(load(BOARDS[point.family]), folder)
    source = folder / "point.v"
    source.write_text(emit_verilog(engine, "top"))
    used = synthesize(bench, source).used.rounded()
    return Measured(engine.interval, used["lut"], used["ff"], used["bram"], used["dsp"])


def clock(engine: Component, family: str, folder: Path) -> Routed:
    """``engine`` in a :class:`Harness`, placed and routed on the device that stands for ``family``."""
    board = load(BOARDS[family])
    bench = Workbench(board, folder)
    source = folder / "harness.v"
    source.write_text(emit_verilog(Harness(engine), "top"))
    sites = constraints(board, replace(pins_of(board), leds=()))
    return place_and_route(bench, synthesize(bench, source), sites, ASKED_MHZ, allow_fail=True)


def route(point: Point, known: Measured, folder: Path) -> Measured:
    """``known`` with the clock that ``point`` reaches."""
    try:
        routed = clock(point.component(), point.family, folder)
    except WorkError as error:
        return replace(known, why_not=str(error).split(";")[0][:200])
    if routed.untimed:
        return replace(known, why_not=f"place and route has no delays for its {routed.untimed} multipliers")
    return replace(known, fmax_mhz=routed.fmax_mhz)
