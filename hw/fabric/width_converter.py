"""WidthConverter: the same elements in beats of another width."""

import numpy as np
from amaranth.hdl import Module, Mux, Shape, Signal, Value
from amaranth.lib.wiring import In, Out

from ..component import Component
from ..parameters import bounds, integer_shape, positive
from ..stream import vector


class WidthConverter(Component):
    """Splits each beat into ``lanes_in / lanes_out`` narrow ones, or gathers ``lanes_out / lanes_in`` into a wide one.

    One shift register and a count of beats. Splitting, the next wide beat is accepted in the cycle in which the last
    narrow one leaves; gathering, the next narrow beat is accepted in the cycle in which the wide one leaves: nothing is
    lost at full rate. ``i.ready`` depends on ``o.ready`` through one gate.

    Parameters
    ----------
    shape : Shape
        Shape of one element.
    lanes_in, lanes_out : int
        Elements per beat; one divides the other.

    Members
    -------
    i, o : vectors of ``shape``
        Output beat transfers as soon as 1 cycle after the input beat that completes it.
    """

    def __init__(self, shape: Shape, lanes_in: int, lanes_out: int):
        self._shape = integer_shape("shape", shape)
        self._lanes_in = positive("lanes_in", lanes_in)
        self._lanes_out = positive("lanes_out", lanes_out)
        if max(lanes_in, lanes_out) % min(lanes_in, lanes_out):
            raise ValueError(
                f"lanes_out must divide or be a multiple of the {lanes_in} input lanes, not {lanes_out} "
                "(put two converters in a row, through the greatest common divisor)"
            )
        super().__init__({"i": In(vector(shape, lanes_in)), "o": Out(vector(shape, lanes_out))})

    shape = property(lambda self: self._shape, doc="Shape of one element.")
    lanes_in = property(lambda self: self._lanes_in, doc="Elements per input beat.")
    lanes_out = property(lambda self: self._lanes_out, doc="Elements per output beat.")

    @property
    def ratio(self) -> int:
        """Narrow beats per wide beat."""
        return max(self._lanes_in, self._lanes_out) // min(self._lanes_in, self._lanes_out)

    @property
    def interval(self) -> int:
        """Cycles per input beat: ``lanes_in / lanes_out`` when splitting, else 1."""
        return max(1, self._lanes_in // self._lanes_out)

    @property
    def latency(self) -> int:
        """Cycles from the first input beat to the first output beat: 1 when splitting, ``ratio`` when gathering."""
        return 1 if self._lanes_in >= self._lanes_out else self.ratio

    def model(self, x: np.ndarray) -> np.ndarray:
        """The elements, unchanged."""
        x = np.asarray(x, dtype=np.int64)
        lo, hi = bounds(self._shape)
        if x.size and (x.min() < lo or x.max() > hi):
            raise ValueError(f"x must lie within {lo} … {hi}, not {x.min()} … {x.max()}")
        return x

    def features(self) -> dict[str, float]:
        """The shift register, its load multiplexers (splitting only) and the count of beats."""
        bits = max(self._lanes_in, self._lanes_out) * self._shape.width
        splits = self._lanes_in > self._lanes_out
        return {"register_bits": bits, "mux_bits": bits if splits else 0, "control": 2 + self.ratio.bit_length()}

    def elaborate(self, platform) -> Module:
        m = Module()
        wide = max(self._lanes_in, self._lanes_out) * self._shape.width
        shift = Signal(wide, reset_less=True)
        count = Signal(range(self.ratio + 1))
        incoming = Value.cast(self.i.p)
        # Both ways the output is the low end of the register; beats enter at the high end and move down.
        m.d.comb += Value.cast(self.o.p).eq(shift[: len(self.o.p.as_value())])
        if self._lanes_in >= self._lanes_out:
            self._split(m, shift, count, incoming)
        else:
            self._gather(m, shift, count, incoming)
        return m

    def _split(self, m: Module, shift: Signal, count: Signal, incoming: Value) -> None:
        """``count`` narrow beats are still to leave."""
        narrow = self._lanes_out * self._shape.width
        m.d.comb += [
            self.o.valid.eq(count != 0),
            self.i.ready.eq((count == 0) | ((count == 1) & self.o.ready)),
        ]
        with m.If(self.i.ready):
            m.d.sync += [shift.eq(incoming), count.eq(Mux(self.i.valid, self.ratio, 0))]
        with m.Elif(self.o.ready):
            m.d.sync += [shift.eq(shift[narrow:]), count.eq(count - 1)]

    def _gather(self, m: Module, shift: Signal, count: Signal, incoming: Value) -> None:
        """``count`` narrow beats have arrived; the wide beat is complete when all have."""
        full = Signal()
        m.d.comb += [
            full.eq(count == self.ratio),
            self.o.valid.eq(full),
            self.i.ready.eq(~full | self.o.ready),
        ]
        with m.If(self.i.valid & self.i.ready):
            narrow = self._lanes_in * self._shape.width
            m.d.sync += [shift[:-narrow].eq(shift[narrow:]), shift[-narrow:].eq(incoming)]
            with m.If(full):
                m.d.sync += count.eq(1)
            with m.Else():
                m.d.sync += count.eq(count + 1)
        with m.Elif(self.o.ready & full):
            m.d.sync += count.eq(0)
