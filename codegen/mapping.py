"""Mapping: which templates serve a node, and which foldings they have."""

from __future__ import annotations

from math import gcd, prod

import numpy as np
from amaranth.hdl import Shape

from bitloom import RequestError
from bitloom.quant import (
    Add,
    ArgMax,
    Concat,
    Conv,
    DepthToSpace,
    Format,
    Graph,
    Input,
    MatMul,
    Multiply,
    Node,
    Pad,
    Pool,
    Requantize,
    Reshape,
    Table,
    Tensor,
    Threshold,
    Upsample,
    Window,
)

from .engines import engines, folded
from .families import Family
from .folding import Folding, divisors
from .passes.lines import by_parity

NOT_YET = (Multiply,)
"""Operators of the graph that no template serves so far."""


def check_mapped(graph: Graph) -> None:
    """Refuse, by name, what no template serves so far."""
    for node in graph:
        if isinstance(node, NOT_YET):
            raise RequestError(f"node {node.name!r}: {node.op} is not yet mapped onto a unit: the network can be run "
                               "and compared, and not compiled; docs/operators.md says what to take in its place")


def shape_of(value_format: Format) -> Shape:
    """The Amaranth shape of a format; a bipolar value is one unsigned bit."""
    return Shape(value_format.bits, value_format.signed and not value_format.bipolar)


def elements(graph: Graph, name: str) -> int:
    """How many elements one sample of the value ``name`` has."""
    return prod(graph[name].output.shape)


def operands(graph: Graph, node: Node) -> list[Tensor]:
    """The types of what ``node`` reads."""
    return [graph[name].output for name in node.inputs]


def templates(graph: Graph, node: Node, family: Family | None = None) -> tuple[str, ...]:
    """The templates that can serve ``node``, the usual one first; none for what needs no unit.

    :param family: the device family, where some serve on certain ones only; None for any.
    :raises RequestError: no template serves the operator.
    """
    if isinstance(node, Input) or transparent(graph, node):
        return ()
    if isinstance(node, Pool) and node.covers(graph[node.inputs[0]].output.shape):
        return ("GlobalPool",)
    if isinstance(node, Threshold) and node.y_step == 1 and node.thresholds.shape[1] >= SEARCH_LEVELS:
        return ("Threshold", "ThresholdSearch") if node.thresholds.shape[1] <= COMPARED_MOST else ("ThresholdSearch",)
    if isinstance(node, Window) and node.groups == 1 and node.output.shape[-1] * node.output.format.bits <= PATCH_BITS:
        return ("Window", "PatchWindow")
    if isinstance(node, MatMul):
        return engines(node, shape_of(operands(graph, node)[0].format), family)
    names = {Window: "Window", Conv: "Depthwise", Pool: "Pool", Pad: "Pad", Add: "Add",
             Concat: "Concat", Upsample: "Upsample", DepthToSpace: "DepthToSpace", Threshold: "Threshold",
             Requantize: "Requantizer", Table: "Table", ArgMax: "ArgMax"}
    if type(node) not in names or (isinstance(node, Conv) and not node.depthwise):
        raise RequestError(f"node {node.name!r}: no template serves operator {node.op}; those served are "
                           f"MatMul, {', '.join(cls.__name__ for cls in names)}")
    return (names[type(node)],)


def transparent(graph: Graph, node: Node) -> bool:
    """Whether the stream of what ``node`` reads carries the very bits of ``node``, so that it needs no unit.

    That is so of a reshape, and of a table that takes one bit for the same bit: 0 and 1 for −1 and +1, or back.
    """
    if isinstance(node, Reshape):
        return True
    if not isinstance(node, Table):
        return False
    (x,) = operands(graph, node)
    if x.format.bits != 1 or node.output.format.bits != 1 or x.format.signed != x.format.bipolar:
        return False
    ends = node.table[:, [0, -1]]
    y = node.output.format
    return bool(np.all(ends == [y.lo, y.hi])) and y.signed == y.bipolar


SEARCH_LEVELS = 15
"""Levels from which on thresholds may be found by binary search in memory."""


COMPARED_MOST = 1023
"""Levels up to which a value may be compared with all thresholds at once."""


PATCH_BITS = 1024
"""Bits up to which a whole patch may be one beat."""


def lanes_out(node: Node, folding: Folding) -> int:
    """Elements per output beat of the unit of ``node``: argmax gives one index."""
    return 1 if isinstance(node, ArgMax) else folding.pe


def foldings(graph: Graph, node: Node, template: str) -> list[Folding]:
    """Every way to fold the unit of ``node`` with this template, memory apart, by rising lanes."""
    outputs, inputs = lane_totals(graph, node)
    if template == "PatchWindow":
        return [Folding(node.output.shape[-1], inputs, template=template)]
    if isinstance(node, MatMul):
        return list(folded(node, template))
    return [Folding(gcd(outputs, simd), simd, template=template) for simd in divisors(inputs)]


def lane_totals(graph: Graph, node: Node) -> tuple[int, int]:
    """What the output lanes and the input lanes of the unit of ``node`` must divide."""
    sizes = [tensor.shape[-1] for tensor in operands(graph, node)]
    channels = sizes[0]
    if isinstance(node, MatMul):
        outputs, inputs = node.weights.shape
        return outputs // node.groups, inputs
    if isinstance(node, Window):
        return channels // node.groups, channels // node.groups
    if isinstance(node, ArgMax):
        return 1, channels
    if isinstance(node, Concat):
        channels = gcd(*sizes)
    elif isinstance(node, DepthToSpace):
        channels = channels // node.block**2 if node.mode == "DCR" else 1
    return channels, channels


def has_constants(graph: Graph, node: Node, template: str = "") -> bool:
    """Whether the unit of ``node`` keeps constants in a memory, so that it matters which."""
    if isinstance(node, Threshold):
        return template == "ThresholdSearch" or len(node.thresholds) > 1
    if isinstance(node, Requantize):
        return len(node.multiplier) > 1 or len(node.offset) > 1 or (node.late is not None and not by_parity(node.late))
    return isinstance(node, MatMul | Conv | Table)


def vectors(graph: Graph, node: Node) -> int:
    """How many of its template's vectors the unit works on for one sample: the positions, or 1 for spatial units."""
    if isinstance(node, MatMul | Add | Concat | Threshold | Requantize | Table | ArgMax):
        return prod(graph[node.inputs[0]].output.shape[:-1])
    return 1
