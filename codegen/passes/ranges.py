"""Range analysis: the exact least and greatest value of every channel, and the minimal formats that follow.

Interval arithmetic is exact here for a single layer (each weight meets its own worst input), so that an accumulator
can never overflow, and no narrower one would do for inputs that take every value of their range.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

from bitloom.quant import Add, Conv, Format, Graph, MatMul, Node, Pool, Range


@lru_cache(maxsize=16)
def value_ranges(graph: Graph) -> Mapping[str, Range]:
    """For each node's name, the least and the greatest value of each element: two int64 arrays of the node's shape."""
    ranges: dict[str, Range] = {}
    for node in graph:
        ranges[node.name] = node.ranges(*(ranges[name] for name in node.inputs))
    return MappingProxyType(ranges)


def narrow_formats(graph: Graph) -> Graph:
    """Give every weight and accumulator its minimal format. After: no accumulator could lose a bit.

    Formats that a quantizer chose (thresholds, the input) stay as they are.
    """
    ranges = value_ranges(graph)
    nodes: list[Node] = []
    for node in graph:
        if isinstance(node, MatMul | Conv) or (isinstance(node, Pool) and node.kind == "sum") or isinstance(node, Add):
            lo, hi = ranges[node.name]
            node = replace(node, output=replace(node.output, format=Format.of_range(int(lo.min()), int(hi.max()))))
        if isinstance(node, MatMul | Conv) and not node.weight_format.bipolar:
            weights = Format.of_range(int(node.weights.min()), int(node.weights.max()))
            node = replace(node, weight_format=weights)
        nodes.append(node)
    return graph.with_nodes(nodes)
