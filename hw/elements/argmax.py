"""ArgMax: the index of the greatest element of a vector."""

import numpy as np
from amaranth.hdl import Const, Module, Mux, Shape, Signal, Value, unsigned
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ..component import Component
from ..control import Steps
from ..counters import advance
from ..parameters import bounds, divisor, integer_array, integer_shape, positive
from ..stream import vector


class ArgMax(Component):
    """Index of the greatest element, the lowest index on ties.

    A tree of comparisons finds the greatest of a beat; a register after it where there are both several lanes and
    several beats; then a comparison with the best of the beats before. Values are compared as unsigned u; the best is
    kept inverted, so that "greater" is the carry of one addition. The unit stands still while the sink blocks.

    Parameters
    ----------
    elements : int
        Elements per vector.
    lanes : int
        Elements per beat, dividing the elements.
    input : Shape
        Shape of an element.

    Members
    -------
    i : vector of ``input``, ``lanes`` lanes
    o : vector of ``unsigned(bits_for(elements - 1))``, 1 lane
        ``depth`` cycles after the last beat: 2 with several lanes and several beats, else 1.
    """

    def __init__(self, elements: int, *, lanes: int, input: Shape):
        self._elements = positive("elements", elements)
        self._lanes = divisor("lanes", lanes, self._elements, "elements")
        self._input = integer_shape("input", input)
        self._output = unsigned(bits_for(self._elements - 1))
        super().__init__({"i": In(vector(input, self._lanes)), "o": Out(vector(self._output, 1))})

    elements = property(lambda self: self._elements, doc="Elements per vector.")
    lanes = property(lambda self: self._lanes, doc="Elements per beat.")
    input = property(lambda self: self._input, doc="Shape of an input element.")
    output = property(lambda self: self._output, doc="Shape of the index.")
    interval = property(lambda self: self._elements // self._lanes, doc="Cycles per vector.")
    depth = property(
        lambda self: 2 if self._lanes > 1 and self.interval > 1 else 1,
        doc="Cycles from the transfer of the last input beat to that of the index.",
    )
    latency = property(lambda self: self.interval - 1 + self.depth, doc="Cycles from the first beat in to the index.")

    @property
    def control(self) -> Steps:
        """One beat per step; the index comes of the last."""
        return Steps(np.ones((1, self.interval), bool), np.arange(self.interval) == self.interval - 1, self.depth)

    def roms(self) -> dict:
        """None."""
        return {}

    def model(self, x: np.ndarray) -> np.ndarray:
        """The index (vectors, 1) of the greatest element of each row of ``x`` (vectors, elements)."""
        x = integer_array("x", np.asarray(x), 2)
        lo, hi = bounds(self._input)
        if x.shape[1] != self._elements:
            raise ValueError(f"x must have {self._elements} elements per vector, not {x.shape[1]}")
        if x.min() < lo or x.max() > hi:
            raise ValueError(f"x must lie within {lo} … {hi}, not {x.min()} … {x.max()}")
        return x.argmax(1).astype(np.int64)[:, None]

    def features(self) -> dict[str, float]:
        """Bits compared, multiplexed and registered."""
        value, index = self._input.width, self._output.width
        comparators = self._lanes - 1 + (self.interval > 1)
        held = 0 if self.interval == 1 else value + (value + bits_for(self._lanes - 1) if self._lanes > 1 else 0)
        return {
            "comparator_bits": comparators * value,
            "mux_bits": (self._lanes - 1) * (value + bits_for(self._lanes - 1)) + (self.interval > 1) * (value + index),
            "register_bits": held + index,
            "control": 3 + self.interval.bit_length(),
        }

    def elaborate(self, platform) -> Module:
        m = Module()
        enable = Signal()
        m.d.comb += [enable.eq(~self.o.valid | self.o.ready), self.i.ready.eq(enable)]
        valid: Value = self.i.valid
        value, lane = self._best_lane(m)
        if self.interval == 1:
            with m.If(enable):
                m.d.sync += [self.o.valid.eq(valid), self.o.p[0].eq(lane)]
            return m
        if self._lanes > 1:
            value, lane, valid = self._register(m, enable, value, lane, valid)
        self._running(m, enable, value, lane, valid)
        return m

    def _best_lane(self, m: Module) -> tuple[Value, Value]:
        """The greatest u of the beat and its lane."""
        width = self._input.width
        flip = 1 << (width - 1) if self._input.signed else 0
        best = [((self.i.p[k] ^ flip)[:width], Const(k, bits_for(self._lanes - 1))) for k in range(self._lanes)]
        while len(best) > 1:
            best = [_greater(m, *best[j : j + 2]) if j + 1 < len(best) else best[j] for j in range(0, len(best), 2)]
        return best[0]

    def _register(self, m: Module, enable: Signal, value: Value, lane: Value, valid: Value) -> list[Signal]:
        """The same a cycle later."""
        registers = [
            Signal(len(source), name=f"beat_{name}", reset_less=name != "valid")
            for name, source in (("value", value), ("lane", lane), ("valid", valid))
        ]
        with m.If(enable):
            m.d.sync += [register.eq(source) for register, source in zip(registers, (value, lane, valid))]
        return registers

    def _running(self, m: Module, enable: Signal, value: Value, lane: Value, valid: Value) -> None:
        """Compare with the best of the beats before; give the index after the last."""
        beat = Signal(range(self.interval))
        inverted = Signal(self._input.width, reset_less=True)  # of the best so far
        greater = (value + inverted)[self._input.width]
        with m.If(enable):
            m.d.sync += self.o.valid.eq(valid & (beat == self.interval - 1))
            with m.If(valid):
                m.d.sync += beat.eq(advance(beat, self.interval))
                with m.If((beat == 0) | greater):
                    index = lane + beat * self._lanes if self._lanes > 1 else beat
                    m.d.sync += [inverted.eq(~value), self.o.p[0].eq(index)]


def _greater(m: Module, first: tuple[Value, Value], second: tuple[Value, Value]) -> tuple[Signal, Signal]:
    """The greater of two (value, lane), the first on ties."""
    value, lane, wins = Signal(len(first[0]), name="value"), Signal(len(first[1]), name="lane"), Signal(name="wins")
    m.d.comb += [
        wins.eq(second[0] > first[0]),
        value.eq(Mux(wins, second[0], first[0])),
        lane.eq(Mux(wins, second[1], first[1])),
    ]
    return value, lane
