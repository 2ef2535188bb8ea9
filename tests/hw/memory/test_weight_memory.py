# amaranth: UnusedElaboratable=no
"""WeightMemory: reads, writes, reads of what is being written, storage on each family, read-back names.

| testpoint | stage | test |
| --- | --- | --- |
| any mix of reads and writes is that of a NumPy array, piece by piece | full | test_reads_and_writes |
| a read in the cycle of a write: sees it, or is not made | smoke | test_collision |
| `image` written gives its words | smoke | test_image |
| block memory becomes one; what skips collisions takes no logic per bit | full | test_storage |
| the emitted Verilog holds the words under the documented name | smoke | test_read_back_name |
| features count what there is | smoke | test_features |
| bad parameters are refused | smoke | test_errors |
"""

import re

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.sim import Simulator

from bitloom.codegen import emit_rtlil
from bitloom.hw.memory.weight_memory import WeightMemory


def random_words(rng, width, depth):
    return [int.from_bytes(rng.bytes(width // 8 + 1), "little") % (1 << width) for _ in range(depth)]


def simulate(dut, bench):
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def put(ctx, dut, write):
    """Offer the write (address, data), or none."""
    ctx.set(dut.w.valid, write is not None)
    if write is not None:
        ctx.set(dut.w.p, {"address": write[0], "data": write[1]})


class Contents:
    """What the memory holds, as a list of integers; ``write`` changes one piece."""

    def __init__(self, dut):
        self.dut, self.words = dut, list(dut.words)

    def split(self, address):
        return address >> self.dut.piece_bits, address & ((1 << self.dut.piece_bits) - 1)

    def write(self, address, data):
        word, piece = self.split(address)
        low, high = piece * self.dut.port, min((piece + 1) * self.dut.port, self.dut.width)
        if word < self.dut.depth and low < high:
            mask = (1 << (high - low)) - 1
            self.words[word] = self.words[word] & ~(mask << low) | (data & mask) << low


@pytest.mark.parametrize("collision", ["new", "skip"])
@pytest.mark.parametrize(
    ("width", "depth", "port"), [(8, 5, 32), (8, 8, 4), (70, 6, 32), (33, 3, 8), (5, 1, 2), (3, 2, 3), (160, 4, 32)]
)
@pytest.mark.parametrize("memory", ["block", "registers"])
def test_reads_and_writes(collision, width, depth, port, memory):
    rng = np.random.default_rng(width)
    dut = WeightMemory(random_words(rng, width, depth), width, memory, port=port, collision=collision)
    assert dut.pieces == -(-width // port) and dut.port == min(port, width)
    contents, shown, clashes = Contents(dut), None, 0

    async def bench(ctx):
        nonlocal shown, clashes
        for _ in range(300):
            write = None
            if rng.integers(3):
                write = int(rng.integers(1 << dut.address_bits)), int(rng.integers(1 << dut.port))
            put(ctx, dut, write)
            en, address = bool(rng.integers(3)), int(rng.integers(depth))
            ctx.set(dut.en, en)
            ctx.set(dut.addr, address)
            assert ctx.get(dut.w.ready)
            clash = write is not None and contents.split(write[0])[0] == address
            assert ctx.get(dut.clash) == (clash and collision == "skip")
            clashes += clash and en
            before = contents.words[address]
            if write is not None:
                contents.write(*write)
            if en and not (clash and collision == "skip"):
                shown = contents.words[address] if clash else before
            await ctx.tick()
            if shown is not None:
                assert ctx.get(dut.data) == shown

    simulate(dut, bench)
    assert clashes > 5 and contents.words != list(dut.words)


@pytest.mark.parametrize("collision", ["new", "skip"])
def test_collision(collision):
    dut = WeightMemory([1, 2], 4, "block", collision=collision)

    async def bench(ctx):
        ctx.set(dut.en, 1)
        await ctx.tick()
        assert ctx.get(dut.data) == 1
        ctx.set(dut.addr, 1)
        put(ctx, dut, (1, 9))
        await ctx.tick()
        assert ctx.get(dut.data) == (9 if collision == "new" else 1)
        put(ctx, dut, None)
        await ctx.tick()
        assert ctx.get(dut.data) == 9

    simulate(dut, bench)


@pytest.mark.parametrize("memory", ["block", "registers"])
def test_image(memory):
    rng = np.random.default_rng(8)
    dut, words = WeightMemory([0] * 5, 77, memory, port=16), random_words(rng, 77, 5)
    image = dut.image(words)
    assert len(image) == 5 * dut.pieces == 25 and len({address for address, _ in image}) == 25
    assert [address for address, _ in image[4:6]] == [4, 8]

    async def bench(ctx):
        for write in rng.permutation(np.array(image, dtype=object)).tolist():
            put(ctx, dut, write)
            await ctx.tick()
        put(ctx, dut, None)
        ctx.set(dut.en, 1)
        for address, word in enumerate(words):
            ctx.set(dut.addr, address)
            await ctx.tick()
            assert ctx.get(dut.data) == word

    simulate(dut, bench)


@pytest.mark.parametrize(
    ("family", "block", "count"), [("ice40", "SB_RAM40_4K", 5), ("ecp5", "DP16KD", 3), ("gowin", "SDP", 3)]
)
def test_storage(synthesize, monkeypatch, family, block, count):
    """As emitted, where the output register of a block memory has no first value."""
    convert = rtlil.convert

    def emitted(component, name):
        monkeypatch.setattr(rtlil, "convert", convert)
        text = emit_rtlil(component, name)
        monkeypatch.setattr(rtlil, "convert", emitted)
        return text

    monkeypatch.setattr(rtlil, "convert", emitted)
    words = random_words(np.random.default_rng(1), 70, 100)
    found = synthesize(WeightMemory(words, 70, "block", collision="skip"), family)
    assert sum(n for cell, n in found.items() if cell.startswith(block)) == count, found
    assert sum(n for cell, n in found.items() if "LUT" in cell) < 60, found
    assert not [cell for cell in found if "DFF" in cell or "FF" in cell.split("_")], found
    found = synthesize(WeightMemory(words[:4], 70, "registers", collision="skip"), family)
    assert not [cell for cell in found if cell.startswith(block) or "RAM" in cell], found
    assert sum(n for cell, n in found.items() if "FF" in cell) == 5 * 70


def test_read_back_name(verilog):
    words = random_words(np.random.default_rng(1), 20, 9)
    text = verilog(WeightMemory(words, 20, port=10))
    assert WeightMemory(words, 20).handle == WeightMemory.SIGNAL == "ram"
    assert re.search(r"reg \[19:0\] ram\s*\[8:0\]", text)
    assert all(f"ram[{address}] = 20'h{word:05x}" in text for address, word in enumerate(words))


def test_features():
    count = WeightMemory([0] * 300, 40, collision="skip").features()
    assert (count["block_bits"], count["blocks"]) == (12000, 6) and "block_bypass_bits" not in count
    count = WeightMemory([0] * 4, 40, port=8).features()
    assert (count["buffer_register_bits"], count["mux_bits"]) == (160, 120)
    assert (count["register_bits"], count["registers_bypass_bits"]) == (48, 40)
    assert WeightMemory([0] * 4, 40).memory == "registers" and WeightMemory([0] * 30, 40).memory == "block"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: WeightMemory([], 4), ValueError, "words must hold at least one word, not none"),
        (lambda: WeightMemory([16], 4), ValueError, "words must be 0 to 2**4 - 1, not 16"),
        (lambda: WeightMemory([1], 4, "flash"), ValueError, "memory must be one of auto, block, registers, not"),
        (lambda: WeightMemory([1], 4, port=0), ValueError, "port must be at least 1, not 0"),
        (lambda: WeightMemory([1], 4, collision="old"), ValueError, "collision must be one of new, skip, not 'old'"),
        (lambda: WeightMemory([1], 4).image([1, 2]), ValueError, "words must be as many as the memory has, 1, not 2"),
        (lambda: WeightMemory([1], 4).image([16]), ValueError, "words must be 0 to 2**4 - 1, not 16"),
    ],
)
def test_errors(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()
