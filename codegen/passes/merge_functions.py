"""Two functions in a row become one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bitloom.quant import Format, Graph, Node, Requantize, Table, Threshold

from .staircase import unrolled

SHARED_BITS, OWN_BITS = 6, 4
"""Operands of up to this many bits are looked up in one step: in a table for all channels, in one for each."""

FUNCTIONS = Threshold | Requantize | Table


def merge_functions(graph: Graph) -> Graph:
    """Compose a threshold, requantization or table with the one that alone reads it, where that is no dearer.

    After: no pair of them is left whose composition has no more levels than its first, or is a small table.
    """
    nodes: dict[str, Node] = {}
    for node in graph:
        while isinstance(node, FUNCTIONS) and (merged := _merged(graph, nodes, node)) is not None:
            del nodes[node.inputs[0]]
            node = merged
        nodes[node.name] = node
    return graph.with_nodes(list(nodes.values()))


def _merged(graph: Graph, nodes: dict[str, Node], outer: FUNCTIONS) -> Node | None:
    """The composition of ``outer`` with what it reads, if they can be merged."""
    inner = nodes[outer.inputs[0]]
    if not isinstance(inner, FUNCTIONS) or inner.name == graph.output or len(graph.users(inner.name)) > 1:
        return None
    x = nodes[inner.inputs[0]].output.format
    if isinstance(inner, Requantize) and isinstance(outer, Threshold):
        return _before_requantize(inner, outer, x)
    if isinstance(inner, Threshold) and (threshold := _threshold(inner, outer, x)) is not None:
        return threshold
    rows = max(_rows(inner), _rows(outer))
    narrower = isinstance(inner, Table) and outer.output.format.bits <= inner.output.format.bits
    if x.bits <= (SHARED_BITS if rows == 1 else OWN_BITS) or narrower:
        values = np.array([-1, -1, 1]) if x.bipolar else np.arange(x.lo, x.hi + 1)
        between = inner.evaluate(np.broadcast_to(values[:, None], (1, len(values), rows)))
        return Table(outer.name, inner.inputs, outer.output, outer.evaluate(between)[0].T, x.lo)
    return None


def _rows(node: FUNCTIONS) -> int:
    """How many channels the constants tell apart."""
    if isinstance(node, Requantize):
        return max(len(node.multiplier), len(node.offset), 1 if node.late is None else len(node.late))
    return len(node.thresholds if isinstance(node, Threshold) else node.table)


def _before_requantize(inner: Requantize, outer: Threshold, x: Format) -> Threshold | None:
    """Thresholds of what is requantized: the least operand whose requantization reaches each."""
    steps = unrolled(inner)
    if steps is None:
        return None
    rows = max(_rows(steps), _rows(outer))
    least = np.broadcast_to(steps.thresholds, (rows, steps.thresholds.shape[1]))
    edges = np.column_stack([np.full(rows, x.lo), least, np.full(rows, x.hi + 1)])
    wanted = np.clip(outer.thresholds - inner.y_min, 0, edges.shape[1] - 1)
    thresholds = np.take_along_axis(edges, np.broadcast_to(wanted, (rows, wanted.shape[1])), axis=1)
    return replace(outer, inputs=inner.inputs, thresholds=np.clip(thresholds, x.lo, x.hi + 1))


def _threshold(inner: Threshold, outer: FUNCTIONS, x: Format) -> Threshold | None:
    """The composition as thresholds, if it never falls and has no more levels than ``inner``."""
    rows, levels = max(_rows(inner), _rows(outer)), inner.thresholds.shape[1]
    between = inner.y_min + inner.y_step * np.arange(levels + 1)
    values = outer.evaluate(np.broadcast_to(between[:, None], (1, levels + 1, rows)))[0].T
    step = 2 if outer.output.format.bipolar else 1
    wanted = np.arange(values.min() + step, values.max() + 1, step)
    if np.any(np.diff(values, axis=1) < 0) or not 0 < len(wanted) <= levels:
        return None
    least = np.broadcast_to(np.clip(inner.thresholds, x.lo, x.hi + 1), (rows, levels))
    edges = np.column_stack([np.full(rows, x.lo), least, np.full(rows, x.hi + 1)])
    reached = np.stack([np.searchsorted(row, wanted) for row in values])
    return Threshold(outer.name, inner.inputs, outer.output, np.take_along_axis(edges, reached, axis=1),
                     int(values.min()), step)
