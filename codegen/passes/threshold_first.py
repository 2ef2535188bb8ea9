"""Functions go before what holds their operands in buffers."""

from __future__ import annotations

from dataclasses import replace

from bitloom.quant import Graph, Node, Pool, Requantize, Table, Tensor, Threshold, Upsample

from .ranges import value_ranges
from .rewrite import updated
from .staircase import as_threshold


def threshold_first(graph: Graph) -> Graph:
    """Move a function that alone reads a maximum pooling or an upsampling before it, where its outputs are narrower.

    f(max(x)) = max(f(x)) for each f that never falls; repeated values may be computed before as well as after. After:
    the windows and repeated rows of such pairs hold the outputs of the function.
    """
    while (swapped := _swap_one(graph)) is not None:
        graph = swapped
    return graph


def _swap_one(graph: Graph) -> Graph | None:
    for mover in graph:
        readers = graph.users(mover.name)
        if isinstance(mover, Pool | Upsample) and len(readers) == 1 and mover.name != graph.output:
            function = readers[0]
            if isinstance(function, Threshold | Requantize | Table) and _goes_first(graph, mover, function):
                return _swapped(graph, mover, function)
    return None


def _goes_first(graph: Graph, mover: Pool | Upsample, function: Threshold | Requantize | Table) -> bool:
    before, after = mover.output.format, function.output.format
    if isinstance(mover, Upsample):
        return after.bits <= before.bits
    if mover.kind != "max" or after.bits >= before.bits:
        return False
    if isinstance(function, Table):
        return as_threshold(function, value_ranges(graph)[mover.inputs[0]]) is not None
    return True


def _swapped(graph: Graph, mover: Node, function: Node) -> Graph:
    x = graph[mover.inputs[0]].output
    first = replace(function, inputs=mover.inputs, output=replace(function.output, shape=x.shape))
    moved = Tensor(mover.output.shape, function.output.format, function.output.scale)
    second = replace(mover, inputs=(function.name,), output=moved)
    nodes: list[Node] = []
    for node in graph:
        if node.name == mover.name:
            nodes += [first, second]
        elif node.name != function.name:
            inputs = tuple(mover.name if name == function.name else name for name in node.inputs)
            nodes.append(updated(node, inputs=inputs))
    return graph.with_nodes(nodes, mover.name if graph.output == function.name else graph.output)
