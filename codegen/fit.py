"""What a network needs beyond its budget: the units that take most of it, and what would help."""

from __future__ import annotations

from collections.abc import Mapping

from bitloom import RequestError
from bitloom.quant import Conv, Graph, MatMul, Node, Table, Threshold

from .families import Resources

_NAMED = 3
"""Units that a message names for each resource that is short."""


class FitError(RequestError):
    """No folding fits the budget. ``needed`` is the least that the network needs, ``excess`` what is too much."""

    def __init__(self, message: str, needed: Resources, excess: dict[str, float]) -> None:
        super().__init__(message)
        self.needed = needed
        self.excess = excess


def does_not_fit(graph: Graph, used: Mapping[str, Resources], needed: Resources, budget: Resources, how: str,
                 ways_out: list[str]) -> FitError:
    """The error that names what ``graph`` needs beyond ``budget``, which units take most of it, and the ways out.

    :param used: what each unit needs, by its node's name. :param needed: all that is needed, links and queues included.
    """
    excess = needed.excess(budget)
    short = "; ".join(f"{needed.rounded()[kind]:,} {kind.upper()} of {getattr(budget, kind):,.0f} allowed "
                      f"({round(amount):,} too many){_most(graph, used, kind)}"
                      for kind, amount in excess.items())
    ways = [*ways_out, *dict.fromkeys(_advice(graph, used, kind) for kind in excess), "take a larger board"]
    return FitError(f"network {graph.name!r} does not fit: it needs {how} {short or 'more in combination'}; "
                    f"{' or '.join(filter(None, ways))}", needed, excess)


def _by_size(used: Mapping[str, Resources], kind: str) -> list[tuple[str, float]]:
    """Units and how much of ``kind`` each takes, the greatest first."""
    return sorted(((name, getattr(one, kind)) for name, one in used.items()), key=lambda pair: -pair[1])


def _most(graph: Graph, used: Mapping[str, Resources], kind: str) -> str:
    """In words, which units take most of ``kind``."""
    told = [f"{_part(graph[name], kind)} ({round(amount):,})" for name, amount in _by_size(used, kind)[:_NAMED]
            if round(amount)]
    return f", most for {', '.join(told)}" if told else ""


def _part(node: Node, kind: str) -> str:
    """What of ``node`` takes ``kind``."""
    if kind == "bram" and isinstance(node, Threshold):
        return f"the thresholds of {node.name}"
    if kind == "bram" and isinstance(node, MatMul | Conv):
        return f"the weights of {node.name}"
    return f"the table of {node.name}" if kind == "bram" and isinstance(node, Table) else node.name


def _advice(graph: Graph, used: Mapping[str, Resources], kind: str) -> str:
    """What to change in the network, where one sort of unit stands out."""
    if kind != "bram" or not used:
        return ""
    node = graph[_by_size(used, kind)[0][0]]
    if isinstance(node, Threshold):
        return f"import it with --requantize fixed, or quantize {node.name} to fewer bits"
    return f"take fewer weights or bits in {node.name}" if isinstance(node, MatMul | Conv) else ""
