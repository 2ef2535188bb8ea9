# amaranth: UnusedElaboratable=no
"""The board's top, through its pins."""

import re

import pytest
from amaranth import Module, signed, unsigned
from amaranth.back import rtlil
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from bitloom.boards.protocol import Message
from bitloom.boards.top import Top

CLOCK = 1e6  # 15 µs of reset are 16 cycles of it


def top_of(bench, **options):
    b = bench(elements=4, lanes=2)
    face = dict(clock_hz=CLOCK, baud=CLOCK / 4, elements=4, results=1, design_id=b.interface.design_id)
    top = Top(b.accelerator, **{**face, **options})
    b.host.link = top
    return b, top


def run(b, top, script):
    """Drives ``clk`` and runs the coroutine ``script(host)``."""

    async def clock(ctx):
        while True:
            ctx.set(top.clk, 0)
            await ctx.delay(0.5 / CLOCK)
            ctx.set(top.clk, 1)
            await ctx.delay(0.5 / CLOCK)

    async def testbench(ctx):
        b.host.ctx = ctx
        await ctx.delay(0.25 / CLOCK)
        await script(b.host)

    simulator = Simulator(top)
    simulator.add_testbench(clock, background=True)
    simulator.add_testbench(b.host.listen, background=True)
    simulator.add_testbench(testbench)
    simulator.run()


@pytest.mark.parametrize("leds", [0, 2])
def test_answers_through_its_pins_after_the_reset(bench, leds):
    b, top = top_of(bench, leds=leds)
    samples = b.samples(3)
    assert top.reset_cycles == 16 and top.divisor == 4

    async def script(host):
        await host.idle(top.reset_cycles + 2)
        await host.send(Message(1, 3).to_frame() + b.request(4, samples[0]) + b.request(5, samples[1]))
        assert await host.receive(3) == [
            Message(0x81, 3, top.identity.to_bytes()), b.answer(4, samples[0]), b.answer(5, samples[1])
        ]  # fmt: skip

    run(b, top, script)


def test_is_deaf_while_in_reset(bench):
    b, top = top_of(bench, clock_hz=64e6, baud=16e6)
    assert top.reset_cycles == 1024

    async def script(host):
        await host.idle(10)
        await host.send(Message(1, 3).to_frame())
        await host.idle(1024)
        assert host.raw == b""
        await host.send(Message(1, 4).to_frame())
        assert (await host.receive())[0].sequence == 4

    run(b, top, script)


@pytest.mark.parametrize("inverted", [False, True])
def test_leds(bench, inverted):
    b, top = top_of(bench, leds=4, leds_inverted=inverted)
    on, seen = 0 if inverted else 1, []

    async def script(host):
        def leds():
            bits = host.ctx.get(top.led)
            return [(bits >> k & 1) == on for k in range(4)]

        await host.idle(20)
        seen.append(leds())
        host.ctx.set(b.accelerator.hold, 1)
        await host.send(b.request(4, b.samples(1)[0]))
        await host.idle(100)
        seen.append(leds())
        host.ctx.set(b.accelerator.hold, 0)
        await host.receive()
        seen.append(leds())

    run(b, top, script)
    assert seen == [[False, False, False, False], [False, True, False, False], [False, False, True, False]]


@pytest.mark.parametrize("leds", [0, 3])
def test_ports_and_modules_are_named_plainly(bench, leds):
    _, top = top_of(bench, leds=leds)
    text = rtlil.convert(top, name="top", emit_src=False)
    body = text[text.index("module \\top\n") :].split("\nend\n")[0]
    ports = {name: width for width, name in re.findall(r"wire width (\d+) (?:input|output) \d+ +\\(\w+)", body)}
    assert ports == {"clk": "1", "rx": "1", "tx": "1", **({"led": "3"} if leds else {})}
    assert "cell \\top.accelerator \\accelerator" in body and "cell \\top.link \\link" in body


class Adds(wiring.Component):
    """Takes four elements at a time, whatever their bits, and gives their sum."""

    def __init__(self, bits):
        super().__init__(
            {
                "i": In(stream.Signature(data.ArrayLayout(signed(bits), 4))),
                "o": Out(stream.Signature(data.ArrayLayout(signed(bits), 1))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [self.i.ready.eq(self.o.ready), self.o.valid.eq(self.i.valid)]
        m.d.comb += self.o.p[0].eq(sum(self.i.p[lane] for lane in range(4)))
        return m


@pytest.mark.parametrize("bits", [1, 5, 8, 9, 12, 16, 17])
def test_the_accelerators_input_is_one_port(bits):
    """Elements that do not fill their bytes leave gaps in what the host sends, and none in the payload."""
    top = Top(Adds(bits), clock_hz=CLOCK, baud=CLOCK / 4, elements=8, results=1, design_id=1)
    text = rtlil.convert(top, name="top", emit_src=False)
    body = text[text.index("module \\top.accelerator\n") :].split("\nend\n")[0]
    inputs = {name: int(width) for width, name in re.findall(r"wire width (\d+) input \d+ +\\(\w+)", body)}
    assert inputs["i__payload"] == 4 * bits


class NoVector(wiring.Component):
    i: In(stream.Signature(8))
    o: Out(stream.Signature(data.ArrayLayout(unsigned(8), 1)))

    def elaborate(self, platform):
        return Module()


class NoOutput(wiring.Component):
    i: In(stream.Signature(data.ArrayLayout(unsigned(8), 1)))
    o: In(stream.Signature(data.ArrayLayout(unsigned(8), 1)))

    def elaborate(self, platform):
        return Module()


@pytest.mark.parametrize(
    "accelerator, options, error, message",
    [
        (NoVector(), {}, TypeError, "an accelerator has a stream of an ArrayLayout into it as 'i'"),
        (NoOutput(), {}, TypeError, "an accelerator has a stream of an ArrayLayout out of it as 'o'"),
        (object(), {}, TypeError, "an accelerator has a stream"),
        (NoOutput(), {"leds": -1}, ValueError, "leds must be 0 or more, not -1"),
    ],
)
def test_parameters_are_checked(accelerator, options, error, message):
    with pytest.raises(error, match=message):
        Top(accelerator, clock_hz=12e6, baud=1e6, elements=1, results=1, design_id=0, **options)
