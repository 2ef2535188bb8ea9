"""Fork: one stream to several readers."""

import numpy as np
from amaranth.hdl import Module, Shape, Signal
from amaranth.lib.wiring import In, Out

from ..component import Component
from ..parameters import bounds, integer_shape, positive
from ..stream import vector


class Fork(Component):
    """Every output gets every beat, each as soon as its reader takes it (an eager fork).

    A bit per output says that it has taken the beat that is waiting: o_k.valid = i.valid & ~taken_k, and the beat is
    done when every output has taken it or takes it now. No output waits for another, so that a fork whose branches
    meet again stands still only where a branch holds fewer beats than the other. Eager forks of elastic circuits:
    Cortadella, Kishinevsky and Grundmann, *Synthesis of synchronous elastic architectures*, 2006.

    Parameters
    ----------
    shape : Shape
        Shape of an element.
    lanes : int
        Elements per beat.
    copies : int
        Outputs, at least 2.

    Members
    -------
    i : vector of ``shape``
    o0, o1, … : vectors of ``shape``
        No latency: payload and valid pass through; ``i.ready`` follows the outputs' through two gates.
    """

    def __init__(self, shape: Shape, lanes: int, copies: int):
        self._shape = integer_shape("shape", shape)
        self._lanes = positive("lanes", lanes)
        self._copies = positive("copies", copies)
        if self._copies < 2:
            raise ValueError(f"copies must be at least 2, not {copies} (one reader needs no fork)")
        outputs = {f"o{k}": Out(vector(shape, lanes)) for k in range(self._copies)}
        super().__init__({"i": In(vector(shape, lanes)), **outputs})

    shape = property(lambda self: self._shape, doc="Shape of an element.")
    lanes = property(lambda self: self._lanes, doc="Elements per beat.")
    copies = property(lambda self: self._copies, doc="Outputs.")
    interval = property(lambda self: 1, doc="Cycles per beat.")
    latency = property(lambda self: 0, doc="Cycles from a beat's arrival to its first departure.")

    def roms(self) -> dict:
        """None."""
        return {}

    def model(self, x: np.ndarray) -> np.ndarray:
        """What comes out of each output: what went in."""
        x = np.asarray(x, dtype=np.int64)
        lo, hi = bounds(self._shape)
        if x.size and (x.min() < lo or x.max() > hi):
            raise ValueError(f"x must lie within {lo} … {hi}, not {x.min()} … {x.max()}")
        return x

    def features(self) -> dict[str, float]:
        """Per output the bit, its valid and its share of ready."""
        return {"control": 3 * self._copies}

    def elaborate(self, platform) -> Module:
        m = Module()
        outputs = [getattr(self, f"o{k}") for k in range(self._copies)]
        taken = Signal(self._copies)
        done = Signal(self._copies)
        m.d.comb += self.i.ready.eq(done.all())
        for k, output in enumerate(outputs):
            m.d.comb += [
                output.p.eq(self.i.p),
                output.valid.eq(self.i.valid & ~taken[k]),
                done[k].eq(taken[k] | output.ready),
            ]
        with m.If(self.i.valid):
            with m.If(done.all()):
                m.d.sync += taken.eq(0)
            with m.Else():
                m.d.sync += taken.eq(done)
        return m
