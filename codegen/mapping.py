# amaranth: UnusedElaboratable=no
"""Mapping: which template serves a node, which foldings it has, and the template instance itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from math import gcd, prod

import numpy as np
from amaranth.hdl import Shape
from amaranth.lib.wiring import Component

from bitloom import RequestError, hw
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

from .passes.ranges import channel_ranges, value_ranges


@dataclass(frozen=True)
class Folding:
    """How a unit is folded: ``pe`` output lanes, ``simd`` input lanes, where its constants live, which template it is.

    Units other than the matrix–vector unit work on whole lanes: their ``pe`` equals their ``simd`` (argmax has one
    output lane, a window of whole patches all of a patch). ``template`` is one of :func:`templates`; empty is the first
    of them.
    """

    pe: int
    simd: int
    memory: str = "auto"
    template: str = ""


def shape_of(value_format: Format) -> Shape:
    """The Amaranth shape of a format; a bipolar value is one unsigned bit."""
    return Shape(value_format.bits, value_format.signed and not value_format.bipolar)


def elements(graph: Graph, name: str) -> int:
    """How many elements one sample of the value ``name`` has."""
    return prod(graph[name].output.shape)


def operands(graph: Graph, node: Node) -> list[Tensor]:
    """The types of what ``node`` reads."""
    return [graph[name].output for name in node.inputs]


def templates(graph: Graph, node: Node) -> tuple[str, ...]:
    """The templates that can serve ``node``, the usual one first; none for what needs no unit.

    :raises RequestError: no template serves the operator.
    """
    if isinstance(node, Input) or transparent(graph, node):
        return ()
    if isinstance(node, Pool) and node.covers(graph[node.inputs[0]].output.shape):
        return ("GlobalPool",)
    if isinstance(node, Threshold) and node.y_step == 1 and node.thresholds.shape[1] >= SEARCH_LEVELS:
        return ("Threshold", "ThresholdSearch")
    if isinstance(node, Window) and node.groups == 1 and node.output.shape[-1] * node.output.format.bits <= PATCH_BITS:
        return ("Window", "PatchWindow")
    names = {MatMul: "MatVec", Window: "Window", Conv: "Depthwise", Pool: "Pool", Pad: "Pad", Add: "Add",
             Concat: "Concat", Upsample: "Upsample", DepthToSpace: "DepthToSpace", Threshold: "Threshold",
             Requantize: "Requantizer", Table: "Table", ArgMax: "ArgMax"}
    if type(node) not in names or (isinstance(node, Conv) and not node.depthwise):
        raise RequestError(f"node {node.name!r}: no template serves operator {node.op}; those served are "
                           f"{', '.join(cls.__name__ for cls in names)}")
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


PATCH_BITS = 1024
"""Bits up to which a whole patch may be one beat."""


def divisors(n: int) -> list[int]:
    """The divisors of ``n`` in ascending order."""
    return [d for d in range(1, n + 1) if n % d == 0]


def lanes_out(node: Node, folding: Folding) -> int:
    """Elements per output beat of the unit of ``node``: argmax gives one index."""
    return 1 if isinstance(node, ArgMax) else folding.pe


def lanes(graph: Graph, node: Node, template: str) -> list[tuple[int, int]]:
    """Every (PE, SIMD) that the unit of ``node`` can have with this template, by rising lanes."""
    outputs, inputs = lane_totals(graph, node)
    if template == "PatchWindow":
        return [(node.output.shape[-1], inputs)]
    if isinstance(node, MatMul):
        return list(product(divisors(outputs), divisors(inputs)))
    return [(gcd(outputs, simd), simd) for simd in divisors(inputs)]


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
        return len(node.multiplier) > 1 or len(node.offset) > 1
    return isinstance(node, MatMul | Conv | Table)


def vectors(graph: Graph, node: Node) -> int:
    """How many of its template's vectors the unit works on for one sample: the positions, or 1 for spatial units."""
    if isinstance(node, MatMul | Add | Concat | Threshold | Requantize | Table | ArgMax):
        return prod(graph[node.inputs[0]].output.shape[:-1])
    return 1


def unit(graph: Graph, node: Node, folding: Folding) -> Component:
    """The template instance that computes ``node`` of ``graph`` with this folding."""
    names = templates(graph, node)
    template = folding.template or names[0]
    if template not in names:
        raise RequestError(f"layers.{node.name}.template must be {' or '.join(names)}, not {template!r}")
    return _MAKERS[template](graph, node, folding)


def _bipolar(graph: Graph, node: Node) -> bool:
    return graph[node.inputs[0]].output.format.bipolar


def _ends(graph: Graph, name: str) -> tuple[int, int]:
    """The least and the greatest value of any element of ``name``."""
    lo, hi = value_ranges(graph)[name]
    return int(lo.min()), int(hi.max())


def _matvec(graph: Graph, node: Node, folding: Folding) -> Component:
    assert isinstance(node, MatMul)
    (x,) = operands(graph, node)
    lo, hi = (bound.reshape(-1, x.shape[-1]) for bound in value_ranges(graph)[node.inputs[0]])
    return hw.MatVec(
        node.weights,
        pe=folding.pe,
        simd=folding.simd,
        activation=shape_of(x.format),
        accumulator=shape_of(node.output.format),
        bipolar_activation=x.format.bipolar,
        activation_range=(lo.min(axis=0), hi.max(axis=0)),
        bias=node.bias,
        memory=folding.memory,
        groups=node.groups,
    )


def _depthwise(graph: Graph, node: Node, folding: Folding) -> Component:
    assert isinstance(node, Conv)
    (x,) = operands(graph, node)
    return hw.Depthwise(
        node.weights[..., 0], x.shape[:-1], lanes=folding.pe, activation=shape_of(x.format),
        accumulator=shape_of(node.output.format), stride=node.stride, dilation=node.dilation,
        bipolar_activation=x.format.bipolar, bias=node.bias, memory=folding.memory,
        sum_range=channel_ranges(value_ranges(graph)[node.name]),
    )


def _window(graph: Graph, node: Node, folding: Folding) -> Component:
    assert isinstance(node, Window)
    (x,) = operands(graph, node)
    return hw.Window(x.shape[:-1], x.shape[-1], lanes=folding.pe, element=shape_of(x.format), kernel=node.kernel,
                     stride=node.stride, dilation=node.dilation, groups=node.groups)


def _patch_window(graph: Graph, node: Node, folding: Folding) -> Component:
    assert isinstance(node, Window)
    (x,) = operands(graph, node)
    return hw.PatchWindow(x.shape[:-1], x.shape[-1], element=shape_of(x.format), kernel=node.kernel,
                          stride=node.stride, dilation=node.dilation)


def _pool(graph: Graph, node: Node, folding: Folding) -> Component:
    assert isinstance(node, Pool)
    (x,) = operands(graph, node)
    return hw.Pool(node.kind, x.shape[:-1], x.shape[-1], lanes=folding.pe, input=shape_of(x.format),
                   output=shape_of(node.output.format), kernel=node.kernel, stride=node.stride,
                   bipolar=x.format.bipolar, sum_range=_ends(graph, node.name) if node.kind == "sum" else None)


def _global_pool(graph: Graph, node: Node, folding: Folding) -> Component:
    assert isinstance(node, Pool)
    (x,) = operands(graph, node)
    return hw.GlobalPool(node.kind, x.shape[:-1], x.shape[-1], lanes=folding.pe, input=shape_of(x.format),
                         output=shape_of(node.output.format), bipolar=x.format.bipolar,
                         sum_range=_ends(graph, node.name) if node.kind == "sum" else None)


def _pad(graph: Graph, node: Node, folding: Folding) -> Component:
    assert isinstance(node, Pad)
    (x,) = operands(graph, node)
    # Where the output is bipolar too, its bits pass through, and the border's value is a bit.
    widens = x.format.bipolar and not node.output.format.bipolar
    value = (node.value + 1) // 2 if node.output.format.bipolar else node.value
    return hw.Pad(x.shape[:-1], x.shape[-1], lanes=folding.pe, input=shape_of(x.format),
                  output=shape_of(node.output.format), padding=node.padding, value=value, bipolar=widens)


def _upsample(graph: Graph, node: Node, folding: Folding) -> Component:
    assert isinstance(node, Upsample)
    (x,) = operands(graph, node)
    return hw.Upsample(x.shape[:-1], x.shape[-1], lanes=folding.pe, element=shape_of(x.format), factors=node.factors)


def _depth_to_space(graph: Graph, node: Node, folding: Folding) -> Component:
    assert isinstance(node, DepthToSpace)
    (x,) = operands(graph, node)
    return hw.DepthToSpace(x.shape[:-1], x.shape[-1], lanes=folding.pe, element=shape_of(x.format), block=node.block,
                           mode=node.mode)


def _add(graph: Graph, node: Node, folding: Folding) -> Component:
    assert isinstance(node, Add)
    a, b = operands(graph, node)
    m = node.multipliers
    return hw.Add(a.shape[-1], lanes=folding.pe, inputs=(shape_of(a.format), shape_of(b.format)),
                  bipolar=(a.format.bipolar, b.format.bipolar), multipliers=(m[0], m[1]),
                  output=shape_of(node.output.format),
                  ranges=(_ends(graph, node.inputs[0]), _ends(graph, node.inputs[1])),
                  sum_range=_ends(graph, node.name))


def _concat(graph: Graph, node: Node, folding: Folding) -> Component:
    tensors = operands(graph, node)
    return hw.Concat(tuple(x.shape[-1] for x in tensors), lanes=folding.pe,
                     inputs=tuple(shape_of(x.format) for x in tensors),
                     bipolar=tuple(x.format.bipolar for x in tensors), output=shape_of(node.output.format),
                     output_bipolar=node.output.format.bipolar)


def _threshold(graph: Graph, node: Node, folding: Folding) -> Component:
    assert isinstance(node, Threshold)
    (x,) = operands(graph, node)
    if x.format.bipolar:
        raise RequestError(f"node {node.name!r}: a threshold of bipolar values does nothing; leave it out")
    return hw.Threshold(node.thresholds, channels=x.shape[-1], lanes=folding.pe, input=shape_of(x.format),
                        output=shape_of(node.output.format), y_min=node.y_min, y_step=node.y_step,
                        memory=folding.memory)


def _threshold_search(graph: Graph, node: Node, folding: Folding) -> Component:
    assert isinstance(node, Threshold)
    (x,) = operands(graph, node)
    return hw.ThresholdSearch(node.thresholds, channels=x.shape[-1], lanes=folding.pe, input=shape_of(x.format),
                              output=shape_of(node.output.format), y_min=node.y_min, memory=folding.memory)


def _requantizer(graph: Graph, node: Node, folding: Folding) -> Component:
    assert isinstance(node, Requantize)
    (x,) = operands(graph, node)
    return hw.Requantizer(node.multiplier, node.offset, channels=x.shape[-1], lanes=folding.pe,
                          input=shape_of(x.format), output=shape_of(node.output.format), shift=node.shift,
                          y_min=node.y_min, y_max=node.y_max, memory=folding.memory)


def _table(graph: Graph, node: Node, folding: Folding) -> Component:
    assert isinstance(node, Table)
    (x,) = operands(graph, node)
    return hw.Table(node.table, channels=x.shape[-1], lanes=folding.pe, input=shape_of(x.format),
                    output=shape_of(node.output.format), x_min=node.x_min, bipolar_input=x.format.bipolar,
                    bipolar_output=node.output.format.bipolar, memory=folding.memory)


def _argmax(graph: Graph, node: Node, folding: Folding) -> Component:
    (x,) = operands(graph, node)
    return hw.ArgMax(x.shape[-1], lanes=folding.simd, input=shape_of(x.format))


_MAKERS: dict[str, Callable[[Graph, Node, Folding], Component]] = {
    "MatVec": _matvec, "Depthwise": _depthwise, "Window": _window, "PatchWindow": _patch_window, "Pool": _pool,
    "GlobalPool": _global_pool, "Pad": _pad, "Upsample": _upsample, "DepthToSpace": _depth_to_space, "Add": _add,
    "Concat": _concat, "Threshold": _threshold, "ThresholdSearch": _threshold_search, "Requantizer": _requantizer,
    "Table": _table, "ArgMax": _argmax,
}
