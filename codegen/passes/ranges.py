"""Range analysis: the exact least and greatest value of every channel, and the minimal formats that follow.

Interval arithmetic is exact here for a single layer (each weight meets its own worst input), so that an accumulator
can never overflow, and no narrower one would do for inputs that take every value of their range.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from bitloom.quant import ArgMax, Format, Graph, GraphError, Input, MatMul, Node, Threshold

Range = tuple[np.ndarray, np.ndarray]


@lru_cache(maxsize=16)
def value_ranges(graph: Graph) -> Mapping[str, Range]:
    """For each node's name, the least and the greatest value of each element: two int64 arrays of the node's shape."""
    ranges: dict[str, Range] = {}
    for node in graph:
        ranges[node.name] = _range(node, [ranges[name] for name in node.inputs])
    return MappingProxyType(ranges)


def _range(node: Node, operands: list[Range]) -> Range:
    shape = node.output.shape
    if isinstance(node, Input):
        return np.full(shape, node.output.format.lo), np.full(shape, node.output.format.hi)
    lo, hi = operands[0]
    if isinstance(node, MatMul):
        positive, negative = np.maximum(node.weights, 0), np.minimum(node.weights, 0)
        bias = 0 if node.bias is None else node.bias
        return positive @ lo + negative @ hi + bias, positive @ hi + negative @ lo + bias
    if isinstance(node, Threshold):
        low, high = ((x[..., None] >= node.thresholds).sum(axis=-1) for x in (lo, hi))
        return node.y_min + node.y_step * low, node.y_min + node.y_step * high
    if isinstance(node, ArgMax):
        return np.zeros(shape, np.int64), np.full(shape, len(lo) - 1)
    raise GraphError(f"node {node.name!r}: range analysis does not know operator {node.op}")


def narrow_formats(graph: Graph) -> Graph:
    """Give every weight and accumulator its minimal format. After: no accumulator could lose a bit.

    Formats that a quantizer chose (thresholds, the input) stay as they are.
    """
    ranges = value_ranges(graph)
    nodes: list[Node] = []
    for node in graph:
        if isinstance(node, MatMul):
            lo, hi = ranges[node.name]
            accumulator = replace(node.output, format=Format.of_range(int(lo.min()), int(hi.max())))
            weights = node.weight_format
            if not weights.bipolar:
                weights = Format.of_range(int(node.weights.min()), int(node.weights.max()))
            node = replace(node, output=accumulator, weight_format=weights)
        nodes.append(node)
    return graph.with_nodes(nodes)
