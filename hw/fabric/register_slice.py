"""RegisterSlice: a skid buffer that cuts the combinational paths of valid, payload and ready."""

import numpy as np
from amaranth.hdl import Module, Shape, ShapeLike, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from ..component import Component


class RegisterSlice(Component):
    """One beat per cycle through two registers; every output of the slice comes from a flip-flop.

    The second register (the skid) catches the beat that is under way when the sink blocks, so ``ready`` need not
    travel through in the same cycle.

    Parameters
    ----------
    shape : ShapeLike
        Shape of the payload.

    Members
    -------
    i, o : streams of ``shape``
        Latency 1 cycle, interval 1 cycle, room for 2 beats.
    """

    def __init__(self, shape: ShapeLike):
        self._shape = shape
        self._width = Shape.cast(shape).width
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    shape = property(lambda self: self._shape, doc="Shape of the payload.")
    interval = property(lambda self: 1, doc="Cycles per beat.")
    latency = property(lambda self: 1, doc="Cycles from a beat's arrival to its departure.")

    def model(self, x: np.ndarray) -> np.ndarray:
        """What comes out: what went in."""
        return np.asarray(x, dtype=np.int64)

    def features(self) -> dict[str, float]:
        """Two registers per payload bit, one of them behind a multiplexer, and two bits of control."""
        return {"register_bits": 2 * self._width, "mux_bits": self._width, "control": 2}

    def elaborate(self, platform) -> Module:
        m = Module()
        payload = Signal(self._width, reset_less=True)
        skid = Signal(self._width, reset_less=True)
        skid_valid = Signal()
        valid = Signal()
        incoming = Value.cast(self.i.p)

        m.d.comb += [
            self.i.ready.eq(~skid_valid),
            self.o.valid.eq(valid),
            Value.cast(self.o.p).eq(payload),
        ]
        with m.If(~skid_valid):
            m.d.sync += skid.eq(incoming)
        with m.If(self.o.ready | ~valid):
            with m.If(skid_valid):
                m.d.sync += payload.eq(skid)
            with m.Else():
                m.d.sync += payload.eq(incoming)
            m.d.sync += [valid.eq(self.i.valid | skid_valid), skid_valid.eq(0)]
        with m.Elif(self.i.valid):
            m.d.sync += skid_valid.eq(1)
        return m
