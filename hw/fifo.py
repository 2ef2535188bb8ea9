"""StreamFIFO: a queue of beats between two units."""

import numpy as np
from amaranth.hdl import Module, Shape, ShapeLike, Value
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from .parameters import positive


class StreamFIFO(wiring.Component):
    """A first-in first-out queue over :class:`amaranth.lib.fifo.SyncFIFOBuffered` (fits block memory).

    Parameters
    ----------
    shape : ShapeLike
        Shape of the payload.
    depth : int
        Beats that the queue holds, at least 2 (one register cannot take a beat in each cycle).

    Members
    -------
    i, o : streams of ``shape``
        Latency 2 cycles, interval 1 cycle (2 where ``depth`` is 2); ``ready`` and ``valid`` come from registers.
    """

    def __init__(self, shape: ShapeLike, depth: int):
        self._depth = positive("depth", depth)
        if self._depth < 2:
            raise ValueError(f"depth must be at least 2, not {depth} (a RegisterSlice holds single beats)")
        self._shape = shape
        self._width = Shape.cast(shape).width
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    shape = property(lambda self: self._shape, doc="Shape of the payload.")
    depth = property(lambda self: self._depth, doc="Beats that the queue holds.")
    interval = property(lambda self: 1 if self._depth > 2 else 2, doc="Cycles per beat.")
    latency = property(lambda self: 2, doc="Cycles from a beat's arrival to its departure when the queue is empty.")

    def model(self, x: np.ndarray) -> np.ndarray:
        """What comes out: what went in."""
        return np.asarray(x, dtype=np.int64)

    def features(self) -> dict[str, float]:
        """The stored bits and the bits of the pointers and the level."""
        return {"buffer_bits": self._width * self._depth, "control": 3 * self._depth.bit_length()}

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.queue = queue = fifo.SyncFIFOBuffered(width=self._width, depth=self._depth)
        m.d.comb += [
            queue.w_data.eq(Value.cast(self.i.p)),
            queue.w_en.eq(self.i.valid),
            self.i.ready.eq(queue.w_rdy),
            Value.cast(self.o.p).eq(queue.r_data),
            self.o.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.o.ready),
        ]
        return m
