"""Topology: how the units of a graph are joined: forks, links and their queues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import gcd, prod

import numpy as np
from amaranth.lib.wiring import Component

from bitloom.quant import Graph, Input, Node

from . import queues
from .mapping import Folding, lanes_out, shape_of, transparent, vectors
from .names import Instances, Names, is_plain, plain

OUTPUT = ""
"""The target of the link that leaves the pipeline."""


@dataclass(frozen=True)
class Link:
    """One edge: the value ``source`` with ``a`` lanes goes to port ``port`` of the unit ``target`` with ``b`` lanes.

    ``elements`` and ``bits`` are those of one sample and of one element. Elements move ``step`` = gcd(a, b) at a time.
    ``burst`` is the depth, in beats of a lanes, of the queue ahead of the width converters, ``queue`` that of the queue
    behind them, in beats of b lanes; 0 is none.
    """

    source: str
    target: str
    port: int
    a: int
    b: int
    elements: int
    bits: int
    burst: int = 0
    queue: int = 0

    @property
    def step(self) -> int:
        """Elements moved per cycle."""
        return gcd(self.a, self.b)

    @property
    def queues(self) -> list[tuple[str, int, int]]:
        """The queues: kind, depth, lanes."""
        return [(kind, depth, lanes_in) for kind, depth, lanes_in, _ in self.parts if depth]

    @property
    def parts(self) -> list[tuple[str, int, int, int]]:
        """What the link is made of, in the order of the data: kind, depth (0 for a converter), lanes in, lanes out."""
        parts = (("burst", self.burst, self.a, self.a), ("narrow", 0, self.a, self.step),
                 ("widen", 0, self.step, self.b), ("queue", self.queue, self.b, self.b))
        return [part for part in parts if part[1] or part[2] != part[3]]

    @property
    def interval(self) -> int:
        """Cycles per sample; 0 where no conversion is needed."""
        return 0 if self.a == self.b else self.elements // self.step


@dataclass(frozen=True)
class Topology:
    """The units of a graph in the order of the data, and the links between them, in the order of their targets.

    ``graph`` is lowered; ``components`` are the template instances by node name.
    """

    graph: Graph
    foldings: Mapping[str, Folding]
    links: tuple[Link, ...]

    @classmethod
    def of(cls, graph: Graph, foldings: Mapping[str, Folding]) -> Topology:
        """The topology of ``graph`` folded so, without queues."""
        links = []
        lanes = {node.name: lanes_out(node, foldings[node.name]) for node in units(graph)}
        lanes[graph.input.name] = _input_lanes(graph, foldings)
        for node in units(graph):
            for port, name in enumerate(node.inputs):
                links.append(_link(graph, name, node.name, port, lanes, foldings[node.name].simd))
        final = source_of(graph, graph.output)
        links.append(_link(graph, graph.output, OUTPUT, 0, lanes, lanes[final]))
        return cls(graph, foldings, tuple(links))

    @property
    def forks(self) -> dict[str, int]:
        """The values with several readers, and how many."""
        counts: dict[str, int] = {}
        for link in self.links:
            counts[link.source] = counts.get(link.source, 0) + 1
        return {name: count for name, count in counts.items() if count > 1}

    @cached_property
    def instances(self) -> Instances:
        """What each part is called in the circuit. Units with plain names keep them, the others get what is left."""
        names, nodes = Names(), [node.name for node in units(self.graph)]
        given = {name: names.give(name) for name in sorted(nodes, key=is_plain, reverse=True)}
        forks = {value: names.give(f"{given.get(value, plain(value))}_fork") for value in self.forks}
        parts = {(link.target, link.port, kind): names.give(
            f"{given[link.target] if link.target else 'output'}{link.port or ''}_{kind}")
            for link in self.links for kind, *_ in link.parts}
        return Instances(given, forks, parts)

    def parts(self, link: Link) -> list[tuple[str, int, int, int]]:
        """As ``link.parts``, with the name in the circuit instead of the kind."""
        names = self.instances.parts
        return [(names[link.target, link.port, kind], depth, a, b) for kind, depth, a, b in link.parts]

    @property
    def queue_names(self) -> list[str]:
        """The names in the circuit of all queues, in the order of the links."""
        return [self.instances.parts[link.target, link.port, kind] for link in self.links for kind, *_ in link.queues]

    def readers(self, source: str) -> list[Link]:
        """The links that read the value ``source``, in the order of its fork's outputs."""
        return [link for link in self.links if link.source == source]

    def into(self, target: str) -> list[Link]:
        """The links into the unit ``target``, by port."""
        return [link for link in self.links if link.target == target]

    @property
    def input_lanes(self) -> int:
        """Lanes of the pipeline's input stream."""
        return next(link.a for link in self.links if link.source == self.graph.input.name)

    @property
    def output_lanes(self) -> int:
        """Lanes of the pipeline's output stream."""
        return self.links[-1].b

    @property
    def queue_bits(self) -> int:
        """Bits that the queues hold."""
        return sum((link.burst * link.a + link.queue * link.b) * link.bits for link in self.links)

    def with_queues(self, components: Mapping[str, Component], interval: int) -> Topology:
        """The same with the queues that the interval needs; see :mod:`bitloom.codegen.queues`."""
        ways = [self._with_queues(components, interval, eager) for eager in (True, False)]
        return min(ways, key=lambda topology: topology.queue_bits)

    def _with_queues(self, components: Mapping[str, Component], interval: int, eager: bool) -> Topology:
        source = self.graph.input
        patient = source.name not in self.forks  # who feeds the pipeline can wait
        paces = self._paces(components)
        bursts: dict[str, int] = {}
        beats = prod(source.output.shape) // self.input_lanes
        emissions = {source.name: queues.even(beats, interval)}
        sized = []
        for node in units(self.graph):
            component, links, pace = components[node.name], self.into(node.name), paces[node.name]
            repeats = vectors(self.graph, node)
            own = component.interval * repeats
            bursts[node.name] = queues.burst_depth(component.control, repeats, own, interval, pace)
            pace = 1 if bursts[node.name] else pace
            ahead = [_burst(link, bursts) for link in links]
            come = [queues.converted(emissions[link.source].valid + (queues.LATENCY if burst else 0), link.a, link.b,
                                     link.step) for link, burst in zip(links, ahead)]
            queued = [False] * len(links)
            while True:
                arrivals = [times + queues.LATENCY if late else times for times, late in zip(come, queued)]
                taken, emitted = queues.run(component.control, repeats, arrivals, interval, eager, pace)
                depths = [queues.depth_needed(times, take, emissions[link.source].lag + (queues.LATENCY if late else 0),
                                              interval)
                          for times, take, link, late in zip(arrivals, taken, links, queued)]
                needed = [late or (depth > 0 and not (patient and link.source == source.name))
                          for depth, late, link in zip(depths, queued, links)]
                if needed == queued:
                    break
                queued = needed
            sized += [replace(link, burst=burst, queue=max(depth, queues.LEAST) if late else 0)
                      for link, burst, depth, late in zip(links, ahead, depths, queued)]
            emissions[node.name] = emitted
        last = self.links[-1]
        return replace(self, links=(*sized, replace(last, burst=_burst(last, bursts))))

    def _paces(self, components: Mapping[str, Component]) -> dict[str, float]:
        """Cycles from one beat of each unit to the next that the width converters behind it can take."""
        paces: dict[str, float] = {}
        through: dict[str, float] = {}
        for node in reversed(units(self.graph)):
            paces[node.name] = max(max(link.a / link.step, through.get(link.target, 0) * link.a / link.b)
                                   for link in self.readers(node.name))
            if queues.passes_beat_by_beat(components[node.name].control):
                through[node.name] = paces[node.name]
        return paces


def _burst(link: Link, bursts: Mapping[str, int]) -> int:
    """The depth of the queue ahead of the converters of ``link``."""
    depth = bursts.get(link.source, 0)
    return max(depth, queues.LEAST) if depth else 0


def units(graph: Graph) -> list[Node]:
    """The nodes that have a unit, in the order of the data."""
    return [node for node in graph if not isinstance(node, Input) and not transparent(graph, node)]


def source_of(graph: Graph, name: str) -> str:
    """The unit (or the input) whose stream carries the bits of the value ``name``."""
    node = graph[name]
    while transparent(graph, node):
        node = graph[node.inputs[0]]
    return node.name


def _input_lanes(graph: Graph, foldings: Mapping[str, Folding]) -> int:
    """The lanes of the first unit that reads the input."""
    readers = (node for node in units(graph) if graph.input.name in [source_of(graph, name) for name in node.inputs])
    return next((foldings[node.name].simd for node in readers), 1)


def _link(graph: Graph, name: str, target: str, port: int, lanes: Mapping[str, int], b: int) -> Link:
    source = source_of(graph, name)
    tensor = graph[source].output
    return Link(source, target, port, lanes[source], b, int(np.prod(tensor.shape)), shape_of(tensor.format).width)
