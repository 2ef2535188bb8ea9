"""The host link: the command handler between the UART's two wires and the accelerator's two streams."""

from amaranth import Module, Shape
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..protocol import VERSION, Identity
from .baud import baud_divisor
from .deframer import HDLCDeframer
from .framer import HDLCFramer
from .receiver import UARTReceiver
from .requests import RequestChecker
from .responder import Responder
from .sample_buffer import SampleBuffer
from .transmitter import UARTTransmitter
from .wire_format import WireFormat, check_lanes


class HostLink(wiring.Component):
    """Answers the host's requests (:mod:`bitloom.boards.protocol`) by way of an accelerator.

    ``rx``, ``tx``: the UART, 8N1. ``samples``: good samples for the accelerator, elements / sample_lanes beats each.
    ``results``: the accelerator's answers in the same order, results / result_lanes beats each. ``busy``: a sample is
    under way. At most two samples are; a third is refused with an error.

    Parameters: ``clock_hz`` and ``baud`` (their ratio within 2 % of a whole number ≥ 4), ``elements`` per sample, the
    ``element`` shape and whether its one bit is bipolar, ``sample_lanes`` per beat, the same of the results, and
    ``design_id``, 32 bits by which the host knows what runs here.

    Errors: ``ValueError`` for parameters outside these rules.
    """

    def __init__(
        self,
        *,
        clock_hz: float,
        baud: float,
        elements: int,
        element: Shape,
        element_bipolar: bool = False,
        sample_lanes: int,
        results: int,
        result: Shape,
        result_bipolar: bool = False,
        result_lanes: int,
        design_id: int,
    ):
        if not 0 <= design_id < 1 << 32:
            raise ValueError(f"design_id must have 32 bits, not be {design_id:#x}")
        check_lanes("elements", elements, sample_lanes)
        check_lanes("results", results, result_lanes)
        self._divisor = baud_divisor(clock_hz, baud)
        self._element = WireFormat(element, element_bipolar)
        self._result = WireFormat(result, result_bipolar)
        self._elements, self._sample_lanes = elements, sample_lanes
        self._results, self._result_lanes = results, result_lanes
        self._identity = Identity(VERSION, design_id, elements, self._element.bytes, results, self._result.bytes)
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "samples": Out(stream.Signature(data.ArrayLayout(self._element.shape, sample_lanes))),
                "results": In(stream.Signature(data.ArrayLayout(self._result.shape, result_lanes))),
                "busy": Out(1),
            }
        )

    @property
    def divisor(self) -> int:
        """Clock cycles per bit of the UART."""
        return self._divisor

    @property
    def identity(self) -> Identity:
        """What the link answers to `IDENTIFY`."""
        return self._identity

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = receiver = UARTReceiver(self._divisor)
        m.submodules.deframer = deframer = HDLCDeframer()
        m.submodules.requests = requests = RequestChecker(self._elements, self._element)
        m.submodules.buffer = buffer = SampleBuffer(self._elements, self._element, self._sample_lanes)
        m.submodules.responder = responder = Responder(
            self._results, self._result, self._result_lanes, self._identity
        )
        m.submodules.framer = framer = HDLCFramer()
        m.submodules.transmitter = transmitter = UARTTransmitter(self._divisor)

        wiring.connect(m, receiver.o, deframer.i)
        wiring.connect(m, deframer.o, requests.i)
        wiring.connect(m, requests.reply, responder.reply)
        wiring.connect(m, buffer.o, wiring.flipped(self.samples))
        wiring.connect(m, wiring.flipped(self.results), responder.i)
        wiring.connect(m, responder.o, framer.i)
        wiring.connect(m, framer.o, transmitter.i)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            self.busy.eq(buffer.busy),
            requests.closed.eq(deframer.closed),
            requests.aborted.eq(deframer.aborted),
            requests.good.eq(deframer.good),
            requests.full.eq(buffer.full),
            buffer.write.eq(requests.write),
            buffer.index.eq(requests.index),
            buffer.word.eq(requests.word),
            buffer.commit.eq(requests.commit),
            buffer.number_in.eq(requests.number),
            buffer.done.eq(responder.done),
            responder.number.eq(buffer.number),
        ]
        return m
