# amaranth: UnusedElaboratable=no
"""Random points of every template, for the cost model: sizes as small networks have them."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import log2

import numpy as np
import spatial_points
from amaranth.hdl import Shape, signed, unsigned
from amaranth.lib.wiring import Component

from bitloom import hw

Maker = Callable[[random.Random, np.random.Generator], Component]

KINDS = {"binary": 1, "ternary": 1, "3 bits": 3, "4 bits": 7, "6 bits": 31}
"""Kinds of weights and their greatest magnitude."""

MEMORIES = ["block", "distributed"]


def divisors(n: int, most: int) -> list[int]:
    """The divisors of ``n`` up to ``most``."""
    return [d for d in range(1, n + 1) if n % d == 0 and d <= most]


def weights(rng: random.Random, numbers: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Random weights of a random kind."""
    kind = rng.choice(list(KINDS))
    most = KINDS[kind]
    return numbers.choice([-1, 1], shape) if kind == "binary" else numbers.integers(-most, most + 1, shape)


def activations(rng: random.Random) -> tuple[Shape, bool]:
    """The shape of a random activation, and whether it is bipolar."""
    bits = rng.choice([1, 2, 3, 4, 8])
    return unsigned(bits), bits == 1 and rng.random() < 0.5


def matvec(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A matrix–vector unit; one in four is fully parallel and small, one in eight has groups."""
    n, k = rng.choice([8, 12, 16, 32, 64]), rng.choice([8, 16, 24, 32, 64])
    groups, parallel = 1, rng.random() < 0.25
    if parallel:
        n, k = rng.choice([4, 8, 10]), rng.choice([8, 16, 32])
        pe, simd = n, k
    else:
        groups = 4 if rng.random() < 0.125 else 1
        pairs = [(pe, simd) for pe in divisors(n // groups, 16) for simd in divisors(k, 32)]
        size = rng.choice([2, 8, 32, 64, 128, 256])  # as many products as lanes and cycles together have, about
        pe, simd = min(rng.sample(pairs, len(pairs)), key=lambda pair: abs(log2(pair[0] * pair[1] / size)))
    shape, bipolar = activations(rng)
    return hw.MatVec(weights(rng, numbers, (n, k)), pe=pe, simd=simd, activation=shape,
                     accumulator=signed(shape.width + 14), bipolar_activation=bipolar, memory=rng.choice(MEMORIES),
                     groups=groups)


def threshold(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A threshold unit; one in four has one row for all channels."""
    channels, bits = rng.choice([8, 16, 32, 48, 64]), rng.choice([1, 2, 3])
    rows = 1 if rng.random() < 0.25 else channels
    shape = signed(rng.choice([5, 8, 10, 12]))
    return hw.Threshold(_steps(numbers, shape, rows, (1 << bits) - 1), channels=channels,
                        lanes=rng.choice(divisors(channels, 12)), input=shape, output=unsigned(bits),
                        memory=rng.choice(MEMORIES))


def threshold_search(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A threshold unit of many levels; one in four has one row for all channels."""
    channels, bits = rng.choice([8, 16, 32, 64]), rng.choice([4, 5, 6, 8])
    rows = 1 if rng.random() < 0.25 else channels
    shape = signed(rng.choice([10, 12, 14, 18]))
    levels = (1 << bits) - rng.choice([1, 1, 2])
    return hw.ThresholdSearch(_steps(numbers, shape, rows, levels), channels=channels,
                              lanes=rng.choice(divisors(channels, 6)), input=shape, output=unsigned(bits),
                              memory="block" if bits > 5 and rows > 1 else rng.choice(MEMORIES))


def _steps(numbers: np.random.Generator, shape: Shape, rows: int, levels: int) -> np.ndarray:
    most = 1 << (shape.width - 2)
    return np.sort(numbers.integers(-most, most, (rows, levels)), axis=1)


def requantizer(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A requantizer: multipliers per channel, one for all, or none but a shift."""
    channels, width, bits = rng.choice([8, 16, 32]), rng.choice([8, 12, 16]), rng.choice([2, 4, 8])
    kind, shift = rng.choice(["each", "each", "one", "shift"]), rng.choice([4, 8, 12])
    multiplier = {"each": numbers.integers(1, 1 << rng.choice([4, 8]), channels),
                  "one": numbers.integers(3, 200, 1), "shift": np.array([1])}[kind]
    offset = numbers.integers(-500, 500, channels if rng.random() < 0.5 else 1)
    return hw.Requantizer(multiplier, offset, channels=channels, lanes=rng.choice(divisors(channels, 8)),
                          input=signed(width), output=unsigned(bits), shift=shift, y_min=0, y_max=(1 << bits) - 1,
                          memory=rng.choice(MEMORIES))


def late_requantizer(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A requantizer some of whose outputs are late: by parity, or as a memory says."""
    channels, width, bits = rng.choice([8, 16, 32, 64]), rng.choice([12, 16, 20]), rng.choice([4, 6, 8])
    kind, shift, slack = rng.choice(["each", "each", "shift", "parity"]), rng.choice([8, 14, 20]), rng.choice([1, 1, 3])
    each = kind == "each"
    levels = (1 << bits) - 1
    late = np.arange(1, levels + 1)[None] & 1 if kind == "parity" else numbers.integers(
        0, slack + 1, (channels if each else 1, levels))
    multiplier = numbers.integers(1, (1 << min(shift, 17)) // slack, channels) if each else np.array([1])
    return hw.Requantizer(multiplier, numbers.integers(-500, 500, channels), channels=channels,
                          lanes=rng.choice(divisors(channels, 4)), input=signed(width), output=unsigned(bits),
                          shift=shift if each else rng.choice([4, 8]), y_min=0, y_max=levels,
                          memory=rng.choice(MEMORIES), late=late)


def table(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A table, of each channel or of all."""
    channels, bits, out = rng.choice([4, 8, 16, 32]), rng.choice([2, 3, 4, 6, 8]), rng.choice([1, 2, 4, 8])
    rows = rng.choice([1, channels]) if bits < 6 else 1
    return hw.Table(numbers.integers(0, 1 << out, (rows, 1 << bits)), channels=channels,
                    lanes=rng.choice(divisors(channels, 8)), input=unsigned(bits), output=unsigned(out), x_min=0,
                    memory=rng.choice(MEMORIES))


def argmax(rng: random.Random, numbers: np.random.Generator) -> Component:
    """An argmax."""
    elements = rng.choice([4, 8, 10, 12, 16])
    return hw.ArgMax(elements, lanes=rng.choice(divisors(elements, 16)), input=signed(rng.choice([6, 8, 10, 14])))


def add(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A sum of two branches, plain or with multipliers."""
    elements, widths = rng.choice([8, 16, 32]), [rng.choice([2, 4, 6, 8]) for _ in range(2)]
    multipliers = (1, 1) if rng.random() < 0.5 else (rng.choice([1, 3, 5, 11]), rng.choice([-3, 2, 7, 13]))
    return hw.Add(elements, lanes=rng.choice(divisors(elements, 16)), inputs=(unsigned(widths[0]), signed(widths[1])),
                  output=signed(max(widths) + 6), multipliers=multipliers)


def concat(rng: random.Random, numbers: np.random.Generator) -> Component:
    """Two to four streams one after the other."""
    lanes, width = rng.choice([1, 2, 4, 8]), rng.choice([1, 2, 4, 8])
    channels = tuple(lanes * rng.choice([1, 2, 4]) for _ in range(rng.choice([2, 2, 3, 4])))
    return hw.Concat(channels, lanes=lanes, inputs=(unsigned(width),) * len(channels), output=unsigned(width))


def width_converter(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A width converter."""
    narrow, ratio = rng.choice([1, 2, 3, 4, 8]), rng.choice([2, 3, 4, 8])
    lanes = (narrow, narrow * ratio) if rng.random() < 0.5 else (narrow * ratio, narrow)
    return hw.WidthConverter(unsigned(rng.choice([1, 2, 3, 8])), *lanes)


def stream_fifo(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A queue."""
    return hw.StreamFIFO(unsigned(rng.choice([1, 2, 4, 8, 16, 32])), rng.choice([3, 4, 5, 8, 17, 40, 100, 300, 700]))


def fork(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A fork."""
    return hw.Fork(unsigned(rng.choice([1, 4, 8])), rng.choice([1, 2, 8]), rng.choice([2, 2, 3, 4]))


TEMPLATES: dict[str, Maker] = {
    "MatVec": matvec, "Threshold": threshold, "ThresholdSearch": threshold_search, "Requantizer": requantizer,
    "Table": table, "ArgMax": argmax, "Add": add, "Concat": concat, "WidthConverter": width_converter,
    "StreamFIFO": stream_fifo, "Fork": fork, **spatial_points.TEMPLATES,
}
"""A maker of random instances for each template."""

VARIANTS: dict[str, tuple[str, Maker, tuple[str, ...]]] = {
    "late": ("Requantizer", late_requantizer, ("late_bits",)),
}
"""Variants of a template, whose entries stay: its name, a maker, and the features that it has beyond."""
