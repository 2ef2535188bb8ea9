"""An integer graph's results against those of the network that it was imported from, on the same real samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bitloom import RequestError

from ..graph import Graph
from ..reals import classes, result_of, scores
from .model import read
from .reference import execute
from .runnable import entry, inlined, varying


@dataclass(frozen=True)
class Against:
    """How results compare with the network's own.

    ``agreeing``: samples of the same class; of a network without classes, samples all of whose results are within half
    a step. ``greatest``: the greatest difference of a score, in steps of its scale; None where only classes compare.
    """

    samples: int
    agreeing: int
    greatest: float | None

    @property
    def agreement(self) -> float:
        """The share of the samples that agree."""
        return self.agreeing / self.samples

    def __str__(self) -> str:
        text = f"{self.agreeing:,} of {self.samples:,} samples agree ({self.agreement:.2%})"
        if self.greatest is None:
            return text
        return f"{text}; the greatest difference of a result is {self.greatest:.3g} steps of its scale"


def against(path: str | Path, graph: Graph, real: np.ndarray | None, results: np.ndarray,
            note: Callable[[str], None] = lambda _: None) -> Against:
    """Run the network in the file ``path`` on ``real`` samples, and compare what it gives with ``results``.

    :param real: float32 (n, *shape of the file's input without its first axis), n at least 1.
    :param results: the integers (n, …) that ``graph``, or a circuit of it, gave.
    :param note: told how many samples are done.
    :raises RequestError: the network takes or gives something else.
    """
    model = inlined(read(path))
    if real is None:
        raise RequestError(f"{path}: graph {graph.name!r} does not say what its integers mean, so that there are no "
                           "real samples for the network; make it again with `bitloom import`")
    shape = tuple(d.dim_value for d in entry(model).type.tensor_type.shape.dim)[1:]
    if real.shape[1:] != shape:
        raise RequestError(f"{path}: takes samples of {shape}, and the network that was imported of {real.shape[1:]}")
    facts: Any = graph.metadata.get("output")
    made = {name for node in model.graph.node for name in node.output}
    tensor = str(facts.get("tensor")) if isinstance(facts, dict) else ""
    if tensor not in made:
        depending = varying(model)
        tensor = next(output.name for output in model.graph.output if output.name in depending)
    theirs = []
    for where, context in execute(model, real):
        theirs.append(context[tensor])
        note(f"{where.stop} of {len(real)} samples")
    return _compared(graph, np.concatenate(theirs), results, str(path))


def _compared(graph: Graph, theirs: np.ndarray, results: np.ndarray, path: str) -> Against:
    own, meaning, count = scores(graph, results), result_of(graph), len(results)
    labels, greatest, steps = classes(graph, results), None, None
    if own is not None and meaning is not None and theirs.size == own.size:
        node = graph[graph.output].output.shape
        step = meaning.disordered(np.broadcast_to(np.abs(meaning.scale), node)[None])
        steps = np.abs(theirs.reshape(count, -1).astype(np.float64) - own.reshape(count, -1)) / step.reshape(1, -1)
        greatest = float(steps.max())
    if labels is None:
        if steps is None:
            raise RequestError(f"{path}: gives {theirs.shape[1:]}, and the circuit {results.shape[1:]}")
        return Against(count, int((steps <= 0.5).all(axis=1).sum()), greatest)
    if theirs.size == labels.size:
        found, greatest = theirs.reshape(labels.shape), None
    else:
        wide = [axis for axis in range(1, theirs.ndim) if theirs.shape[axis] > 1]
        if len(wide) != 1 or labels.ndim > 1:
            raise RequestError(f"{path}: gives {theirs.shape[1:]}, which are no classes of a sample")
        found = theirs.reshape(count, -1).argmax(axis=1)
    return Against(count, int((found == labels).reshape(count, -1).all(axis=1).sum()), greatest)
