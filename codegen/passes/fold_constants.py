"""What does nothing goes; what all channels share is kept once."""

from __future__ import annotations

import numpy as np

from bitloom.quant import (
    DepthToSpace,
    Graph,
    Node,
    Pad,
    Pool,
    Range,
    Requantize,
    Reshape,
    Table,
    Tensor,
    Threshold,
    Upsample,
    Window,
)

from .dead_code import remove_dead_nodes
from .ranges import channel_ranges, narrow_formats, value_ranges
from .rewrite import unchanged, updated

MOVES = DepthToSpace | Pad | Pool | Reshape | Upsample | Window
"""Operators that do nothing if they keep the shape: their windows, borders, factors are 1, 0, 1 then."""

ENUMERATED = 4096
"""Functions of up to this many values are compared with the identity value by value."""


def fold_constants(graph: Graph) -> Graph:
    """Remove identities and merge reshapes. After: no node's outputs are its operand, no reshape reads a reshape.

    Rows of constants that are equal in all channels become one row. Formats follow what is read now.
    """
    ranges = value_ranges(graph)
    instead: dict[str, str] = {}
    nodes: dict[str, Node] = {}
    for node in graph:
        node = updated(node, inputs=tuple(instead.get(name, name) for name in node.inputs))
        if isinstance(node, Reshape) and isinstance(inner := nodes[node.inputs[0]], Reshape):
            node = updated(node, inputs=inner.inputs)
        if node.inputs and _does_nothing(node, nodes[node.inputs[0]].output, ranges[node.inputs[0]]):
            instead[node.name] = node.inputs[0]
        else:
            nodes[node.name] = _shared(node)
    folded = graph.with_nodes(list(nodes.values()), instead.get(graph.output, graph.output))
    return graph if unchanged(graph, folded) else narrow_formats(remove_dead_nodes(folded))


def _does_nothing(node: Node, x: Tensor, bounds: Range) -> bool:
    if isinstance(node, MOVES):
        return node.output.shape == x.shape
    if not isinstance(node, Threshold | Requantize | Table):
        return False
    lo, hi = channel_ranges(bounds)
    count = int((hi - lo).max()) + 1
    if count > ENUMERATED:
        return False
    values = np.stack([lo, hi]) if x.format.bipolar else np.minimum(lo + np.arange(count)[:, None], hi)
    return bool(np.array_equal(node.evaluate(values[None])[0], values))


def _shared(node: Node) -> Node:
    """``node`` with one row of constants instead of equal ones."""
    if isinstance(node, Threshold):
        return updated(node, thresholds=_one_row(node.thresholds))
    if isinstance(node, Table):
        return updated(node, table=_one_row(node.table))
    if isinstance(node, Requantize):
        late = node.late if node.late is None else _one_row(node.late)
        return updated(node, multiplier=_one_row(node.multiplier), offset=_one_row(node.offset), late=late)
    return node


def _one_row(rows: np.ndarray) -> np.ndarray:
    return rows[:1] if np.all(rows == rows[:1]) else rows
