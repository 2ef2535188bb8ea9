"""Range analysis: the exact least and greatest value of every element, and the minimal formats that follow.

Interval arithmetic is exact here for a single layer (each weight meets its own worst input), so that an accumulator
can never overflow, and no narrower one would do for inputs that take every value of their range.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from weakref import WeakKeyDictionary

import numpy as np

from bitloom.quant import (
    BIPOLAR,
    Add,
    Concat,
    Conv,
    DepthToSpace,
    Format,
    Graph,
    MatMul,
    Node,
    Pad,
    Pool,
    Range,
    Requantize,
    Reshape,
    Table,
    Threshold,
    Upsample,
    Window,
)

from .rewrite import updated

_of: WeakKeyDictionary[Graph, Mapping[str, Range]] = WeakKeyDictionary()
_known: WeakKeyDictionary[Node, tuple[tuple[Range, ...], Range]] = WeakKeyDictionary()


def value_ranges(graph: Graph) -> Mapping[str, Range]:
    """For each node's name, the least and the greatest value of each element: two int64 arrays of the node's shape.

    Ranges are remembered for each graph, and for each node and the ranges of its operands, so that a pass pays for
    what it changed.
    """
    if graph in _of:
        return _of[graph]
    ranges: dict[str, Range] = {}
    for node in graph:
        operands = tuple(ranges[name] for name in node.inputs)
        known = _known.get(node)
        if known is None or any(a is not b for a, b in zip(known[0], operands)):
            known = _known[node] = operands, node.ranges(*operands)
        ranges[node.name] = known[1]
    _of[graph] = MappingProxyType(ranges)
    return _of[graph]


def channel_ranges(bounds: Range, rows: int | None = None) -> Range:
    """The least and the greatest value of each channel over all positions; of all channels as one if ``rows`` is 1."""
    lo, hi = (bound.reshape(-1, bound.shape[-1]) for bound in bounds)
    lo, hi = lo.min(0), hi.max(0)
    return (lo.min(keepdims=True), hi.max(keepdims=True)) if rows == 1 else (lo, hi)


def narrow_formats(graph: Graph) -> Graph:
    """Give every weight and value its minimal format. After: no sum could lose a bit.

    Sums take the format of their range (a matrix product that of any position's, since one unit serves all positions),
    constants choose that of functions (thresholds, requantizations, tables), and operators that move values follow
    their operands. The input and an index keep theirs.
    """
    ranges = value_ranges(graph)
    formats: dict[str, Format] = {}
    nodes: list[Node] = []
    for node in graph:
        bounds = ranges[node.name]
        if isinstance(node, MatMul):
            bounds = node.ranges(channel_ranges(ranges[node.inputs[0]]))
        node = _narrowed(node, [formats[name] for name in node.inputs], bounds)
        formats[node.name] = node.output.format
        nodes.append(node)
    return graph.with_nodes(nodes)


def with_format(node: Node, value_format: Format) -> Node:
    """``node`` with this output format."""
    return updated(node, output=replace(node.output, format=value_format))


def _narrowed(node: Node, operands: list[Format], bounds: Range) -> Node:
    if isinstance(node, MatMul | Conv | Add) or (isinstance(node, Pool) and node.kind == "sum"):
        node = with_format(node, Format.of_range(int(bounds[0].min()), int(bounds[1].max())))
        if isinstance(node, MatMul | Conv):
            node = updated(node, weight_format=_minimal(node.weights, node.weight_format))
    elif isinstance(node, Window | Reshape | Upsample | DepthToSpace | Pool):
        node = with_format(node, operands[0])
    elif isinstance(node, Concat):
        node = with_format(node, _holding(*operands))
    elif isinstance(node, Pad):
        held = operands[0].holds(np.array([node.value]))
        border = operands[0] if held else Format.of_range(node.value, node.value)
        node = with_format(node, _holding(operands[0], border))
    elif isinstance(node, Threshold):
        levels = np.arange(node.thresholds.shape[1] + 1)
        node = with_format(node, _minimal(node.y_min + node.y_step * levels, node.output.format))
    elif isinstance(node, Requantize):
        node = with_format(node, Format.of_range(node.y_min, node.y_max))
    elif isinstance(node, Table):
        x = operands[0]
        values = np.array([-1, -1, 1]) if x.bipolar else np.arange(x.lo, x.hi + 1)
        table = node.table[:, np.clip(values - node.x_min, 0, node.table.shape[1] - 1)]
        node = with_format(updated(node, table=table, x_min=x.lo), _minimal(table, node.output.format))
    return node


def _minimal(values: np.ndarray, declared: Format) -> Format:
    """The narrowest format that holds ``values``: bipolar if declared so, or if −1 and 1 occur and nothing else."""
    if BIPOLAR.holds(values) and (declared.bipolar or values.min() < values.max()):
        return BIPOLAR
    return Format.of_range(int(values.min()), int(values.max()))


def _holding(*formats: Format) -> Format:
    """The narrowest format that holds all values of ``formats``: bipolar where all of them are."""
    if all(f.bipolar for f in formats):
        return BIPOLAR
    return Format.of_range(min(f.lo for f in formats), max(f.hi for f in formats))
