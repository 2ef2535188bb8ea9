# amaranth: UnusedElaboratable=no
"""RegisterSlice, StreamFIFO, WidthConverter and the vector stream.

| testpoint | stage | test |
| --- | --- | --- |
| nothing dropped, repeated or reordered under any stalls; protocol held | full | test_passes_beats |
| interval and latency equal the attributes | smoke | test_timing |
| converter beats are max(upstream, a/b) apart | full | test_converter_spacing |
| a slice has no path from ready to ready | smoke | test_slice_cuts_ready |
| a queue lies where it is said to lie, with no more registers than addresses and output | full | test_fifo_memory |
| bad parameters are refused with a message that says what to do | smoke | test_errors |
"""

import re

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from amaranth.lib import data
from amaranth.sim import Simulator

from bitloom.hw import RegisterSlice, StreamFIFO, WidthConverter, vector

SHAPE = signed(3)
BEAT = data.ArrayLayout(SHAPE, 4)
UNITS = {
    "slice": lambda: (RegisterSlice(BEAT), 4, 4),
    "fifo2": lambda: (StreamFIFO(BEAT, 2), 4, 4),
    "fifo3": lambda: (StreamFIFO(BEAT, 3, "distributed"), 4, 4),
    "fifo9": lambda: (StreamFIFO(BEAT, 9, "block"), 4, 4),
} | {
    f"converter{a}to{b}": lambda a=a, b=b: (WidthConverter(SHAPE, a, b), a, b)
    for a, b in [(1, 1), (3, 3), (4, 1), (1, 4), (6, 2), (2, 6), (12, 1), (1, 12)]
}


def run(drive, name, vectors=8, **stalls):
    unit, lanes_in, lanes_out = UNITS[name]()
    x = np.random.default_rng(7).integers(-4, 4, (vectors, 12))
    done = drive(unit, x, 12, i_shape=SHAPE, i_lanes=lanes_in, o_shape=SHAPE, o_lanes=lanes_out, **stalls)
    assert np.array_equal(done.y, unit.model(x))
    return unit, done


@pytest.mark.parametrize("o_gap", ["none", "random", "heavy", "period 3"])
@pytest.mark.parametrize("i_gap", ["none", "random", "heavy", "period 3"])
@pytest.mark.parametrize("name", UNITS)
def test_passes_beats(drive, gaps, name, i_gap, o_gap):
    run(drive, name, i_gap=gaps(i_gap, 1), o_gap=gaps(o_gap, 2))


@pytest.mark.parametrize("name", UNITS)
def test_timing(drive, name):
    unit, done = run(drive, name)
    assert done.o_cycles[0] - done.i_cycles[0] == unit.latency
    assert set(np.diff(done.i_cycles)) == {unit.interval}


@pytest.mark.parametrize("period", [1, 2, 3, 5, 9])
@pytest.mark.parametrize(("a", "b"), [(4, 1), (1, 4), (6, 2), (2, 6)])
def test_converter_spacing(drive, gaps, a, b, period):
    unit, done = run(drive, f"converter{a}to{b}", i_gap=gaps(f"period {period}", 0))
    assert set(np.diff(done.i_cycles[1:])) == {max(period, unit.interval)} or period < a // b
    if a > b:
        groups = np.array(done.o_cycles).reshape(-1, a // b)
        assert set(np.diff(groups, axis=1).ravel()) == {1}
        assert set(np.diff(groups[1:, 0])) <= {max(period, a // b), -(-(a // b) // period) * period}
        assert np.mean(np.diff(groups[:, 0])) <= max(period, a // b) + 1
    else:
        assert set(np.diff(done.o_cycles)) == {b // a * period}


def test_slice_cuts_ready():
    unit = RegisterSlice(BEAT)
    seen = []

    async def bench(ctx):
        ctx.set(unit.i.valid, 1)
        for cycle in range(6):
            values = []
            for ready in (0, 1, cycle % 2):
                ctx.set(unit.o.ready, ready)
                values.append(ctx.get(unit.i.ready))
            seen.append(values)
            await ctx.tick()

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert all(len(set(values)) == 1 for values in seen)
    assert {values[0] for values in seen} == {0, 1}


@pytest.mark.parametrize(
    ("depth", "width", "memory", "family", "cell", "registers"),
    [(17, 16, "auto", "ice40", "SB_RAM40_4K", 12), (17, 16, "distributed", "ecp5", "TRELLIS_DPR16X4", 27),
     (65, 20, "auto", "ecp5", "DP16KD", 15), (5, 8, "auto", "ice40", None, 6 + 1 + 5 * 8)],
)  # fmt: skip
def test_fifo_memory(synthesize, depth, width, memory, family, cell, registers):
    unit = StreamFIFO(unsigned(width), depth, memory)
    found = synthesize(unit, family)
    memories = {"SB_RAM40_4K", "DP16KD", "TRELLIS_DPR16X4"} & set(found)
    assert memories == ({cell} if cell else set()), found
    assert sum(n for name, n in found.items() if name.startswith("SB_DFF") or name == "TRELLIS_FF") == registers, found
    kinds = {"SB_RAM40_4K": "block_bits", "DP16KD": "block_bits", "TRELLIS_DPR16X4": "buffer_distributed_bits"}
    assert unit.features()[kinds.get(cell, "buffer_register_bits")] == (depth - 1) * width


def test_vector_signature():
    signature = vector(unsigned(3), 5)
    assert signature.members["payload"].shape == data.ArrayLayout(unsigned(3), 5)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: vector(unsigned(3), 0), ValueError, "lanes must be at least 1, not 0"),
        (lambda: vector(3, 1), TypeError, "shape must be an Amaranth shape such as unsigned(3), not 3"),
        (lambda: vector(unsigned(0), 1), ValueError, "shape must have 1 to 63 bits, not 0"),
        (lambda: vector(unsigned(3), 2.0), TypeError, "lanes must be an integer, not 2.0"),
        (lambda: StreamFIFO(BEAT, 1), ValueError, "depth must be at least 2, not 1"),
        (
            lambda: StreamFIFO(BEAT, 4, "lutram"),
            ValueError,
            "memory must be one of auto, block, registers, distributed",
        ),
        (
            lambda: WidthConverter(SHAPE, 4, 6),
            ValueError,
            "lanes_out must divide or be a multiple of the 4 input lanes, not 6",
        ),
    ],
)
def test_errors(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()
