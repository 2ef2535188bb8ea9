"""The plan: which template serves each node, how it is folded, and what follows from that."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from math import prod

from amaranth.lib.wiring import Component

from bitloom.quant import Graph, Tensor

from . import cost, schedule
from .families import Family, Resources
from .instances import unit
from .mapping import Folding, elements, lanes_out, templates, vectors
from .topology import OUTPUT, Link, Topology, units

SETTLED = 8
"""Samples after which a pipeline runs as it will go on."""


@dataclass(frozen=True)
class Stage:
    """One unit of the pipeline: the node it computes, its template and folding, its closed forms and its cost.

    ``interval`` is in cycles per sample, ``latency`` from the unit's first input beat to its first output beat, both
    when nothing else limits it.
    """

    name: str
    template: str
    folding: Folding
    inputs: int
    outputs: int
    lanes_out: int
    interval: int
    latency: int
    component: Component = field(compare=False, repr=False)
    family: Family

    @property
    def memories(self) -> str:
        """Its tables and where its constants live, in words: ``weights 1,024×12 block``."""
        kinds: dict[str, list[str]] = {}
        for path, rom in self.component.roms().items():
            where = "constants" if rom.depth == 1 else rom.memory
            kinds.setdefault(f"{rom.depth:,}×{rom.width} {where}", []).append(path)
        tables = f"{self.folding.tables} tables of {self.folding.group} inputs, " if self.folding.tables else ""
        return tables + ", ".join(f"{paths[0]} {kind}" if len(paths) == 1 else f"{len(paths)} of {kind}"
                                  for kind, paths in kinds.items())

    @cached_property
    def predicted(self) -> Resources:
        """What it will need: estimated, nothing more."""
        return cost.predict(self.family, self.component)



@dataclass(frozen=True)
class Plan:
    """A graph, a family and a folding per node: everything that the accelerator is made from.

    ``graph`` is the graph after the passes. ``stages`` are in the order of the data. What travels over the streams of
    the circuit is said here alone (``input``, ``output``): the passes keep the values of the network's result and may
    give them fewer bits than the network declares. ``unproven`` says what the solver's time did not allow to prove.
    """

    graph: Graph
    family: Family
    clock_hz: float
    target: str
    foldings: dict[str, Folding] = field(default_factory=dict)
    unproven: str = ""

    @property
    def input(self) -> Tensor:
        """The type of one sample as the circuit takes it."""
        return self.graph.input.output

    @property
    def output(self) -> Tensor:
        """The type of one sample's result as the circuit gives it."""
        return self.graph[self.graph.output].output

    def units(self) -> dict[str, Component]:
        """Fresh template instances, by node name, in the order of the data."""
        return {node.name: unit(self.graph, node, self.foldings[node.name], self.family) for node in units(self.graph)}

    @cached_property
    def _components(self) -> dict[str, Component]:
        return self.units()

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """One stage per unit."""
        return tuple(self._stage(name, component) for name, component in self._components.items())

    @cached_property
    def interval(self) -> int:
        """Cycles between the starts of consecutive samples: the slowest unit's, link's or end's."""
        bare = Topology.of(self.graph, self.foldings)
        return max([stage.interval for stage in self.stages] + [link.interval for link in bare.links]
                   + [elements(self.graph, self.graph.input.name) // bare.input_lanes])

    @cached_property
    def topology(self) -> Topology:
        """Forks, links and queues."""
        return Topology.of(self.graph, self.foldings).with_queues(self._components, self.interval)

    @cached_property
    def latency(self) -> int:
        """Cycles from the first input beat of a sample to its first output beat, from idle."""
        return self.timeline(1).latency

    def timeline(self, samples: int, drain: bool = False) -> schedule.Timeline:
        """The control of the whole pipeline played until ``samples`` have begun to come out, or have drained."""
        patience = 4 * (self.interval + sum(stage.latency + stage.interval for stage in self.stages)) + 1000
        return self._pipeline().play(samples, patience, drain)

    @cached_property
    def spacing(self) -> tuple[int, int]:
        """The least and the greatest distance of consecutive samples' first results in the long run.

        Mostly the interval twice. But a rigid unit that stands still for a beat may be ahead with one sample and behind
        with the next: samples then take turns, 179 and 181 cycles apart, say, and the interval is their mean.
        """
        starts = self.timeline(2 * SETTLED).starts_out[SETTLED - 1 :]
        steps = [after - before for before, after in pairwise(starts)]
        return min(steps), max(steps)

    def paced(self, least: int, greatest: int) -> bool:
        """Whether samples whose results begin ``least`` to ``greatest`` cycles apart come as planned."""
        return least == greatest == self.interval or (least, greatest) == self.spacing

    @property
    def throughput_fps(self) -> float:
        """Samples per second at the plan's clock."""
        return self.clock_hz / self.interval

    @property
    def input_lanes(self) -> int:
        """Lanes of the accelerator's input stream."""
        return self.topology.input_lanes

    @property
    def output_lanes(self) -> int:
        """Lanes of the accelerator's output stream."""
        return self.topology.output_lanes

    @cached_property
    def predicted(self) -> Resources:
        """Predicted resources of the accelerator, links, queues and forks included (an estimate)."""
        total = Resources()
        for stage in self.stages:
            total = total + stage.predicted
        for link in self.topology.links:
            total = total + cost.link(self.family, link.a, link.b, link.bits)
            for _, depth, lanes in link.queues:
                total = total + cost.queue(self.family, depth, lanes * link.bits)
        for name, copies in self.topology.forks.items():
            reader = self.topology.readers(name)[0]
            total = total + cost.fork(self.family, reader.a * reader.bits, copies)
        return total

    def _stage(self, name: str, component: Component) -> Stage:
        node, folding = self.graph[name], self.foldings[name]
        template = folding.template or templates(self.graph, node)[0]
        inputs = sum(elements(self.graph, operand) for operand in node.inputs)
        return Stage(name, template, folding, inputs, elements(self.graph, name), lanes_out(node, folding),
                     component.interval * vectors(self.graph, node), component.latency, component, self.family)

    def _pipeline(self) -> schedule.Pipeline:
        """The control of the accelerator, cell by cell, joined as the accelerator joins its parts."""
        channels = schedule.Channels()
        cells: list[schedule.Cell] = []
        queues: dict[str, schedule.QueueCell] = {}
        heads: dict[tuple[str, int], int] = {}  # (value, which reader) → channel
        topology = self.topology

        def publish(name: str, channel: int) -> None:
            readers = topology.readers(name)
            if len(readers) == 1:
                heads[name, 0] = channel
                return
            copies = [channels.add() for _ in readers]
            cells.append(schedule.ForkCell(channels, channel, copies))
            heads.update({(name, k): copy for k, copy in enumerate(copies)})

        def follow(link: Link) -> int:
            channel = heads[link.source, topology.readers(link.source).index(link)]
            for name, depth, a, b in topology.parts(link):
                after = channels.add()
                if depth:
                    queues[name] = schedule.QueueCell(channels, channel, after, depth)
                    cells.append(queues[name])
                else:
                    kind = schedule.SplitCell if a > b else schedule.GatherCell
                    cells.append(kind(channels, channel, after, max(a, b) // min(a, b)))
                channel = after
            return channel

        source = channels.add()
        publish(self.graph.input.name, source)
        for name, component in self._components.items():
            inputs = [follow(link) for link in topology.into(name)]
            output = channels.add()
            cells.append(schedule.unit_cell(channels, inputs, output, component.control))
            publish(name, output)
        sink = follow(topology.into(OUTPUT)[0])
        shape = self.graph.input.output.shape
        return schedule.Pipeline(channels, cells, source, sink, prod(shape) // topology.input_lanes,
                                 elements(self.graph, self.graph.output) // topology.output_lanes, queues)
