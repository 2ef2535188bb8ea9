"""Constants that no value can tell apart move to the edge of the range, or go."""

from __future__ import annotations

import numpy as np

from bitloom.quant import Graph, Node, Range, Requantize, Table, Threshold

from .ranges import channel_ranges, value_ranges
from .rewrite import updated


def clamp_thresholds(graph: Graph) -> Graph:
    """Clip each threshold to lo … hi + 1 of its channel's operand: lo is always reached, hi + 1 never.

    Levels that every channel always reaches, or that none does, go, but for one. Likewise a requantization clips to
    what occurs, and a table repeats its last entries that do. After: every threshold fits one bit more than its
    operand, levels are steps of 1 or one bipolar step of 2, and the outputs are unchanged.
    """
    ranges = value_ranges(graph)
    nodes: list[Node] = []
    for node in graph:
        if isinstance(node, Threshold):
            node = _clamped(node, channel_ranges(ranges[node.inputs[0]], len(node.thresholds)))
        elif isinstance(node, Requantize):
            lo, hi = ranges[node.name]
            node = _clipped(node, int(lo.min()), int(hi.max()))
        elif isinstance(node, Table):
            lo, hi = channel_ranges(ranges[node.inputs[0]], len(node.table))
            entries = node.x_min + np.arange(node.table.shape[1])
            at = np.clip(entries, lo[:, None], hi[:, None]) - node.x_min
            node = updated(node, table=np.take_along_axis(node.table, at, axis=1))
        nodes.append(node)
    return graph.with_nodes(nodes)


def _clipped(node: Requantize, y_min: int, y_max: int) -> Requantize:
    late = None if node.late is None else node.late[:, y_min - node.y_min : y_max - node.y_min]
    return updated(node, y_min=y_min, y_max=y_max, late=late if late is not None and late.any() else None)


def _clamped(node: Threshold, bounds: Range) -> Threshold:
    lo, hi = (bound[:, None] for bound in bounds)
    rows = np.clip(node.thresholds, lo, hi + 1)
    if node.y_step > 1 and not node.output.format.bipolar:
        rows, node = np.repeat(rows, node.y_step, axis=1), updated(node, y_step=1)
    levels = rows.shape[1]
    first = min(int(np.all(rows <= lo, axis=0).sum()), max(0, levels - 1))
    last = max(levels - int(np.all(rows > hi, axis=0).sum()), min(first + 1, levels))
    return updated(node, thresholds=rows[:, first:last], y_min=node.y_min + first * node.y_step)
