"""The accelerator: the units of a plan, linked into one streaming pipeline."""

from __future__ import annotations

from math import gcd

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitloom.hw import Rom, WidthConverter, vector

from .mapping import shape_of
from .plan import Plan


class Accelerator(wiring.Component):
    """A whole network as one stream component.

    Function: ``i`` takes samples as beats of ``plan.input_lanes`` elements, ``o`` gives results as beats of
    ``plan.output_lanes`` elements, in the same order; the bits are those of the integer graph's interpreter, whatever
    the folding and the stalls.

    Timing: ``interval`` cycles between the starts of consecutive samples, ``latency`` cycles from the first input beat
    to the first output beat (both closed forms of :mod:`bitloom.codegen.schedule`).

    Members: ``i`` (``In(vector(input shape, input_lanes))``), ``o`` (``Out(vector(output shape, output_lanes))``).
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._units = plan.units()
        graph = plan.graph
        super().__init__({
            "i": In(vector(shape_of(graph.input.output.format), plan.input_lanes)),
            "o": Out(vector(shape_of(graph[graph.output].output.format), plan.output_lanes)),
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
        return {f"{name}.{path}": rom for name, unit in self._units for path, rom in unit.roms().items()}

    def elaborate(self, platform: object) -> Module:
        m = Module()
        upstream = wiring.flipped(self.i)
        lanes = self._plan.input_lanes
        for (name, unit), stage in zip(self._units, self._plan.stages):
            shape = unit.i.payload.shape().elem_shape
            upstream = self._link(m, name, upstream, shape, lanes, stage.timing.lanes_in)
            m.submodules[name] = unit
            wiring.connect(m, upstream, unit.i)
            upstream, lanes = unit.o, stage.timing.lanes_out
        wiring.connect(m, upstream, wiring.flipped(self.o))
        return m

    @staticmethod
    def _link(m: Module, name: str, upstream: object, shape: object, a: int, b: int) -> object:
        """Convert ``upstream`` from ``a`` to ``b`` lanes in steps of their greatest common divisor."""
        step = gcd(a, b)
        for label, lanes_in, lanes_out in (("narrow", a, step), ("widen", step, b)):
            if lanes_in != lanes_out:
                converter = WidthConverter(shape, lanes_in, lanes_out)
                m.submodules[f"{name}_{label}"] = converter
                wiring.connect(m, upstream, converter.i)
                upstream = converter.o
        return upstream
