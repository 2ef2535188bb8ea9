"""Thresholds of many levels become shifts and multiplications where those are exact.

The rule, for a function that never falls:

* up to :data:`COMPARED_LEVELS` levels (1 to 3 bits): comparisons, level by level;
* above that, a shift if one gives the same outputs: y = clip((x + b) ≫ s), the least s;
* else a dyadic multiplication, y = clip((x·m + b) ≫ s), if multipliers of at most :data:`MULTIPLIER_BITS` bits give the
  same outputs: one m for all channels if there is one, of those the one of fewest signed digits (a constant product is
  an addition less than that), else one for each channel, with the least s;
* else thresholds: comparisons, or a binary search in memory, as the mapping decides.

"The same" is for every operand within its channel's range, and proven: level k is reached from T_k on if and only if
m·T_k + b ≥ v_k·2^s > m·(T_k − 1) + b with v_k the k-th output, hence a real line of slope m / 2^s has to part points
(T_k, v_k) from points (T_k − 1, v_k). Those slopes are an open interval, whatever s: since the T_k are integers, an
offset b exists for each dyadic slope in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from bitloom.quant import Format, Graph, Node, Range, Requantize, Table, Threshold

from .ranges import channel_ranges, value_ranges
from .separation import Points, separating_slopes
from .staircase import as_threshold
from .tables import COMPARED_LEVELS, LOOKUP_BITS

MULTIPLIER_BITS = 17
"""Multipliers stay below 2 to this: the positive half of the 18-bit signed multipliers that devices have."""

MOST_SHIFT = 40
"""The largest shift."""

SPARE_SHIFT = 6
"""How much further than need be a product with one multiplier may shift, if that spares signed digits."""

TRIED = 256
"""How many multipliers are compared for each shift."""


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
    line = _line(steps, channel_ranges(bounds, len(steps.thresholds)), shift_only=isinstance(node, Table))
    if line is None or (isinstance(node, Requantize) and line.shift >= node.shift):
        return node
    new = Requantize(node.name, node.inputs, node.output, line.multipliers, line.offsets, line.shift, steps.y_min,
                     steps.y_min + steps.thresholds.shape[1])
    peak = max(abs(x.lo), abs(x.hi)) * int(new.multiplier.max()) + int(np.abs(new.offset).max())
    return new if peak < 1 << 62 else node


@dataclass(frozen=True)
class _Line:
    multipliers: np.ndarray
    offsets: np.ndarray
    shift: int


def _line(steps: Threshold, own: Range, shift_only: bool) -> _Line | None:
    """The shift, or multipliers and the least shift, that compute ``steps`` exactly; None if there are none."""
    points = [_points(row, steps.y_min, int(lo), int(hi)) for row, lo, hi in zip(steps.thresholds, *own)]
    slopes = [separating_slopes(below, above, 1 << MULTIPLIER_BITS) for below, above in points]
    known = [interval for interval in slopes if interval is not None]
    if len(known) < len(slopes):
        return None
    shared = max(low for low, _ in known), min(high for _, high in known)
    for shift in range(MOST_SHIFT + 1):
        if shared[0] < Fraction(1, 1 << shift) < shared[1]:
            return _with_offsets(points, [1], shift)
    if shift_only:
        return None
    if (one := _fewest_digits(*shared)) is not None:
        return _with_offsets(points, [one[0]], one[1])
    for shift in range(MOST_SHIFT + 1):
        multipliers = [_between(low, high, shift) for low, high in known]
        if all(multipliers):
            return _with_offsets(points, [m[0] for m in multipliers], shift)
    return None


def _between(low: Fraction, high: Fraction, shift: int) -> range:
    """The multipliers whose slope, with this shift, is strictly between."""
    first, last = int(low * (1 << shift)) + 1, -int(-high * (1 << shift) // 1) - 1
    return range(first, min(last + 1, 1 << MULTIPLIER_BITS))


def _fewest_digits(low: Fraction, high: Fraction) -> tuple[int, int] | None:
    """The multiplier of fewest signed digits and its shift; the least shift of those. None if there is none."""
    shifts = [shift for shift in range(MOST_SHIFT + 1) if _between(low, high, shift)][: SPARE_SHIFT + 1]
    options = ((m, shift) for shift in shifts for m in _between(low, high, shift)[:TRIED])
    return min(options, key=lambda option: (_digits(option[0]), option[1]), default=None)


def _digits(number: int) -> int:
    """The digits other than 0 of a number written with the digits −1, 0 and 1, as few as can be."""
    return (number ^ 3 * number).bit_count()


def _points(row: np.ndarray, y_min: int, lo: int, hi: int) -> tuple[Points, Points]:
    """(−x, level) where the line has reached a level, and where it has not: at each threshold and one before it."""
    levels = y_min + 1 + np.arange(len(row))
    reached, missed = row <= hi, row > lo
    at = np.clip(row, lo, hi + 1)
    return (-at[reached], levels[reached]), (1 - at[missed], levels[missed])


def _with_offsets(points: list[tuple[Points, Points]], multipliers: list[int], shift: int) -> _Line:
    """The line with these multipliers; of the offsets that do, those that end in most zeros, all equal if they may."""
    every = multipliers * len(points) if len(multipliers) == 1 else multipliers
    ends = [_offsets(below, above, m, shift) for (below, above), m in zip(points, every)]
    shared = max(first for first, _ in ends), min(last for _, last in ends)
    offsets = [_roundest(*shared)] if shared[0] <= shared[1] else [_roundest(*end) for end in ends]
    return _Line(np.array(multipliers), np.array(offsets), shift)


def _offsets(below: Points, above: Points, multiplier: int, shift: int) -> tuple[int, int]:
    """The least and the greatest offset that part the points; a level's worth of them where only one side bounds it."""
    first = [(int(level) << shift) + multiplier * int(x) for x, level in zip(*below)]
    last = [(int(level) << shift) + multiplier * int(x) - 1 for x, level in zip(*above)]
    some = 1 << shift
    return max(first, default=min(last, default=0) - some), min(last, default=max(first, default=0) + some)


def _roundest(first: int, last: int) -> int:
    """The number of ``first`` … ``last`` that the highest power of two divides."""
    for power in range(62, -1, -1):
        number = -(-first >> power) << power
        if number <= last:
            return number
    return first
