# amaranth: UnusedElaboratable=no
"""TFC_2W2A.onnx, whose weights are ternary, built once per matrix–vector engine, and as the mapper would have it.

    python benchmarks/tfc_engines.py [--network TFC_2W2A.onnx] [--board ulx3s-85f] [--fps 27901] [--docs PAGE]

The network is the public one, 784-64-64-64-10 with weights and activations of two bits. Every build is a whole one: the
smallest circuit for the rate in which all matrix products use the engine named, placed and routed with the board's top.
All 10,000 MNIST test images go through the RTL of each, and every result is compared with the integer graph's, so that
all builds give the same bits. Stage of the figures: routed; cycles simulated.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pages
from public import network
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bitloom import BitloomError, quant
from bitloom.boards.build import build, compile_design
from bitloom.boards.design import make_design
from bitloom.boards.files import make_folder
from bitloom.codegen import Resources, simplify
from bitloom.quant import Graph, MatMul
from bitloom.quant.train.data import load
from bitloom.sim.batch import run_batch

ENGINES = {"MatVec": "select-add", "TableMatVec": "table look-up", "BitSerialMatVec": "bit planes in series",
           "PackedMatVec": "packed multipliers", "": "the mapper's choice"}  # fmt: skip
"""The templates; none is the mapper's own choice."""

TITLE = "## One network, four engines"

HEADER = ["matrix products", "LUT", "FF", "memories", "multipliers", "area", "Fmax, MHz", "cycles per image",
          "latency, cycles", "images", "mismatches"]  # fmt: skip


def row(engine: str, arguments: argparse.Namespace, model: Path, graph: Graph, images: np.ndarray) -> list[str]:
    """One build, taken through all the images."""
    name = engine or "mapper"
    products = [node.name for node in simplify(graph) if isinstance(node, MatMul)]
    layers = {product: {"template": engine} for product in products} if engine else {}
    design = make_design(str(model), arguments.board, design=f"tfc-{name.lower()}", fps=arguments.fps, layers=layers)
    folder = arguments.out / design.design
    values = build(design, folder)
    done = run_batch(compile_design(design, folder), images)
    used = Resources(values["lut"], values["ff"], values["bram"], values["dsp"])
    how = ENGINES[engine]
    if not engine:
        chosen = [layer["template"] for layer in values["layers"] if layer["name"] in products]
        how += f" ({', '.join(ENGINES[template] for template in chosen)})"
    return [how, f"{used.lut:,.0f}", f"{used.ff:,.0f}", f"{used.bram:.0f}", f"{used.dsp:.0f}", f"{used.area():,.0f}",
            f"{values['fmax_mhz']:.1f}", f"{done.interval[1]:,}", f"{done.latency[1]:,}", f"{done.samples:,}",
            f"{done.mismatches}"]  # fmt: skip


def main() -> None:
    """Build and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--network", type=Path, help="TFC_2W2A.onnx (default: in $BITLOOM_DATA/qonnx)")
    parser.add_argument("--board", default="ulx3s-85f")
    parser.add_argument("--fps", type=float, default=27901.0, help="images per second: FINN's 896 cycles at 25 MHz")
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=list(ENGINES))
    parser.add_argument("--out", type=Path, default=Path("build") / "tfc_engines")
    parser.add_argument("--docs", type=Path, help="page into which the section is written")
    arguments = parser.parse_args()
    try:
        graph = network(arguments.network, "TFC_2W2A.onnx")
        model = make_folder(arguments.out) / "graph.npz"
        quant.save(graph, model)
        images = load("mnist").x_test.reshape(-1, *graph.input.output.shape).astype(np.int64)
        rows = []
        with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), transient=True) as bar:
            for engine in arguments.engines:
                task = bar.add_task(ENGINES[engine])
                rows.append(row(engine, arguments, model, graph, images))
                bar.remove_task(task)
                bar.console.print(" | ".join(rows[-1]))
    except BitloomError as error:
        sys.exit(f"tfc_engines: {error}")
    text = f"{TITLE}\n\n`python benchmarks/tfc_engines.py`. {(__doc__ or '').split(chr(10) * 2, 2)[2]}\n"
    text += f"Board {arguments.board}, {arguments.fps:,.0f} images per second. Area is in LUTs, a memory as "
    text += "150, a multiplier as 200, a flip-flop as 0.1.\n\n" + pages.table(HEADER, rows)
    print(text)
    if arguments.docs:
        pages.settle(text, arguments.docs)

if __name__ == "__main__":
    main()
