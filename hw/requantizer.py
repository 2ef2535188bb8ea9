# amaranth: UnusedElaboratable=no
"""Requantizer: an integer multiplication, an addition, a shift, a clip."""

from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Const, Module, Mux, Shape, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from . import shift_add
from .control import Steps
from .parameters import bounds, divisor, integer_array, integer_shape, one_of, pack, positive, shape_of_range
from .pipeline import Pipeline
from .rom import Rom
from .stream import vector


@dataclass(frozen=True)
class _Lane:
    """The numbers of one lane: its multipliers and offsets in the order of beats, and what they make of the input."""

    multiplier: np.ndarray
    offset: np.ndarray
    product: tuple[int, int]
    clipped: tuple[int, int]


class Requantizer(wiring.Component):
    """y[c] = clip((x[c] · multiplier[c] + offset[c]) ≫ shift, y_min, y_max), the shift rounding down.

    Multipliers that differ from beat to beat come from a :class:`Rom` and take a multiplier per lane, written as one
    product with a register behind, which synthesis makes of a multiplier block or of LUTs. Where a lane has only one,
    it is built of its few signed digits (:mod:`bitloom.hw.shift_add`), of nothing at all if it is a power of two. What
    is added is the offset minus y_min · 2^shift, so that too little shows in the sign and, for a range of 2^n values,
    too much in the bits above n. The unit stands still while the sink blocks.

    Parameters
    ----------
    multiplier : np.ndarray
        Integers of at least 1, (channels,), or (1,) for all channels alike.
    offset : np.ndarray
        Integers, (channels,) or (1,).
    channels, lanes : int
        Elements per vector; elements per beat, dividing the channels.
    input, output : Shape
        Shapes of an element.
    shift : int
        Bits shifted out, 0 … 61.
    y_min, y_max : int
        The least and the greatest output.
    memory : str
        Where multipliers and offsets are: ``block``, ``distributed`` or ``auto`` (see :class:`Rom`).

    Members
    -------
    i : vector of ``input``
    o : vector of ``output``
        One beat per cycle, ``depth`` cycles later: 2 for a multiplication from a Rom or the levels of adders of a
        constant one; at least 1 of them where offsets come from a Rom; 1 for an addition; 1 for the clip.
    """

    def __init__(
        self,
        multiplier: np.ndarray,
        offset: np.ndarray,
        *,
        channels: int,
        lanes: int,
        input: Shape,
        output: Shape,
        shift: int,
        y_min: int,
        y_max: int,
        memory: str = "auto",
    ):
        self._multiplier = integer_array("multiplier", multiplier, 1)
        self._offset = integer_array("offset", offset, 1)
        self._channels = positive("channels", channels)
        self._lanes = divisor("lanes", lanes, self._channels, "channels")
        self._input, self._output = integer_shape("input", input), integer_shape("output", output)
        for name, value in (("shift", shift), ("y_min", y_min), ("y_max", y_max)):
            if isinstance(value, bool) or not isinstance(value, int | np.integer):
                raise TypeError(f"{name} must be an integer, not {value!r}")
        self._shift, self._y_min, self._y_max = int(shift), int(y_min), int(y_max)
        self._check()
        self._memory = one_of("memory", memory, ("auto", "block", "distributed"))
        self._parts = self._split()
        multipliers, offsets = ([getattr(part, name) for part in self._parts] for name in ("multiplier", "offset"))
        self._offset_shapes = [shape_of_range(values.min(), values.max()) for values in offsets]
        self._multiplier_rom = self._make_rom(multipliers)
        self._offset_rom = self._make_rom(offsets)
        super().__init__({"i": In(vector(input, self._lanes)), "o": Out(vector(output, self._lanes))})

    multiplier = property(lambda self: self._multiplier, doc="The multipliers, (channels or 1,).")
    offset = property(lambda self: self._offset, doc="The offsets, (channels or 1,).")
    channels = property(lambda self: self._channels, doc="Elements per vector.")
    lanes = property(lambda self: self._lanes, doc="Elements per beat.")
    input = property(lambda self: self._input, doc="Shape of an input element.")
    output = property(lambda self: self._output, doc="Shape of an output element.")
    shift = property(lambda self: self._shift, doc="Bits shifted out.")
    y_min = property(lambda self: self._y_min, doc="Least output.")
    y_max = property(lambda self: self._y_max, doc="Greatest output.")
    memory = property(lambda self: self._memory, doc="Where multipliers and offsets are, as asked for.")
    interval = property(lambda self: self._channels // self._lanes, doc="Cycles per vector.")
    latency = property(lambda self: self.depth, doc="Cycles from the first beat in to the first beat out.")

    @property
    def depth(self) -> int:
        """Cycles from a beat's arrival to its departure."""
        return self._product_stages + self._adds + 1

    @property
    def control(self) -> Steps:
        """A beat in and a beat out in every step."""
        return Steps(np.ones((1, self.interval), bool), np.ones(self.interval, bool), self.depth)

    def roms(self) -> dict[str, Rom]:
        """``multipliers``, where they differ from beat to beat, and ``offsets``, where there are any."""
        roms = {"multipliers": self._multiplier_rom} if self._multiplies else {}
        return roms | ({"offsets": self._offset_rom} if self._adds else {})

    def model(self, x: np.ndarray) -> np.ndarray:
        """The outputs for ``x`` (vectors, channels)."""
        x = integer_array("x", np.asarray(x), 2)
        lo, hi = bounds(self._input)
        if x.shape[1] != self._channels:
            raise ValueError(f"x must have {self._channels} elements per vector, not {x.shape[1]}")
        if x.min() < lo or x.max() > hi:
            raise ValueError(f"x must lie within {lo} … {hi}, not {x.min()} … {x.max()}")
        return np.clip((x * self._multiplier + self._offset) >> self._shift, self._y_min, self._y_max)

    def features(self) -> dict[str, float]:
        """Bits of multipliers, adders, clipping and registers, the ROMs' bits by kind."""
        count: dict[str, float] = {"control": 2 + self.depth}
        for part in self._parts:
            for name, bits in self._lane_features(part).items():
                count[name] = count.get(name, 0) + bits
        for rom in self.roms().values():
            count["control"] += rom.depth.bit_length()
            for name, value in rom.features().items():
                count[name] = count.get(name, 0) + value
        return count

    def _lane_features(self, part: _Lane) -> dict[str, float]:
        """The features of one lane, ROMs apart."""
        product, clipped = shape_of_range(*part.product).width, shape_of_range(*part.clipped).width
        output = (self._y_max - self._y_min).bit_length()
        count: dict[str, float] = {"adder_bits": 0, "register_bits": output}
        if self._multiplies:
            count["multiplier_bits"] = self._input.width * int(part.multiplier.max()).bit_length()
            count["register_bits"] += self._input.width + product
        elif self._product_stages:
            for name, bits in shift_add.costs(self._terms(part), self._product_stages).items():
                count[name] = count.get(name, 0) + bits
        if self._adds:
            ones = int(np.bitwise_or.reduce(part.offset))
            count["adder_bits"] += max(product, clipped + self._shift) - (
                (ones & -ones).bit_length() - 1 if ones else 0
            )
            count["register_bits"] += clipped
        if part.clipped[0] < 0 or part.clipped[1] > self._y_max - self._y_min:
            count["mux_bits"] = output + max(0, clipped - output) / 3
        return count

    def _check(self) -> None:
        """Refuse constants that do not fit one another."""
        for name, values in (("multiplier", self._multiplier), ("offset", self._offset)):
            if len(values) not in (1, self._channels):
                raise ValueError(f"{name} must be 1 value or {self._channels}, one per channel, not {len(values)}")
        if self._multiplier.min() < 1:
            raise ValueError(f"multiplier must be at least 1, not {self._multiplier.min()}")
        if not 0 <= self._shift <= 61:
            raise ValueError(f"shift must be 0 to 61, not {self._shift}")
        lo, hi = bounds(self._output)
        if not lo <= self._y_min <= self._y_max <= hi:
            raise ValueError(f"output must hold {self._y_min} … {self._y_max}, in this order, not {self._output!r}")
        peak = max(-bounds(self._input)[0], bounds(self._input)[1]) * int(self._multiplier.max())
        peak += max(abs(int(self._offset.min())), abs(int(self._offset.max())))
        if max(peak, abs(self._y_min) << self._shift) >= 1 << 61:
            raise ValueError("multiplier and offset must keep products below 2^61 (take fewer bits and a lower shift)")

    def _split(self) -> list[_Lane]:
        """What each lane computes with."""
        lo, hi = bounds(self._input)
        parts = []
        for lane in range(self._lanes):
            m, b = (np.broadcast_to(v, self._channels)[lane :: self._lanes] for v in (self._multiplier, self._offset))
            b = b - (self._y_min << self._shift)
            ends = (int((lo * m + b).min()) >> self._shift, int((hi * m + b).max()) >> self._shift)
            parts.append(_Lane(m, b, (min(lo * int(m.max()), lo * int(m.min())), hi * int(m.max())), ends))
        return parts

    def _make_rom(self, values: list[np.ndarray]) -> Rom:
        """One word per beat with the values of all lanes; one word alone if all are the same."""
        widths = [shape_of_range(lane.min(), lane.max()).width for lane in values]
        shifts = np.cumsum([0, *widths])
        words = [
            sum(pack([value], width) << int(at) for value, width, at in zip(row, widths, shifts))
            for row in zip(*values)
        ]
        return Rom(words[:1] if len(set(words)) == 1 else words, int(shifts[-1]), self._memory)

    @property
    def _multiplies(self) -> bool:
        """Whether multipliers differ from beat to beat."""
        return self._multiplier_rom.depth > 1

    @property
    def _adds(self) -> bool:
        """Whether anything is added."""
        return any(np.any(part.offset) for part in self._parts)

    @property
    def _product_stages(self) -> int:
        """Pipeline stages before the addition."""
        if self._multiplies:
            return 2
        terms = max(len(shift_add.digits(int(part.multiplier[0]))) for part in self._parts)
        return shift_add.stages(terms) if terms > 1 else int(self._adds and self._offset_rom.depth > 1)

    def _terms(self, part: _Lane, x: Value | None = None) -> list[shift_add.Term]:
        return shift_add.terms([x], [bounds(self._input)], [int(part.multiplier[0])])

    def elaborate(self, platform) -> Module:
        m = Module()
        pipeline = Pipeline(m, self.o, self.i.valid, self.depth)
        m.d.comb += self.i.ready.eq(pipeline.enable)
        factors = pipeline.rows(self._multiplier_rom, 1, "multipliers") if self._multiplies else Const(0)
        offsets = self._offsets(pipeline)
        at = 0
        for lane, part in enumerate(self._parts):
            width = int(part.multiplier.max()).bit_length()
            value = self._product(pipeline, part, lane, factors[at : at + width])
            at += width
            if self._adds:
                value = value + offsets[lane]
            value = value >> self._shift
            if self._adds:
                value = pipeline.register(value, f"sum_{lane}", shape_of_range(*part.clipped))
            m.d.comb += self.o.p[lane].eq(pipeline.register(self._clip(part, value), f"y_{lane}", self._output))
        return m

    def _offsets(self, pipeline: Pipeline) -> list[Value]:
        """The offset of each lane, there together with the product."""
        if not self._adds:
            return []
        word = pipeline.rows(self._offset_rom, self._product_stages, "offsets")
        found, at = [], 0
        for shape in self._offset_shapes:
            bits = word[at : at + shape.width]
            found.append(bits.as_signed() if shape.signed else bits)
            at += shape.width
        return found

    def _product(self, pipeline: Pipeline, part: _Lane, lane: int, factor: Value) -> Value:
        """x · multiplier, ``_product_stages`` stages later."""
        x = self.i.p[lane]
        if self._multiplies:
            product = pipeline.register(x, f"x_{lane}") * factor
            return pipeline.register(product, f"product_{lane}", shape_of_range(*part.product))
        if self._product_stages == 0:
            return x << (int(part.multiplier[0]).bit_length() - 1)
        return shift_add.total(pipeline, self._terms(part, x), self._product_stages, f"product_{lane}")

    def _clip(self, part: _Lane, value: Value) -> Value:
        """``value``, which counts from y_min, within the range of outputs."""
        lo, hi = part.clipped
        top = self._y_max - self._y_min
        bits = top.bit_length()
        within = value[:bits] if bits < len(value) else value
        if hi > top:
            above = value[bits:].any() if top == (1 << bits) - 1 else value > top
            within = Mux(above, Const(top, unsigned(max(1, bits))), within)
        if lo < 0:
            within = Mux(value < 0, 0, within)
        return within + self._y_min
