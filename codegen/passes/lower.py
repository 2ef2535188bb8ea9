"""Lowering: convolutions become what templates compute."""

from __future__ import annotations

from math import prod

from bitloom.quant import Conv, Graph, MatMul, Node, Reshape, Tensor, Window


def lower(graph: Graph) -> Graph:
    """Replace each convolution by windows and a matrix product over them. After: depthwise convolutions alone remain.

    A kernel of one position with stride 1 needs no windows, and one that covers the whole input sees one window, which
    is the input as it comes. The product keeps the convolution's name; what goes before it is named after it.
    """
    values = {node.name: node.output for node in graph}
    names = set(values)
    nodes: list[Node] = []
    for node in graph:
        if isinstance(node, Conv) and not (node.depthwise and node.groups > 1):
            node, patches = _lowered(node, values[node.inputs[0]], names)
            names.update(p.name for p in patches)
            nodes.extend(patches)
        nodes.append(node)
    return graph.with_nodes(nodes)


def _lowered(node: Conv, x: Tensor, names: set[str]) -> tuple[MatMul, list[Node]]:
    """The product, and what brings each window's elements in order before it, if anything."""
    one = (1,) * len(node.kernel)
    elements = prod(node.kernel) * x.shape[-1]
    scale = x.scale if len(x.scale) == 1 else ()
    before: list[Node] = []
    if node.kernel == one and node.output.shape[:-1] == x.shape[:-1]:
        pass
    elif node.kernel == x.shape[:-1] and node.groups == 1:
        flat = Tensor((*one, elements), x.format, scale)
        before.append(Reshape(_fresh(f"{node.name}_flat", names), node.inputs, flat))
    else:
        patches = Tensor((*node.output.shape[:-1], elements), x.format, scale)
        before.append(Window(_fresh(f"{node.name}_window", names), node.inputs, patches, node.kernel, node.stride,
                             node.dilation, node.groups))
    inputs = (before[-1].name,) if before else node.inputs
    rows = node.weights.reshape(len(node.weights), -1)
    return MatMul(node.name, inputs, node.output, rows, node.weight_format, node.bias, node.groups), before


def _fresh(name: str, names: set[str]) -> str:
    """``name``, with a number if the graph has it already."""
    fresh, number = name, 2
    while fresh in names:
        fresh, number = f"{name}{number}", number + 1
    return fresh
