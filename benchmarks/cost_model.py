# amaranth: UnusedElaboratable=no
"""Fit the cost model: synthesize random instances of every template for every family, and solve for the coefficients.

    python benchmarks/cost_model.py [--families ice40 ecp5 gowin] [--templates MatVec …] [--points 48]

Each point is one template with random parameters, emitted, synthesized with yosys and counted as packing will count it
(LUTs and flip-flops that share a cell once). The fit is non-negative least squares on relative errors (Lawson and
Hanson, 1974). Prints, per family and template, the median and the worst relative error over the points that the fit saw
and over a fifth that it did not. Stage of all figures: synthesized.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import numpy as np
import yaml
from amaranth.hdl import signed, unsigned
from amaranth.lib.wiring import Component
from rich.progress import track
from scipy.optimize import nnls
from spatial_points import TEMPLATES as SPATIAL

from bitloom.boards.board import load
from bitloom.boards.flow import synthesize
from bitloom.boards.flow.workbench import Workbench
from bitloom.codegen import Resources, emit_verilog
from bitloom.hw import (
    Add,
    ArgMax,
    Concat,
    Fork,
    MatVec,
    Requantizer,
    StreamFIFO,
    Table,
    Threshold,
    ThresholdSearch,
    WidthConverter,
)

BOARDS = {"ice40": "icebreaker", "ecp5": "ulx3s-85f", "gowin": "tang-nano-9k"}
"""The board whose device stands for each family."""

KINDS = {"binary": 1, "ternary": 1, "3 bits": 3, "4 bits": 7, "6 bits": 31}
"""Kinds of weights and their greatest magnitude."""


def divisors(n: int, most: int) -> list[int]:
    """The divisors of ``n`` up to ``most``."""
    return [d for d in range(1, n + 1) if n % d == 0 and d <= most]


def matvec(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A random matrix–vector unit; one in four is fully parallel and small."""
    kind = rng.choice(list(KINDS))
    n, k = rng.choice([8, 12, 16, 32, 64]), rng.choice([8, 16, 24, 32, 64])
    if rng.random() < 0.25:
        n, k = rng.choice([4, 8, 10]), rng.choice([8, 16, 32])
    parallel = n <= 10
    pe, simd = (n, k) if parallel else (rng.choice(divisors(n, 16)), rng.choice(divisors(k, 32)))
    most = KINDS[kind]
    weights = numbers.choice([-1, 1], (n, k)) if kind == "binary" else numbers.integers(-most, most + 1, (n, k))
    bits = rng.choice([1, 2, 3, 4, 8])
    bipolar = bits == 1 and rng.random() < 0.5
    return MatVec(weights, pe=pe, simd=simd, activation=unsigned(bits), accumulator=signed(bits + 14),
                  bipolar_activation=bipolar, memory=rng.choice(["block", "distributed"]))


def threshold(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A random threshold unit; one in four has one row for all channels."""
    channels, bits = rng.choice([8, 16, 32, 48, 64]), rng.choice([1, 2, 3])
    width = rng.choice([5, 8, 10, 12])
    rows = 1 if rng.random() < 0.25 else channels
    shape = signed(width)
    steps = numbers.integers(-(1 << (width - 2)), 1 << (width - 2), (rows, (1 << bits) - 1))
    return Threshold(np.sort(steps, axis=1), channels=channels, lanes=rng.choice(divisors(channels, 12)),
                     input=shape, output=unsigned(bits), memory=rng.choice(["block", "distributed"]))


def argmax(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A random argmax."""
    elements = rng.choice([4, 8, 10, 12, 16])
    return ArgMax(elements, lanes=rng.choice(divisors(elements, 16)), input=signed(rng.choice([6, 8, 10, 14])))


def width_converter(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A random width converter."""
    narrow, ratio = rng.choice([1, 2, 3, 4, 8]), rng.choice([2, 3, 4, 8])
    lanes = (narrow, narrow * ratio) if rng.random() < 0.5 else (narrow * ratio, narrow)
    return WidthConverter(unsigned(rng.choice([1, 2, 3, 8])), *lanes)


def fork(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A random fork."""
    return Fork(unsigned(rng.choice([1, 2, 4, 8])), rng.choice([1, 2, 4, 8]), rng.choice([2, 2, 3, 4]))


def stream_fifo(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A random queue, where it would be put; small ones in registers."""
    width, depth = rng.choice([1, 2, 4, 8, 16, 32]), rng.choice([2, 3, 4, 5, 8, 9, 16, 32, 65, 200])
    return StreamFIFO(unsigned(width), depth)


def add(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A random addition; half of them with multipliers."""
    elements, width = rng.choice([8, 12, 16, 64]), rng.choice([2, 4, 8, 12])
    factors = (1, rng.choice([1, -1])) if rng.random() < 0.5 else (rng.randint(1, 255), rng.randint(-255, -1))
    return Add(elements, lanes=rng.choice(divisors(elements, 16)), inputs=(signed(width), unsigned(width)),
               multipliers=factors, output=signed(width + 10))


def concat(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A random concatenation of two to four inputs."""
    lanes, width = rng.choice([1, 2, 4, 8]), rng.choice([1, 2, 4, 8])
    channels = [lanes * rng.choice([1, 2, 3, 8, 16]) for _ in range(rng.choice([2, 2, 3, 4]))]
    return Concat(channels, lanes=lanes, inputs=[unsigned(width)] * len(channels), output=unsigned(width))


def threshold_search(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A random threshold unit of 4 to 8 bits; one in four has one row for all channels."""
    channels, bits, width = rng.choice([8, 16, 32, 64]), rng.choice([4, 5, 6, 8]), rng.choice([8, 10, 12, 16])
    rows = 1 if rng.random() < 0.25 else channels
    steps = numbers.integers(-(1 << (width - 2)), 1 << (width - 2), (rows, (1 << bits) - 1))
    y_min = rng.choice([0, -(1 << (bits - 1))])
    return ThresholdSearch(np.sort(steps, axis=1), channels=channels, lanes=rng.choice(divisors(channels, 4)),
                           input=signed(width), output=signed(bits) if y_min else unsigned(bits), y_min=y_min,
                           memory=rng.choice(["auto", "block"]))


def requantizer(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A random requantizer: a third each with multipliers per channel, with one for all, and with a plain shift."""
    channels, bits, width = rng.choice([8, 16, 32, 64]), rng.choice([2, 4, 8]), rng.choice([8, 12, 16, 20])
    kind, factor = rng.choice(["per channel", "one", "shift"]), rng.choice([4, 8, 12])
    factor = 0 if kind == "shift" else factor
    multiplier = numbers.integers(1, 1 << factor, channels if kind == "per channel" else 1, endpoint=True)
    shift = max(1, width + factor - bits - rng.randint(1, 4))
    reach = 1 << (width + factor - 2)
    offset = numbers.integers(-reach, reach, channels) if rng.random() < 0.75 else np.array([1 << (shift - 1)])
    return Requantizer(multiplier, offset, channels=channels, lanes=rng.choice(divisors(channels, 8)),
                       input=signed(width), output=unsigned(bits), shift=shift, y_min=0, y_max=(1 << bits) - 1,
                       memory=rng.choice(["auto", "distributed"]))


def table(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A random table; one in two has a row for each channel."""
    channels, width, bits = rng.choice([4, 8, 16]), rng.choice([2, 3, 4, 6, 8]), rng.choice([1, 2, 4, 8])
    entries = numbers.integers(0, 1 << bits, (rng.choice([1, channels]), 1 << width))
    return Table(entries, channels=channels, lanes=rng.choice(divisors(channels, 4)), input=unsigned(width),
                 output=unsigned(bits), x_min=0, memory=rng.choice(["auto", "distributed"]))


TEMPLATES = {
    "MatVec": matvec,
    "Threshold": threshold,
    "ArgMax": argmax,
    "WidthConverter": width_converter,
    "Fork": fork,
    "StreamFIFO": stream_fifo,
    "Add": add,
    "Concat": concat,
    "ThresholdSearch": threshold_search,
    "Requantizer": requantizer,
    "Table": table,
    **SPATIAL,
}


def measure(bench: Workbench, component: Component) -> Resources:
    """``component`` alone, synthesized for the bench's board."""
    source = bench.out / "point.v"
    source.write_text(emit_verilog(component, "top"))
    return synthesize(bench, source).used


def fit(features: list[dict[str, float]], counts: list[float]) -> dict[str, float]:
    """Non-negative coefficients that minimize the relative errors of ``features`` · coefficients against ``counts``."""
    names = sorted({name for row in features for name in row if not name.startswith("block")})
    rows = np.array([[row.get(name, 0.0) for name in names] for row in features])
    scale = 1 / np.maximum(np.array(counts), 8.0)
    solution, _ = nnls(rows * scale[:, None], np.array(counts) * scale)
    return {name: round(float(value), 4) for name, value in zip(names, solution) if value > 1e-4}


def errors(coefficients: dict[str, float], features: list[dict[str, float]], counts: list[float]) -> np.ndarray:
    """Relative errors of the predictions."""
    predicted = [sum(coefficients.get(name, 0) * value for name, value in row.items()) for row in features]
    return np.abs(np.array(predicted) - counts) / np.maximum(np.array(counts), 8.0)


def calibrate(family: str, names: list[str], points: int, folder: Path) -> dict[str, object]:
    """The cost entries of the templates ``names`` for one family."""
    bench = Workbench(load(BOARDS[family]), folder / family)
    templates: dict[str, object] = {}
    for name in names:
        make = TEMPLATES[name]
        rng, numbers = random.Random(f"{name}"), np.random.default_rng(1)
        features, luts, ffs = [], [], []
        for _ in track(range(points), f"{family} {name}"):
            component = make(rng, numbers)
            used = measure(bench, component)
            features.append({**component.features(), "unit": 1.0})
            luts.append(used.lut)
            ffs.append(used.ff)
        seen = slice(0, len(features) * 4 // 5)
        templates[name] = {}
        for kind, counts in (("lut", luts), ("ff", ffs)):
            trial = fit(features[seen], counts[seen])
            inside, outside = (errors(trial, features[part], counts[part]) for part in (seen, slice(seen.stop, None)))
            print(f"{family:6} {name:15} {kind:4} seen {np.median(inside):6.1%} median {inside.max():6.1%} worst error;"
                  f" unseen {np.median(outside):6.1%} median {outside.max():6.1%} worst")
            templates[name][kind] = fit(features, counts)
    return {"synthesized_with": bench.tools["yosys"], "templates": templates}


def main() -> None:
    """Calibrate the families asked for and write their YAML."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", nargs="+", default=list(BOARDS), choices=list(BOARDS))
    parser.add_argument("--templates", nargs="+", default=list(TEMPLATES), choices=list(TEMPLATES))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "codegen" / "cost")
    parser.add_argument("--work", type=Path, default=Path("build") / "cost_model")
    parser.add_argument("--points", type=int, default=48)
    arguments = parser.parse_args()
    for family in arguments.families:
        path = arguments.out / f"{family}.yaml"
        known = yaml.safe_load(path.read_text())["templates"] if path.is_file() else {}
        entries = calibrate(family, arguments.templates, arguments.points, arguments.work)
        entries["templates"] = {**known, **entries["templates"]}
        header = "# Made by benchmarks/cost_model.py: LUTs and flip-flops per unit of each feature, after synthesis.\n"
        path.write_text(header + yaml.safe_dump(entries, sort_keys=False))


if __name__ == "__main__":
    main()
