# amaranth: UnusedElaboratable=no
"""The UART's two directions against lines drawn in time, not in clock cycles."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from bitloom.boards.link import UARTReceiver, UARTTransmitter, baud_divisor

PERIOD = 1e-6


def receive(divisor, levels):
    """The bytes that a receiver hears on a line of (level, seconds)."""
    dut, heard = UARTReceiver(divisor), []

    async def line(ctx):
        await ctx.delay(5.3 * PERIOD)
        for level, seconds in levels:
            ctx.set(dut.rx, level)
            await ctx.delay(seconds)
        ctx.set(dut.rx, 1)
        await ctx.delay(12 * divisor * PERIOD)

    async def listen(ctx):
        while True:
            await ctx.posedge(dut.o.valid)
            heard.append(ctx.get(dut.o.payload))

    simulator = Simulator(dut)
    simulator.add_clock(PERIOD)
    simulator.add_testbench(line)
    simulator.add_testbench(listen, background=True)
    simulator.run()
    return heard


def drawn(byte, bit, stop=1):
    """A byte on the line, ``bit`` seconds each."""
    return [(0, bit), *((byte >> i & 1, bit) for i in range(8)), (stop, bit)]


@pytest.mark.parametrize("divisor", [4, 5, 7, 12, 104])
@pytest.mark.parametrize("drift", [-0.02, 0, 0.02])
def test_receiver_hears_every_byte_back_to_back_within_two_percent(divisor, drift):
    count = 256 if divisor <= 5 and drift else 24
    data = [int(byte) for byte in np.random.default_rng(divisor).permutation(256)[:count]]
    line = [part for byte in data for part in drawn(byte, divisor * PERIOD * (1 + drift))]
    assert receive(divisor, line) == data


@pytest.mark.parametrize("divisor", [8, 12])
def test_receiver_ignores_spikes_and_drops_bytes_without_a_stop_bit(divisor):
    bit = divisor * PERIOD
    line = [
        *drawn(0x11, bit), (0, 0.3 * bit), (1, 2 * bit), *drawn(0x22, bit), *drawn(0x33, bit, stop=0), (1, bit),
        *drawn(0x44, bit), (0, 35 * bit), (1, bit), *drawn(0x00, bit), *drawn(0xFF, bit),
    ]  # fmt: skip
    assert receive(divisor, line) == [0x11, 0x22, 0x44, 0x00, 0xFF]


@pytest.mark.parametrize("divisor, gap", [(4, 0), (4, 7), (12, 0)])
def test_transmitter_draws_every_byte_in_ten_bits(divisor, gap):
    dut = UARTTransmitter(divisor)
    data = [0x00, 0xFF, 0x55, 0xAA, 0x7E, 0x01, 0x80]
    levels = []

    async def source(ctx):
        for byte in data:
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)
            if gap:
                await ctx.tick().repeat(gap + 10 * divisor)
        await ctx.tick().repeat(12 * divisor)

    async def scope(ctx):
        async for _, _, level in ctx.tick().sample(dut.tx):
            levels.append(level)

    simulator = Simulator(dut)
    simulator.add_clock(PERIOD)
    simulator.add_testbench(source)
    simulator.add_process(scope)
    simulator.run()

    place = levels.index(0)
    assert all(levels[:place])
    for byte in data:
        cells = np.array(levels[place : place + 10 * divisor]).reshape(10, divisor)
        assert cells.tolist() == [[bit] * divisor for bit in [0, *(byte >> i & 1 for i in range(8)), 1]]
        place += 10 * divisor
        if gap and byte != data[-1]:
            idle = levels[place:].index(0)
            assert idle > 0
            place += idle
    assert all(levels[place:])


@pytest.mark.parametrize(
    "clock, baud, divisor",
    [(12e6, 1e6, 12), (12e6, 115200, 104), (25e6, 1e6, 25), (27e6, 1e6, 27), (25e6, 115200, 217), (4e6, 1e6, 4)],
)
def test_divisor(clock, baud, divisor):
    assert baud_divisor(clock, baud) == divisor


@pytest.mark.parametrize(
    "clock, baud, message",
    [
        (0, 1e6, "clock_hz must be positive, not 0"),
        (12e6, -5, "baud must be positive, not -5"),
        (12e6, 4e6, r"baud must be at most clock_hz / 4 = 3e\+06, not 4e\+06: lower the baud rate or raise the clock"),
        (12e6, 1.03e6, r"1.03e\+06 is 2.9% off with n = 12 at 1.2e\+07 Hz: rates near it are 1000000, 923077"),
    ],
)
def test_divisor_refuses_what_the_other_end_would_not_understand(clock, baud, message):
    with pytest.raises(ValueError, match=message):
        baud_divisor(clock, baud)


@pytest.mark.parametrize("unit", [UARTReceiver, UARTTransmitter])
def test_divisor_has_a_middle(unit):
    with pytest.raises(ValueError, match="divisor must be at least 4, not 3"):
        unit(3)
