"""Topology: how the units of a graph are joined: forks, links and their queues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import gcd, prod

import numpy as np
from amaranth.lib.wiring import Component

from bitloom.quant import Graph, Input, Node, Reshape

from . import queues
from .mapping import Folding, lanes_out, shape_of, vectors

OUTPUT = ""
"""The target of the link that leaves the pipeline."""


@dataclass(frozen=True)
class Link:
    """One edge: the value ``source`` with ``a`` lanes goes to port ``port`` of the unit ``target`` with ``b`` lanes.

    ``elements`` and ``bits`` are those of one sample and of one element; ``queue`` is the depth in beats of a lanes, 0
    for none. Elements move ``step`` = gcd(a, b) at a time.
    """

    source: str
    target: str
    port: int
    a: int
    b: int
    elements: int
    bits: int
    queue: int = 0

    @property
    def name(self) -> str:
        """Prefix of the names of its parts: of the unit that it feeds."""
        return (self.target or "output") + (str(self.port) if self.port else "")

    @property
    def step(self) -> int:
        """Elements moved per cycle."""
        return gcd(self.a, self.b)

    @property
    def conversions(self) -> list[tuple[str, int, int]]:
        """The width converters: name, lanes in, lanes out."""
        parts = ((f"{self.name}_narrow", self.a, self.step), (f"{self.name}_widen", self.step, self.b))
        return [part for part in parts if part[1] != part[2]]

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
        return sum(link.queue * link.a * link.bits for link in self.links)

    def with_queues(self, components: Mapping[str, Component], interval: int) -> Topology:
        """The same with the queues that the interval needs; see :mod:`bitloom.codegen.queues`."""
        ways = [self._with_queues(components, interval, eager) for eager in (True, False)]
        return min(ways, key=lambda topology: topology.queue_bits)

    def _with_queues(self, components: Mapping[str, Component], interval: int, eager: bool) -> Topology:
        source = self.graph.input
        patient = source.name not in self.forks  # who feeds the pipeline can wait
        beats = prod(source.output.shape) // self.input_lanes
        emissions = {source.name: queues.even(beats, interval)}
        sized = []
        for node in units(self.graph):
            component, links = components[node.name], self.into(node.name)
            latency = [0] * len(links)
            while True:
                arrivals = [queues.converted(emissions[link.source].valid + wait, link.a, link.b, link.step)
                            for link, wait in zip(links, latency)]
                taken, emitted = queues.run(component.control, vectors(self.graph, node), arrivals, interval, eager)
                depths = [queues.depth_needed(come, take, emissions[link.source].issued, link.a, link.b)
                          for come, take, link in zip(arrivals, taken, links)]
                waits = [queues.QUEUE_LATENCY if (depth or wait) and not (patient and link.source == source.name) else 0
                         for depth, wait, link in zip(depths, latency, links)]
                if waits == latency:
                    break
                latency = waits
            sized += [replace(link, queue=max(depth, 3) if wait else 0)
                      for link, depth, wait in zip(links, depths, latency)]
            emissions[node.name] = emitted
        return replace(self, links=(*sized, self.links[-1]))


def units(graph: Graph) -> list[Node]:
    """The nodes that have a unit, in the order of the data."""
    return [node for node in graph if not isinstance(node, Input | Reshape)]


def source_of(graph: Graph, name: str) -> str:
    """The unit (or the input) whose stream carries the value ``name``: a reshape passes its operand's."""
    node = graph[name]
    while isinstance(node, Reshape):
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
