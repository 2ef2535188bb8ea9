"""The accelerator: the units of a plan, linked into one streaming pipeline."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bitloom import hw
from bitloom.hw import Rom, StreamFIFO, WidthConverter, vector

from .mapping import shape_of
from .plan import Plan
from .topology import OUTPUT, Link


class Accelerator(wiring.Component):
    """A whole network as one stream component.

    Function: ``i`` takes samples as beats of ``plan.input_lanes`` elements, ``o`` gives results as beats of
    ``plan.output_lanes`` elements, in the same order; the bits are those of the integer graph's interpreter, whatever
    the folding and the stalls.

    Timing: ``interval`` cycles between the starts of consecutive samples, ``latency`` cycles from the first input beat
    to the first output beat.

    Members: ``i`` (``In(vector(input shape, input_lanes))``), ``o`` (``Out(vector(output shape, output_lanes))``).

    Parts: each unit is called as its node, where that is a plain name; a value with several readers has a fork
    ``<value>_fork``; a link has, where it needs them, ``<unit>_burst``, ``<unit>_narrow``, ``<unit>_widen`` and
    ``<unit>_queue`` (with the port's number behind the unit's name from the second port on; ``output`` for the link to
    ``o``). :attr:`bitloom.codegen.topology.Topology.instances` has the names of all.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._units = plan.units()
        super().__init__({
            "i": In(vector(shape_of(plan.input.format), plan.input_lanes)),
            "o": Out(vector(shape_of(plan.output.format), plan.output_lanes)),
        })

    @property
    def plan(self) -> Plan:
        """The plan that this accelerator was made from."""
        return self._plan

    @property
    def interval(self) -> int:
        """Cycles between the starts of consecutive samples."""
        return self._plan.interval

    @property
    def latency(self) -> int:
        """Cycles from the first input beat of a sample to its first output beat."""
        return self._plan.latency

    def roms(self) -> dict[str, Rom]:
        """Every constant memory below, by path of instance names."""
        names = self._plan.topology.instances.units
        return {f"{names[node]}.{path}": rom for node, unit in self._units.items() for path, rom in unit.roms().items()}

    def elaborate(self, platform: object) -> Module:
        m = Module()
        heads: dict[tuple[str, int], object] = {}
        self._publish(m, heads, self._plan.graph.input.name, wiring.flipped(self.i))
        topology = self._plan.topology
        for name, unit in self._units.items():
            m.submodules[topology.instances.units[name]] = unit
            links = topology.into(name)
            for link in links:
                port = unit.i if len(links) == 1 else getattr(unit, f"i{link.port}")
                wiring.connect(m, self._follow(m, heads, link), port)
            self._publish(m, heads, name, unit.o)
        wiring.connect(m, self._follow(m, heads, topology.into(OUTPUT)[0]), wiring.flipped(self.o))
        return m

    def _publish(self, m: Module, heads: dict[tuple[str, int], object], name: str, stream: object) -> None:
        """Give every reader of the value ``name``, which comes on ``stream``, a stream of its own."""
        readers = self._plan.topology.readers(name)
        if len(readers) == 1:
            heads[name, 0] = stream
            return
        fork = hw.Fork(shape_of(self._plan.graph[name].output.format), readers[0].a, len(readers))
        m.submodules[self._plan.topology.instances.forks[name]] = fork
        wiring.connect(m, stream, fork.i)
        heads.update({(name, k): getattr(fork, f"o{k}") for k in range(len(readers))})

    def _follow(self, m: Module, heads: dict[tuple[str, int], object], link: Link) -> object:
        """The stream at the far end of ``link``: behind its queues and its converters."""
        topology = self._plan.topology
        stream = heads[link.source, topology.readers(link.source).index(link)]
        shape = shape_of(self._plan.graph[link.source].output.format)
        for name, depth, a, b in topology.parts(link):
            part = StreamFIFO(data.ArrayLayout(shape, a), depth) if depth else WidthConverter(shape, a, b)
            m.submodules[name] = part
            wiring.connect(m, stream, part.i)
            stream = part.o
        return stream
