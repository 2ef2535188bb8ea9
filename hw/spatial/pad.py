"""Pad: a border of one value around the positions of a map."""

from collections.abc import Sequence
from math import prod

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, unsigned
from amaranth.lib.wiring import In, Out

from ..component import Component
from ..control import Steps
from ..counters import advance
from ..memory.rom import Rom
from ..parameters import bounds, divisor, integer_shape, positive
from ..stream import vector
from .maps import map_size, maps


class Pad(Component):
    """``padding[d]`` = (before, after) positions of ``value`` on each axis d, one output beat per cycle.

    Counters over the output say whether a position is of the border. A vector begins when its first beat is there:
    where a border comes before it, that beat is taken in the first step and kept aside until its turn, so that no
    border leaves before its vector has begun. The unit stands still while the sink blocks.

    Parameters
    ----------
    size : (W,) or (H, W)
        Positions of the input map.
    channels, lanes : int
        Channels per position; elements per beat, dividing the channels.
    input, output : Shape
        Shapes of an element; ``output`` holds every value of ``input``, and ``value``.
    padding : a pair (before, after) per axis
        Positions added, each at least 0.
    value : int
        The border's value.
    bipolar : bool
        Input bit 0 is −1, bit 1 is +1; so are output bits where ``output`` is ``unsigned(1)`` too.

    Members
    -------
    i : vector of ``input``, ``lanes`` lanes
    o : vector of ``output``, ``lanes`` lanes
        A vector per ``interval`` = output beats; the first ``depth`` = 1 cycle after the first input beat.
    """

    def __init__(
        self,
        size: Sequence[int],
        channels: int,
        *,
        lanes: int,
        input: Shape,
        output: Shape,
        padding: Sequence[tuple[int, int]],
        value: int,
        bipolar: bool = False,
    ):
        self._size = map_size(size)
        self._channels = positive("channels", channels)
        self._lanes = divisor("lanes", lanes, self._channels, "channels")
        self._input = integer_shape("input", input)
        self._output = integer_shape("output", output)
        self._bipolar = bool(bipolar)
        self._padding = self._check_padding(padding)
        self._value = self._check_value(value)
        super().__init__({"i": In(vector(input, self._lanes)), "o": Out(vector(output, self._lanes))})

    size = property(lambda self: self._size, doc="Positions of the input map.")
    channels = property(lambda self: self._channels, doc="Channels per position.")
    lanes = property(lambda self: self._lanes, doc="Elements per beat.")
    input = property(lambda self: self._input, doc="Shape of an input element.")
    output = property(lambda self: self._output, doc="Shape of an output element.")
    padding = property(lambda self: self._padding, doc="Positions (before, after) on each axis.")
    value = property(lambda self: self._value, doc="The border's value.")
    bipolar = property(lambda self: self._bipolar, doc="Whether input bits stand for −1 and +1.")
    depth = property(lambda self: 1, doc="Cycles from a beat's arrival to its departure.")
    latency = property(lambda self: self.depth, doc="Cycles from the first beat in to the first beat out.")

    @property
    def output_size(self) -> tuple[int, ...]:
        """Positions of the output map."""
        return tuple(n + before + after for n, (before, after) in zip(self._size, self._padding))

    @property
    def interval(self) -> int:
        """Cycles per vector: the output beats."""
        return prod(self.output_size) * self._beats

    @property
    def control(self) -> Steps:
        """Every step gives a beat; those inside take one, but the first step takes what the first inside would."""
        inside = np.zeros((*self.output_size, self._beats), dtype=bool)
        inside[tuple(slice(before, before + n) for n, (before, _) in zip(self._size, self._padding))] = True
        takes = inside.ravel()
        takes[takes.argmax()], takes[0] = False, True
        return Steps(takes[None], np.ones_like(takes), self.depth)

    buffers = property(lambda self: [], doc="The memories that are not ROMs: none.")

    @property
    def _beats(self) -> int:
        """Beats per position."""
        return self._channels // self._lanes

    @property
    def _keeps(self) -> bool:
        """Whether a border comes before the first beat."""
        return any(before for before, _ in self._padding)

    @property
    def _bipolar_output(self) -> bool:
        return self._bipolar and self._output == unsigned(1)

    def roms(self) -> dict[str, Rom]:
        """None."""
        return {}

    def model(self, x: np.ndarray) -> np.ndarray:
        """The padded maps for ``x`` (vectors, positions · channels), flattened; bipolar elements as −1 and +1."""
        lo, hi = (-1, 1) if self._bipolar else bounds(self._input)
        inside = maps(x, self._size, self._channels, lo, hi, self._bipolar)
        return np.pad(inside, ((0, 0), *self._padding, (0, 0)), constant_values=self._value).reshape(len(inside), -1)

    def features(self) -> dict[str, float]:
        """Output registers, the beat kept aside, the choice between them and the border, counters."""
        bits = self._lanes * self._output.width
        kept = self._lanes * self._input.width if self._keeps else 0
        counters = sum((count - 1).bit_length() for count in (*self.output_size, self._beats))
        compared = sum((before > 0) + (after > 0) for before, after in self._padding)
        return {"register_bits": bits + kept, "mux_bits": bits + kept, "control": counters + 4 * compared + 3}

    def _check_padding(self, padding: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
        if isinstance(padding, str) or not isinstance(padding, Sequence):
            raise TypeError(f"padding must be a tuple of pairs (before, after), one per axis, not {padding!r}")
        pairs = tuple(tuple(pair) if isinstance(pair, Sequence) else (pair,) for pair in padding)
        if len(pairs) != len(self._size) or any(len(pair) != 2 for pair in pairs):
            raise ValueError(f"padding must be {len(self._size)} pairs (before, after), one per axis, not {padding!r}")
        for number in sum(pairs, ()):
            if isinstance(number, bool) or not isinstance(number, int | np.integer):
                raise TypeError(f"padding must be integers, not {number!r}")
            if number < 0:
                raise ValueError(f"padding must be at least 0, not {number}")
        return tuple((int(before), int(after)) for before, after in pairs)

    def _check_value(self, value: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise TypeError(f"value must be an integer, not {value!r}")
        if self._bipolar and self._input != unsigned(1):
            raise ValueError(f"input must be unsigned(1) where it is bipolar, not {self._input!r}")
        if self._bipolar_output:
            if abs(value) != 1:
                raise ValueError(f"value must be -1 or 1 where the output is bipolar, not {value} (use a wider output)")
            return int(value)
        lo, hi = bounds(self._output)
        least, most = (-1, 1) if self._bipolar else bounds(self._input)
        if least < lo or most > hi:
            raise ValueError(f"output must hold the input's values {least} … {most}, not {self._output!r}")
        if not lo <= value <= hi:
            raise ValueError(f"value must lie within the output's {lo} … {hi}, not {value}")
        return int(value)

    def elaborate(self, platform) -> Module:
        m = Module()
        enable, step, takes = Signal(), Signal(), Signal()
        inside, first, ends = self._position(m, step)
        m.d.comb += [
            enable.eq(~self.o.valid | self.o.ready),
            step.eq(enable & (self.i.valid | ~takes)),
            self.i.ready.eq(enable & takes),
        ]
        beat: Value = self.i.p.as_value()
        if self._keeps:
            kept, holds = Signal(len(beat), reset_less=True), Signal()
            m.d.comb += takes.eq(first | (inside & ~holds))
            with m.If(step & first):
                m.d.sync += [kept.eq(beat), holds.eq(1)]
            with m.Elif(step & inside):
                m.d.sync += holds.eq(0)
            beat = Mux(holds, kept, beat)
            with m.If(step):
                m.d.sync += first.eq(ends)
        else:
            m.d.comb += takes.eq(inside)
        width, border = self._input.width, self._border()
        with m.If(enable):
            m.d.sync += self.o.valid.eq(step)
            for lane in range(self._lanes):
                element = self._element(beat.word_select(lane, width))
                m.d.sync += self.o.p[lane].eq(Mux(inside, element, border))
        return m

    def _border(self) -> Const:
        """The border's value as the output's bits."""
        return Const((self._value + 1) // 2 if self._bipolar_output else self._value, self._output)

    def _element(self, bits: Value) -> Value:
        """An input element as the output's bits."""
        if self._bipolar and not self._bipolar_output:
            return Cat(Const(1, 1), (~bits[0]).replicate(self._output.width - 1)).as_signed()
        return bits.as_signed() if self._input.signed else bits

    def _position(self, m: Module, step: Signal) -> tuple[Value, Signal, Value]:
        """Whether the next output beat is inside the border, the first of its vector, the last."""
        first = Signal(init=1)
        inside: Value = Const(1)
        ends: Value = Const(1)
        spans = [*zip(self.output_size, self._size, self._padding), (self._beats, self._beats, (0, 0))]
        for axis, (count, n, (before, _)) in reversed(list(enumerate(spans))):
            index = Signal(range(count), name=f"index_{axis}")
            with m.If(step & ends):
                m.d.sync += index.eq(advance(index, count))
            ends = ends & (index == count - 1)
            if before:
                inside = inside & (index >= before)
            if before + n < count:
                inside = inside & (index < before + n)
        return inside, first, ends
