# amaranth: UnusedElaboratable=no
"""The host link end to end: what the host sends through `rx`, what it gets back through `tx`."""

import numpy as np
import pytest
from amaranth import Module, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from bitloom.boards.link import (
    HDLCDeframer,
    HDLCFramer,
    HostLink,
    RequestChecker,
    Responder,
    SampleBuffer,
    WireFormat,
)
from bitloom.boards.protocol import (
    VERSION,
    Command,
    Deframer,
    ErrorCode,
    Identity,
    Message,
    encode_frame,
    encode_values,
)
from bitloom.quant.formats import BIPOLAR, Format

ERROR = Command.ERROR


def error(sequence, code):
    return Message(ERROR, sequence, bytes([code]))


@pytest.mark.parametrize(
    "shape",
    [
        dict(elements=1, element=Format(8), results=1, result=Format(8)),
        dict(elements=6, element=Format(4), lanes=3, results=2, result=Format(9, signed=True), result_lanes=2),
        dict(elements=5, element=Format(5, signed=True), results=3, result=Format(17)),
        dict(elements=8, element=BIPOLAR, lanes=4, results=2, result=BIPOLAR),
        dict(elements=4, element=Format(12, signed=True), lanes=2, results=4, result=Format(16), result_lanes=2),
        dict(elements=3, element=Format(18), lanes=3, results=1, result=Format(3, signed=True)),
        dict(elements=2, element=Format(1), results=1, result=Format(2), divisor=7),
        dict(elements=2, element=Format(8, signed=True), results=1, result=Format(8), divisor=12),
    ],
    ids=lambda shape: "-".join(str(value) for value in shape.values()),
)
def test_every_sample_gets_its_results(bench, shape):
    b = bench(**shape)
    samples = b.samples(6)

    async def script(host):
        await host.send(Message(Command.IDENTIFY, 0x7E).to_frame())
        assert await host.receive() == [Message(0x81, 0x7E, b.interface.identity.to_bytes())]
        await host.send(b.request(250, samples[0]))
        for k in range(1, len(samples)):  # two are under way
            await host.send(b.request((250 + k) % 256, samples[k]))
            assert await host.receive() == [b.answer(250 + k - 1, samples[k - 1])]
        assert await host.receive() == [b.answer((250 + len(samples) - 1) % 256, samples[-1])]

    b.run(script)


def corrupt(frame, position):
    return frame[:position] + bytes([frame[position] ^ 0x01]) + frame[position + 1 :]


GOOD = Message(Command.INFER, 9, bytes([1, 2, 3, 4, 5, 6]))
REFUSED = {
    "checksum": (corrupt(GOOD.to_frame(), 4), [error(9, ErrorCode.CHECKSUM)]),
    "checksum of the sequence number": (corrupt(GOOD.to_frame(), 2), [error(8, ErrorCode.CHECKSUM)]),
    "checksum before the command": (corrupt(encode_frame(b"\x07\x09"), 4), [error(9, ErrorCode.CHECKSUM)]),
    "sample one short": (Message(2, 9, bytes(5)).to_frame(), [error(9, ErrorCode.LENGTH)]),
    "sample one long": (Message(2, 9, bytes(7)).to_frame(), [error(9, ErrorCode.LENGTH)]),
    "sample empty": (Message(2, 9).to_frame(), [error(9, ErrorCode.LENGTH)]),
    "runaway": (Message(2, 9, bytes(40)).to_frame(), [error(9, ErrorCode.LENGTH)]),
    "runaway, checksum wrong": (corrupt(Message(2, 9, bytes(40)).to_frame(), 5), [error(9, ErrorCode.LENGTH)]),
    "identify with a body": (Message(1, 9, bytes(1)).to_frame(), [error(9, ErrorCode.LENGTH)]),
    "identify as long as a sample": (Message(1, 9, bytes(6)).to_frame(), [error(9, ErrorCode.LENGTH)]),
    "command 0": (Message(0, 9).to_frame(), [error(9, ErrorCode.COMMAND)]),
    "command 3": (Message(3, 9, bytes(6)).to_frame(), [error(9, ErrorCode.COMMAND)]),
    "command 0xFF": (Message(0xFF, 9, bytes(1)).to_frame(), [error(9, ErrorCode.COMMAND)]),
    "first value too great": (Message(2, 9, bytes([16, 0, 0, 0, 0, 0])).to_frame(), [error(9, ErrorCode.VALUE)]),
    "last value too great": (Message(2, 9, bytes([0, 0, 0, 0, 0, 255])).to_frame(), [error(9, ErrorCode.VALUE)]),
    "lost flag": (GOOD.to_frame()[:-1] + GOOD.to_frame()[1:], [error(9, ErrorCode.LENGTH)]),
    "lost byte": (GOOD.to_frame()[:4] + GOOD.to_frame()[5:], [error(9, ErrorCode.CHECKSUM)]),
    "flags": (b"\x7e" * 5, []),
    "one byte": (b"\x7e\x02\x7e", []),
    "three bytes": (b"\x7e\x02\x09\x33\x7e", []),
    "an empty frame with a right checksum": (encode_frame(b""), []),
    "one byte with a right checksum": (encode_frame(b"\x01"), []),
    "abort": (GOOD.to_frame()[:-1] + b"\x7d\x7e", []),
    "four bytes of garbage": (b"\x55\x66\x77\x88\x7e", [error(0x66, ErrorCode.CHECKSUM)]),
    "garbage before the first flag": (b"\xff\x00" + GOOD.to_frame(), [Message(0x82, 9, b"\x15")]),
    "a flag within": (GOOD.to_frame()[:5] + b"\x7e" + GOOD.to_frame()[5:], [error(9, 1), error(4, 1)]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_frames_are_answered_and_the_next_good_one_works(bench, case):
    frame, expected = REFUSED[case]
    b = bench()
    sample = b.samples(3)[1]

    async def script(host):
        await host.send(frame)
        assert await host.receive(len(expected)) == expected
        await host.send(b.request(77, sample))
        assert await host.receive() == [b.answer(77, sample)]
        await host.send(frame + b.request(78, sample))  # back to back
        assert await host.receive(len(expected) + 1) == [*expected, b.answer(78, sample)]
        await host.idle(1000)
        assert host.messages == [] and host.deframer.bad == 0

    b.run(script)


@pytest.mark.parametrize(
    "element, good, bad",
    [
        (BIPOLAR, [0x01, 0xFF], [0x00, 0x02, 0x7F, 0x81, 0xFE]),
        (Format(1), [0, 1], [2, 0xFF]),
        (Format(1, signed=True), [0, 0xFF], [1, 0x80]),
        (Format(5, signed=True), [15, 0xF0], [16, 0xEF, 0x80, 0x7F]),
        (Format(7), [127], [128, 255]),
        (Format(8), [255, 0], []),
    ],
    ids=str,
)
def test_the_range_of_a_byte(bench, element, good, bad):
    b = bench(elements=2, element=element)

    async def script(host):
        for value in [*good, *bad]:
            for body in (bytes([value, good[0]]), bytes([good[0], value])):
                await host.send(Message(Command.INFER, value, body).to_frame())
                (message,) = await host.receive()
                assert message.sequence == value
                assert message.command == (ERROR if value in bad else 0x82), (value, message)

    b.run(script)


@pytest.mark.parametrize(
    "element, good, bad",
    [
        (Format(12, signed=True), [0xF800, 0x07FF], [0x0800, 0xF7FF]),
        (Format(9), [0x01FF], [0x0200, 0xFFFF]),
        (Format(16), [0xFFFF, 0x0000], []),
    ],
    ids=str,
)
def test_the_range_of_two_bytes(bench, element, good, bad):
    b = bench(elements=2, element=element)

    async def script(host):
        for value in [*good, *bad]:
            for pair in ((value, good[0]), (good[0], value)):
                await host.send(Message(Command.INFER, 5, np.array(pair, "<u2").tobytes()).to_frame())
                (message,) = await host.receive()
                assert message.command == (ERROR if value in bad else 0x82), (value, message)

    b.run(script)


@pytest.mark.parametrize("blocked", ["hold", "stall"])
def test_a_third_sample_is_refused_until_one_was_answered(bench, blocked):
    b = bench()
    samples = b.samples(4)
    block = getattr(b.accelerator, blocked)

    async def script(host):
        host.ctx.set(block, 1)
        for k in range(3):
            await host.send(b.request(k, samples[k]))
        assert await host.receive() == [error(2, ErrorCode.BUSY)]
        await host.send(Message(Command.IDENTIFY, 9).to_frame())
        assert (await host.receive())[0].command == 0x81
        assert host.ctx.get(b.link.busy)
        host.ctx.set(block, 0)
        assert await host.receive(2) == [b.answer(0, samples[0]), b.answer(1, samples[1])]
        await host.idle(100)
        assert not host.ctx.get(b.link.busy)
        await host.send(b.request(3, samples[3]) + b.request(4, samples[0]))
        assert await host.receive(2) == [b.answer(3, samples[3]), b.answer(4, samples[0])]

    b.run(script)


def test_a_bank_that_falls_free_within_a_frame_does_not_let_half_of_it_in(bench):
    b = bench()
    samples = b.samples(3)

    async def script(host):
        host.ctx.set(b.accelerator.hold, 1)
        await host.send(b.request(0, samples[0]) + b.request(1, samples[1]))
        third = b.request(2, samples[2])
        await host.send(third[:5])
        host.ctx.set(b.accelerator.hold, 0)
        first, second = await host.receive(2)
        await host.send(third[5:])
        assert [first, second, *await host.receive()] == [
            b.answer(0, samples[0]), b.answer(1, samples[1]), error(2, ErrorCode.BUSY)
        ]  # fmt: skip

    b.run(script)


def test_a_flood_of_samples_never_stops_the_link(bench):
    b = bench(pause=3000)
    samples = b.samples(20)

    async def script(host):
        for k, sample in enumerate(samples):
            await host.send(b.request(k, sample))
        await host.idle(8000)
        refused = [message for message in host.messages if message.command == ERROR]
        answered = [message for message in host.messages if message.command != ERROR]
        assert answered == [b.answer(message.sequence, samples[message.sequence]) for message in answered]
        assert {message.body for message in refused} == {bytes([ErrorCode.BUSY])}
        assert len(answered) >= 3 and len(refused) + len(answered) == 20
        host.messages.clear()
        await host.send(b.request(99, samples[5]))
        assert await host.receive() == [b.answer(99, samples[5])]

    b.run(script)


def test_a_flood_of_errors_loses_answers_but_no_result(bench):
    b = bench(elements=1, results=4)
    sample = b.samples(1)[0]

    async def script(host):
        for k in range(12):
            await host.send((b"\x33\x44\x55\x66\x7e" + Message(3, 9).to_frame()[1:]) * 3 + b.request(k, sample)[1:])
            while not any(message.command == 0x82 for message in host.messages):
                await host.idle(20)
            assert [m for m in host.messages if m.command == 0x82] == [b.answer(k, sample)]
            refused = {m for m in host.messages if m.command != 0x82}
            assert refused == {error(0x44, ErrorCode.CHECKSUM), error(9, ErrorCode.COMMAND)}
            host.messages.clear()
            await host.idle(1500)
            host.messages.clear()

    b.run(script)


def test_framing_errors_and_breaks_cost_only_their_frame(bench):
    b = bench()
    sample = b.samples(2)[1]

    async def script(host):
        frame = b.request(3, sample)
        await host.send(frame[:4])
        await host.send(frame[4:5], stop=0)
        await host.send(frame[5:])
        assert await host.receive() == [error(3, ErrorCode.CHECKSUM)]
        await host.send(b"\x00" * 3, stop=0)
        host.ctx.set(b.link.rx, 0)
        await host.idle(500)
        host.ctx.set(b.link.rx, 1)
        await host.idle(10)
        await host.send(frame)
        assert await host.receive() == [b.answer(3, sample)]
        await host.idle(500)
        assert host.messages == []

    b.run(script)


@pytest.mark.parametrize("seed", range(3))
def test_good_frames_survive_random_garbage_between_them(bench, seed):
    rng = np.random.default_rng(seed)
    b = bench(element=Format(8), elements=4)
    alphabet = np.array([0x7E, 0x7D, 0x01, 0x02, *rng.integers(0, 256, 4)], np.uint8)

    async def script(host):
        for k in range(12):
            sample = rng.choice([0x7E, 0x7D, 0x5E, 0x20, 255], 4)
            garbage = rng.choice(alphabet, rng.integers(0, 30)).tobytes()
            if rng.integers(2):
                request = b.request(k, sample)
                cut = rng.integers(1, len(request) - 3)
                garbage += request[:cut] + garbage[::-1]
            await host.send(garbage + b"\x7e")
            await host.send(b.request(k + 100, sample))
            await host.idle(1500)
            answers = [message for message in host.messages if message.command == 0x82]
            assert answers == [b.answer(k + 100, sample)], f"seed {seed}, after {garbage.hex(' ')}"
            assert all(message.command == ERROR for message in host.messages if message not in answers)
            assert host.deframer.bad == 0
            host.messages.clear()

    b.run(script)


def test_every_byte_value_passes_both_ways(bench):
    b = bench(elements=2, element=Format(8), results=2, result=Format(8))

    async def script(host):
        for value in range(0, 256, 2):
            sample = np.array([value, 1])
            await host.send(b.request(value, sample))
            assert await host.receive() == [b.answer(value, sample)]

    b.run(script)


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(design_id=1 << 32), "design_id must have 32 bits, not be 0x100000000"),
        (dict(sample_lanes=4), "the lanes must divide the 6 elements, not be 4"),
        (dict(result_lanes=2), "the lanes must divide the 1 results, not be 2"),
        (dict(elements=0), "elements must be 1 to 4,294,967,295, the protocol's four bytes, not 0"),
        (dict(element_bipolar=True), r"a bipolar value has the shape unsigned\(1\), not unsigned\(4\)"),
        (dict(baud=7e6), "baud must be at most clock_hz / 4 = 3e"),
        (dict(baud=2.1e6), "baud must be within 2% of clock_hz / n for a whole n; 2.1e"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_parameters_are_checked(change, message):
    good = dict(clock_hz=12e6, baud=1e6, elements=6, element=unsigned(4), sample_lanes=2, results=1,
                result=unsigned(8), result_lanes=1, design_id=0)  # fmt: skip
    with pytest.raises(ValueError, match=message):
        HostLink(**{**good, **change})


class Bytes(wiring.Component):
    """The link between the UART's bytes, with an accelerator that gives back what it takes, 8 bits, one at a time."""

    i: In(stream.Signature(8, always_ready=True))
    o: Out(stream.Signature(8))

    def __init__(self, elements):
        self.elements = elements
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        wire, count = WireFormat(unsigned(8)), self.elements
        m.submodules.deframer = deframer = HDLCDeframer()
        m.submodules.requests = requests = RequestChecker(count, wire)
        m.submodules.buffer = buffer = SampleBuffer(count, wire, 1)
        m.submodules.responder = responder = Responder(count, wire, 1, Identity(VERSION, 5, count, 1, count, 1))
        m.submodules.framer = framer = HDLCFramer()
        for a, b in ((wiring.flipped(self.i), deframer.i), (deframer.o, requests.i), (buffer.o, responder.i),
                     (requests.reply, responder.reply), (responder.o, framer.i), (framer.o, wiring.flipped(self.o))):
            wiring.connect(m, a, b)
        m.d.comb += [getattr(requests, name).eq(getattr(deframer, name)) for name in ("closed", "aborted", "good")]
        m.d.comb += [getattr(buffer, name).eq(getattr(requests, name)) for name in ("write", "index", "word", "commit")]
        m.d.comb += [requests.full.eq(buffer.full), buffer.number_in.eq(requests.number),
                     responder.number.eq(buffer.number), buffer.done.eq(responder.done)]
        return m


@pytest.mark.slow
def test_samples_of_more_values_than_two_bytes_count():
    count = 65_543
    sample = np.random.default_rng(0).integers(0, 256, count)
    body = encode_values(sample, Format(8))
    requests = [Message(Command.IDENTIFY, 9), Message(Command.INFER, 2, body[:7]), Message(Command.INFER, 3, body)]
    line = b"".join(message.to_frame() for message in requests)
    answers = [Message(0x81, 9, Identity(VERSION, 5, count, 1, count, 1).to_bytes()),
               Message(0xFF, 2, bytes([ErrorCode.LENGTH])), Message(0x82, 3, body)]
    dut, heard, deframer = Bytes(count), [], Deframer()

    async def speak(ctx):
        for byte in line:
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick()
            ctx.set(dut.i.valid, 0)
            await ctx.tick()

    async def hear(ctx):
        ctx.set(dut.o.ready, 1)
        while len(heard) < len(answers):
            (byte,) = await ctx.tick().sample(dut.o.payload).until(dut.o.valid)
            heard.extend(deframer.feed(bytes([byte])))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(speak)
    simulator.add_testbench(hear)
    simulator.run()
    assert heard == answers and not deframer.bad
