"""Ping-pong buffer: holds two samples, and lets one out only after it was found good."""

from amaranth import Array, Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitloom.hw.memory.storage import UNKNOWN_AT_FIRST

from .wire_format import WireFormat, check_lanes


class SampleBuffer(wiring.Component):
    """Two banks of one sample each, in one memory, and the sequence numbers of the samples in them.

    ``write`` puts ``word`` at ``index`` of the bank being filled. ``commit`` makes that bank's words a sample with
    number ``number_in`` and moves on to the other bank. The samples leave through ``o`` in order, lane 0 first. A
    bank is free again when its sample has been answered (``done``), so that at most two samples are under way;
    ``full`` says that none is free. ``number`` is the number of the oldest sample that is under way; ``busy`` says
    that there is one.

    A beat leaves lanes · bytes + 2 cycles after the one before; that is far above the pace of a UART.

    Parameters: ``elements`` per sample, ``element``, their :class:`WireFormat`, ``lanes`` per beat.
    """

    def __init__(self, elements: int, element: WireFormat, lanes: int):
        check_lanes("elements", elements, lanes)
        self._elements = elements
        self._element = element
        self._lanes = lanes
        self._words = elements * element.bytes
        self._word_bits = 8 if element.bytes > 1 else element.shape.width
        super().__init__(
            {
                "write": In(1),
                "index": In(range(self._words)),
                "word": In(self._word_bits),
                "commit": In(1),
                "number_in": In(8),
                "full": Out(1),
                "done": In(1),
                "number": Out(8),
                "busy": Out(1),
                "o": Out(stream.Signature(data.ArrayLayout(element.shape, lanes))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # The banks are interleaved: twice the words of a sample is all the memory there is, whatever their number.
        # No word is read before it was written, and of a large sample the first words would be most of the Verilog.
        m.submodules.memory = memory = Memory(shape=self._word_bits, depth=2 * self._words, init=[],
                                              attrs={UNKNOWN_AT_FIRST: 1})
        write_port = memory.write_port()
        read_port = memory.read_port()

        # Each counts samples modulo 4; its lowest bit is the bank.
        filled = Signal(2)
        played = Signal(2)
        answered = Signal(2)
        sequences = Array(Signal(8, name=f"sequence_{bank}", reset_less=True) for bank in range(2))
        m.d.comb += [
            self.full.eq((filled ^ answered) == 0b10),
            self.busy.eq(filled != answered),
            self.number.eq(sequences[answered[0]]),
            write_port.en.eq(self.write),
            write_port.addr.eq(Cat(filled[0], self.index)),
            write_port.data.eq(self.word),
        ]
        with m.If(self.commit):
            m.d.sync += [filled.eq(filled + 1), sequences[filled[0]].eq(self.number_in)]
        with m.If(self.done):
            m.d.sync += answered.eq(answered + 1)

        self._play(m, read_port, filled, played)
        return m

    def _play(self, m, read_port, filled, played):
        """Reads a beat's words one per cycle into a shift register, then offers it.

        The register holds the elements' own bits first and what fills up their bytes behind them, so that the payload
        is one run of bits: the accelerator's input stays one port of the emitted module.
        """
        beat_words = self._lanes * self._element.bytes
        register = Signal(beat_words * self._word_bits, name="beat", reset_less=True)
        place = Signal(range(self._words))
        arrived = Signal()
        lane_bits = self._element.bytes * self._word_bits
        order = sorted(range(len(register)), key=lambda bit: bit % lane_bits >= self._element.shape.width)
        beat = Cat(register[order.index(bit)] for bit in range(len(register)))
        m.d.comb += read_port.addr.eq(Cat(played[0], place))
        m.d.comb += self.o.payload.as_value().eq(register)
        m.d.sync += arrived.eq(0)
        with m.If(arrived):
            shifted = Cat(beat, read_port.data)[self._word_bits :]
            m.d.sync += register.eq(Cat(shifted[bit] for bit in order))

        count = Signal(range(beat_words))
        with m.FSM(name="state"):
            with m.State("IDLE"), m.If(filled != played):
                m.next = "READ"
            with m.State("READ"):
                m.d.sync += [arrived.eq(1), place.eq(place + 1), count.eq(count + 1)]
                with m.If(count == beat_words - 1):
                    m.d.sync += count.eq(0)
                    m.next = "SETTLE"
            with m.State("SETTLE"):
                m.next = "OFFER"
            with m.State("OFFER"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.next = "READ"
                    with m.If(place == self._words % (1 << len(place))):
                        m.d.sync += [place.eq(0), played.eq(played + 1)]
                        m.next = "IDLE"
