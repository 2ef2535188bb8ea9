"""Tables where they are cheaper than comparisons, comparisons where tables are not."""

from __future__ import annotations

import numpy as np

from bitloom.quant import Graph, Node, Range, Requantize, Table, Tensor, Threshold

from .ranges import value_ranges
from .staircase import as_threshold

LOOKUP_BITS = 4
"""A table of this many bits that serves all channels is one lookup table for each output bit on every device."""

COMPARED_LEVELS = 7
"""Functions of up to this many levels (1 to 3 bits) are compared level by level."""


def choose_tables(graph: Graph) -> Graph:
    """Functions of one bit become tables; of tables and multiplications those of few levels become thresholds.

    After: no threshold or requantization reads a value of one bit (bipolar ones among them). A table that never falls
    has more than :data:`COMPARED_LEVELS` levels, or one row of at most 2 ^ :data:`LOOKUP_BITS` entries. A
    requantization has more levels than that, or nothing but a shift to do.
    """
    ranges = value_ranges(graph)
    values = {node.name: node.output for node in graph}
    nodes: list[Node] = []
    for node in graph:
        if isinstance(node, Threshold | Requantize | Table):
            node = _chosen(node, values[node.inputs[0]], ranges[node.inputs[0]])
        nodes.append(node)
    return graph.with_nodes(nodes)


def _chosen(node: Threshold | Requantize | Table, x: Tensor, bounds: Range) -> Threshold | Requantize | Table:
    if x.format.bits == 1:
        return node if isinstance(node, Table) else _table(node, x)
    small = isinstance(node, Table) and len(node.table) == 1 and x.format.bits <= LOOKUP_BITS
    shift = isinstance(node, Requantize) and bool(np.all(node.multiplier == 1)) and node.late is None
    if small or shift or isinstance(node, Threshold):
        return node
    steps = as_threshold(node, bounds)
    return node if steps is None or steps.thresholds.shape[1] > COMPARED_LEVELS else steps


def _table(node: Threshold | Requantize, x: Tensor) -> Table:
    values = np.array([-1, -1, 1]) if x.format.bipolar else np.arange(x.format.lo, x.format.hi + 1)
    entries = node.evaluate(np.broadcast_to(values[:, None], (1, len(values), x.shape[-1])))[0].T
    return Table(node.name, node.inputs, node.output, entries[:1] if np.all(entries == entries[:1]) else entries,
                 x.format.lo)
