"""HDLC-like deframer (RFC 1662): the line's bytes → the frames' bytes, and whether each check sequence is right."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.crc.catalog import CRC16_X25
from amaranth.lib.wiring import In, Out

from ..protocol import ESCAPE, ESCAPE_MASK, FLAG


class HDLCDeframer(wiring.Component):
    """Removes flags and escapes; checks the frame check sequence.

    ``o`` carries every byte of a frame, the two of its check sequence included, in the cycle of the line's byte that
    completes it. ``closed`` is high for one cycle at each flag; in that cycle ``aborted`` says that the flag came
    right after an escape, and ``good`` that the bytes since the flag before end with their check sequence. Neither
    stream can be held back.

    Bytes must be at least two cycles apart (a UART's are 40 or more).
    """

    i: In(stream.Signature(8, always_ready=True))
    o: Out(stream.Signature(8, always_ready=True))
    closed: Out(1)
    aborted: Out(1)
    good: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.submodules.fcs = crc = CRC16_X25(data_width=8).create()

        escaped = Signal()
        flag = Signal()
        escape = Signal()
        byte = self.i.payload
        m.d.comb += [
            flag.eq(byte == FLAG),
            escape.eq(byte == ESCAPE),
            self.o.payload.eq(byte ^ Mux(escaped, ESCAPE_MASK, 0)),
            self.o.valid.eq(self.i.valid & ~flag & ~escape),
            self.closed.eq(self.i.valid & flag),
            self.aborted.eq(escaped),
            crc.start.eq(self.closed),
            crc.data.eq(self.o.payload),
            crc.valid.eq(self.o.valid),
            self.good.eq(crc.match_detected),
        ]
        with m.If(self.i.valid):
            m.d.sync += escaped.eq(escape)

        return m
