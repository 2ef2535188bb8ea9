# amaranth: UnusedElaboratable=no
"""Rom: contents, enable, storage on each family, read-back names.

| testpoint | stage | test |
| --- | --- | --- |
| reads every word one cycle later, holds without enable | smoke | test_reads |
| each kind becomes what it says on each family | full | test_storage |
| a single word is a constant that costs nothing | smoke | test_single_word_folds |
| the emitted Verilog holds the words under the documented name | smoke | test_read_back_name |
| words may come late: made once, when first asked for, and checked then | smoke | test_late_words |
| bad parameters are refused | smoke | test_errors |
"""

import re

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from bitloom.hw import Rom

RNG = np.random.default_rng(5)
WORDS = [int(word) for word in RNG.integers(0, 1 << 20, 96)]


class Holder(wiring.Component):
    """A Rom one level down, so that its instance path is visible."""

    def __init__(self, rom):
        self.rom = rom
        super().__init__({"en": In(1), "addr": In(rom.addr.shape()), "data": Out(rom.width)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.weights = self.rom
        m.d.comb += [self.rom.en.eq(self.en), self.rom.addr.eq(self.addr), self.data.eq(self.rom.data)]
        return m


@pytest.mark.parametrize("depth", [1, 2, 5, 96])
@pytest.mark.parametrize("memory", ["block", "distributed", "auto"])
def test_reads(depth, memory):
    rom = Rom(WORDS[:depth], 20, memory)

    async def bench(ctx):
        ctx.set(rom.en, 1)
        for address in range(depth):
            ctx.set(rom.addr, address)
            await ctx.tick()
            assert ctx.get(rom.data) == WORDS[address] == rom.model(address)
        ctx.set(rom.en, 0)
        ctx.set(rom.addr, 0)
        await ctx.tick()
        assert ctx.get(rom.data) == WORDS[depth - 1]

    m = Module()
    m.submodules.rom = rom
    m.d.sync += Signal().eq(1)  # a single word has no clock of its own
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("family", ["ice40", "ecp5", "gowin"])
def test_storage(synthesize, family):
    blocks = {"ice40": "SB_RAM40_4K", "ecp5": "DP16KD", "gowin": "SP"}[family]
    for depth in (8, 96):
        found = synthesize(Holder(Rom(WORDS[:depth], 20, "block")), family)
        assert sum(n for cell, n in found.items() if cell.startswith(blocks)) >= 1, found
        assert sum(n for cell, n in found.items() if "LUT" in cell) == 0, found
        found = synthesize(Holder(Rom(WORDS[:depth], 20, "distributed")), family)
        assert sum(n for cell, n in found.items() if "RAM" in cell or cell.startswith(blocks)) == 0, found
        assert sum(n for cell, n in found.items() if "LUT" in cell) >= 10, found


def test_single_word_folds(synthesize):
    assert synthesize(Holder(Rom(WORDS[:1], 20)), "ice40") == {}


def test_read_back_name(verilog):
    text = verilog(Holder(Rom(WORDS, 20)))
    assert Rom.SIGNAL == "rom"
    assert re.search(r"weights\s+weights \(", text)
    assert re.search(r"reg \[19:0\] rom\s*\[95:0\]", text)
    for address, word in enumerate(WORDS):
        assert f"rom[{address}] = 20'h{word:05x}" in text
    text = verilog(Holder(Rom(WORDS[:1], 20)))
    assert re.search(r"weights\s+weights \(", text)
    assert f"assign rom = 20'h{WORDS[0]:05x}" in text


def test_auto():
    assert Rom(WORDS, 20).memory == "block"
    assert Rom(WORDS[:64], 20).memory == "distributed"
    assert Rom([1] * 100, 1).memory == "distributed"


def test_late_words(verilog):
    made = []

    def words():
        made.append(1)
        return WORDS

    rom = Rom(words, 20, depth=96)
    assert (rom.depth, rom.memory, rom.features()["block_bits"]) == (96, "block", 96 * 20) and not made
    assert f"rom[95] = 20'h{WORDS[95]:05x}" in verilog(Holder(rom))
    assert rom.words == tuple(WORDS) and len(made) == 1
    with pytest.raises(ValueError, match="words must be as many as depth says, 95, not 96"):
        assert Rom(words, 20, depth=95).words
    with pytest.raises(ValueError, match=re.escape("words must be 0 to 2**19 - 1, not ")):
        assert Rom(words, 19, depth=96).words


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Rom([], 4), ValueError, "words must hold at least one word, not none"),
        (lambda: Rom([16], 4), ValueError, "words must be 0 to 2**4 - 1, not 16"),
        (lambda: Rom([1.5], 4), TypeError, "words must be integers, not 1.5"),
        (lambda: Rom(lambda: [1], 4), TypeError, "depth must be given with a callable"),
        (lambda: Rom([1], 4, depth=2), ValueError, "depth must be left out or be the 1 words given, not 2"),
        (lambda: Rom([1], 4, "flash"), ValueError, "memory must be one of auto, block, distributed, not 'flash'"),
    ],
)
def test_errors(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()
