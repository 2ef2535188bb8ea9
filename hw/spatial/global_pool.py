# amaranth: UnusedElaboratable=no
"""GlobalPool: the greatest value or the sum of each channel over all positions."""

from collections.abc import Sequence
from math import prod

import numpy as np
from amaranth.hdl import Cat, Const, Module, Shape, Signal, Value
from amaranth.lib import memory as memories
from amaranth.lib.wiring import In, Out

from ..component import Component
from ..control import Steps
from ..counters import advance
from ..memory.rom import Rom
from ..memory.storage import STYLE, output_register, storage, storage_features
from ..parameters import divisor, integer_shape, positive
from ..stream import vector
from .maps import map_size, maps
from .reduction import Reduction


class GlobalPool(Component):
    """y[c] = max or Σ over all positions of x[p, c]: each beat is used as it arrives, nothing of the map is kept.

    One accumulator per channel. In ``registers`` they move round a ring, one beat per step, so that neither addresses
    nor multiplexers are needed; in memory a beat's accumulators are read in one cycle and written in the next. The unit
    stands still while the sink blocks (``i.ready`` follows ``o.ready`` through one gate).

    Parameters
    ----------
    kind : str
        ``max`` or ``sum``.
    size : (W,) or (H, W)
        Positions of the input map.
    channels, lanes : int
        Channels per position; elements per beat, dividing the channels.
    input, output : Shape
        Shapes of an element; the same for a maximum, and wide enough for a sum.
    bipolar : bool
        Input bit 0 is −1, bit 1 is +1; so are the bits of a maximum.
    sum_range : (int, int) or None
        The least and the greatest sum that can come, where that is less than the inputs' extremes add up to.
    memory : str
        Where the accumulators are: ``block``, ``registers``, ``distributed`` (memory in LUTs; iCE40 has none), or
        ``auto``: ``registers`` up to 96 bits for each 16-bit block memory saved, else ``block``. A position of a single
        beat needs no memory: always ``registers``.

    Members
    -------
    i : vector of ``input``, ``lanes`` lanes
    o : vector of ``output``, ``lanes`` lanes
        A vector per ``interval`` = input beats; each output beat ``depth`` cycles after its last input beat: 1 from
        ``registers``, 2 from memory.
    """

    def __init__(
        self,
        kind: str,
        size: Sequence[int],
        channels: int,
        *,
        lanes: int,
        input: Shape,
        output: Shape,
        bipolar: bool = False,
        sum_range: tuple[int, int] | None = None,
        memory: str = "auto",
    ):
        self._size = map_size(size)
        self._channels = positive("channels", channels)
        self._lanes = divisor("lanes", lanes, self._channels, "channels")
        integer_shape("input", input)
        self._reduction = Reduction(kind, prod(self._size), input, output, bool(bipolar), sum_range)
        self._memory = memory
        self._kind = storage("memory", memory, self._beats, self._lanes * output.width)
        if self._beats == 1:
            self._kind = "registers"
        super().__init__({"i": In(vector(input, self._lanes)), "o": Out(vector(output, self._lanes))})

    kind = property(lambda self: self._reduction.kind, doc="``max`` or ``sum``.")
    size = property(lambda self: self._size, doc="Positions of the input map.")
    channels = property(lambda self: self._channels, doc="Channels per position.")
    lanes = property(lambda self: self._lanes, doc="Elements per beat.")
    input = property(lambda self: self._reduction.input, doc="Shape of an input element.")
    output = property(lambda self: self._reduction.output, doc="Shape of an output element.")
    bipolar = property(lambda self: self._reduction.bipolar, doc="Whether input bits stand for −1 and +1.")
    sum_range = property(lambda self: self._reduction.sum_range, doc="The least and the greatest sum, as given.")
    memory = property(lambda self: self._memory, doc="Where the accumulators are, as asked for.")
    interval = property(lambda self: prod(self._size) * self._beats, doc="Cycles per vector: the input beats.")
    depth = property(
        lambda self: 1 if self._kind == "registers" else 2,
        doc="Cycles from the input beat that completes an output to that output.",
    )

    @property
    def latency(self) -> int:
        """Cycles from the first beat in to the first beat out."""
        return self.interval - self._beats + self.depth

    @property
    def control(self) -> Steps:
        """A beat in each step; those of the last position give one."""
        emits = np.arange(self.interval) >= self.interval - self._beats
        return Steps(np.ones((1, self.interval), bool), emits, self.depth)

    @property
    def buffers(self) -> list[tuple[int, int, str]]:
        """The memories that are not ROMs: (depth, width, kind)."""
        return [(self._beats, self._lanes * self.output.width, self._kind)]

    @property
    def _beats(self) -> int:
        """Beats per position."""
        return self._channels // self._lanes

    def roms(self) -> dict[str, Rom]:
        """None."""
        return {}

    def model(self, x: np.ndarray) -> np.ndarray:
        """The pooled channels of ``x`` (vectors, positions · channels); bipolar elements as −1 and +1."""
        inside = maps(x, self._size, self._channels, *self._reduction.range, self.bipolar)
        return self._reduction.model(inside, tuple(range(1, inside.ndim - 1)))

    def features(self) -> dict[str, float]:
        """Comparators or adders of the lanes; accumulators, those of a ring as shift registers; counters."""
        width = self._lanes * self.output.width
        count: dict[str, float] = dict(self._reduction.features(self._lanes))
        count["control"] = 3 + (self._beats - 1).bit_length() + (prod(self._size) - 1).bit_length()
        if self._kind == "registers":
            return count | {"accumulator_bits": width, "shift_bits": (self._beats - 1) * width}
        count["register_bits"] = self._lanes * self.input.width + width + (self._beats - 1).bit_length() + 2
        return count | storage_features(self._kind, self._beats, width)

    def elaborate(self, platform) -> Module:
        m = Module()
        enable = Signal()
        m.d.comb += [enable.eq(~self.o.valid | self.o.ready), self.i.ready.eq(enable)]
        beat, first, last = self._place(m, enable & self.i.valid)
        (self._ring if self._kind == "registers" else self._words)(m, enable, beat, first, last)
        return m

    def _place(self, m: Module, step: Value) -> tuple[Signal, Value, Value]:
        """The beat's number in its position, whether the position is the first, the last."""
        beat, position = Signal(range(self._beats)), Signal(range(prod(self._size)))
        with m.If(step):
            m.d.sync += beat.eq(advance(beat, self._beats))
            with m.If(beat == self._beats - 1):
                m.d.sync += position.eq(advance(position, prod(self._size)))
        return beat, position == 0, position == prod(self._size) - 1

    def _next(self, first: Value, held: Value, x: Value) -> Value:
        """The accumulators of a beat's lanes with one more element each."""
        wide, narrow = self.output.width, self.input.width
        return Cat(
            self._reduction.next(first, held.word_select(lane, wide), x.word_select(lane, narrow))
            for lane in range(self._lanes)
        )

    def _ring(self, m: Module, enable: Signal, beat: Signal, first: Value, last: Value) -> None:
        """The youngest accumulators are the output; the oldest are those of the beat that comes."""
        width = self._lanes * self.output.width
        ring = Signal(self._beats * width, reset_less=True)
        m.d.comb += self.o.p.as_value().eq(ring[-width:])
        with m.If(enable):
            m.d.sync += self.o.valid.eq(self.i.valid & last)
            with m.If(self.i.valid):
                m.d.sync += ring.eq(Cat(ring[width:], self._next(first, ring[:width], self.i.p.as_value())))

    def _words(self, m: Module, enable: Signal, beat: Signal, first: Value, last: Value) -> None:
        """Read in the cycle of the beat's arrival, write in the next; at least two beats make a position."""
        width = self._lanes * self.output.width
        m.submodules.sums = sums = memories.Memory(
            shape=width, depth=self._beats, init=[], attrs={"ram_style": STYLE[self._kind]}
        )
        write, read = sums.write_port(), sums.read_port(domain="comb")
        x = Signal(self._lanes * self.input.width, reset_less=True)
        held = output_register(width)
        total = Signal(width)
        valid = Signal()
        sources = {"beat": beat, "first": first, "last": last}
        now = {name: Signal(len(source), name=f"{name}_1", reset_less=True) for name, source in sources.items()}
        m.d.comb += [
            total.eq(self._next(now["first"], held, x)),
            read.addr.eq(beat),
            write.addr.eq(now["beat"]),
            write.data.eq(total),
            write.en.eq(enable & valid),
        ]
        with m.If(enable):
            m.d.sync += [valid.eq(self.i.valid), x.eq(self.i.p.as_value()), self.o.valid.eq(valid & now["last"])]
            m.d.sync += [now[name].eq(source) for name, source in sources.items()]
            m.d.sync += self.o.p.as_value().eq(total)
        # No beat follows itself: the accumulators read are never those being written. Saying so spares the collision
        # logic that synthesis would otherwise put around a block memory.
        clash = write.en & (write.addr == read.addr) if self._kind == "block" else Const(0)
        with m.If(enable & ~clash):
            m.d.sync += held.eq(read.data)
