# amaranth: UnusedElaboratable=no
"""The compute layers of tfc-w1a1, folded as FINN's, beside what FINN publishes; and pipelines of its latency and less.

    python benchmarks/finn_tfc.py [--network TFC_1W1A.onnx] [--quick] [--docs docs/benchmarks.md]

The network is the public one, 784-64-64-64-10 with binary weights and activations, its weights and thresholds as
trained. A layer is what FINN's matrix–vector–activation unit is: the MatVec with its input buffer and, but for the last
layer, its thresholds. Each is folded to FINN's cycles per image; every PE × SIMD of the right product is synthesized
with weights and input buffer in block memory or in LUTs, and the smallest printed. FINN's block memories are not in the
published table; its first layer's weights alone would fill more LUTs than that layer has.

LUT6 are counted to our disadvantage: every LUT1 to LUT6 and inverter as one (no two share a site), the LUTs of
distributed memory and of shift registers, and one for each carry or wide-multiplexer input that no LUT drives, where
packing routes through one. Stage of all figures: synthesized. FINN's LUTs are as published for its Pynq-Z2 build.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from amaranth.hdl import Module, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import Component, In, Out
from pages import settle, table
from public import network
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from xc7 import SYNTHESIS, Cells, synthesize

from bitloom import BitloomError, RequestError
from bitloom.boards.tools import find
from bitloom.codegen import FAMILIES, Accelerator, Folding, Plan, simplify
from bitloom.codegen.mapping import shape_of
from bitloom.hw import MatVec, Threshold, vector
from bitloom.quant import Graph, MatMul
from bitloom.quant import Threshold as ThresholdNode

PART = "xc7 (Zynq-7020 of the Pynq-Z2)"
CYCLES = (896, 512, 512, 640)
FINN = (681, 240, 243, 268)
"""Cycles per image of each layer, and FINN's LUTs."""
FINN_LATENCY, FINN_FAST_LUTS, FINN_FAST_FFS = 61, 27_820, 47_451
"""FINN's build of the lowest latency."""


class Layer(Component):
    """A matrix–vector unit and, if there are any, its thresholds."""

    def __init__(self, matvec: MatVec, threshold: Threshold | None):
        self._matvec, self._threshold = matvec, threshold
        element = matvec.accumulator if threshold is None else threshold.output
        super().__init__({"i": In(vector(matvec.activation, matvec.simd)), "o": Out(vector(element, matvec.pe))})

    interval = property(lambda self: self._matvec.interval, doc="Cycles per vector.")

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.matvec = last = self._matvec
        wiring.connect(m, wiring.flipped(self.i), last.i)
        if self._threshold is not None:
            m.submodules.threshold = self._threshold
            wiring.connect(m, last.o, self._threshold.i)
            last = self._threshold
        wiring.connect(m, last.o, wiring.flipped(self.o))
        return m


@dataclass(frozen=True)
class Option:
    """One way to build a layer."""

    pe: int
    simd: int
    memory: str
    buffer: str

    def __str__(self) -> str:
        words = {"block": "block memory", "distributed": "LUTs"}
        buffer = f", buffer in {words[self.buffer]}" if self.buffer in words else ""
        return f"PE {self.pe}, SIMD {self.simd}, weights in {words[self.memory]}{buffer}"


def layers(graph: Graph) -> list[tuple[MatMul, ThresholdNode | None]]:
    """Each product with the threshold that reads it."""
    found = []
    for node in graph:
        if isinstance(node, MatMul):
            users = [user for user in graph.users(node.name) if isinstance(user, ThresholdNode)]
            found.append((node, users[0] if users else None))
    shapes = [node.weights.shape for node, _ in found]
    if shapes != [(64, 784), (64, 64), (64, 64), (10, 64)]:
        raise RequestError(f"the network must have the layers 784-64-64-64-10, not {shapes}")
    return found


def options(node: MatMul, cycles: int, finn: int, quick: bool) -> Iterator[Option]:
    """The ways to fold ``node`` to ``cycles``; weights that alone would take FINN's LUTs are not tried in LUTs."""
    outputs, inputs = node.weights.shape
    lanes = outputs * inputs // cycles
    for pe in range(1, outputs + 1):
        if outputs % pe or lanes % pe or inputs % (lanes // pe):
            continue
        for memory, buffer in product(("block", "distributed"), repeat=2):
            hopeless = memory == "distributed" and node.weights.size > 64 * finn
            if not hopeless and not (quick and (pe > 2 or buffer == "block")):
                yield Option(pe, lanes // pe, memory, buffer)


def layer(node: MatMul, threshold: ThresholdNode | None, option: Option) -> Layer:
    """The units of ``node`` and ``threshold``."""
    accumulator = shape_of(node.output.format)
    matvec = MatVec(node.weights, pe=option.pe, simd=option.simd, activation=unsigned(1), accumulator=accumulator,
                    bipolar_activation=True, bias=node.bias, memory=option.memory, buffer=option.buffer)
    if threshold is None:
        return Layer(matvec, None)
    return Layer(matvec, Threshold(threshold.thresholds, channels=len(node.weights), lanes=option.pe, input=accumulator,
                                   output=unsigned(1), y_min=-1, y_step=2))


def low_latency(graph: Graph) -> Plan:
    """The pipeline with the fewest products per cycle among those whose latency is at most FINN's lowest.

    Every layer has all its outputs at once; the three small ones have the same input lanes.
    """
    plans = []
    nodes = [node for node in graph if isinstance(node, MatMul | ThresholdNode)]
    for first, others in product([d for d in range(8, 113) if 784 % d == 0], (4, 8, 16, 32, 64)):
        lanes, foldings = first, {}
        for node in nodes:
            if isinstance(node, MatMul):
                simd = first if node.weights.shape[1] == 784 else others
                lanes = len(node.weights)
                foldings[node.name] = Folding(lanes, simd, "distributed")
            else:
                foldings[node.name] = Folding(lanes, lanes, "distributed")
        plan = Plan(graph, FAMILIES["ecp5"], 100e6, "latency", foldings)
        plans.append((sum(f.pe * f.simd for name, f in foldings.items() if isinstance(graph[name], MatMul)), plan))
    fitting = [plan for _, plan in sorted(plans, key=lambda pair: pair[0]) if plan.latency <= FINN_LATENCY]
    return fitting[0]


def unrolled(graph: Graph) -> Plan:
    """The pipeline in which every layer has all its products at once: an image per cycle."""
    nodes = [node for node in graph if isinstance(node, MatMul | ThresholdNode)]
    foldings = {node.name: Folding(node.output.shape[-1], node.weights.shape[1] if isinstance(node, MatMul) else
                                   node.output.shape[-1], "distributed") for node in nodes}
    return Plan(graph, FAMILIES["ecp5"], 100e6, "latency", foldings)


def compare(graph: Graph, out: Path, quick: bool, progress: Progress) -> str:
    """The layers beside FINN's: the smallest of all, and the smallest without block memory where there is one."""
    best: dict[bool, list[tuple[str, int, Cells | None, Option | None]]] = {True: [], False: []}
    for (node, threshold), cycles, finn in zip(layers(graph), CYCLES, FINN):
        found = []
        task = progress.add_task(node.name)
        for option in options(node, cycles, finn, quick):
            progress.update(task, description=f"{node.name}: {option}")
            name = f"{node.name}-{option.pe}-{option.simd}-{option.memory}-{option.buffer}"
            found.append((synthesize(layer(node, threshold, option), out / name), option))
        progress.remove_task(task)
        for blocks in best:
            fit = [pair for pair in found if blocks or pair[0].ramb18 == 0]
            cells, option = min(fit, key=lambda pair: pair[0].lut6, default=(None, None))
            best[blocks].append((node.name, finn, cells, option))
            if cells is not None:
                progress.console.print(f"{node.name}: {cells.lut6} LUT6 beside {finn}: {option}")
    header = ["layer", "cycles", "FINN LUT", "LUT6", "ratio", "logic", "LUTRAM", "shift registers", "routed through",
              "FF", "CARRY4", "18 kbit memories", "how"]  # fmt: skip
    text = ""
    for blocks, title in ((True, "Fewest LUTs"), (False, "Without block memory")):
        rows, total, of = [], 0, 0
        for (name, finn, cells, option), cycles in zip(best[blocks], CYCLES):
            if cells is None:
                rows.append([name, f"{cycles}", f"{finn}", "none", *[""] * 8, "its weights alone fill more LUTs"])
                continue
            total, of = total + cells.lut6, of + finn
            rows.append([name, f"{cycles}", f"{finn}", f"**{cells.lut6}**", f"{cells.lut6 / finn:.2f}", f"{cells.luts}",
                         f"{cells.lutram}", f"{cells.srl}", f"{cells.through}", f"{cells.ff}", f"{cells.carry4}",
                         f"{cells.ramb18}", str(option)])  # fmt: skip
        rows.append(["together", "", f"{of}", f"**{total}**", f"{total / of:.2f}", *[""] * 8])
        text += f"{title}:\n\n{table(header, rows)}\n"
    return text


def fastest(graph: Graph, out: Path, progress: Progress) -> str:
    """The whole pipelines of low latency and of one image per cycle beside FINN's."""
    rows = [["FINN", f"{FINN_LATENCY}", "", f"{FINN_FAST_LUTS:,}", f"{FINN_FAST_FFS:,}", "", ""]]
    for name, make in (("FINN's latency", low_latency), ("fully unrolled", unrolled)):
        task = progress.add_task(f"{name}: folding")
        plan = make(graph)
        progress.update(task, description=f"{name}: synthesis of the whole pipeline, {plan.latency} cycles")
        cells = synthesize(Accelerator(plan), out / name.replace(" ", "-").replace("'", ""))
        progress.remove_task(task)
        folds = [folding for unit, folding in plan.foldings.items() if isinstance(graph[unit], MatMul)]
        rows.append([f"bitloom, {name}", f"{plan.latency}", f"{plan.interval}", f"**{cells.lut6:,}**",
                     f"**{cells.ff:,}**", f"{cells.ramb18}",
                     ", ".join(f"{folding.pe} × {folding.simd}" for folding in folds)])
        rows.append(["ratio", f"{plan.latency / FINN_LATENCY:.2f}", "", f"{cells.lut6 / FINN_FAST_LUTS:.2f}",
                     f"{cells.ff / FINN_FAST_FFS:.2f}", "", ""])
    header = ["", "latency, cycles", "interval, cycles", "LUT6", "FF", "18 kbit memories", "PE × SIMD"]
    title = "Lowest latency, whole pipelines, for bitloom from 8-bit pixels to the ten sums"
    return f"{title}:\n\n{table(header, rows)}"


TITLE = "## Binary perceptron for MNIST, beside FINN"


def main() -> None:
    """Build and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--network", type=Path, help="TFC_1W1A.onnx (default: in $BITLOOM_DATA/qonnx)")
    parser.add_argument("--quick", action="store_true", help="few foldings, no pipeline of low latency")
    parser.add_argument("--out", type=Path, default=Path("build") / "finn_tfc")
    parser.add_argument("--docs", type=Path, help="page into which the section is written")
    arguments = parser.parse_args()
    try:
        graph = simplify(network(arguments.network, "TFC_1W1A.onnx"))
        text = f"{TITLE}\n\n`python benchmarks/finn_tfc.py`. {(__doc__ or '').split(chr(10) * 2, 2)[2]}\n"
        text += f"Part {PART}; yosys {find('yosys')}, `{SYNTHESIS}`.\n\n"
        columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
        with Progress(*columns, transient=True) as progress:
            text += compare(graph, arguments.out, arguments.quick, progress)
            if not arguments.quick:
                text += fastest(graph, arguments.out, progress)
    except BitloomError as error:
        sys.exit(f"finn_tfc: {error}")
    print(text)
    if arguments.docs:
        settle(text, arguments.docs)


if __name__ == "__main__":
    main()
