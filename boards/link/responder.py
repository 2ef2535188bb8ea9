"""The command handler's sending half: results, identity and errors as messages."""

from amaranth import Array, C, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..protocol import RESPONSE, Command, Identity
from .framer import MESSAGE_BYTE
from .requests import REPLY
from .wire_format import WireFormat, check_lanes


class Responder(wiring.Component):
    """Takes results and replies in turns and sends each as one message.

    ``i`` brings the results of one sample after the other, as results / lanes beats, lane 0 first; ``number`` is
    the number of the sample that they answer and ``done`` is high for one cycle once the last byte was taken.
    ``reply`` cannot be held back: one reply can wait, another one that comes meanwhile is lost. A beat of results
    is taken with its last byte.

    Parameters: ``results`` per sample, ``result``, their :class:`WireFormat`, ``lanes`` per beat, the board's
    ``identity``.
    """

    def __init__(self, results: int, result: WireFormat, lanes: int, identity: Identity):
        check_lanes("results", results, lanes)
        self._results = results
        self._result = result
        self._lanes = lanes
        self._identity = identity
        super().__init__(
            {
                "i": In(stream.Signature(data.ArrayLayout(result.shape, lanes))),
                "number": In(8),
                "done": Out(1),
                "reply": In(stream.Signature(REPLY, always_ready=True)),
                "o": Out(stream.Signature(MESSAGE_BYTE)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        taken = Signal()
        m.d.comb += taken.eq(self.o.valid & self.o.ready)

        waiting = Signal()
        waiting_clear = Signal()
        reply = Signal(REPLY, reset_less=True)
        with m.If(waiting_clear):
            m.d.sync += waiting.eq(0)
        with m.If(self.reply.valid & ~waiting):
            m.d.sync += [waiting.eq(1), reply.eq(self.reply.payload)]

        step = Signal()  # a byte of the results is taken
        byte, last_byte = self._result_byte(m, step)
        is_result = Signal()  # the present message, or the one before, is a result
        identity = Array(self._identity.to_bytes())
        place = Signal(range(len(identity)))

        m.d.comb += self.o.valid.eq(1)
        with m.FSM(name="state"):
            with m.State("IDLE"):
                m.d.comb += self.o.valid.eq(0)
                m.d.sync += is_result.eq(self.i.valid & ~(waiting & is_result))
                with m.If(self.i.valid | waiting):
                    m.next = "COMMAND"
            with m.State("COMMAND"):
                own = Mux(reply.code == 0, RESPONSE | Command.IDENTIFY, Command.ERROR)
                m.d.comb += self.o.payload.byte.eq(Mux(is_result, RESPONSE | Command.INFER, own))
                with m.If(taken):
                    m.next = "SEQUENCE"
            with m.State("SEQUENCE"):
                m.d.comb += self.o.payload.byte.eq(Mux(is_result, self.number, reply.sequence))
                with m.If(taken):
                    m.next = "REPLY"
                    with m.If(is_result):
                        m.next = "RESULTS"
            with m.State("RESULTS"):
                m.d.comb += [
                    self.o.valid.eq(self.i.valid),
                    self.o.payload.byte.eq(byte),
                    self.o.payload.last.eq(last_byte),
                    step.eq(taken),
                ]
                with m.If(taken & last_byte):
                    m.d.comb += self.done.eq(1)
                    m.next = "IDLE"
            with m.State("REPLY"):
                is_error = reply.code != 0
                m.d.comb += [
                    self.o.payload.byte.eq(Mux(is_error, reply.code, identity[place])),
                    self.o.payload.last.eq(is_error | (place == len(identity) - 1)),
                ]
                with m.If(taken):
                    m.d.sync += place.eq(place + 1)
                with m.If(taken & self.o.payload.last):
                    m.d.sync += place.eq(0)
                    m.d.comb += waiting_clear.eq(1)
                    m.next = "IDLE"
        return m

    def _result_byte(self, m: Module, step: Value) -> tuple[Value, Value]:
        """The present byte of the results and whether it is a sample's last; ``step`` moves on to the next byte."""

        def counter(size: int, enable: Value, name: str) -> tuple[Value, Value]:
            """A count modulo ``size``, and whether it is enabled and at its end."""
            if size == 1:
                return C(0, 1), enable
            count = Signal(range(size), name=name)
            at_end = count == size - 1
            with m.If(enable):
                m.d.sync += count.eq(Mux(at_end, 0, count + 1))
            return count, enable & at_end

        part, value_done = counter(self._result.bytes, step, "part")
        lane, beat_done = counter(self._lanes, value_done, "lane")
        _, sample_done = counter(self._results // self._lanes, beat_done, "beat")
        m.d.comb += self.i.ready.eq(beat_done)

        value = Value.cast(self.i.payload[lane] if self._lanes > 1 else self.i.payload[0])
        return self._result.to_bytes(value).word_select(part, 8), sample_done
