"""The network of choices: each unit's options and what each link between them costs, less what is never best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from functools import cached_property
from math import ceil, gcd, prod

import numpy as np

from bitloom.quant import ArgMax, Conv, Graph, Input, MatMul, Node, Pool, Window

from . import cost
from .families import AREA_WEIGHTS, Family, Resources
from .mapping import Folding, elements, shape_of, vectors
from .options import Option, Overrides, options
from .topology import source_of, units

KINDS = tuple(f.name for f in fields(Resources))
SCALE = 16
"""Fractions of a LUT that the solver, which knows integers only, tells apart."""

NEVER = 1 << 40
"""What a link costs that cannot be."""


def scaled(resources: Resources) -> list[int]:
    """The counts as the solver's integers, rounded up."""
    return [ceil(getattr(resources, kind) * SCALE) for kind in KINDS]


@dataclass(frozen=True, eq=False)
class Unit:
    """One unit and its options (the input counts as one, with its reader's lanes). Arrays have a row per option.

    ``share`` is how much of a sample it has read before its first result comes; ``outputs`` are elements per sample.
    """

    name: str
    options: tuple[Option, ...]
    share: Fraction
    outputs: int

    @cached_property
    def used(self) -> np.ndarray:
        """Resources, as :func:`scaled`."""
        return np.array([scaled(o.resources) for o in self.options], dtype=np.int64).reshape(-1, len(KINDS))

    @cached_property
    def times(self) -> np.ndarray:
        """Cycles per sample, of depth, and from the first output beat of a sample to its last."""
        rows = [(o.interval, o.depth, self.spread(o)) for o in self.options]
        return np.array(rows, dtype=np.int64).reshape(-1, 3)

    def spread(self, option: Option) -> int:
        """Cycles from the first output beat of a sample to its last."""
        return option.interval - ceil(option.interval * option.lanes_out / self.outputs)

    @property
    def lanes_in(self) -> list[int]:
        """Input lanes of each option."""
        return [o.folding.simd for o in self.options]

    @property
    def lanes_out(self) -> list[int]:
        """Output lanes of each option."""
        return [o.lanes_out for o in self.options]

    def only(self, kept: np.ndarray) -> Unit:
        """The same with the options of the mask ``kept`` alone."""
        return self if kept.all() else replace(self, options=tuple(o for o, k in zip(self.options, kept) if k))


@dataclass(frozen=True, eq=False)
class Edge:
    """A link from the unit number ``source`` to ``target``, for each pair of lanes that they may have.

    ``same`` says that the lanes must be equal (the pipeline's input takes those of its first reader).
    """

    source: int
    target: int
    elements: int
    bits: int
    same: bool = False

    def cycles(self, a: int, b: int) -> int:
        """Cycles per sample; :data:`NEVER` where the two do not go together."""
        if a == b:
            return 0
        return NEVER if self.same else self.elements // gcd(a, b)

    def times(self, a: int, b: int) -> tuple[int, int, int, int]:
        """Cycles per sample; the delay of a beat; how much later its last element is than its first; how long the first
        beat of b lanes waits for its last element."""
        step = gcd(a, b)
        return self.cycles(a, b), (a > step) + (b > step), a // step - 1, b // step - 1

    def costs(self, family: Family, a: Sequence[int], b: Sequence[int]) -> np.ndarray:
        """For each pair of lanes a row of resources and of :meth:`times`: (len(a), len(b), kinds + 4)."""
        table = np.zeros((len(a), len(b), len(KINDS) + 4), dtype=np.int64)
        for i, x in enumerate(a):
            for j, y in enumerate(b):
                table[i, j] = (*scaled(cost.link(family, x, y, self.bits)), *self.times(x, y))
        return table


@dataclass(frozen=True, eq=False)
class Network:
    """The input and the units in the order of the data, and the links between them."""

    family: Family
    units: tuple[Unit, ...]
    edges: tuple[Edge, ...]

    @classmethod
    def of(cls, graph: Graph, family: Family, overrides: Overrides, *, limit: int | None = None,
           budget: Resources | None = None, idle: int | None = None) -> Network:
        """The choices that ``graph`` leaves under ``overrides``; the rest as in :func:`options`."""
        nodes = units(graph)
        names = [graph.input.name, *(node.name for node in nodes)]
        edges = [Edge(names.index(source), target, elements(graph, source), shape_of(graph[source].output.format).width)
                 for target, node in enumerate(nodes, start=1)
                 for source in (source_of(graph, name) for name in node.inputs)]
        entry = next(index for index, edge in enumerate(edges) if edge.source == 0)
        edges[entry] = replace(edges[entry], same=True)
        found = [options(graph, node, family, overrides.get(node.name, {}), limit=limit, budget=budget, idle=idle)
                 for node in nodes]
        choices = [_input_options(graph, found[edges[entry].target - 1]), *found]
        parts = []
        for index, (node, chosen) in enumerate(zip([graph.input, *nodes], choices)):
            copies = sum(edge.source == index for edge in edges) + (node.name == source_of(graph, graph.output))
            if copies > 1:
                chosen = [_forked(family, option, shape_of(node.output.format).width, copies) for option in chosen]
            parts.append(Unit(node.name, tuple(chosen), share(graph, node), elements(graph, node.name)))
        return cls(family, tuple(parts), tuple(edges))

    @property
    def possible(self) -> bool:
        """Whether each unit has an option left."""
        return all(unit.options for unit in self.units)

    def total(self, picked: Sequence[Option]) -> Resources:
        """What the options ``picked``, one per unit, need with the links between them."""
        total = Resources()
        for option in picked:
            total = total + option.resources
        for edge in self.edges:
            a, b = picked[edge.source].lanes_out, picked[edge.target].folding.simd
            total = total + cost.link(self.family, a, b, edge.bits)
        return total

    def interval(self, picked: Sequence[Option]) -> int:
        """Cycles per sample of the options ``picked``, one per unit, and of the links between them."""
        links = [edge.cycles(picked[edge.source].lanes_out, picked[edge.target].folding.simd) for edge in self.edges]
        return max([option.interval for option in picked] + links)

    def latency(self, picked: Sequence[Option]) -> Fraction:
        """Cycles to the first output beat by the longest path through the options ``picked``, one per unit."""
        first = [Fraction(0)] * len(picked)
        spread = [Fraction(unit.spread(option)) for unit, option in zip(self.units, picked)]
        for edge in self.edges:
            unit, option = self.units[edge.target], picked[edge.target]
            a, b = picked[edge.source].lanes_out, option.folding.simd
            cycles, delay, burst, wait = edge.times(a, b)
            arrival = max(spread[edge.source] + burst, Fraction(cycles - 1))
            start = first[edge.source] + option.depth + delay
            first[edge.target] = max(first[edge.target], start + wait, start + unit.share * arrival)
            spread[edge.target] = max(spread[edge.target], (1 - unit.share) * arrival)
        return first[-1]

    def within(self, interval: int | None) -> Network:
        """The same without the options that take more cycles per sample."""
        if interval is None:
            return self
        return replace(self, units=tuple(unit.only(unit.times[:, 0] <= interval) for unit in self.units))

    def exceeds(self, budget: Resources) -> bool:
        """Whether even the least of each resource is above ``budget``, link or no link."""
        least = np.sum([unit.used.min(axis=0) for unit in self.units], axis=0)
        return any(amount > getattr(budget, kind) * SCALE for kind, amount in zip(KINDS, least))

    def intervals(self) -> list[int]:
        """Every interval that the pipeline can have with these options, in ascending order."""
        found = {int(cycles) for unit in self.units for cycles in unit.times[:, 0]}
        for edge in self.edges:
            pairs = {gcd(a, b) for a in set(self.units[edge.source].lanes_out)
                     for b in set(self.units[edge.target].lanes_in) if a != b}
            found |= {edge.elements // step for step in pairs}
        return sorted(found)

    def scarce(self, budget: Resources | None) -> np.ndarray:
        """What must be looked at in resources: their area, and each kind of which there may be too little.

        One column each, to multiply rows of resources with.
        """
        columns = [np.array([getattr(AREA_WEIGHTS, kind) for kind in KINDS])]
        if budget is not None:
            most = np.sum([unit.used.max(axis=0) for unit in self.units], axis=0)
            for edge in self.edges:
                lanes = self.units[edge.source].lanes_out, self.units[edge.target].lanes_in
                links = edge.costs(self.family, *(sorted(set(ends)) for ends in lanes))
                most = most + links[:, :, : len(KINDS)].max(axis=(0, 1))
            columns += [row for row, kind, amount in zip(np.eye(len(KINDS)), KINDS, most)
                        if amount > getattr(budget, kind) * SCALE]
        return np.stack(columns, axis=1)

    def pruned(self, limit: int | None, timed: bool, scarce: np.ndarray | None = None) -> Network:
        """The same without options that another one of the unit can stand in for at no cost, whatever the rest is.

        :param limit: cycles per sample that no link may exceed. :param timed: whether intervals and delays count too.
        :param scarce: which resources count, see :meth:`scarce`; None for each.
        """
        if not self.possible:
            return self
        scarce = np.eye(len(KINDS)) if scarce is None else scarce
        kinds = scarce.shape[1]
        parts = list(self.units)
        for index, unit in enumerate(parts):
            used = unit.used @ scarce
            more = used[:, None] - used[None]  # what option i takes more than option j
            covers = (unit.times[:, None] <= unit.times[None]).all(axis=2) | (not timed)
            for edge in self.edges:
                if index in (edge.source, edge.target):
                    worst = self._worst(edge, parts, index, limit, scarce)
                    more = more + worst[:, :, :kinds]
                    covers &= (worst[:, :, kinds:] <= 0).all(axis=2) | (not timed)
            covers &= (more <= 0).all(axis=2)
            order = np.arange(len(unit.options))
            first = order[:, None] < order[None]
            parts[index] = unit.only(~(covers & (~covers.T | first)).any(axis=0))
        return replace(self, units=tuple(parts))

    def _worst(self, edge: Edge, parts: list[Unit], index: int, limit: int | None, scarce: np.ndarray) -> np.ndarray:
        """By how much the link ``edge`` can cost more with option i than with option j of unit ``index``.

        Lanes at the other end count where option j may have them; where i may not, that is :data:`NEVER`.
        """
        outgoing = index == edge.source
        unit, other = parts[index], parts[edge.target if outgoing else edge.source]
        lanes, place = np.unique(unit.lanes_out if outgoing else unit.lanes_in, return_inverse=True)
        others = sorted(set(other.lanes_in if outgoing else other.lanes_out))
        if outgoing:
            table = edge.costs(self.family, lanes.tolist(), others)
        else:
            table = edge.costs(self.family, others, lanes.tolist()).transpose(1, 0, 2)
        possible = table[:, :, len(KINDS)] <= (NEVER - 1 if limit is None else limit)
        table = np.concatenate([table[:, :, : len(KINDS)] @ scarce, table[:, :, len(KINDS) :]], axis=2)
        difference = table[:, None] - table[None]  # (i, j, other, what)
        difference = np.where(possible[:, None, :, None], difference, NEVER)
        difference = np.where(possible[None, :, :, None], difference, -NEVER)
        return difference.max(axis=2)[np.ix_(place, place)]


def share(graph: Graph, node: Node) -> Fraction:
    """How much of its operand a unit has read before its first result is complete: all of it, one window, nothing."""
    if isinstance(node, Input):
        return Fraction(0)
    shape = graph[node.inputs[0]].output.shape
    if isinstance(node, Window | Pool | Conv):
        width = shape[-2]
        kernel, dilation = node.kernel, node.dilation
        rows = dilation[0] * (kernel[0] - 1) * width if len(kernel) > 1 else 0
        return Fraction(rows + dilation[-1] * (kernel[-1] - 1) + 1, prod(shape[:-1]))
    return Fraction(1, vectors(graph, node)) if isinstance(node, MatMul | ArgMax) else Fraction(0)


def _input_options(graph: Graph, readers: Sequence[Option]) -> list[Option]:
    count = elements(graph, graph.input.name)
    return [Option(Folding(lanes, lanes), lanes, count // lanes, 0, Resources())
            for lanes in sorted({o.folding.simd for o in readers})]


def _forked(family: Family, option: Option, bits: int, copies: int) -> Option:
    return replace(option, resources=option.resources + cost.fork(family, option.lanes_out * bits, copies))
