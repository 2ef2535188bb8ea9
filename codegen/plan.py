"""The plan: which template serves each node, how it is folded, and what follows from that."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from amaranth.lib.wiring import Component

from bitloom.quant import Graph, MatMul

from . import cost, schedule
from .families import Family, Resources
from .mapping import TEMPLATES, Folding, elements, shape_of, unit


@dataclass(frozen=True)
class Stage:
    """One unit of the pipeline: the node it computes, its template and folding, its closed forms and its cost.

    ``memories`` says in words where its constants live; ``predicted`` is estimated, nothing more.
    """

    name: str
    template: str
    folding: Folding
    inputs: int
    outputs: int
    timing: schedule.UnitTiming
    memories: str
    predicted: Resources

    @property
    def interval(self) -> int:
        """Cycles between the starts of consecutive vectors when nothing else limits them."""
        return self.timing.interval

    @property
    def latency(self) -> int:
        """Cycles from the first input beat to the first output beat, from idle."""
        return self.timing.depth + (self.timing.beats_in - 1 if self.timing.gathers else 0)


@dataclass(frozen=True)
class Plan:
    """A graph, a family and a folding per node: everything that the accelerator is made from.

    ``graph`` is the graph after the passes. ``stages`` are in the order of the data.
    """

    graph: Graph
    family: Family
    clock_hz: float
    target: str
    foldings: dict[str, Folding] = field(default_factory=dict)

    def units(self) -> list[tuple[str, Component]]:
        """Fresh template instances, by node name, in the order of the data."""
        return [(node.name, unit(self.graph, node, self.foldings[node.name])) for node in self.graph.nodes[1:]]

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """One stage per node."""
        return tuple(self._stage(name, component) for name, component in self.units())

    @cached_property
    def links(self) -> tuple[schedule.LinkTiming, ...]:
        """The link behind each stage but the last."""
        return tuple(
            schedule.LinkTiming(a.timing.lanes_out, b.timing.lanes_in, a.outputs)
            for a, b in zip(self.stages, self.stages[1:])
        )

    @property
    def interval(self) -> int:
        """Cycles between the starts of consecutive vectors."""
        return schedule.interval([stage.timing for stage in self.stages], self.links)

    @property
    def latency(self) -> int:
        """Cycles from the first input beat of a vector to its first output beat."""
        return schedule.latency([stage.timing for stage in self.stages], self.links)

    @property
    def throughput_fps(self) -> float:
        """Vectors per second at the plan's clock."""
        return self.clock_hz / self.interval

    @property
    def input_lanes(self) -> int:
        """Lanes of the accelerator's input stream."""
        return self.stages[0].timing.lanes_in

    @property
    def output_lanes(self) -> int:
        """Lanes of the accelerator's output stream."""
        return self.stages[-1].timing.lanes_out

    @property
    def predicted(self) -> Resources:
        """Predicted resources of the accelerator, links included (an estimate)."""
        total = Resources()
        for stage in self.stages:
            total = total + stage.predicted
        for stage, link in zip(self.stages, self.links):
            bits = shape_of(self.graph[stage.name].output.format).width
            total = total + cost.link(self.family, link.a, link.b, bits)
        return total

    def _stage(self, name: str, component: Component) -> Stage:
        node = self.graph[name]
        folding = self.foldings[name]
        inputs, outputs = elements(self.graph, node.inputs[0]), elements(self.graph, name)
        template = TEMPLATES[type(node)]
        lanes_out = 1 if template == "ArgMax" else folding.pe
        timing = schedule.UnitTiming(
            lanes_in=folding.simd,
            lanes_out=lanes_out,
            beats_in=inputs // folding.simd,
            beats_out=outputs // lanes_out,
            interval=component.interval,
            depth=component.depth,
            gathers=template != "Threshold",
            spacing=inputs // folding.simd if isinstance(node, MatMul) else 1,
        )
        return Stage(name, template, folding, inputs, outputs, timing, _memories(component),
                     cost.predict(self.family, component))


def _memories(component: Component) -> str:
    """Where a unit's constants live, in words: ``weights 1,024×12 block``."""
    words = []
    for path, rom in component.roms().items():
        where = "constants" if rom.depth == 1 else rom.memory
        words.append(f"{path} {rom.depth:,}×{rom.width} {where}")
    return ", ".join(words)
