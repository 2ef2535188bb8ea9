"""UART receiver: 8 data bits, no parity, one stop bit, least significant bit first."""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from .baud import MIN_DIVISOR


class UARTReceiver(wiring.Component):
    """Turns the line ``rx`` into bytes.

    ``o`` cannot be held back (``always_ready``): ``valid`` is high for one cycle per byte, in the middle of the
    stop bit, and ``payload`` keeps the byte until the next start bit has been seen. The line passes two flip-flops,
    is sampled in the middle of each bit, and is looked at again in the middle of the start bit, so that a spike
    starts no byte. A byte whose stop bit is low (framing error, break) is dropped; the next byte starts at the next
    falling edge.

    Parameters: ``divisor``, clock cycles per bit (at least 4).
    """

    def __init__(self, divisor: int):
        if divisor < MIN_DIVISOR:
            raise ValueError(f"divisor must be at least {MIN_DIVISOR}, not {divisor}")
        self._divisor = divisor
        super().__init__({"rx": In(1, init=1), "o": Out(stream.Signature(8, always_ready=True))})

    @property
    def divisor(self) -> int:
        """Clock cycles per bit."""
        return self._divisor

    def elaborate(self, platform):
        m = Module()

        line = Signal(init=1)
        before = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, line, init=1)
        m.d.sync += before.eq(line)

        # The start bit travels through `bits` ahead of the data; once it is at the low end, the byte is complete.
        bits = Signal(9, reset_less=True)
        timer = Signal(range(self._divisor))
        m.d.sync += self.o.valid.eq(0)
        m.d.comb += self.o.payload.eq(bits[1:])

        with m.FSM(name="state"):
            with m.State("IDLE"):
                # One cycle goes by until START; the synchronizer's grain, up to one cycle, splits the odd cycle.
                m.d.sync += timer.eq((self._divisor - 1) // 2 - 1)
                with m.If(before & ~line):
                    m.next = "START"
            with m.State("START"):
                m.d.sync += timer.eq(timer - 1)
                with m.If(timer == 0):
                    m.d.sync += [timer.eq(self._divisor - 1), bits.eq(0x0FF)]
                    m.next = "BITS"
                    with m.If(line):
                        m.next = "IDLE"
            with m.State("BITS"):
                m.d.sync += timer.eq(timer - 1)
                with m.If(timer == 0):
                    m.d.sync += timer.eq(self._divisor - 1)
                    with m.If(bits[0]):
                        m.d.sync += bits.eq(Cat(bits[1:], line))
                    with m.Else():
                        m.d.sync += self.o.valid.eq(line)
                        m.next = "IDLE"

        return m
