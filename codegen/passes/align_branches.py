"""Sums of branches get the smallest multipliers that their thresholds cannot tell from the given ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from math import gcd

import numpy as np

from bitloom.quant import Add, Graph, Node, Range, Requantize, Threshold

from .ranges import channel_ranges, narrow_formats, value_ranges
from .separation import Points, separating_slopes, simplest_between
from .staircase import unrolled

FEW = 512
"""One of the two operands takes at most this many values; the proof goes through them one by one."""


def align_branches(graph: Graph) -> Graph:
    """Shrink the multipliers of each :class:`Add` whose readers allow it; what they give stays the same.

    Common factors go into the readers. Where those are thresholds alone, m_a·a + m_b·b ≥ T parts the pairs (a, b) of
    operands within their ranges into two sets for each T. Another ratio of the multipliers does exactly as well if it
    parts them alike; such ratios are an open interval, and the simplest fraction in it is taken. The new thresholds are
    the least sums of each upper set. After: no smaller multipliers would do, where an operand takes few values.
    """
    nodes: dict[str, Node] = {node.name: node for node in graph}
    ranges = value_ranges(graph)
    adds = [node.name for node in graph if isinstance(node, Add) and node.name != graph.output]
    changes: dict[str, Node] = {}
    for name in adds:
        changes |= _without_factor(nodes | changes, name)
    nodes |= changes
    for name in adds:
        node, readers = nodes[name], [reader for reader in nodes.values() if name in reader.inputs]
        thresholds = [reader for reader in readers if isinstance(reader, Threshold)]
        if isinstance(node, Add) and thresholds and len(thresholds) == len(readers):
            changes |= _aligned(node, thresholds, ranges)
    return narrow_formats(graph.with_nodes([(nodes | changes)[node.name] for node in graph])) if changes else graph


def _without_factor(nodes: Mapping[str, Node], name: str) -> dict[str, Node]:
    """The sum ``name`` divided by the common factor of its multipliers, and its readers accordingly."""
    node = nodes[name]
    readers = [reader for reader in nodes.values() if name in reader.inputs]
    if not isinstance(node, Add) or (factor := gcd(*node.multipliers)) == 1:
        return {}
    plain = [_plain(reader) for reader in readers if isinstance(reader, Threshold | Requantize | Add)]
    if not readers or len(plain) < len(readers):
        return {}
    new: dict[str, Node] = {name: replace(node, multipliers=tuple(m // factor for m in node.multipliers))}
    for reader in plain:
        if isinstance(reader, Threshold):
            new[reader.name] = replace(reader, thresholds=-(-reader.thresholds // factor))
        elif isinstance(reader, Requantize):
            new[reader.name] = replace(reader, multiplier=reader.multiplier * factor)
        elif isinstance(reader, Add):
            scaled = tuple(m * factor if x == name else m for m, x in zip(reader.multipliers, reader.inputs))
            new[reader.name] = replace(reader, multipliers=scaled)
        else:
            return {}
    return new


def _plain(reader: Node) -> Node | None:
    """``reader`` without corrections of its line, which another sum would change; None if it has too many levels."""
    return unrolled(reader) if isinstance(reader, Requantize) and reader.late is not None else reader


def _aligned(node: Add, readers: list[Threshold], ranges: Mapping[str, Range]) -> dict[str, Node]:
    """``node`` with the smallest multipliers and its readers with the thresholds that go with them."""
    signs = [1 if m > 0 else -1 for m in node.multipliers]
    given = Fraction(abs(node.multipliers[0]), abs(node.multipliers[1]))
    operands = [_signed(ranges[name], sign) for name, sign in zip(node.inputs, signs)]
    swap = _values(operands[0]) > _values(operands[1])
    few, many = reversed(operands) if swap else operands
    ratio = 1 / given if swap else given
    if _values(few) > FEW:
        return {}
    low, high = Fraction(0), ratio + 1
    for reader in readers:
        for a, b, row in _rows(few, many, reader):
            for threshold in np.unique(row):
                slopes = separating_slopes(*_frontiers(a, b, ratio, int(threshold)), ratio.numerator + 1)
                if slopes is None:
                    return {}
                low, high = max(low, slopes[0]), min(high, slopes[1])
    best = simplest_between(low, high)
    if best == ratio:
        return {}
    new: dict[str, Node] = {}
    for reader in readers:
        rows = [[_least(a, b, best, *_frontiers(a, b, ratio, int(t))) for t in row]
                for a, b, row in _rows(few, many, reader)]
        new[reader.name] = replace(reader, thresholds=np.array(rows, np.int64).reshape(reader.thresholds.shape))
    first, second = (best.denominator, best.numerator) if swap else (best.numerator, best.denominator)
    return new | {node.name: replace(node, multipliers=(signs[0] * first, signs[1] * second))}


def _signed(bounds: Range, sign: int) -> Range:
    """The range of an operand times ``sign``."""
    lo, hi = bounds
    return (lo, hi) if sign > 0 else (-hi, -lo)


def _values(bounds: Range) -> int:
    """How many values an element takes at most."""
    return int(bounds[1].max() - bounds[0].min()) + 1


def _rows(few: Range, many: Range, reader: Threshold) -> Iterator[tuple[range, range, np.ndarray]]:
    """For each row of thresholds the values of both operands in its channels."""
    bounds = [channel_ranges(operand, len(reader.thresholds)) for operand in (few, many)]
    for c, row in enumerate(reader.thresholds):
        a, b = (range(int(lo[c]), int(hi[c]) + 1) for lo, hi in bounds)
        yield a, b, row


def _frontiers(a: range, b: range, ratio: Fraction, threshold: int) -> tuple[Points, Points]:
    """For each value of ``a`` the greatest of ``b`` whose sum stays below the threshold, and the least that reaches it.

    Sums are ratio.numerator · a + ratio.denominator · b.
    """
    x = np.arange(a.start, a.stop)
    least = -((ratio.numerator * x - threshold) // ratio.denominator)
    reached, missed = least <= b[-1], least > b[0]
    return ((x[missed], np.minimum(least[missed] - 1, b[-1])), (x[reached], np.maximum(least[reached], b[0])))


def _least(a: range, b: range, ratio: Fraction, below: Points, above: Points) -> int:
    """The least sum of the points ``above``; one more than the greatest of all if there are none."""
    if not len(above[0]):
        return ratio.numerator * a[-1] + ratio.denominator * b[-1] + 1
    return int((ratio.numerator * above[0] + ratio.denominator * above[1]).min())
