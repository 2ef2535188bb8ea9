"""HDLC-like framer (RFC 1662): the messages' bytes → the line's, with check sequence, escapes and flags."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.crc.catalog import CRC16_X25
from amaranth.lib.wiring import In, Out

from ..protocol import ESCAPE, ESCAPE_MASK, FLAG

MESSAGE_BYTE = data.StructLayout({"byte": 8, "last": 1})
"""One byte of a message, and whether it is the message's last."""


class HDLCFramer(wiring.Component):
    """Sends each message of ``i`` as flag, escaped bytes, escaped check sequence (low byte first), flag.

    A byte of ``i`` is taken in the cycle in which its (last) byte of ``o`` is taken.
    """

    i: In(stream.Signature(MESSAGE_BYTE))
    o: Out(stream.Signature(8))

    def elaborate(self, platform):
        m = Module()
        m.submodules.fcs = crc = CRC16_X25(data_width=8).create()

        byte = Signal(8)
        special = Signal()
        escaped = Signal()
        done = Signal()  # `byte` itself, not its escape, is taken in this cycle
        m.d.comb += [
            special.eq((byte == FLAG) | (byte == ESCAPE)),
            crc.data.eq(self.i.payload.byte),
        ]

        def send_byte():
            m.d.comb += [
                self.o.payload.eq(Mux(escaped, byte ^ ESCAPE_MASK, Mux(special, ESCAPE, byte))),
                done.eq(self.o.valid & self.o.ready & (escaped | ~special)),
            ]
            with m.If(self.o.valid & self.o.ready):
                m.d.sync += escaped.eq(special & ~escaped)

        m.d.comb += [self.o.valid.eq(1), byte.eq(self.i.payload.byte)]
        with m.FSM(name="state"):
            with m.State("OPEN"):
                m.d.comb += [self.o.valid.eq(self.i.valid), self.o.payload.eq(FLAG), crc.start.eq(1)]
                with m.If(self.o.valid & self.o.ready):
                    m.next = "MESSAGE"
            with m.State("MESSAGE"):
                m.d.comb += [self.o.valid.eq(self.i.valid), self.i.ready.eq(done), crc.valid.eq(done)]
                send_byte()
                with m.If(done & self.i.payload.last):
                    m.next = "CHECK_LOW"
            with m.State("CHECK_LOW"):
                m.d.comb += byte.eq(crc.crc[:8])
                send_byte()
                with m.If(done):
                    m.next = "CHECK_HIGH"
            with m.State("CHECK_HIGH"):
                m.d.comb += byte.eq(crc.crc[8:])
                send_byte()
                with m.If(done):
                    m.next = "CLOSE"
            with m.State("CLOSE"):
                m.d.comb += self.o.payload.eq(FLAG)
                with m.If(self.o.ready):
                    m.next = "OPEN"

        return m
