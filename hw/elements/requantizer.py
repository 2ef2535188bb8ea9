# amaranth: UnusedElaboratable=no
"""Requantizer: an integer multiplication, an addition, a shift, a clip."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from amaranth.hdl import Const, Module, Mux, Shape, Value, unsigned
from amaranth.lib.wiring import In, Out

from ..arithmetic import digit_product, shift_add
from ..arithmetic.lateness import Lateness
from ..component import Component
from ..control import Steps
from ..memory.rom import Rom
from ..parameters import bounds, divisor, integer_array, integer_shape, one_of, pack, positive, shape_of_range
from ..pipeline import Pipeline
from ..stream import vector

PRODUCTS = ("logic", "block")


@dataclass(frozen=True)
class _Lane:
    """The numbers of one lane: its multipliers and offsets in the order of beats, and what they make of the input.

    ``digits`` are the multipliers' in radix 4, where products are made of logic: then what their rows leave missing is
    part of the offset.
    """

    multiplier: np.ndarray
    digits: np.ndarray | None
    offset: np.ndarray
    clipped: tuple[int, int]


class Requantizer(Component):
    """y[c] = clip((x[c] · multiplier[c] + offset[c]) ≫ shift, y_min, y_max), the shift rounding down.

    With ``late``, an output y above y_min begins late[c, y − y_min − 1] integers x later than that line says
    (:mod:`bitloom.hw.arithmetic.lateness`).

    Multipliers that differ from beat to beat come from a :class:`Rom` and take a multiplier per lane: rows of digits in
    radix 4 and a pipelined tree of adders (:mod:`bitloom.hw.arithmetic.digit_product`), or one product with a register
    behind, for synthesis to put into a multiplier block. Where all beats have the same, it is built of its few signed
    digits (:mod:`bitloom.hw.arithmetic.shift_add`), of nothing at all if it is a power of two. What is added is the
    offset minus y_min · 2^shift, so that too little shows in the sign and, for a range of 2^n values, too much in the
    bits above n. The unit stands still while the sink blocks.

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
        Where multipliers and offsets are: ``block``, ``distributed`` or ``auto`` (see :class:`Rom`). Where ``late`` is
        in a memory it says where that is; a ``block`` is ``auto`` for the others then.
    late : np.ndarray or None
        Integers of at least 0, (channels or 1, y_max − y_min), with late · multiplier ≤ 2^shift.
    product : str
        What multiplies: ``logic``, or ``block`` for multiplier blocks of the device.

    Members
    -------
    i : vector of ``input``
    o : vector of ``output``
        One beat per cycle, ``depth`` cycles later: for the product, the levels of its adders, and 1 where it is a
        block, and 1 more where multipliers come from a Rom; at least 1 altogether where offsets come from one; 1 for
        the addition, if there is any or anything is late; 1 where ``late`` comes from a Rom; 1 for the clip.
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
        late: np.ndarray | None = None,
        product: str = "logic",
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
        self._late = None if late is None else self._lateness(late)
        self._product = one_of("product", product, ("logic", "block"))
        self._multiplies = len({tuple(row) for row in self._by_beat(self._multiplier).tolist()}) > 1
        self._parts = [self._part(lane) for lane in range(self._lanes)]
        self._factor_widths = [_factor_width(part) for part in self._parts]
        self._offset_shapes = [shape_of_range(part.offset.min(), part.offset.max()) for part in self._parts]
        self._multiplier_rom = self._make_rom([_factors(part) for part in self._parts], self._factor_widths)
        self._offset_rom = self._make_rom(
            [part.offset.tolist() for part in self._parts], [shape.width for shape in self._offset_shapes]
        )
        self._step_rom = self._make_rom(
            [part.multiplier.tolist() for part in self._parts], [_bits(part) for part in self._parts]
        )
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
    late = property(lambda self: None if self._late is None else self._late.late, doc="How late each output begins.")
    memory = property(lambda self: self._memory, doc="Where multipliers and offsets are, as asked for.")
    product = property(lambda self: self._product, doc="What multiplies: ``logic`` or ``block``.")
    interval = property(lambda self: self._channels // self._lanes, doc="Cycles per vector.")
    latency = property(lambda self: self.depth, doc="Cycles from the first beat in to the first beat out.")

    @property
    def depth(self) -> int:
        """Cycles from a beat's arrival to its departure."""
        return self._product_stages + self._held + (self._late.stages if self._late else 0) + 1

    @property
    def control(self) -> Steps:
        """A beat in and a beat out in every step."""
        return Steps(np.ones((1, self.interval), bool), np.ones(self.interval, bool), self.depth)

    def roms(self) -> dict[str, Rom]:
        """``multipliers``, where they differ from beat to beat, ``offsets``, where there are any; for what is late,
        ``steps``, the multipliers once more, and ``late_0``, … where it comes from a memory."""
        roms = {"multipliers": self._multiplier_rom} if self._multiplies else {}
        roms |= {"offsets": self._offset_rom} if self._adds else {}
        if self._late is not None:
            roms |= {"steps": self._step_rom} if self._multiplies else {}
            roms |= {f"late_{lane}": rom for lane, rom in enumerate(self._late.roms)}
        return roms

    def model(self, x: np.ndarray) -> np.ndarray:
        """The outputs for ``x`` (vectors, channels)."""
        x = integer_array("x", np.asarray(x), 2)
        lo, hi = bounds(self._input)
        if x.shape[1] != self._channels:
            raise ValueError(f"x must have {self._channels} elements per vector, not {x.shape[1]}")
        if x.min() < lo or x.max() > hi:
            raise ValueError(f"x must lie within {lo} … {hi}, not {x.min()} … {x.max()}")
        line = x * self._multiplier + self._offset
        y = line >> self._shift
        if self._late is not None:
            y = y - self._late.taken(y - self._y_min, line - (y << self._shift), self._multiplier)
        return np.clip(y, self._y_min, self._y_max)

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
        lo, hi = bounds(self._input)
        product = shape_of_range(lo * int(part.multiplier.max()), hi * int(part.multiplier.max())).width
        clipped, output = shape_of_range(*part.clipped).width, (self._y_max - self._y_min).bit_length()
        count: dict[str, float] = {"adder_bits": 0, "register_bits": output}
        if self._multiplies:
            count["register_bits"] += self._input.width
        if self._multiplies and part.digits is None:
            count["multiplier_bits"] = self._input.width * _factor_width(part)
            count["register_bits"] += product
        elif self._product_stages:
            count["product_bits"] = 0 if part.digits is None else digit_product.row_bits(self._input, part.digits)
            for name, bits in shift_add.costs(self._terms(part), self._adder_stages).items():
                count[name] = count.get(name, 0) + bits
        if self._adds:
            ones = int(np.bitwise_or.reduce(part.offset))
            count["adder_bits"] += max(product, clipped + self._shift) - (
                (ones & -ones).bit_length() - 1 if ones else 0
            )
            count["register_bits"] += clipped
        if part.clipped[0] < 0 or part.clipped[1] > self._y_max - self._y_min:
            count["mux_bits"] = output + max(0, clipped - output) / 3
        if self._late is not None:
            count["register_bits"] += 0 if self._adds else clipped
            for name, value in self._late.features().items():
                count[name] = count.get(name, 0) + value
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

    def _lateness(self, late: np.ndarray) -> Lateness | None:
        """What ``late`` asks for; None where nothing is late."""
        levels = self._y_max - self._y_min
        late = Lateness.checked(late, self._multiplier, channels=self._channels, levels=levels, shift=self._shift)
        return Lateness(late, self._lanes, self._shift, self._memory) if late.any() else None

    def _by_beat(self, values: np.ndarray) -> np.ndarray:
        """``values`` of all channels, (beats, lanes)."""
        return np.broadcast_to(values, self._channels).reshape(-1, self._lanes)

    def _part(self, lane: int) -> _Lane:
        """What ``lane`` computes with."""
        lo, hi = bounds(self._input)
        m, b = self._by_beat(self._multiplier)[:, lane], self._by_beat(self._offset)[:, lane]
        b = b - (self._y_min << self._shift)
        clipped = int((lo * m + b).min()) >> self._shift, int((hi * m + b).max()) >> self._shift
        if not self._multiplies or self._product == "block":
            return _Lane(m, None, b, clipped)
        digits = digit_product.recode(m)
        return _Lane(m, digits, b + digit_product.missing(digits), clipped)

    def _make_rom(self, values: list[list[int]], widths: list[int]) -> Rom:
        """One word per beat with the values of all lanes; one word alone if all are the same."""
        shifts = np.cumsum([0, *widths]).tolist()
        words = [
            sum(pack([value], width) << at for value, width, at in zip(row, widths, shifts)) for row in zip(*values)
        ]
        small = self._memory == "block" and self._late is not None and self._late.roms
        return Rom(words[:1] if len(set(words)) == 1 else words, shifts[-1], "auto" if small else self._memory)

    @property
    def _adds(self) -> bool:
        """Whether anything is added."""
        return any(np.any(part.offset) for part in self._parts)

    @property
    def _held(self) -> bool:
        """Whether sums stand in a register before they are clipped."""
        return self._adds or self._late is not None

    @cached_property
    def _adder_stages(self) -> int:
        """Pipeline stages of the tree of adders of a product."""
        return shift_add.stages(max(len(self._terms(part)) for part in self._parts))

    @property
    def _product_stages(self) -> int:
        """Pipeline stages before the addition."""
        if self._multiplies:
            return 1 + (1 if self._product == "block" else self._adder_stages)
        if any(len(self._terms(part)) > 1 for part in self._parts):
            return self._adder_stages
        return int(self._adds and self._offset_rom.depth > 1)

    def _terms(self, part: _Lane, x: Value | None = None, factor: Value | None = None) -> list[shift_add.Term]:
        """What the product of one lane is the sum of."""
        if part.digits is not None:
            return digit_product.rows(x, self._input, factor, part.digits)
        return shift_add.terms([x], [bounds(self._input)], [int(part.multiplier[0])])

    def elaborate(self, platform) -> Module:
        m = Module()
        pipeline = Pipeline(m, self.o, self.i.valid, self.depth)
        m.d.comb += self.i.ready.eq(pipeline.enable)
        factors = pipeline.rows(self._multiplier_rom, 1, "multipliers") if self._multiplies else Const(0)
        offsets = self._offsets(pipeline)
        finish = self._clipped if self._late is None else self._corrected(pipeline, self._late)
        at = 0
        for lane in range(self._lanes):
            value = self._multiplied(pipeline, lane, factors[at : at + self._factor_widths[lane]])
            at += self._factor_widths[lane]
            if self._adds:
                value = value + offsets[lane]
            value = finish(pipeline, lane, value) + self._y_min
            m.d.comb += self.o.p[lane].eq(pipeline.register(value, f"y_{lane}", self._output))
        return m

    def _clipped(self, pipeline: Pipeline, lane: int, value: Value) -> Value:
        """The sum ``value``, shifted and clipped, from y_min on."""
        part = self._parts[lane]
        value = value >> self._shift
        if self._adds:
            value = pipeline.register(value, f"sum_{lane}", shape_of_range(*part.clipped))
        return self._within(part.clipped, value)

    def _corrected(self, pipeline: Pipeline, late: Lateness) -> Callable[[Pipeline, int, Value], Value]:
        """As :meth:`_clipped`, and less what is late."""
        stage = self._product_stages + 1
        word = pipeline.rows(self._step_rom, stage, "steps") if self._multiplies else Const(0)
        several = late.roms and late.beats > 1
        beat = [pipeline.count(stage, late.beats, "late_beat")] if several else []
        ends = np.cumsum([_bits(part) for part in self._parts]).tolist()

        def finish(pipeline: Pipeline, lane: int, value: Value) -> Value:
            part = self._parts[lane]
            (lo, hi), top = part.clipped, self._y_max - self._y_min
            step = word[ends[lane] - _bits(part) : ends[lane]] if self._multiplies else Const(int(part.multiplier[0]))
            held = shape_of_range(lo << self._shift, ((hi + 1) << self._shift) - 1)
            value = pipeline.register(value, f"sum_{lane}", held)
            rest, line = value[: self._shift], value >> self._shift
            if late.by_parity:
                return self._within((lo - late.even, hi), late.corrected(line, rest, step))
            above = line > top if hi > top else Const(0, 1)
            return late.searched(pipeline, lane, self._within(part.clipped, line), above, rest, step, beat)

        return finish

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

    def _multiplied(self, pipeline: Pipeline, lane: int, factor: Value) -> Value:
        """x · multiplier but for what is missing, ``_product_stages`` stages later."""
        x, part, name = self.i.p[lane], self._parts[lane], f"product_{lane}"
        if self._product_stages == 0:
            return x << (int(part.multiplier[0]).bit_length() - 1)
        if not self._multiplies:
            return shift_add.total(pipeline, self._terms(part, x), self._product_stages, name)
        x = pipeline.register(x, f"x_{lane}")
        if part.digits is None:
            return pipeline.register(x * factor, name)
        return shift_add.total(pipeline, self._terms(part, x, factor), self._adder_stages, name)

    def _within(self, ends: tuple[int, int], value: Value) -> Value:
        """``value``, which counts from y_min and lies within ``ends``, within the range of outputs."""
        lo, hi = ends
        top = self._y_max - self._y_min
        bits = top.bit_length()
        within = value[:bits] if bits < len(value) else value
        if hi > top:
            above = value[bits:].any() if top == (1 << bits) - 1 else value > top
            within = Mux(above, Const(top, unsigned(max(1, bits))), within)
        if lo < 0:
            within = Mux(value < 0, 0, within)
        return within


def _bits(part: _Lane) -> int:
    """Bits of the multipliers of the lane."""
    return int(part.multiplier.max()).bit_length()


def _factor_width(part: _Lane) -> int:
    """Bits that a multiplier of the lane takes in its word."""
    return _bits(part) if part.digits is None else 2 * part.digits.shape[-1]


def _factors(part: _Lane) -> list[int]:
    """What stands for each multiplier of the lane in its word."""
    return part.multiplier.tolist() if part.digits is None else digit_product.code(part.digits)
