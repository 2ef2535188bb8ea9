"""Biases disappear into the thresholds that follow them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bitloom.quant import (
    Add,
    Concat,
    Conv,
    DepthToSpace,
    Graph,
    MatMul,
    Node,
    Pool,
    Requantize,
    Reshape,
    Threshold,
    Upsample,
)

from .ranges import narrow_formats

MOVERS = (Add, Concat, DepthToSpace, Reshape, Upsample)
"""What is linear without constants of its own: a constant goes through as any value does."""


def absorb_bias(graph: Graph) -> Graph:
    """x + b ≥ T is x ≥ T − b: a bias that ends in thresholds and requantizations moves into them, and costs no adder.

    On its way it passes sums, poolings and moves of values, wherever it stays one number per channel at its end. After:
    no bias is left whose every reader could take it. Formats are derived again, since the sums change.
    """
    nodes: dict[str, Node] = {node.name: node for node in graph}
    changed = False
    for node in graph:
        if isinstance(node, MatMul | Conv) and node.bias is not None:
            taken = _takers(nodes, node, graph.output)
            if taken is not None:
                nodes |= taken
                nodes[node.name] = replace(node, bias=None)
                changed = True
    return narrow_formats(graph.with_nodes(list(nodes.values()))) if changed else graph


def _takers(nodes: dict[str, Node], biased: MatMul | Conv, output: str) -> dict[str, Node] | None:
    """The nodes that take up the bias of ``biased``, as they are then; None if it meets one that cannot.

    ``offsets`` holds, for each value that contains the bias, how much of it is in each element.
    """
    offsets = {biased.name: np.broadcast_to(np.asarray(biased.bias), biased.output.shape)}
    taken: dict[str, Node] = {}
    for node in nodes.values():
        if not any(name in offsets for name in node.inputs):
            continue
        operands = [offsets.get(name, np.zeros(nodes[name].output.shape, np.int64)) for name in node.inputs]
        if isinstance(node, Threshold | Requantize):
            row = _per_channel(operands[0])
            if row is None:
                return None
            taken[node.name] = _shifted(node, row)
        else:
            offset = _through(node, operands)
            if offset is None:
                return None
            offsets[node.name] = offset
    return None if output in offsets else taken


def _through(node: Node, operands: list[np.ndarray]) -> np.ndarray | None:
    """The offset behind ``node``, given those before it; None if it has none (a function that is not linear)."""
    if isinstance(node, Pool) and node.kind == "max" and _per_channel(operands[0]) is None:
        return None
    if isinstance(node, (*MOVERS, Pool)):
        return node.evaluate(*(operand[None] for operand in operands))[0]
    return None


def _per_channel(offset: np.ndarray) -> np.ndarray | None:
    """The offset of each channel, if it is the same at all positions."""
    rows = offset.reshape(-1, offset.shape[-1])
    return rows[0] if np.all(rows == rows[0]) else None


def _shifted(node: Threshold | Requantize, row: np.ndarray) -> Node:
    """``node`` for an operand without the offset ``row``; constants shared by all channels stay so if they can."""
    row = row[:1] if np.all(row == row[0]) else row
    if isinstance(node, Threshold):
        return replace(node, thresholds=node.thresholds - row[:, None])
    return replace(node, offset=node.offset + node.multiplier * row)
