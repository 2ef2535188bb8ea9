# amaranth: UnusedElaboratable=no
"""Instances: the template instance that computes a node with a given folding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from amaranth.lib.wiring import Component

from bitloom import RequestError, hw
from bitloom.quant import (
    Add,
    Conv,
    DepthToSpace,
    Graph,
    MatMul,
    Node,
    Pad,
    Pool,
    Requantize,
    Table,
    Threshold,
    Upsample,
    Window,
)

from .families import Family
from .mapping import Folding, operands, shape_of, templates
from .passes.ranges import channel_ranges, value_ranges
from .reasons import why_not


def unit(graph: Graph, node: Node, folding: Folding, family: Family) -> Component:
    """The template instance that computes ``node`` of ``graph`` with this folding on a device of ``family``."""
    names = templates(graph, node, family)
    template = folding.template or names[0]
    if template not in names:
        raise RequestError(f"layers.{node.name}.template must be {' or '.join(names)}, not {template!r} "
                           f"({why_not(graph, node, template)})")
    if isinstance(node, MatMul):
        return _matvec(graph, node, replace(folding, template=template), family)
    return _MAKERS[template](graph, node, folding)


def _ends(graph: Graph, name: str) -> tuple[int, int]:
    """The least and the greatest value of any element of ``name``."""
    lo, hi = value_ranges(graph)[name]
    return int(lo.min()), int(hi.max())


def _matvec(graph: Graph, node: MatMul, folding: Folding, family: Family) -> Component:
    """The engine that ``folding`` names."""
    (x,) = operands(graph, node)
    lo, hi = (bound.reshape(-1, x.shape[-1]) for bound in value_ranges(graph)[node.inputs[0]])
    common: dict[str, Any] = {
        "pe": folding.pe, "simd": folding.simd, "activation": shape_of(x.format),
        "accumulator": shape_of(node.output.format), "bipolar_activation": x.format.bipolar,
        "activation_range": (lo.min(axis=0), hi.max(axis=0)), "bias": node.bias, "memory": folding.memory,
    }  # fmt: skip
    if folding.template == "TableMatVec":
        tables = "auto" if family.lut_memory else "registers"
        return hw.TableMatVec(node.weights, group=folding.group, tables=folding.tables,
                              table_memory=tables, **common)
    if folding.template == "PackedMatVec":
        return hw.PackedMatVec(node.weights, device=family.multiplier, **common)
    if folding.template == "BitSerialMatVec":
        return hw.BitSerialMatVec(node.weights, **common)
    folded = folding.pe * folding.simd * node.groups < node.weights.size
    popcount = folded and x.format.bipolar and bool(np.all(np.abs(node.weights) == 1))
    return hw.MatVec(node.weights, groups=node.groups, tree="compressor" if popcount else "balanced", **common)


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
                          y_min=node.y_min, y_max=node.y_max, memory=folding.memory, late=node.late)


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
    "Depthwise": _depthwise, "Window": _window, "PatchWindow": _patch_window, "Pool": _pool,
    "GlobalPool": _global_pool, "Pad": _pad, "Upsample": _upsample, "DepthToSpace": _depth_to_space, "Add": _add,
    "Concat": _concat, "Threshold": _threshold, "ThresholdSearch": _threshold_search, "Requantizer": _requantizer,
    "Table": _table, "ArgMax": _argmax,
}
