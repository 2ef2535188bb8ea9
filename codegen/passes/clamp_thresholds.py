"""Thresholds that no value can tell apart move to the edge of the range."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bitloom.quant import Graph, Node, Threshold

from .ranges import value_ranges


def clamp_thresholds(graph: Graph) -> Graph:
    """Clip each threshold to lo … hi + 1 of what it compares with: lo is always reached, hi + 1 never.

    After: every threshold fits one bit more than its operand, and the outputs are unchanged.
    """
    ranges = value_ranges(graph)
    nodes: list[Node] = []
    for node in graph:
        if isinstance(node, Threshold):
            lo, hi = ranges[node.inputs[0]]
            if len(node.thresholds) == 1:
                lo, hi = lo.min(), hi.max()
            else:
                lo, hi = lo[:, None], hi[:, None]
            node = replace(node, thresholds=np.clip(node.thresholds, lo, hi + 1))
        nodes.append(node)
    return graph.with_nodes(nodes)
