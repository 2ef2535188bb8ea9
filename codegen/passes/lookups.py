"""Embeddings: a lookup becomes a copy of each token for every column, and a table of each column."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bitloom.quant import Format, Graph, Lookup, MatMul, Node, Table, Tensor


def lookups(graph: Graph) -> Graph:
    """Replace each lookup by a one-hot product and a table. After: no lookups remain.

    The table keeps the lookup's name; the product is named after it. Rows beyond the last one repeat it, as far as the
    tokens' format goes.
    """
    nodes: list[Node] = []
    names = {node.name for node in graph}
    for node in graph:
        if isinstance(node, Lookup):
            copies = _copies(node, graph[node.inputs[0]].output, names)
            names.add(copies.name)
            nodes.append(copies)
            node = _table(node, copies)
        nodes.append(node)
    return graph.with_nodes(nodes)


def _copies(node: Lookup, x: Tensor, names: set[str]) -> MatMul:
    """Each token once for every column."""
    tokens, columns = x.shape[-1], node.table.shape[1]
    name = f"{node.name}_copies"
    while name in names:
        name += "_"
    output = replace(x, shape=(*x.shape[:-1], tokens * columns), scale=())
    return MatMul(name, node.inputs, output, np.repeat(np.eye(tokens, dtype=np.int64), columns, axis=0), Format(1))


def _table(node: Lookup, copies: MatMul) -> Table:
    """The row of each token that there is, column by column."""
    tokens = copies.weights.shape[1]
    rows = node.table[np.minimum(np.arange(copies.output.format.hi + 1), len(node.table) - 1)]
    return Table(node.name, (copies.name,), node.output, np.tile(rows.T, (tokens, 1)), 0)
