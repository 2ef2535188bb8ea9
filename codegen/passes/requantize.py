"""Thresholds of many levels become shifts and multiplications where those are exact.

The rule, for a function that never falls:

* up to :data:`COMPARED_LEVELS` levels (1 to 3 bits): comparisons, level by level;
* above that, a shift if one gives the same outputs: y = clip((x + b) ≫ s), the least s;
* else a dyadic multiplication, y = clip((x·m + b) ≫ s), if multipliers of at most :data:`MULTIPLIER_BITS` bits give the
  same outputs: one m for all channels if there is one, of those the one of fewest signed digits (a constant product is
  an addition less than that), else one for each channel, with the least s;
* else a shift of which every other output begins one integer later: one that rounds half to even;
* else, above :data:`SEARCHED_LEVELS` levels, where thresholds take much memory: multipliers of up to
  :data:`WIDE_MULTIPLIER_BITS` bits; else a line that is corrected, whose outputs begin up to :data:`SLACKS` integers
  later, each as a memory says; shorter multipliers first;
* else thresholds: comparisons, or a binary search in memory, as the mapping decides.

"The same" is for every operand within its channel's range, and proven (:mod:`~bitloom.codegen.passes.lines`).
"""

from __future__ import annotations

import numpy as np

from bitloom.quant import Format, Graph, Node, Range, Requantize, Table, Threshold

from .lines import Line, Lines, by_parity
from .ranges import value_ranges
from .staircase import as_threshold
from .tables import COMPARED_LEVELS, LOOKUP_BITS

MULTIPLIER_BITS = 17
"""Multipliers stay below 2 to this: the positive half of the 18-bit signed multipliers that devices have."""

WIDE_MULTIPLIER_BITS = 27
"""What multipliers stay below where that spares a memory of thresholds or of corrections."""

SEARCHED_LEVELS = 31
"""Up to so many levels, thresholds in a memory are no dearer than wide products or corrections."""

SLACKS = (1, 3)
"""How many integers later than their line the outputs may begin: numbers of one bit, then of two."""


def requantize(graph: Graph) -> Graph:
    """Compute each function that never falls as the rule above says. After: the rule holds.

    A table stays a table unless a shift serves, and a requantization that came with the graph takes the least shift.
    Few levels are left as :func:`choose_tables` wants them.
    """
    ranges = value_ranges(graph)
    formats = {node.name: node.output.format for node in graph}
    nodes: list[Node] = []
    for node in graph:
        if isinstance(node, Threshold | Requantize | Table):
            node = _chosen(node, formats[node.inputs[0]], ranges[node.inputs[0]])
        nodes.append(node)
    return graph.with_nodes(nodes)


def _chosen(node: Threshold | Requantize | Table, x: Format, bounds: Range) -> Node:
    if x.bits == 1 or node.output.format.bipolar:
        return node
    if isinstance(node, Table) and len(node.table) == 1 and x.bits <= LOOKUP_BITS:
        return node
    steps = as_threshold(node, bounds)
    if steps is None or steps.y_step != 1 or steps.thresholds.shape[1] <= COMPARED_LEVELS:
        return node
    line = _plain(steps, bounds, shift_only=isinstance(node, Table))
    if line is None and (isinstance(node, Threshold) or (isinstance(node, Requantize) and node.late is not None)):
        line = _corrected(steps, bounds)
    if line is None or not _better(line, node):
        return node
    new = Requantize(node.name, node.inputs, node.output, line.multipliers, line.offsets, line.shift, steps.y_min,
                     steps.y_min + steps.thresholds.shape[1], line.late)
    peak = max(abs(x.lo), abs(x.hi)) * int(new.multiplier.max()) + int(np.abs(new.offset).max())
    return new if peak < 1 << 62 else node


def _better(line: Line, node: Threshold | Requantize | Table) -> bool:
    """Whether ``line`` may take the place of ``node``: of a requantization: a smaller shift, or no corrections."""
    if not isinstance(node, Requantize):
        return True
    return line.shift < node.shift or (line.late is None and node.late is not None)


def _plain(steps: Threshold, bounds: Range, *, shift_only: bool) -> Line | None:
    """The shift, or short multipliers and the least shift, that compute ``steps`` exactly; None if there are none."""
    lines = Lines(steps, bounds)
    slopes = lines.slopes(MULTIPLIER_BITS)
    if slopes is None:
        return None
    shift = lines.shift(slopes)
    if shift is not None or shift_only:
        return shift
    return lines.one(slopes, MULTIPLIER_BITS) or lines.each(slopes, MULTIPLIER_BITS)


def _corrected(steps: Threshold, bounds: Range) -> Line | None:
    """The line that computes ``steps`` with a longer multiplier, or with some outputs later than it says."""
    halves = _late_shift(steps, bounds)
    if halves is not None and halves.late is not None and by_parity(halves.late):
        return halves
    if steps.thresholds.shape[1] <= SEARCHED_LEVELS:
        return None
    lines = Lines(steps, bounds)
    slopes = lines.slopes(WIDE_MULTIPLIER_BITS)
    if slopes is not None:
        line = lines.one(slopes, WIDE_MULTIPLIER_BITS) or lines.each(slopes, WIDE_MULTIPLIER_BITS)
        if line is not None:
            return line
    if halves is not None:
        return halves
    for slack in SLACKS:
        lines = Lines(steps, bounds, slack)
        slopes = lines.slopes(WIDE_MULTIPLIER_BITS)
        for bits in (MULTIPLIER_BITS, WIDE_MULTIPLIER_BITS):
            if slopes is not None and (line := lines.each(slopes, bits)) is not None:
                return line
    return None


def _late_shift(steps: Threshold, bounds: Range) -> Line | None:
    """The shift that computes ``steps`` if each output may begin an integer later."""
    lines = Lines(steps, bounds, 1)
    slopes = lines.slopes(0)
    return None if slopes is None else lines.shift(slopes)
