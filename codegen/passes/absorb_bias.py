"""Biases disappear into the thresholds that follow them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bitloom.quant import Graph, MatMul, Node, Threshold

from .ranges import narrow_formats


def absorb_bias(graph: Graph) -> Graph:
    """x + b ≥ T is x ≥ T − b: a bias read by one threshold alone moves into it, and costs no adder.

    After: no biased :class:`MatMul` is read by exactly one :class:`Threshold` and by nothing else. Accumulator
    formats are derived again, since the sums change.
    """
    nodes: dict[str, Node] = {node.name: node for node in graph}
    changed = False
    for node in graph:
        if not isinstance(node, MatMul) or node.bias is None or node.name == graph.output:
            continue
        users = graph.users(node.name)
        if len(users) != 1 or not isinstance(users[0], Threshold):
            continue
        threshold = users[0]
        rows = np.broadcast_to(threshold.thresholds, (len(node.bias), threshold.thresholds.shape[1]))
        nodes[threshold.name] = replace(threshold, thresholds=rows - node.bias[:, None])
        nodes[node.name] = replace(node, bias=None)
        changed = True
    return narrow_formats(graph.with_nodes(list(nodes.values()))) if changed else graph
