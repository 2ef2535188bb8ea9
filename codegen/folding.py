"""Folding: the ways to fold each matrix–vector unit, what each costs, and which units share its lanes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product, takewhile

from bitloom import RequestError
from bitloom.quant import Graph, MatMul, Node, Threshold

from . import cost
from .families import Family, Resources
from .mapping import Folding, shape_of

MEMORIES = ("block", "distributed")
Overrides = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class Option:
    """One way to fold one matrix–vector unit and the units that share its lanes (``members``, itself included).

    The units behind it may have fewer lanes than it: its beats are SF cycles apart, in which one lane can do the work
    of SF. ``lanes_out`` is how many they have; the link down to them is part of ``resources``.
    """

    folding: Folding
    neuron_fold: int
    synapse_fold: int
    lanes_out: int
    resources: Resources
    members: dict[str, Folding]

    @property
    def interval(self) -> int:
        """Cycles per vector, of the unit and of those behind it."""
        return self.neuron_fold * max(self.synapse_fold, self.folding.pe // self.lanes_out)

    def spread(self, pace: int) -> int:
        """Cycles from its first output beat to the last one of its group, of which one leaves each ``pace`` cycles."""
        burst = self.folding.pe // self.lanes_out
        return (self.neuron_fold - 1) * max(self.synapse_fold, burst * pace) + (burst - 1) * pace


def divisors(n: int) -> list[int]:
    """The divisors of ``n`` in ascending order."""
    return [d for d in range(1, n + 1) if n % d == 0]


def check_override(graph: Graph, name: str, override: Mapping[str, object]) -> None:
    """Refuse an override that names an unknown layer or key, or folds a unit in a way that does not divide."""
    foldable = {node.name: node for node in graph if isinstance(node, MatMul | Threshold)}
    if name not in foldable:
        near = get_close_matches(name, foldable, 1)
        raise RequestError(f"layers.{name}: the network has no such layer to fold"
                           + (f"; did you mean {near[0]!r}?" if near else f"; it has {_listed(list(foldable))}"))
    node = foldable[name]
    keys = ("pe", "simd", "memory") if isinstance(node, MatMul) else ("memory",)
    for key, value in override.items():
        if key not in keys:
            raise RequestError(f"layers.{name}: a {node.op} has the keys {_listed(list(keys))}, not {key!r}")
        if key == "memory":
            if value not in MEMORIES:
                raise RequestError(f"layers.{name}.memory must be {_listed(list(MEMORIES))}, not {value!r}")
            continue
        assert isinstance(node, MatMul)
        count, what = (node.weights.shape[0], "outputs") if key == "pe" else (node.weights.shape[1], "inputs")
        if not isinstance(value, int) or isinstance(value, bool):
            raise RequestError(f"layers.{name}.{key} must be a whole number, not {value!r}")
        if value < 1 or count % value:
            raise RequestError(f"layers.{name}.{key} must divide the {count} {what}, not {value} "
                               f"(use {_listed(divisors(count))})")


def _listed(values: Sequence[object]) -> str:
    words = [str(v) for v in values]
    return ", ".join(words[:-1]) + " or " + words[-1] if len(words) > 1 else words[0]


def options(graph: Graph, node: MatMul, family: Family, overrides: Overrides) -> list[Option]:
    """Every folding of ``node`` that divides and respects ``overrides``, with the predicted cost of its group.

    Each unit of the group takes the memory that costs less area for its constants. Those behind have either PE lanes or
    the fewest that keep the pace.
    """
    outputs, inputs = node.weights.shape
    override = overrides.get(node.name, {})
    found = []
    for pe, simd, memory in product(divisors(outputs), divisors(inputs), MEMORIES):
        chosen = {"pe": pe, "simd": simd, "memory": memory}
        if any(chosen[key] != value for key, value in override.items()):
            continue
        if outputs == pe and inputs == simd and memory == "block" and "memory" not in override:
            continue  # one word of constants needs no memory at all
        folding = Folding(pe, simd, memory)
        own = cost.estimate(family, graph, node, folding)
        fewest = next(lanes for lanes in divisors(pe) if lanes * (inputs // simd) >= pe)
        for lanes in sorted({fewest, pe}):
            ahead, price_ahead = _members(family, graph, before(graph, node), simd, overrides)
            after, price_after = _members(family, graph, behind(graph, node), lanes, overrides)
            link = cost.link(family, pe, lanes, shape_of(node.output.format).width)
            found.append(Option(folding, outputs // pe, inputs // simd, lanes if after else pe,
                                own + price_ahead + price_after + link, {**ahead, node.name: folding, **after}))
    return found


def _members(family: Family, graph: Graph, nodes: list[Node], lanes: int,
             overrides: Overrides) -> tuple[dict[str, Folding], Resources]:
    """The foldings of ``nodes`` with that many lanes, and what they cost together."""
    members, total = {}, Resources()
    for node in nodes:
        members[node.name], price = _cheapest(family, graph, node, lanes, overrides.get(node.name, {}))
        total = total + price
    return members, total


def _cheapest(family: Family, graph: Graph, node: Node, lanes: int,
              override: Mapping[str, object]) -> tuple[Folding, Resources]:
    """The folding of a unit of ``lanes`` lanes with its constants where they cost the least, and what it costs."""
    memories = (str(override["memory"]),) if "memory" in override else MEMORIES
    candidates = [Folding(lanes, lanes, memory) for memory in memories]
    priced = [(folding, cost.estimate(family, graph, node, folding)) for folding in candidates]
    return min(priced, key=lambda pair: pair[1].area())


def before(graph: Graph, node: MatMul) -> list[Node]:
    """The units ahead of the first matrix–vector unit, which have its SIMD lanes; none for the others."""
    nodes = list(graph.nodes[1:])
    ahead = nodes[: nodes.index(node)]
    return [] if any(isinstance(member, MatMul) for member in ahead) else ahead


def behind(graph: Graph, node: MatMul) -> list[Node]:
    """The units between ``node`` and the next matrix–vector unit or the output, which take their lanes from it."""
    nodes = list(graph.nodes[1:])
    followers = nodes[nodes.index(node) + 1:]
    return list(takewhile(lambda member: not isinstance(member, MatMul), followers))
