# amaranth: UnusedElaboratable=no
"""The points of the crossover map: every engine over widths of activations, layers, parallelism and families."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from amaranth.hdl import Shape, signed, unsigned
from amaranth.lib.wiring import Component

from bitloom import hw
from bitloom.codegen.engines import table_lanes
from bitloom.hw.lookup.trit_codes import entries

FAMILIES = ("ice40", "ecp5", "gowin", "xc7")
"""Three with look-up tables of four inputs, one with six."""

SIZES = (48, 192)
"""K = N of the layer: few and many column folds."""

LANES = ((4, 12), (8, 24))
"""PE × SIMD: ternary multiply-accumulates per cycle."""

LARGE = (16, 48)
"""One more, on the families that hold it."""

DEEP = (540, 4, 60)
"""And a layer with so many neuron folds, N/PE = 135, that tables of any size are built in time: K = N, PE, SIMD."""

BITS = (2, 4, 8)
"""Of the activations; and bipolar ones, of one bit."""

DEVICES = {"ice40": "ice40", "ecp5": "ecp5", "gowin": "gowin", "xc7": "dsp48e1"}
"""The multiplier of each family."""

TERNARY, BINARY, FOUR = "ternary", "binary", "4 bits"


@dataclass(frozen=True)
class Point:
    """One engine with one shape on one family; ``bits`` is 0 for bipolar activations."""

    family: str
    engine: str
    weights: str
    bits: int
    size: int
    pe: int
    simd: int

    @property
    def name(self) -> str:
        """As in tables and logs."""
        return f"{self.family} {self.engine} {self.weights} x{self.bits or '±1'} {self.size}² {self.pe}×{self.simd}"

    @property
    def routed(self) -> bool:
        """Whether it can be routed as well: no tool from pip routes a 7-series part."""
        return self.family != "xc7"

    @property
    def activation(self) -> Shape:
        """The shape of an activation."""
        return signed(self.bits) if self.bits else unsigned(1)

    @property
    def accumulator(self) -> Shape:
        """Wide enough for any weights."""
        return signed(max(1, self.bits) + (self.size - 1).bit_length() + (4 if self.weights == FOUR else 1))

    def matrix(self) -> np.ndarray:
        """Weights: a third of the ternary ones are zero, as after absmean training."""
        numbers = np.random.default_rng(self.size)
        values = {TERNARY: [-1, 0, 1], BINARY: [-1, 1], FOUR: range(-7, 8)}[self.weights]
        return numbers.choice(values, (self.size, self.size))

    def component(self) -> Component:
        """The engine."""
        common = {"pe": self.pe, "activation": self.activation, "accumulator": self.accumulator,
                  "bipolar_activation": not self.bits, "memory": "block"}  # fmt: skip
        return _ENGINES[self.engine](self, common)


def _select(point: Point, common: dict) -> Component:
    return hw.MatVec(point.matrix(), simd=point.simd, **common)


def _compressor(point: Point, common: dict) -> Component:
    return hw.MatVec(point.matrix(), simd=point.simd, tree="compressor", **common)


def _table(group: int):
    def make(point: Point, common: dict) -> Component:
        lanes = table_lanes(point.size, point.size // point.pe, point.simd)
        return hw.TableMatVec(point.matrix(), simd=lanes, group=group, tables=point.simd // group,
                              table_memory="registers" if point.family == "ice40" else "auto", **common)

    return make


def _serial(point: Point, common: dict) -> Component:
    return hw.BitSerialMatVec(point.matrix(), simd=point.simd, **common)


def _packed(point: Point, common: dict) -> Component:
    return hw.PackedMatVec(point.matrix(), simd=point.simd, device=DEVICES[point.family], **common)


_ENGINES = {"select": _select, "compressor": _compressor, "table 2": _table(2), "table 3": _table(3),
            "table 4": _table(4), "table 5": _table(5), "bit-serial": _serial, "multipliers": _packed}  # fmt: skip
ENGINES = tuple(_ENGINES)
"""Select-add (for binary weights XNOR-popcount), the same with a compressor tree, table look-up of groups of 2 to 5,
bit planes in series, packed multipliers."""


def grid() -> Iterator[Point]:
    """Every point, the most telling first."""
    tables = ("select", "table 2", "table 3", "table 4")
    for size, lanes, bits in product(reversed(SIZES), LANES, reversed(BITS)):
        if size == SIZES[0] and bits != 8:
            continue
        for family, engine in product(FAMILIES, tables):
            if engine != "table 4" or size // lanes[0] > entries(4):  # an adder for each of 40 entries never pays
                yield Point(family, engine, TERNARY, bits, size, *lanes)
    for family, engine, bits in product(("ecp5", "xc7"), ("select", "table 2", "table 3"), (8, 2)):
        yield Point(family, engine, TERNARY, bits, SIZES[1], *LARGE)
    for family, engine in product(("ecp5", "gowin", "xc7"), (*tables, "table 5")):
        yield Point(family, engine, TERNARY, 8, *DEEP)
    for lanes, bits, family in product(LANES, reversed(BITS), FAMILIES):
        for weights in (TERNARY, FOUR)[: 1 + (bits == 8)]:
            yield Point(family, "bit-serial", weights, bits, SIZES[1], *lanes)
            yield Point(family, "multipliers", weights, bits, SIZES[1], *lanes)
        if bits == 8:
            yield Point(family, "select", FOUR, bits, SIZES[1], *lanes)
        if bits != 4:
            yield Point(family, "compressor", TERNARY, bits, SIZES[1], *lanes)
    for family, engine, weights, lanes in product(FAMILIES, ("select", "compressor"), (TERNARY, BINARY), LANES):
        if (weights, lanes) != (TERNARY, LANES[0]):
            yield Point(family, engine, weights, 0, SIZES[1], *lanes)
