"""The responder alone, where both its sources always have something to say."""

from amaranth import unsigned
from amaranth.sim import Simulator

from bitloom.boards.link import Responder, WireFormat
from bitloom.boards.protocol import Identity


def test_results_and_replies_take_turns():
    identity = Identity(1, 0x11223344, 1, 1, 2, 1)
    dut = Responder(2, WireFormat(unsigned(8)), 1, identity)
    messages, message, done = [], b"", []

    async def testbench(ctx):
        nonlocal message
        ctx.set(dut.i.payload, [0xAB])
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.number, 7)
        ctx.set(dut.reply.payload, {"code": 5, "sequence": 9})
        ctx.set(dut.reply.valid, 1)
        ctx.set(dut.o.ready, 1)
        for _ in range(60):
            _, _, valid, payload, answered = await ctx.tick().sample(dut.o.valid, dut.o.payload, dut.done)
            if valid:
                message += bytes([payload.byte])
                if payload.last:
                    messages.append(message)
                    done.append(bool(answered))
                    message = b""

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    assert len(messages) >= 10
    assert messages == [[b"\x82\x07\xab\xab", b"\xff\x09\x05"][k % 2] for k in range(len(messages))]
    assert done == [k % 2 == 0 for k in range(len(messages))]
