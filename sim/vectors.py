"""What is pushed through a design: held-out samples, vectors chosen to find faults, and how both become beats."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from math import prod

import numpy as np

from bitloom.quant import Format, Graph

VALUES, FEWEST = 1 << 22, 8
"""Values of all random samples together, where nobody says how many samples; and the fewest samples."""


@dataclass(frozen=True)
class Samples:
    """``inputs`` int64 (samples, elements), and in words where they come from."""

    inputs: np.ndarray
    source: str


def samples_for(graph: Graph, count: int | None, seed: int, default: int = 450) -> Samples:
    """``count`` samples for ``graph``: the first held-out ones of its data set; where it is not at hand, random ones.

    :param count: None is all held-out samples, or ``default`` random ones, fewer of them where they are very large.
    """
    elements, fmt = prod(graph.input.output.shape), graph.input.output.format
    found, why = held_out(graph)
    if found is not None:
        inputs = found if count is None else found[:count]
        return Samples(inputs, f"{len(inputs)} held-out samples of {graph.metadata['dataset']}")
    few = min(default, max(FEWEST, VALUES // elements))
    inputs = _random(np.random.default_rng(seed), fmt, (few if count is None else count, elements))
    return Samples(inputs, f"{len(inputs)} random samples ({why})")


def directed(graph: Graph, seed: int, most: int | None = None, count: int = 32) -> np.ndarray:
    """Vectors that reach what data does not: the extremes, each element alone at its greatest, and random ones.

    A pixel that is black in every sample would hide a wrong weight behind it. int64 (vectors, elements).

    :param most: how many of them, evenly picked; None is all.
    """
    elements, fmt = prod(graph.input.output.shape), graph.input.output.format
    stripes = np.where(np.arange(elements) % 2, fmt.lo, fmt.hi)
    total = 4 + elements + count
    picked = range(0, total, -(-total // most) if most else 1)
    rows = np.full((len(picked), elements), fmt.lo, np.int64)
    generator = np.random.default_rng(seed)
    chance = 0  # random rows drawn so far
    for row, index in zip(rows, picked):
        if index < 4:
            row[:] = (fmt.lo, fmt.hi, stripes, stripes[::-1])[index]
        elif index < 4 + elements:
            row[index - 4] = fmt.hi
        else:
            ahead = index - 4 - elements - chance
            row[:] = _random(generator, fmt, (ahead + 1, elements))[-1]
            chance += ahead + 1
    return rows


def beats(values: np.ndarray, fmt: Format, lanes: int) -> list[list[str]]:
    """Vectors (n, elements) as beats of ``lanes`` elements each, hexadecimal, lane 0 in the lowest bits."""
    codes = (values + 1) // 2 if fmt.bipolar else values & ((1 << fmt.bits) - 1)
    rows = codes.reshape(len(values), -1, lanes).tolist()
    return [[f"{sum(code << (fmt.bits * lane) for lane, code in enumerate(beat)):x}" for beat in row] for row in rows]


def _random(generator: np.random.Generator, fmt: Format, shape: tuple[int, int]) -> np.ndarray:
    if fmt.bipolar:
        return generator.choice(np.array([-1, 1]), shape)
    return generator.integers(fmt.lo, fmt.hi, shape, endpoint=True)


def held_out(graph: Graph) -> tuple[np.ndarray | None, str]:
    """The held-out samples of the graph's data set; None and the reason if they are not at hand."""
    name = graph.metadata.get("dataset")
    if not isinstance(name, str):
        return None, "the network names no data set"
    missing = [package for package in ("sklearn", "torch", "brevitas") if find_spec(package) is None]
    if missing:
        return None, f"its data set needs the [train] extra: {', '.join(missing)} missing"
    from bitloom.quant.train import data

    source = data.SOURCES.get(name)
    if source is None:
        return None, f"data set {name!r} is not known here"
    try:
        samples = source.loader().x_test
    except data.DataUnavailable as error:
        return None, str(error)
    if samples[0].size != prod(graph.input.output.shape) or not graph.input.output.format.holds(samples):
        return None, f"the samples of {name} are not what this network takes"
    return samples.reshape(len(samples), -1), ""
