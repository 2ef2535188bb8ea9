"""The rules of a well-formed integer graph, checked after every pass."""

from __future__ import annotations

from .graph import Graph, GraphError, Input, Node, Tensor
from .operators import OPERATORS, ArgMax

LONGEST_NAME = 10_000
"""Characters of a node's name: an archive keeps constants under it."""


def verify(graph: Graph) -> Graph:
    """Check every rule of the integer graph and return it unchanged; :class:`GraphError` names what breaks which."""
    known: dict[str, Tensor] = {}
    inputs = 0
    for node in graph:
        _name(node.name)
        if node.name in known:
            raise GraphError(f"node {node.name!r}: names must be unique, and this one occurs twice")
        if not isinstance(node, (Input, *OPERATORS)):
            node.fail(f"unknown operator {node.op}")
        if not node.output.shape or any(d < 1 for d in node.output.shape):
            raise GraphError(f"node {node.name!r}: every dimension must be at least 1, not {node.output.shape}")
        for name in node.inputs:
            if name not in known:
                raise GraphError(f"node {node.name!r}: reads {name!r}, which no earlier node computes")
        _arity(node)
        inputs += isinstance(node, Input)
        node.check(*(known[name] for name in node.inputs))
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


def _name(name: object) -> None:
    if not isinstance(name, str) or not name or not name.isprintable():
        raise GraphError(f"node {name!r:.80}: a name must be printable text of at least one character")
    if len(name) > LONGEST_NAME:
        raise GraphError(f"node {name[:60]!r}…: a name must have at most {LONGEST_NAME:,} characters, and this has "
                         f"{len(name):,}")


def _arity(node: Node) -> None:
    count, expected = len(node.inputs), node.ARITY
    if count != expected and not (expected is None and count >= 2):
        node.fail(f"{node.op} takes {'two or more' if expected is None else expected} inputs, not {count}")
