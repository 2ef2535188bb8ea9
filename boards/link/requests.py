"""The command handler's receiving half: checks requests, writes samples, and says what to answer."""

from amaranth import C, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ..protocol import Command, ErrorCode
from .wire_format import WireFormat, check_lanes

REPLY = data.StructLayout({"code": 3, "sequence": 8})
"""An answer that is not a result: an `ErrorCode`, or 0 for the board's identity."""


class RequestChecker(wiring.Component):
    """Follows the frames and judges each at its closing flag, by the rules of :mod:`bitloom.boards.protocol`.

    The bytes of a sample are written while they arrive (``write``, ``index``, ``word``); only ``commit``, one cycle
    at the end of a good frame, makes them a sample, whose number is ``number``. ``full`` says that the buffer takes
    no sample; a word that would have been written then costs the frame. ``reply`` is valid for one cycle and cannot
    be held back.

    A word is the whole element where that fits a byte, else each byte of the element.

    Parameters: ``elements`` per sample, ``element``, their :class:`WireFormat`.
    """

    def __init__(self, elements: int, element: WireFormat):
        check_lanes("elements", elements, 1)
        self._elements = elements
        self._element = element
        super().__init__(
            {
                "i": In(stream.Signature(8, always_ready=True)),
                "closed": In(1),
                "aborted": In(1),
                "good": In(1),
                "full": In(1),
                "write": Out(1),
                "index": Out(range(self.words)),
                "word": Out(self.word_bits),
                "commit": Out(1),
                "number": Out(8),
                "reply": Out(stream.Signature(REPLY, always_ready=True)),
            }
        )

    @property
    def words(self) -> int:
        """Words per sample, which are also its bytes on the wire."""
        return self._elements * self._element.bytes

    @property
    def word_bits(self) -> int:
        """Bits per word."""
        return 8 if self._element.bytes > 1 else self._element.shape.width

    def elaborate(self, platform):
        m = Module()
        byte = self.i.payload

        # The place of the next byte, counted from the first element's: the command is at −2, the sequence number at −1.
        # A whole sample with its check sequence leaves it at words + 2; it stops at words + 3, one byte too many.
        width = bits_for(self.words + 5)
        command_place, sequence_place = (1 << width) - 2, (1 << width) - 1
        place = Signal(width, init=command_place)
        inside = Signal()  # `byte` belongs to the elements, if this is a sample

        identify = Signal(reset_less=True)
        infer = Signal(reset_less=True)
        bad_value = Signal()
        dropped = Signal()
        last_byte = Signal()  # `byte` is the last of its element

        if self._element.bytes > 1:
            part = Signal(range(self._element.bytes))
            m.d.comb += last_byte.eq(part == self._element.bytes - 1)
            with m.If(~inside | (self.i.valid & last_byte)):
                m.d.sync += part.eq(0)
            with m.Elif(self.i.valid):
                m.d.sync += part.eq(part + 1)
            m.d.comb += self.word.eq(byte)
        else:
            m.d.comb += [last_byte.eq(1), self.word.eq(self._element.bits(byte))]
        m.d.comb += [self.index.eq(place), self.write.eq(self.i.valid & inside & ~self.full)]

        with m.If(self.i.valid):
            with m.If(place != self.words + 3):
                m.d.sync += place.eq(place + 1)
            with m.If(place == command_place):
                m.d.sync += [identify.eq(byte == Command.IDENTIFY), infer.eq(byte == Command.INFER)]
            with m.If(place == sequence_place):
                m.d.sync += [self.number.eq(byte), inside.eq(1)]
            with m.If(place == self.words - 1):
                m.d.sync += inside.eq(0)
            with m.If(inside & last_byte & ~self._element.holds(byte)):
                m.d.sync += bad_value.eq(1)
            with m.If(inside & self.full):
                m.d.sync += dropped.eq(1)
        with m.If(self.closed):
            m.d.sync += [place.eq(command_place), inside.eq(0), bad_value.eq(0), dropped.eq(0)]

        short = Signal()  # fewer than four bytes
        m.d.comb += [
            short.eq((place[1:] == 0) | (place >= command_place)),
            self.reply.payload.sequence.eq(self.number),
        ]
        with m.If(self.closed & ~self.aborted & ~short):
            m.d.comb += self.reply.valid.eq(1)
            code = self.reply.payload.code
            with m.If(place == self.words + 3):
                m.d.comb += code.eq(ErrorCode.LENGTH)
            with m.Elif(~self.good):
                m.d.comb += code.eq(ErrorCode.CHECKSUM)
            with m.Elif(~identify & ~infer):
                m.d.comb += code.eq(ErrorCode.COMMAND)
            with m.Elif((infer & (place != self.words + 2)) | (identify & (place != 2))):
                m.d.comb += code.eq(ErrorCode.LENGTH)
            with m.Elif(identify):
                m.d.comb += code.eq(C(0, 3))
            with m.Elif(bad_value):
                m.d.comb += code.eq(ErrorCode.VALUE)
            with m.Elif(dropped):
                m.d.comb += code.eq(ErrorCode.BUSY)
            with m.Else():
                m.d.comb += [self.commit.eq(1), self.reply.valid.eq(0)]

        return m
