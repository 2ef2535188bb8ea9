"""Folding: the ways to fold each matrix–vector unit, what each costs, and which units share its lanes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bitloom import RequestError
from bitloom.quant import Graph, MatMul, Node

from . import cost
from .families import Family, Resources
from .mapping import Folding

MEMORIES = ("block", "distributed")


@dataclass(frozen=True)
class Option:
    """One way to fold one matrix–vector unit, with the units that share its lanes accounted for."""

    folding: Folding
    neuron_fold: int
    synapse_fold: int
    resources: Resources

    @property
    def interval(self) -> int:
        """Cycles per vector."""
        return self.neuron_fold * self.synapse_fold


def divisors(n: int) -> list[int]:
    """The divisors of ``n`` in ascending order."""
    return [d for d in range(1, n + 1) if n % d == 0]


def check_override(node: Node, inputs: int, outputs: int, override: Mapping[str, object]) -> None:
    """Refuse an override that names an unknown key or folds a unit in a way that does not divide."""
    for key, value in override.items():
        if key == "memory":
            if value not in MEMORIES:
                raise RequestError(f"layers.{node.name}.memory must be one of {', '.join(MEMORIES)}, not {value!r}")
            continue
        if key not in ("pe", "simd"):
            raise RequestError(f"layers.{node.name}: the keys are pe, simd and memory, not {key!r}")
        count, what = (outputs, "outputs") if key == "pe" else (inputs, "inputs")
        if not isinstance(value, int) or isinstance(value, bool):
            raise RequestError(f"layers.{node.name}.{key} must be a whole number, not {value!r}")
        if value < 1 or count % value:
            raise RequestError(f"layers.{node.name}.{key} must divide the {count} {what}, not {value} "
                               f"(use {_listed(divisors(count))})")


def _listed(values: list[int]) -> str:
    words = [str(v) for v in values]
    return ", ".join(words[:-1]) + " or " + words[-1] if len(words) > 1 else words[0]


def options(graph: Graph, node: MatMul, family: Family, override: Mapping[str, object]) -> list[Option]:
    """Every folding of ``node`` that divides and respects ``override``, with its predicted cost."""
    outputs, inputs = node.weights.shape
    check_override(node, inputs, outputs, override)
    found = []
    for pe in divisors(outputs):
        for simd in divisors(inputs):
            for memory in MEMORIES:
                folding = Folding(pe, simd, memory)
                chosen = {"pe": pe, "simd": simd, "memory": memory}
                if any(chosen[key] != value for key, value in override.items()):
                    continue
                if outputs // pe * (inputs // simd) == 1 and memory == "block" and "memory" not in override:
                    continue  # one word of constants needs no memory at all
                resources = Resources()
                for name, member in foldings(graph, node, folding).items():
                    resources = resources + cost.estimate(family, graph, graph[name], member)
                found.append(Option(folding, outputs // pe, inputs // simd, resources))
    return found


def group(graph: Graph, node: MatMul) -> tuple[list[Node], list[Node]]:
    """The units that take their lanes from ``node``: those before it (the first one's only) and those behind it, up to
    the next matrix–vector unit."""
    nodes = list(graph.nodes[1:])
    at = nodes.index(node)
    first = not any(isinstance(n, MatMul) for n in nodes[:at])
    behind = []
    for follower in nodes[at + 1:]:
        if isinstance(follower, MatMul):
            break
        behind.append(follower)
    return (nodes[:at] if first else []), behind


def foldings(graph: Graph, node: MatMul, folding: Folding) -> dict[str, Folding]:
    """The foldings of ``node`` and of its :func:`group`: units before it have its SIMD lanes, those behind it its PE."""
    before, behind = group(graph, node)
    chosen = {member.name: Folding(folding.simd, folding.simd, folding.memory) for member in before}
    chosen[node.name] = folding
    chosen.update({member.name: Folding(folding.pe, folding.pe, folding.memory) for member in behind})
    return chosen
