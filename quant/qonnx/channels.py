"""The proven range of each channel of the graph's nodes, from the smallest operands that there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph import Graph, Input, Node, Range
from ..operators import Conv, Pool, Reshape
from ..operators.spatial import extents


def channel_range(node: Node, shapes: Sequence[tuple[int, ...]], ranges: Sequence[Range]) -> Range:
    """The least and greatest value of each channel of ``node``, given its operands' shapes and those of their channels.

    It is the operator's own rule, on as few positions as it takes.
    """
    operands = []
    for shape, (lo, hi) in zip(shapes, ranges):
        if isinstance(node, Conv):
            spatial = extents(node.kernel, node.dilation)
        elif isinstance(node, Pool):
            spatial = node.kernel
        elif isinstance(node, Reshape):
            spatial = shape[:-1]
        else:
            spatial = (1,) * (len(shape) - 1)
        operands.append((np.broadcast_to(lo, (*spatial, len(lo))), np.broadcast_to(hi, (*spatial, len(hi)))))
    lo, hi = node.ranges(*operands)
    axes = tuple(range(lo.ndim - 1))
    return lo.min(axis=axes), hi.max(axis=axes)


def channel_ranges(graph: Graph, given: Range) -> dict[str, Range]:
    """The least and greatest value of each channel of every node, ``given`` those of the input."""
    ranges: dict[str, Range] = {}
    for node in graph:
        shapes = [graph[name].output.shape for name in node.inputs]
        ranges[node.name] = given if isinstance(node, Input) else channel_range(
            node, shapes, [ranges[name] for name in node.inputs])
    return ranges
