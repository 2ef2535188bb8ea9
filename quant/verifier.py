"""The rules of a well-formed integer graph, checked after every pass."""

from __future__ import annotations

import numpy as np

from .formats import Format
from .graph import ArgMax, Graph, GraphError, Input, MatMul, Node, Tensor, Threshold


def verify(graph: Graph) -> Graph:
    """Check every rule of the integer graph and return it unchanged; :class:`GraphError` names what breaks which."""
    known: dict[str, Tensor] = {}
    inputs = 0
    for node in graph:
        if node.name in known:
            raise GraphError(f"node {node.name!r}: names must be unique, and this one occurs twice")
        if not node.output.shape or any(d < 1 for d in node.output.shape):
            raise GraphError(f"node {node.name!r}: every dimension must be at least 1, not {node.output.shape}")
        for name in node.inputs:
            if name not in known:
                raise GraphError(f"node {node.name!r}: reads {name!r}, which no earlier node computes")
        _arity(node, 0 if isinstance(node, Input) else 1)
        inputs += isinstance(node, Input)
        if node.inputs:
            _check_operator(node, known[node.inputs[0]])
        known[node.name] = node.output
    if inputs != 1:
        raise GraphError(f"graph {graph.name!r}: must have exactly one input, not {inputs}")
    if graph.output not in known:
        raise GraphError(f"graph {graph.name!r}: its output {graph.output!r} is not one of its nodes")
    if graph.classes and isinstance(graph[graph.output], ArgMax):
        scores = known[graph[graph.output].inputs[0]].shape[-1]
        if len(graph.classes) != scores:
            raise GraphError(f"graph {graph.name!r}: {len(graph.classes)} class names for {scores} scores")
    return graph


def _arity(node: Node, expected: int) -> None:
    if len(node.inputs) != expected:
        raise GraphError(f"node {node.name!r}: {node.op} takes {expected} inputs, not {len(node.inputs)}")


def _check_operator(node: Node, x: Tensor) -> None:
    y = node.output
    if isinstance(node, MatMul):
        if node.weights.ndim != 2 or 0 in node.weights.shape:
            raise GraphError(f"node {node.name!r}: weights must have shape (outputs, inputs), not {node.weights.shape}")
        outputs, inputs = node.weights.shape
        if x.shape != (inputs,) or y.shape != (outputs,):
            raise GraphError(f"node {node.name!r}: weights {node.weights.shape} do not map {x.shape} to {y.shape}")
        if not node.weight_format.holds(node.weights):
            raise GraphError(f"node {node.name!r}: weights must lie in {node.weight_format}, "
                             f"and {node.weights.min()} to {node.weights.max()} occur")
        if node.bias is not None and node.bias.shape != (outputs,):
            raise GraphError(f"node {node.name!r}: bias must have shape ({outputs},), not {node.bias.shape}")
    elif isinstance(node, Threshold):
        rows = node.thresholds
        if rows.ndim != 2 or rows.shape[0] not in (1, x.shape[-1]):
            raise GraphError(f"node {node.name!r}: thresholds must have shape ({x.shape[-1]} or 1, levels), "
                             f"not {rows.shape}")
        if np.any(np.diff(rows, axis=1) < 0):
            raise GraphError(f"node {node.name!r}: each row of thresholds must be in ascending order")
        top = node.y_min + node.y_step * rows.shape[1]
        if node.y_step < 1 or not y.format.holds(np.array([node.y_min, top])):
            raise GraphError(f"node {node.name!r}: outputs {node.y_min} to {top} do not fit {y.format}")
        if x.shape != y.shape:
            raise GraphError(f"node {node.name!r}: a threshold keeps the shape, {x.shape} is not {y.shape}")
    elif isinstance(node, ArgMax):
        if y.shape != (1,) or y.format != Format.of_range(0, x.shape[-1] - 1):
            raise GraphError(f"node {node.name!r}: the index of {x.shape[-1]} scores is "
                             f"{Format.of_range(0, x.shape[-1] - 1)}[1], not {y}")
    elif isinstance(node, Input):
        pass
    else:
        raise GraphError(f"node {node.name!r}: unknown operator {node.op}")
