# amaranth: UnusedElaboratable=no
"""Threshold: requantization and any monotone activation as a ladder of comparisons."""

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..component import Component
from ..control import Slice
from ..counters import advance
from ..fabric.register_slice import RegisterSlice
from ..memory.rom import Rom
from ..parameters import bounds, divisor, integer_array, integer_shape, one_of, pack, positive
from ..stream import vector


class Threshold(Component):
    """y = y_min + y_step · Σ_k [x ≥ T_k] per channel: one comparator per level and lane, then a register slice.

    With u = x − least x, a threshold is stored as the constant 2^w − (T − least x), 0 … 2^w, so that a level is reached
    exactly when adding it to u overflows w bits; thresholds beyond the input's range become "never" (0) and "always"
    (2^w). Levels ascend, so the count is a binary search among them, without adders. The thresholds of the next beat's
    channels are read while this beat leaves; ``i.ready`` comes from registers.

    Parameters
    ----------
    thresholds : np.ndarray
        Integers (channels, levels), each row ascending; with (1, levels) the row serves all channels.
    channels, lanes : int
        Elements per vector; elements per beat, dividing the channels.
    input, output : Shape
        Shapes of an element; ``output`` is ``unsigned(1)`` for a bipolar output.
    y_min, y_step : int
        Least output and step. −1 and 2 with one level make a bipolar output; otherwise ``y_step`` is 1.
    memory : str
        Where the thresholds are: ``block``, ``distributed`` or ``auto`` (see :class:`Rom`).

    Members
    -------
    i : vector of ``input``
    o : vector of ``output``
        Latency ``depth`` = 1 cycle, one beat per cycle.
    """

    def __init__(
        self,
        thresholds: np.ndarray,
        *,
        channels: int,
        lanes: int,
        input: Shape,
        output: Shape,
        y_min: int = 0,
        y_step: int = 1,
        memory: str = "auto",
    ):
        self._thresholds = integer_array("thresholds", thresholds, 2)
        self._channels = positive("channels", channels)
        self._lanes = divisor("lanes", lanes, self._channels, "channels")
        if len(self._thresholds) not in (1, self._channels):
            raise ValueError(f"thresholds must have 1 row or {channels}, one per channel, not {len(thresholds)}")
        if np.any(np.diff(self._thresholds, axis=1) < 0):
            row = int(np.nonzero(np.any(np.diff(self._thresholds, axis=1) < 0, axis=1))[0][0])
            raise ValueError(f"thresholds must ascend in each row, not fall as in row {row} (sort them)")
        self._input = integer_shape("input", input)
        self._output = integer_shape("output", output)
        self._y_min, self._y_step = y_min, y_step
        self._check_output()
        self._memory = one_of("memory", memory, ("auto", "block", "distributed"))
        self._code_width = self._input.width + int(self._codes().max() >> self._input.width)
        rows = (
            self._codes().reshape(-1, self._lanes * self.levels)
            if len(self._thresholds) > 1
            else [np.tile(self._codes()[0], self._lanes)]
        )
        self._rom = Rom([pack(row, self._code_width) for row in rows], len(rows[0]) * self._code_width, memory)
        super().__init__({"i": In(vector(input, self._lanes)), "o": Out(vector(output, self._lanes))})

    thresholds = property(lambda self: self._thresholds, doc="The thresholds, (channels or 1, levels).")
    levels = property(lambda self: self._thresholds.shape[1], doc="Thresholds per channel.")
    channels = property(lambda self: self._channels, doc="Elements per vector.")
    lanes = property(lambda self: self._lanes, doc="Elements per beat.")
    input = property(lambda self: self._input, doc="Shape of an input element.")
    output = property(lambda self: self._output, doc="Shape of an output element.")
    y_min = property(lambda self: self._y_min, doc="Least output.")
    y_step = property(lambda self: self._y_step, doc="Output step per level.")
    memory = property(lambda self: self._memory, doc="Where the thresholds are, as asked for.")
    bipolar = property(lambda self: self._y_step == 2, doc="Whether output bits stand for −1 and +1.")
    interval = property(lambda self: self._channels // self._lanes, doc="Cycles per vector.")
    depth = property(lambda self: 1, doc="Cycles from a beat's arrival to its departure.")
    latency = property(lambda self: self.depth, doc="Cycles from the first beat in to the first beat out.")

    @property
    def control(self) -> Slice:
        """A register slice; with thresholds per channel it takes nothing in the first cycle after reset."""
        return Slice(self.interval)

    def roms(self) -> dict[str, Rom]:
        """The thresholds' ROM."""
        return {"thresholds": self._rom}

    def model(self, x: np.ndarray) -> np.ndarray:
        """The outputs for ``x`` (vectors, channels); bipolar ones as −1 and +1."""
        x = integer_array("x", np.asarray(x), 2)
        lo, hi = bounds(self._input)
        if x.shape[1] != self._channels:
            raise ValueError(f"x must have {self._channels} elements per vector, not {x.shape[1]}")
        if x.min() < lo or x.max() > hi:
            raise ValueError(f"x must lie within {lo} … {hi}, not {x.min()} … {x.max()}")
        return self._y_min + self._y_step * (x[:, :, None] >= self._thresholds[None]).sum(-1)

    def features(self) -> dict[str, float]:
        """Comparator bits (constant ones apart), multiplexers of the count, the slice's registers, ROM bits."""
        compared = self._lanes * self.levels * self._input.width
        bits = self._lanes * self._output.width
        kind = "constant_comparator_bits" if self._rom.depth == 1 else "comparator_bits"
        count: dict[str, float] = {kind: compared, "mux_bits": self._lanes * self.levels + bits}
        count |= {"register_bits": 2 * bits, "control": 3 + self._rom.depth.bit_length()}
        for name, value in self._rom.features().items():
            count[name] = count.get(name, 0) + value
        return count

    def _check_output(self) -> None:
        for name, value in (("y_min", self._y_min), ("y_step", self._y_step)):
            if isinstance(value, bool) or not isinstance(value, int | np.integer):
                raise TypeError(f"{name} must be an integer, not {value!r}")
        if self._y_step == 2:
            if self._y_min != -1 or self.levels != 1:
                raise ValueError(
                    f"y_step 2 is for bipolar outputs, with y_min -1 and 1 level, not {self._y_min} and {self.levels}"
                )
            if self._output != unsigned(1):
                raise ValueError(f"output must be unsigned(1) where it is bipolar, not {self._output!r}")
            return
        if self._y_step != 1:
            raise ValueError(f"y_step must be 1, or 2 for bipolar outputs, not {self._y_step}")
        lo, hi = bounds(self._output)
        if self._y_min < lo or self._y_min + self.levels > hi:
            raise ValueError(f"output must hold {self._y_min} … {self._y_min + self.levels}, not {self._output!r}")

    def _codes(self) -> np.ndarray:
        """What is added to u: 2^w − (T − least x), from "never" 0 to "always" 2^w."""
        lo, hi = bounds(self._input)
        return hi + 1 - np.clip(self._thresholds, lo, hi + 1)

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.thresholds = rom = self._rom
        m.submodules.output = output = RegisterSlice(self.o.p.shape())
        wiring.connect(m, output.o, wiring.flipped(self.o))
        # The ROM shows the row of the beat to come; after reset it takes a cycle to show the first.
        primed = Const(1) if rom.depth == 1 else Signal(name="primed")
        move = Signal()
        m.d.comb += [
            self.i.ready.eq(output.i.ready & primed),
            output.i.valid.eq(self.i.valid & primed),
            move.eq(self.i.valid & self.i.ready),
        ]
        if rom.depth > 1:
            m.d.comb += rom.en.eq(move | ~primed)
            m.d.sync += primed.eq(1)
            with m.If(rom.en):
                m.d.sync += rom.addr.eq(advance(rom.addr, rom.depth))
        row = self.levels * self._code_width
        for lane in range(self._lanes):
            codes = rom.data.word_select(lane, row)
            reached = Signal(self.levels, name=f"reached_{lane}")
            m.d.comb += reached.eq(Cat(self._reached(self.i.p[lane], codes, level) for level in range(self.levels)))
            m.d.comb += output.i.p[lane].eq(self._output_value(m, reached))
        return m

    def _reached(self, x: Value, codes: Value, level: int) -> Value:
        """Whether ``x`` reaches the threshold: the carry out of u + code."""
        width = self._input.width
        u = (x ^ (1 << (width - 1)))[:width] if self._input.signed else x
        code = codes.word_select(level, self._code_width)
        if self._rom.depth > 1:
            return (u + code)[width]
        carry: Value = Const(0, 1)
        for bit in range(width):  # gates rather than an adder: constants fold into one gate per bit
            carry = (u[bit] & code[bit]) | ((u[bit] | code[bit]) & carry)
        return carry | code[width:].any() if self._code_width > width else carry

    def _output_value(self, m: Module, reached: Signal) -> Value:
        """y from the ascending levels: a binary search in a ladder aligned to a power of two, then the bits above.

        Where the alignment would make the ladder more than four times as long, y_min is added to the count instead.
        """
        if self.bipolar:
            return reached[0]
        width = self._output.width
        offset = 1 << (width - 1) if self._output.signed else 0
        low, high = self._y_min + offset, self._y_min + offset + self.levels
        bits = (low ^ high).bit_length()
        if bits > self.levels.bit_length() + 2:
            return ((_count(m, reached, self.levels.bit_length()) + low) ^ offset)[:width]
        base = high >> bits << bits
        always = low - base
        count = _count(m, Cat(Const((1 << always) - 1, always), reached), bits)
        return (Cat(count, Const(base >> bits, width - bits)) ^ offset)[:width]


def _count(m: Module, ladder: Value, bits: int) -> Value:
    """How many bits of ``ladder`` (at most 2^bits − 1, all ones below all zeros) are 1: a binary search."""
    found: list[Value] = []
    for bit in reversed(range(bits)):
        half = (1 << bit) - 1
        padded = Cat(ladder, Const(0, 2 * half + 1))[: 2 * half + 1]
        ladder = Signal(half, name=f"ladder_{bit}")
        m.d.comb += ladder.eq(Mux(padded[half], padded[half + 1 :], padded[:half]))
        found.insert(0, padded[half])
    return Cat(*found)
