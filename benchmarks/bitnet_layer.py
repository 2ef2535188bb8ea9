# amaranth: UnusedElaboratable=no
"""A layer of the size of BitNet's: 1536 × 1536 ternary weights, 8-bit activations, 1,344 products per cycle.

    python benchmarks/bitnet_layer.py [--parts simulation synthesis routing] [--docs docs/benchmarks.md]

TeLLMe's table-lookup engine has 28 tables of three activations and 16 columns: 1,344 ternary products per cycle, at
which the layer's 1536² would take 1,755.4 cycles per vector if nothing were ever left over. TableMatVec is given 16
tables and 28 columns, MatVec 28 columns and 48 inputs: the same rate, and nearly nothing left over.

Simulated: 64 random vectors back to back through the emitted Verilog in Verilator, every bit of every output compared
with NumPy, cycles counted from the first output beat of one vector to that of the next.

Synthesized: the whole unit flattened, its weights outside (in block memory they take no LUTs; five bits for three
weights where sums are looked up, two bits a weight where terms are selected). The parts of the table-lookup unit are
synthesized one by one: a table 16 times, an adder tree 28 times, the accumulators once; what the whole takes beyond
them is control, input and what flattening changes. LUT6 are counted as for the perceptron above. A public pipelined dot
product of eight lanes takes 149 LUT6: 18.6 for each product.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path

import numpy as np
from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import Component, In, Out
from bitnet_simulation import Simulated, simulate
from crossover_measure import BOARDS, clock
from pages import settle, table
from rich.console import Console
from xc7 import SYNTHESIS, Cells, synthesize

from bitloom import BitloomError
from bitloom.boards.board import load
from bitloom.boards.tools import find, suite
from bitloom.hw import MatVec, TableMatVec, vector
from bitloom.hw.component import Component as LazyComponent
from bitloom.hw.lookup.signed_tree import SignedTree
from bitloom.hw.lookup.trit_tables import Activation, SerialTable, TableShape

TITLE = "## A layer of BitNet's size: looking sums up, beside adding selected terms"
CLOCK_TITLE = "## The clock of the engine for that layer"
SIZE, COLUMNS, TABLES, GROUP = 1536, 28, 16, 3
RATE = COLUMNS * TABLES * GROUP
"""Ternary products per cycle."""
DOT_PRODUCT = 149 / 8
"""LUT6 per product and cycle of a public engine's pipelined dot product of eight lanes."""
ACTIVATION = signed(8)
ACCUMULATOR = signed(1 + (SIZE << 7).bit_length())


class Outside(LazyComponent):
    """The read port of a weight memory that is somewhere else."""

    def __init__(self, rom: LazyComponent):
        self._addr, self._width = rom.signature.members["addr"].shape, rom.width
        super().__init__(
            {"en": In(1), "addr": In(self._addr), "data": Out(self._width),
             "read": Out(1), "address": Out(self._addr), "word": In(self._width)}
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [self.read.eq(self.en), self.address.eq(self.addr), self.data.eq(self.word)]
        return m


class WeightsOutside(Component):
    """A matrix–vector unit whose weight memory's read port is a port of its own."""

    def __init__(self, unit: MatVec | TableMatVec):
        self._unit = unit
        self._outside = unit._weight_rom = Outside(unit._weight_rom)
        ports = self._outside.signature.members
        super().__init__(
            {"i": In(vector(unit.activation, unit.simd)), "o": Out(vector(unit.accumulator, unit.pe)),
             **{name: ports[name] for name in ("read", "address", "word")}}
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        wiring.connect(m, wiring.flipped(self.i), unit.i)
        wiring.connect(m, unit.o, wiring.flipped(self.o))
        m.d.comb += [
            self.read.eq(self._outside.read),
            self.address.eq(self._outside.address),
            self._outside.word.eq(self.word),
        ]
        return m


def table_lookup(outputs: int = SIZE, inputs: int = SIZE, simd: int = 1) -> TableMatVec:
    """The layer, or another one, with random weights in the table-lookup unit."""
    weights = np.random.default_rng(1).integers(-1, 2, (outputs, inputs))
    return TableMatVec(weights, pe=COLUMNS, simd=simd, activation=ACTIVATION, accumulator=ACCUMULATOR, group=GROUP,
                       tables=TABLES, memory="block", partials="block")  # fmt: skip


def select_add() -> MatVec:
    """The layer, its outputs filled up to whole beats, in the unit that adds selected terms."""
    folds = -(-SIZE // COLUMNS)
    weights = np.zeros((folds * COLUMNS, SIZE), np.int64)
    weights[:SIZE] = np.random.default_rng(1).integers(-1, 2, (SIZE, SIZE))
    return MatVec(weights, pe=COLUMNS, simd=RATE // COLUMNS, activation=ACTIVATION, accumulator=ACCUMULATOR,
                  memory="block", buffer="block")  # fmt: skip


def simulation(vectors: int, out: Path, console: Console) -> str:
    """Cycles and mismatches of ``vectors`` vectors back to back."""
    unit = table_lookup()
    rng = np.random.default_rng(2)
    x = rng.integers(-128, 128, (vectors, SIZE))
    x[0], x[1] = -128, 127
    with console.status("simulation"):
        found: Simulated = simulate(unit, x, out)
    wrong = int((found.outputs[:, :SIZE] != x @ unit.weights.T).sum() + np.count_nonzero(found.outputs[:, SIZE:]))
    steps = np.diff(found.ends)
    ideal, steady = SIZE * SIZE / RATE, float(steps.mean())
    rows = [
        ["vectors; outputs that differ from NumPy's", f"{vectors}; **{wrong}** of {vectors * SIZE:,}"],
        ["cycles per vector: least, mean, greatest", f"{steps.min():,}, **{steady:,.1f}**, {steps.max():,}"],
        ["SF·NF; share of it", f"{unit.interval:,}; {unit.interval / steady:.2%}"],
        ["ternary products per cycle; share of 1,344", f"{SIZE * SIZE / steady:,.1f}; **{ideal / steady:.2%}**"],
        ["cycles from the first beat in to the first out", f"{found.latency:,} (closed form {unit.latency:,})"],
    ]
    if wrong or found.latency != unit.latency or steps.max() != unit.interval:
        raise BitloomError(f"the simulation is not as it should be: {rows}")
    return f"Simulated:\n\n{table(['what', 'found'], rows)}\n"


def synthesis(out: Path, console: Console) -> str:
    """LUTs of both units, and of the parts of the table-lookup unit."""
    units = {
        "looking up (TableMatVec)": table_lookup,
        "adding selected terms (MatVec)": select_add,
    }
    whole: dict[str, Cells] = {}
    for name, make in units.items():
        start = time.monotonic()
        with console.status(f"synthesis: {name}"):
            whole[name] = synthesize(WeightsOutside(make()), out / re.sub(r"\W+", "-", name))
        console.print(f"{name}: {whole[name].lut6:,} LUT6 in {time.monotonic() - start:.0f} s")
    rows = [[name, f"**{cells.lut6:,}**", f"{cells.luts:,}", f"{cells.lutram:,}", f"{cells.through + cells.srl}",
             f"{cells.ff:,}", f"{cells.carry4:,}", f"{cells.ramb18}", f"**{cells.lut6 / RATE:.2f}**",
             f"{cells.lut6 / RATE / DOT_PRODUCT:.2f}"] for name, cells in whole.items()]  # fmt: skip
    header = ["unit", "LUT6", "logic", "LUTRAM", "shift registers, routed through", "FF", "CARRY4",
              "18 kbit memories beside the weights'", "LUT6 per product and cycle", "share of 18.6"]  # fmt: skip
    text = f"Synthesized:\n\n{table(header, rows)}\n"
    return text + parts(next(iter(whole.values())), out, console)


def parts(whole: Cells, out: Path, console: Console) -> str:
    """What the table-lookup unit's LUTs are."""
    unit = table_lookup()
    shape = TableShape(Activation(ACTIVATION, False), GROUP, COLUMNS)
    width = max(unit._lane_widths)
    made = {
        "table": (TABLES, SerialTable(shape, unit.table_memory)),
        "adder tree": (COLUMNS, SignedTree(shape.bounds, TABLES, 1, width)),
        "accumulators": (1, unit._accumulators),
    }
    rows, left = [], whole.lut6
    for name, (times, part) in made.items():
        with console.status(f"synthesis: {name}"):
            cells = synthesize(part, out / "parts" / name.replace(" ", "-"))
        left -= times * cells.lut6
        rows.append([f"{times} × {name}", f"{cells.lut6:,}", f"{times * cells.lut6:,}",
                     f"{times * cells.lut6 / whole.lut6:.0%}"])  # fmt: skip
    rows.append(["the rest", "", f"{left:,}", f"{left / whole.lut6:.0%}"])
    return f"Of the unit that looks up:\n\n{table(['part', 'LUT6 each', 'LUT6', 'share'], rows)}"


def routing(out: Path, console: Console) -> str:
    """The clock of the table-lookup unit on ECP5-85F, with a layer whose weights find room there."""
    unit = table_lookup(16 * COLUMNS, 7 * TABLES * GROUP, simd=GROUP)
    with console.status("placing and routing"):
        routed = clock(unit, "ecp5", out / "routing")
    n, k = unit.weights.shape
    rate = n * k / unit.interval
    rows = [["layer", f"{n} × {k}, weights in block memory"],
            ["ternary products per cycle", f"{rate:,.0f}"],
            ["Fmax, between registers", f"**{routed.fmax_mhz:.1f} MHz**"],
            ["LUT4 and carries (TRELLIS_COMB); flip-flops; memories", f"{routed.lut:,}; {routed.ff:,}; {routed.bram}"],
            ["ternary products per second", f"{rate * routed.fmax_mhz / 1e3:,.1f} · 10⁹"]]
    text = f"{CLOCK_TITLE}\n\n`python benchmarks/bitnet_layer.py --parts routing`. The same 16 tables and 28 columns, "
    text += f"placed and routed on {load(BOARDS['ecp5']).part} for a\nlayer whose weights find room there; no open "
    text += f"tool from pip routes a 7-series part. nextpnr {suite('ecp5').nextpnr}.\n\n"
    return text + table(["what", "found"], rows)


def main() -> None:
    """Simulate, synthesize, route and print."""
    choices = ["simulation", "synthesis", "routing"]
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", nargs="+", default=choices[:2], choices=choices, help="routing takes half an hour")
    parser.add_argument("--vectors", type=int, default=64)
    parser.add_argument("--out", type=Path, default=Path("build") / "bitnet_layer")
    parser.add_argument("--docs", type=Path, help="page into which the sections are written")
    arguments = parser.parse_args()
    console, sections = Console(stderr=True), []
    try:
        if set(arguments.parts) & {"simulation", "synthesis"}:
            text = f"{TITLE}\n\n`python benchmarks/bitnet_layer.py`. {(__doc__ or '').split(chr(10) * 2, 2)[2]}\n"
            text += f"yosys {find('yosys')}, `{SYNTHESIS}`.\n\n"
            if "simulation" in arguments.parts:
                text += simulation(arguments.vectors, arguments.out / "simulation", console)
            if "synthesis" in arguments.parts:
                text += synthesis(arguments.out, console)
            sections.append(text)
        if "routing" in arguments.parts:
            sections.append(routing(arguments.out, console))
    except BitloomError as error:
        sys.exit(f"bitnet_layer: {error}")
    for text in sections:
        print(text)
        if arguments.docs:
            settle(text, arguments.docs)


if __name__ == "__main__":
    main()
