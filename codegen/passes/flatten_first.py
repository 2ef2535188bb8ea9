"""A flattening goes before functions that treat all channels alike: more lanes to work on."""

from __future__ import annotations

from dataclasses import replace

from bitloom.quant import Graph, Node, Requantize, Reshape, Table, Tensor, Threshold

from .rewrite import updated


def flatten_first(graph: Graph) -> Graph:
    """Move a reshape that alone reads a function with one row of constants before it, where that gives more channels.

    A unit's lanes divide the channels: an image of one channel is one pixel per cycle, its flattened pixels any number.
    After: no such pair is left.
    """
    while (swapped := _swap_one(graph)) is not None:
        graph = swapped
    return graph


def _swap_one(graph: Graph) -> Graph | None:
    for reshape in graph:
        if isinstance(reshape, Reshape) and reshape.inputs[0] != graph.output:
            function = graph[reshape.inputs[0]]
            more = reshape.output.shape[-1] > function.output.shape[-1]
            if more and _alike(function) and len(graph.users(function.name)) == 1:
                return _swapped(graph, function, reshape)
    return None


def _alike(node: Node) -> bool:
    """Whether ``node`` is an elementwise function that is the same for every channel."""
    if isinstance(node, Threshold):
        return len(node.thresholds) == 1
    if isinstance(node, Requantize):
        return len(node.multiplier) == len(node.offset) == 1 and (node.late is None or len(node.late) == 1)
    return isinstance(node, Table) and len(node.table) == 1


def _swapped(graph: Graph, function: Node, reshape: Reshape) -> Graph:
    x, shape = graph[function.inputs[0]].output, reshape.output.shape
    first = replace(reshape, inputs=function.inputs, output=Tensor(shape, x.format))
    second = replace(function, inputs=(reshape.name,), output=replace(function.output, shape=shape))
    nodes: list[Node] = []
    for node in graph:
        if node.name == function.name:
            nodes += [first, second]
        elif node.name != reshape.name:
            inputs = tuple(function.name if name == reshape.name else name for name in node.inputs)
            nodes.append(updated(node, inputs=inputs))
    return graph.with_nodes(nodes, function.name if graph.output == reshape.name else graph.output)
