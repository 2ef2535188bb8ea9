# amaranth: UnusedElaboratable=no
"""A stand-in accelerator, a host that speaks through the wires, and what runs them."""

import numpy as np
import pytest
from amaranth import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from bitloom.boards.link import HostLink
from bitloom.boards.protocol import Command, Deframer, Interface, Message, encode_values
from bitloom.quant.formats import Format

DIVISOR = 4
PERIOD = 1e-6


def shape_of(format):
    """The shape of a value of ``format`` in the circuit."""
    return signed(format.bits) if format.signed and not format.bipolar else unsigned(format.bits)


class Sum(wiring.Component):
    """result j = (the sample's sum) + j, truncated; between them it waits ``pause`` cycles, and while ``hold``.

    While ``stall`` it takes no input.
    """

    def __init__(self, interface, lanes, result_lanes, pause=0):
        self.interface, self.lanes, self.result_lanes, self.pause = interface, lanes, result_lanes, pause
        super().__init__(
            {
                "i": In(stream.Signature(data.ArrayLayout(shape_of(interface.element), lanes))),
                "o": Out(stream.Signature(data.ArrayLayout(shape_of(interface.result), result_lanes))),
                "hold": In(1),
                "stall": In(1),
            }
        )

    def model(self, samples):
        """The expected results, (vectors, results)."""
        face = self.interface
        x = (samples + 1) // 2 if face.element.bipolar else samples
        raw = x.sum(axis=1)[:, None] + np.arange(face.results)
        raw &= (1 << face.result.bits) - 1
        if face.result.bipolar:
            return 2 * raw - 1
        return np.where(face.result.signed & (raw > face.result.hi), raw - (1 << face.result.bits), raw)

    def elaborate(self, platform):
        m = Module()
        face = self.interface
        beats, out_beats = face.elements // self.lanes, face.results // self.result_lanes
        total = Signal(signed(40))
        beat, out_beat, wait = Signal(17), Signal(17), Signal(range(self.pause + 1))
        for lane in range(self.result_lanes):
            m.d.comb += self.o.payload[lane].eq(total + out_beat * self.result_lanes + lane)
        with m.FSM():
            with m.State("IN"):
                m.d.comb += self.i.ready.eq(~self.stall)
                with m.If(self.i.valid & self.i.ready):
                    beat_sum = sum(self.i.payload[lane] for lane in range(self.lanes))
                    m.d.sync += [total.eq(Mux(beat == 0, 0, total) + beat_sum), beat.eq(beat + 1)]
                    with m.If(beat == beats - 1):
                        m.d.sync += [beat.eq(0), wait.eq(self.pause)]
                        m.next = "WAIT"
            with m.State("WAIT"):
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait == 0):
                    m.d.sync += wait.eq(0)
                    with m.If(~self.hold):
                        m.next = "OUT"
            with m.State("OUT"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += out_beat.eq(out_beat + 1)
                    with m.If(out_beat == out_beats - 1):
                        m.d.sync += out_beat.eq(0)
                        m.next = "IN"
        return m


class Host:
    """The far end of the wires ``rx`` and ``tx`` of ``link``, in a simulation; both directions at once."""

    def __init__(self, link, divisor):
        self.link, self.bit_time = link, divisor * PERIOD
        self.deframer, self.messages, self.raw = Deframer(), [], b""
        self.ctx = None

    async def listen(self, ctx):
        """Background: collects what comes back."""
        while True:
            await ctx.negedge(self.link.tx)
            byte = 0
            for bit in range(9):
                await ctx.delay(self.bit_time if bit else 1.5 * self.bit_time)
                byte |= ctx.get(self.link.tx) << bit
            assert byte >> 8 == 1, "no stop bit"
            self.raw += bytes([byte & 0xFF])
            self.messages += self.deframer.feed(bytes([byte & 0xFF]))

    async def send(self, data, stop=1):
        """Sends bytes, eight data bits each; ``stop=0`` breaks the framing."""
        for byte in data:
            for bit in [0, *((byte >> i & 1) for i in range(8)), stop]:
                self.ctx.set(self.link.rx, bit)
                await self.ctx.delay(self.bit_time)
            self.ctx.set(self.link.rx, 1)

    async def idle(self, cycles):
        """Lets time pass."""
        await self.ctx.delay(cycles * PERIOD)

    async def receive(self, count=1, within=20000):
        """Waits for ``count`` messages and takes them."""
        waited = 0
        while len(self.messages) < count:
            assert waited < within, f"only {self.messages} after {within} cycles; {self.raw.hex(' ')}"
            await self.idle(20)
            waited += 20
        taken, self.messages = self.messages[:count], self.messages[count:]
        return taken


class Bench:
    """A link with its accelerator and a host."""

    def __init__(self, interface, lanes=1, result_lanes=1, pause=0, divisor=DIVISOR):
        self.interface = interface
        self.accelerator = Sum(interface, lanes, result_lanes, pause)
        self.link = HostLink(
            clock_hz=1e6 * divisor,
            baud=1e6,
            elements=interface.elements,
            element=shape_of(interface.element),
            element_bipolar=interface.element.bipolar,
            sample_lanes=lanes,
            results=interface.results,
            result=shape_of(interface.result),
            result_bipolar=interface.result.bipolar,
            result_lanes=result_lanes,
            design_id=interface.design_id,
        )
        self.host = Host(self.link, divisor)

    def request(self, sequence, sample):
        """The frame that asks for ``sample``'s results."""
        return Message(Command.INFER, sequence, encode_values(sample, self.interface.element)).to_frame()

    def answer(self, sequence, sample):
        """The response that ``sample`` must get."""
        results = self.accelerator.model(np.asarray(sample)[None])
        return Message(Command.INFER | 0x80, sequence, encode_values(results, self.interface.result))

    def samples(self, count, seed=1):
        """Random samples, the extremes among them."""
        face = self.interface
        x = np.random.default_rng(seed).integers(face.element.lo, face.element.hi + 1, (count, face.elements))
        x[0], x[-1] = face.element.lo, face.element.hi
        return np.where(x == 0, 1, x) if face.element.bipolar else x

    def run(self, script):
        """Simulates until the coroutine ``script(host)`` is through."""
        m = Module()
        m.submodules.link, m.submodules.accelerator = self.link, self.accelerator
        wiring.connect(m, self.link.samples, self.accelerator.i)
        wiring.connect(m, self.accelerator.o, self.link.results)

        async def testbench(ctx):
            self.host.ctx = ctx
            await ctx.delay(10.25 * PERIOD)  # between the clock's edges
            await script(self.host)

        simulator = Simulator(m)
        simulator.add_clock(PERIOD)
        simulator.add_testbench(testbench)
        simulator.add_testbench(self.host.listen, background=True)
        simulator.run()


@pytest.fixture
def bench():
    """Makes a :class:`Bench`; by default of six unsigned 4-bit elements and one unsigned 8-bit result."""

    def make(elements=6, element=None, results=1, result=None, **options):
        face = Interface(0x1234567D, elements, element or Format(4), results, result or Format(8))
        return Bench(face, **options)

    return make
