"""Deframer and framer against the protocol's software, byte by byte."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from bitloom.boards.link import HDLCDeframer, HDLCFramer
from bitloom.boards.protocol import Deframer, Message, decode_frame, encode_frame, fcs

CONTENTS = [
    b"\x00\x00",
    b"\x7e\x7d",
    b"\x7d" * 9,
    b"\x7e" * 9,
    b"\x5e\x5d\x20\x7d\x5e\x7e",
    bytes(range(256)),
    *(bytes(np.random.default_rng(n).choice([0x7E, 0x7D, 0x5D, 0x20, 0x81], n).tolist()) for n in range(2, 40)),
]


def test_check_value_of_the_catalogue():
    assert fcs(b"123456789") == 0x906E


def frames_whose_check_sequence_is_escaped():
    """Contents whose check sequence holds a flag or an escape in its low and in its high byte."""
    found = {}
    for k in range(1 << 16):
        content = k.to_bytes(2, "big")
        for place, byte in enumerate(fcs(content).to_bytes(2, "little")):
            if byte in (0x7D, 0x7E):
                found.setdefault((place, byte), content)
        if len(found) == 4:
            return list(found.values())
    raise AssertionError("no such contents")


def test_framer_equals_the_software():
    contents = CONTENTS + frames_whose_check_sequence_is_escaped()
    dut, sent, stalls = HDLCFramer(), b"", np.random.default_rng(2)

    async def source(ctx):
        for content in contents:
            for k, byte in enumerate(content):
                if stalls.integers(4) == 0:
                    await ctx.tick().repeat(int(stalls.integers(1, 4)))
                ctx.set(dut.i.payload, {"byte": byte, "last": k == len(content) - 1})
                ctx.set(dut.i.valid, 1)
                await ctx.tick().until(dut.i.ready)
                ctx.set(dut.i.valid, 0)

    async def sink(ctx):
        nonlocal sent
        expected = sum(len(encode_frame(content)) for content in contents)
        while len(sent) < expected:
            ctx.set(dut.o.ready, int(stalls.integers(3) > 0))
            _, _, valid, ready, byte = await ctx.tick().sample(dut.o.valid, dut.o.ready, dut.o.payload)
            if valid and ready:
                sent += bytes([byte])

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(source)
    simulator.add_testbench(sink)
    simulator.run()
    assert sent == b"".join(encode_frame(content) for content in contents)


def deframe(line):
    """What the circuit makes of ``line``: (bytes, good, aborted) at each flag."""
    dut, frames, current = HDLCDeframer(), [], b""

    async def testbench(ctx):
        nonlocal current
        for byte in line:
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            if ctx.get(dut.o.valid):
                current += bytes([ctx.get(dut.o.payload)])
            if ctx.get(dut.closed):
                frames.append((current, bool(ctx.get(dut.good)), bool(ctx.get(dut.aborted))))
                current = b""
            await ctx.tick()
            ctx.set(dut.i.valid, 0)
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    return frames


def test_deframer_finds_every_good_frame():
    contents = CONTENTS + frames_whose_check_sequence_is_escaped()
    frames = deframe(b"".join(encode_frame(content) for content in contents))
    assert [frame[0] for frame in frames[::2]] == [b""] * len(contents)
    assert frames[1::2] == [(content + fcs(content).to_bytes(2, "little"), True, False) for content in contents]


def test_deframer_equals_the_software_on_bad_frames():
    rng = np.random.default_rng(3)
    raws = []
    for content in CONTENTS:
        raw = bytearray(encode_frame(content)[1:-1])
        raw[rng.integers(len(raw))] ^= 1 << rng.integers(8)
        raws += [bytes(raw).replace(b"\x7e", b""), encode_frame(content)[1:-2] + b"\x7d"]
    frames = deframe(b"".join(raw + b"\x7e" for raw in raws))
    assert len(frames) == len(raws)
    for raw, (data, good, aborted) in zip(raws, frames):
        assert aborted == raw.endswith(b"\x7d")
        if b"\x7d\x7d" not in raw and not aborted and len(data) >= 4:
            assert good == (decode_frame(raw) is not None)
    assert sum(aborted for _, _, aborted in frames) >= len(CONTENTS)


@pytest.mark.parametrize("chunk", [1, 2, 7, 1000])
def test_software_deframer_takes_any_chunks(chunk):
    frames = b"".join(encode_frame(content) for content in CONTENTS)
    line = b"\x12\x34" + frames + b"\x7e\x01\x02\x03\x04\x05\x7e\x7e\x01"
    deframer, messages = Deframer(), []
    for k in range(0, len(line), chunk):
        messages += deframer.feed(line[k : k + chunk])
    assert messages == [Message(content[0], content[1], content[2:]) for content in CONTENTS]
    assert deframer.bad == 2


@pytest.mark.parametrize("raw", [b"", b"\x01", b"\x01\x02\x03", b"\x7d", b"\x01\x02\x03\x04\x7d", b"\x01\x7d\x7d\x02"])
def test_software_refuses_what_is_no_frame(raw):
    assert decode_frame(raw) is None
