"""Dead code removal."""

from __future__ import annotations

from bitloom.quant import Graph, Input


def remove_dead_nodes(graph: Graph) -> Graph:
    """Drop the nodes that the output does not depend on; the input stays. After: every node but the input is used."""
    live = {graph.output}
    for node in reversed(graph.nodes):
        if node.name in live:
            live.update(node.inputs)
    return graph.with_nodes([node for node in graph if node.name in live or isinstance(node, Input)])
