"""A small top for trying flows: a UART that answers each byte with what a table in block memory makes of it."""

from amaranth import Cat, ClockDomain, ClockSignal, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from bitloom.boards.board import Board
from bitloom.boards.pins import pins_of
from bitloom.codegen import emit_verilog


class Echo(wiring.Component):
    """Ports ``clk``, ``rx``, ``tx`` and, if there are any, ``led``; ``divisor`` clock cycles per bit."""

    def __init__(self, divisor: int, leds: int):
        self.divisor = divisor
        ports = {"clk": In(1), "rx": In(1, init=1), "tx": Out(1, init=1)}
        super().__init__({**ports, "led": Out(leds)} if leds else ports)

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain(reset_less=True)
        m.d.comb += ClockSignal().eq(self.clk)
        m.submodules.table = table = memory.Memory(shape=8, depth=256, init=[(37 * i) & 255 for i in range(256)])
        read, write = table.read_port(), table.write_port()

        line, byte, bits, done = Signal(2, init=3), Signal(9), Signal(4), Signal()
        timer = Signal(range(2 * self.divisor))
        m.d.sync += [line.eq(Cat(self.rx, line)), done.eq(0)]
        with m.If((bits == 0) & line[1]):
            m.d.sync += timer.eq(self.divisor + self.divisor // 2)
        with m.Elif(bits == 0):
            m.d.sync += bits.eq(9)
        with m.Elif(timer == 0):
            m.d.sync += [byte.eq(Cat(byte[1:], line[1])), bits.eq(bits - 1), timer.eq(self.divisor - 1)]
            m.d.sync += done.eq(bits == 1)
        with m.Else():
            m.d.sync += timer.eq(timer - 1)

        m.d.comb += [read.addr.eq(byte[:8]), write.addr.eq(byte[:8])]
        m.d.comb += [write.data.eq(read.data + byte[:8]), write.en.eq(done)]
        frame, pause = Signal(10, init=0x3FF), Signal(range(self.divisor))
        m.d.comb += self.tx.eq(frame[0])
        with m.If(done):
            m.d.sync += [frame.eq(Cat(0, read.data, 1)), pause.eq(self.divisor - 1)]
        with m.Elif(pause == 0):
            m.d.sync += [frame.eq(Cat(frame[1:], 1)), pause.eq(self.divisor - 1)]
        with m.Else():
            m.d.sync += pause.eq(pause - 1)
        if hasattr(self, "led"):
            m.d.comb += self.led.eq(byte)
        return m


def echo_verilog(board: Board) -> str:
    """The echo as module ``top`` for ``board``."""
    pins = pins_of(board)
    return emit_verilog(Echo(round(pins.clock_hz / board.baud), len(pins.leds)), "top")
