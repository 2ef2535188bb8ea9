# amaranth: UnusedElaboratable=no
"""The layer of BitNet's size: what is compared, that weights from outside change nothing, where its section goes.

| testpoint | stage | test |
| --- | --- | --- |
| both units have the rate of 1,344 products and the same interval | smoke | test_units |
| a unit whose weights are outside computes what it did with them inside | full | test_weights_outside |
| a section keeps its place | smoke | test_sections |
"""

import sys
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from support.streams import drive

from bitloom.hw import MatVec, TableMatVec, vector

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import bitnet_layer
import pages


def test_units():
    looking, adding = bitnet_layer.table_lookup(), bitnet_layer.select_add()
    assert looking.pe * looking.tables * looking.group == adding.pe * adding.simd == bitnet_layer.RATE == 1344
    assert looking.interval == adding.interval == 1760
    assert looking.build == "serial" and np.array_equal(looking.weights, adding.weights[:1536])


class Inside(wiring.Component):
    """A unit with its weights outside, and the weights."""

    def __init__(self, unit):
        self.rom, self.interval = unit._weight_rom, unit.interval
        self.unit = bitnet_layer.WeightsOutside(unit)
        super().__init__({"i": In(vector(unit.activation, unit.simd)), "o": Out(vector(unit.accumulator, unit.pe))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.unit, m.submodules.rom = self.unit, self.rom
        wiring.connect(m, wiring.flipped(self.i), self.unit.i)
        wiring.connect(m, self.unit.o, wiring.flipped(self.o))
        m.d.comb += [self.rom.en.eq(self.unit.read), self.rom.addr.eq(self.unit.address)]
        m.d.comb += self.unit.word.eq(self.rom.data)
        return m


@pytest.mark.parametrize(("kind", "options"), [(TableMatVec, {"group": 2, "tables": 2}), (MatVec, {})])
def test_weights_outside(kind, options):
    rng = np.random.default_rng(0)
    w, x = rng.integers(-1, 2, (10, 8)), rng.integers(-4, 4, (3, 8))
    unit = kind(w, pe=2, simd=2, activation=signed(3), accumulator=signed(7), **options)
    done = drive(Inside(unit), x, 10, i_shape=signed(3), i_lanes=2, o_shape=signed(7), o_lanes=2)
    assert np.array_equal(done.y, x @ w.T)


def test_sections(tmp_path):
    page = tmp_path / "page.md"
    for name in ("one", "two", "one"):
        pages.settle(f"## {name}\n\n{name} of {page.exists()}\n", page)
    assert page.read_text().split("\n\n")[2:] == ["## one", "one of True", "## two", "two of True\n"]
