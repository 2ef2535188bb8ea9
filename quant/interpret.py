"""The NumPy semantics of the integer graph: the bit-exact reference of everything in bitloom."""

from __future__ import annotations

from math import prod

import numpy as np

from .graph import Graph, GraphError, Input, integers

AT_ONCE = 1 << 22
"""Values that :func:`run` keeps at a time, or those of one sample."""


def trace(graph: Graph, samples: np.ndarray) -> dict[str, np.ndarray]:
    """Every value of the graph for ``samples``.

    :param samples: integers of shape (samples, *input shape), or (samples, n) of as many elements in that order;
        :func:`bitloom.quant.take` makes them of real samples, and of other layouts.
    :returns: for each node's name an int64 array of shape (samples, *node shape).
    :raises GraphError: a value lies outside the format that the graph declares for it.
    """
    shape = graph.input.output.shape
    x = integers(samples)
    if x.ndim == 0 or x.shape[1:] not in (shape, (prod(shape),)):
        raise GraphError(f"samples must have shape (n, {', '.join(map(str, shape))}), or be rows of {prod(shape)} in "
                         f"that order, not {x.shape}")
    values: dict[str, np.ndarray] = {}
    for node in graph:
        y = x.reshape(-1, *shape) if isinstance(node, Input) else node.evaluate(*(values[i] for i in node.inputs))
        if not node.output.format.holds(y):
            raise GraphError(
                f"node {node.name!r}: values must lie in {node.output.format} "
                f"({node.output.format.lo} to {node.output.format.hi}), and {int(y.min())} to {int(y.max())} occur"
            )
        values[node.name] = y
    return values


def run(graph: Graph, samples: np.ndarray) -> np.ndarray:
    """The graph's output for ``samples``: int64 of shape (samples, *output shape). See :func:`trace`.

    A few samples at a time where they are many, so that the values in between take a bounded room.
    """
    size = max(1, AT_ONCE // sum(prod(node.output.shape) for node in graph))
    if np.ndim(samples) == 0 or len(samples) <= size:
        return trace(graph, samples)[graph.output]
    return np.concatenate([trace(graph, samples[k : k + size])[graph.output] for k in range(0, len(samples), size)])
