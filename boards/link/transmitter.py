"""UART transmitter: 8 data bits, no parity, one stop bit, least significant bit first."""

from amaranth import C, Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .baud import MIN_DIVISOR


class UARTTransmitter(wiring.Component):
    """Sends the bytes of ``i`` over the line ``tx``, which rests high.

    A byte takes ten bits of ``divisor`` clock cycles each; bytes offered in time follow one another without a
    pause. ``tx`` comes straight from a flip-flop and its start bit begins in the cycle after the transfer.

    Parameters: ``divisor``, clock cycles per bit (at least 4).
    """

    def __init__(self, divisor: int):
        if divisor < MIN_DIVISOR:
            raise ValueError(f"divisor must be at least {MIN_DIVISOR}, not {divisor}")
        self._divisor = divisor
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    @property
    def divisor(self) -> int:
        """Clock cycles per bit."""
        return self._divisor

    def elaborate(self, platform):
        m = Module()

        # The bits still to be sent, the present one lowest. The stop bit, alone, marks the end and is the idle line.
        bits = Signal(10, init=1)
        timer = Signal(range(self._divisor))
        m.d.comb += [self.tx.eq(bits[0]), self.i.ready.eq((timer == 0) & (bits[1:] == 0))]

        with m.If(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(bits[1:] != 0):
            m.d.sync += [bits.eq(bits >> 1), timer.eq(self._divisor - 1)]
        with m.Elif(self.i.valid):
            m.d.sync += [bits.eq(Cat(C(0, 1), self.i.payload, C(1, 1))), timer.eq(self._divisor - 1)]

        return m
