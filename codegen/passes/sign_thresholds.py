"""A single threshold behind a product becomes the sum's sign."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bitloom.quant import Conv, Format, Graph, MatMul, Node, Threshold

from .ranges import channel_ranges, narrow_formats, value_ranges


def sign_thresholds(graph: Graph) -> Graph:
    """x ≥ T is x − T ≥ 0: where a product is read by one threshold of one level alone, T moves into its bias.

    A sum that starts at −T costs what a sum that starts elsewhere costs, and its sign is there without a comparator and
    without stored thresholds. After: such thresholds are 0, for all channels alike. The opposite of
    :func:`~bitloom.codegen.passes.absorb_bias`, which makes one step of several; hence the last pass of all.
    """
    ranges = value_ranges(graph)
    nodes: dict[str, Node] = {node.name: node for node in graph}
    for node in graph:
        if not isinstance(node, Threshold) or node.thresholds.shape[1] != 1 or not node.thresholds.any():
            continue
        product = nodes[node.inputs[0]]
        if not isinstance(product, MatMul | Conv) or product.name == graph.output or len(graph.users(product.name)) > 1:
            continue
        bias = np.zeros(product.output.shape[-1], np.int64) if product.bias is None else product.bias
        bias = bias - node.thresholds[:, 0]
        moved = replace(product, bias=bias if bias.any() else None)
        x = ranges[product.inputs[0]]
        lo, hi = moved.ranges(channel_ranges(x) if isinstance(product, MatMul) else x)
        if Format.of_range(int(lo.min()), int(hi.max())).bits == 1:
            continue  # the comparison of one bit is a table
        nodes[product.name] = moved
        nodes[node.name] = replace(node, thresholds=np.zeros((1, 1), np.int64))
    return narrow_formats(graph.with_nodes(list(nodes.values())))
