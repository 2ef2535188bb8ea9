"""Samples that are bred to reach levels of inner quantizers which random and directed ones do not.

The integer graph alone runs them, which costs little. Those with the most extreme sums are crossed with each other and
changed at random; what reaches a level that nothing reached before is kept.
"""

from __future__ import annotations

from math import prod

import numpy as np

from ..graph import Graph
from ..interpret import trace
from ..operators import Table, Threshold

BITS = 10
"""Bits of quantizers whose levels are looked for."""

EFFORT = 1 << 22
"""Elements, over all nodes, that a generation may have."""

GENERATION, GENERATIONS = 96, 6
"""Samples of one, and how many there are."""

FEWEST = 8
"""Samples of a generation below which a graph is too large for this."""


def bred_integers(graph: Graph, known: np.ndarray, most: int = 16, seed: int = 0) -> np.ndarray:
    """At most ``most`` samples that each reach a level which ``known`` (n, *input shape) and those before do not.

    :returns: int64 (n, *input shape); none, where the graph is large or nothing is left to reach.
    """
    size = min(GENERATION, EFFORT // sum(prod(node.output.shape) for node in graph))
    counted = [node.name for node in graph
               if isinstance(node, Threshold | Table) and node.output.format.bits <= BITS]
    if not counted or size < FEWEST or not len(known):
        return known[:0]
    rng, parents, found = np.random.default_rng(seed), known[:size], list[np.ndarray]()
    seen, ends = _reached(graph, counted, parents)
    reached = seen.any(axis=0)
    for _ in range(GENERATIONS):
        parents = parents[_fittest(ends)]
        young = _bred(graph, parents, size, rng)
        seen, ends = _reached(graph, counted, np.concatenate([parents, young]))
        parents = np.concatenate([parents, young])
        while len(found) < most and (gain := (seen & ~reached).sum(axis=1)).max():
            best = int(gain.argmax())
            reached |= seen[best]
            found.append(parents[best])
    return np.stack(found) if found else known[:0]


def _reached(graph: Graph, counted: list[str], samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which levels each sample reaches (samples, levels of all quantizers), and its ends there (samples, 2 · these)."""
    values, seen, ends = trace(graph, samples), [], []
    for name in counted:
        form, flat = graph[name].output.format, values[name].reshape(len(samples), -1)
        levels = np.zeros((len(samples), form.hi - form.lo + 1), bool)
        levels[np.arange(len(samples))[:, None], flat - form.lo] = True
        seen.append(levels)
        ends += [flat.max(axis=1), -flat.min(axis=1)]
    return np.concatenate(seen, axis=1), np.stack(ends, axis=1)


def _fittest(ends: np.ndarray) -> np.ndarray:
    """The samples that go furthest at either end of some quantizer, the better half of all where these are many."""
    order = np.argsort(-ends, axis=0, kind="stable")[:3]
    return np.unique(order)[: max(2, len(ends) // 2)]


def _bred(graph: Graph, parents: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Children of two parents each, some elements of which are changed to an end of the range or to anything in it."""
    shape = graph.input.output.shape
    low, high = int(parents.min()), int(parents.max())
    mothers, fathers = (parents[rng.integers(len(parents), size=count)] for _ in range(2))
    dims = (1,) * len(shape)
    share = rng.choice([0.0, 0.1, 0.5], (count, *dims))
    children = np.where(rng.random((count, *shape)) < share, mothers, fathers)
    changed = rng.random((count, *shape)) < rng.choice([0.0, 0.02, 0.1, 0.3], (count, *dims))
    ends = rng.choice(np.array([low, high]), (count, *shape))
    if not graph.input.output.format.bipolar:
        ends = np.where(rng.random((count, *dims)) < 0.5, ends, rng.integers(low, high, ends.shape, endpoint=True))
    return np.where(changed, ends, children)
