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
    """Functions of one bit become tables; tables that never fall become thresholds unless they are as small as those.

    After: no threshold or requantization reads a value of one bit (bipolar ones among them), and a table that never
    falls has more than :data:`COMPARED_LEVELS` levels, or one row of at most 2 ^ :data:`LOOKUP_BITS` entries.
    """
    ranges = value_ranges(graph)
    values = {node.name: node.output for node in graph}
    nodes: list[Node] = []
    for node in graph:
        if isinstance(node, Threshold | Requantize) and values[node.inputs[0]].format.bits == 1:
            node = _table(node, values[node.inputs[0]])
        elif isinstance(node, Table):
            node = _compared(node, values[node.inputs[0]], ranges[node.inputs[0]])
        nodes.append(node)
    return graph.with_nodes(nodes)


def _table(node: Threshold | Requantize, x: Tensor) -> Table:
    values = np.array([-1, -1, 1]) if x.format.bipolar else np.arange(x.format.lo, x.format.hi + 1)
    entries = node.evaluate(np.broadcast_to(values[:, None], (1, len(values), x.shape[-1])))[0].T
    return Table(node.name, node.inputs, node.output, entries[:1] if np.all(entries == entries[:1]) else entries,
                 x.format.lo)


def _compared(node: Table, x: Tensor, bounds: Range) -> Table | Threshold:
    if x.format.bits == 1 or (len(node.table) == 1 and x.format.bits <= LOOKUP_BITS):
        return node
    threshold = as_threshold(node, x.format, bounds)
    return node if threshold is None or threshold.thresholds.shape[1] > COMPARED_LEVELS else threshold
