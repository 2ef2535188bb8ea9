"""Tables of all ternary sums of a few activations: built while the one before is looked up in."""

from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
from amaranth.hdl import Array, Cat, Const, Module, Shape, Signal, Value
from amaranth.lib import memory
from amaranth.lib.wiring import In, Out

from ..component import Component
from ..memory.storage import STYLE
from ..parameters import bounds, shape_of_range
from .trit_codes import build_path, entries, entry_bounds, index_bits, numbers

PORTS = 3
"""Look-ups that share a memory."""


@dataclass(frozen=True)
class Activation:
    """An activation as it arrives: ``shape``, and whether its one bit stands for −1 or +1."""

    shape: Shape
    bipolar: bool

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the greatest value."""
        return (-1, 1) if self.bipolar else bounds(self.shape)

    def value(self, bits: Value) -> Value:
        """The number that ``bits`` stand for."""
        if self.bipolar:
            return Cat(Const(1, 1), ~bits).as_signed()
        return bits.as_signed() if self.shape.signed else bits


@dataclass(frozen=True)
class TableShape:
    """What a table holds: the sums of ``group`` activations; and the ``lookups`` in it per cycle."""

    activation: Activation
    group: int
    lookups: int

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the greatest entry."""
        return entry_bounds(*self.activation.bounds, self.group)

    @property
    def width(self) -> int:
        """Bits of an entry."""
        return shape_of_range(*self.bounds).width


class _Table(Component):
    """What the tables share.

    Members
    -------
    en : In(1)
        The pipeline moves.
    x : In(group · bits of an activation)
    index : In(lookups · index bits)
    o : Out(lookups · bits of an entry)
        The entries looked up, without delay.
    """

    def __init__(self, shape: TableShape, more: dict):
        self._shape = shape
        super().__init__(
            {
                "en": In(1),
                "x": In(shape.group * shape.activation.shape.width),
                "index": In(shape.lookups * index_bits(shape.group)),
                "o": Out(shape.lookups * shape.width),
                **more,
            }
        )

    shape = property(lambda self: self._shape, doc="What the table holds.")

    def _activations(self) -> list[Value]:
        activation = self._shape.activation
        return [activation.value(self.x.word_select(i, activation.shape.width)) for i in range(self._shape.group)]

    def _indices(self) -> list[Value]:
        return [self.index.word_select(c, index_bits(self._shape.group)) for c in range(self._shape.lookups)]

    def _look_up(self, m: Module, stored: list[Value]) -> None:
        """Look-ups among registers: entry v is ``stored[v]``."""
        for c, index in enumerate(self._indices()):
            m.d.comb += self._output(c).eq(Array(stored)[index])

    def _output(self, lookup: int) -> Value:
        return self.o.word_select(lookup, self._shape.width)


class SerialTable(_Table):
    """One adder walks from entry to entry, a step per cycle, along :func:`~bitloom.hw.lookup.trit_codes.build_path`.

    With ``kind`` ``distributed`` the entries go to LUT memory as they come, the two halves of which are built and
    looked up in by turns; with ``registers`` they move along a shift register
    and all at once to the registers that are looked up in.

    Parameters
    ----------
    shape : TableShape
    kind : str
        ``distributed`` or ``registers``.

    Members (beside those of every table)
    -------
    build : In(1)
        A step of the walk, if ``en``; ``start``: it is the first, to entry 0.
    select, minus : In
        Which activation the step adds, and whether negative.
    write, address : In
        ``distributed``: the entry of the step before belongs there, (half, |v|).
    half : In(1)
        ``distributed``: the half that is looked up in.
    load : In(1)
        ``registers``: the table that was built is looked up in from the next cycle on.
    """

    def __init__(self, shape: TableShape, kind: str):
        self._kind = kind
        more = {"build": In(1), "start": In(1), "select": In(range(shape.group)), "minus": In(1)}
        if kind == "distributed":
            more |= {"write": In(1), "address": In(index_bits(shape.group) + 1), "half": In(1)}
        else:
            more |= {"load": In(1)}
        super().__init__(shape, more)

    def elaborate(self, platform) -> Module:
        m = Module()
        width = self._shape.width
        entry = Signal(width, reset_less=True)
        operand = Signal(width)
        with m.Switch(self.select):
            for i, x in enumerate(self._activations()[:-1]):
                with m.Case(i):
                    m.d.comb += operand.eq(x)
            with m.Default():
                m.d.comb += operand.eq(self._activations()[-1])
        # A difference, so that the entry stays where a carry chain needs a wire; its borrow comes from a bit below.
        total = Cat(Const(0, 1), entry) - Cat(~self.minus, operand ^ ~self.minus.replicate(width))
        with m.If(self.en & self.build):
            m.d.sync += entry.eq(total[1:])
            with m.If(self.start):
                m.d.sync += entry.eq(0)
        if self._kind == "distributed":
            self._in_memory(m, entry)
        else:
            self._in_registers(m, entry)
        return m

    def _in_memory(self, m: Module, entry: Signal) -> None:
        """Memories for three look-ups, as a 7-series memory has three read ports beside the written one, and for one
        each of what is left; other families copy them for each look-up anyway."""
        indices = self._indices()
        whole = len(indices) - len(indices) % PORTS
        starts = [*range(0, whole, PORTS), *range(whole, len(indices))]
        for copy, (start, end) in enumerate(pairwise([*starts, len(indices)])):
            table = memory.Memory(
                shape=self._shape.width, depth=2 << index_bits(self._shape.group), init=[],
                attrs={"ram_style": STYLE["distributed"]},
            )  # fmt: skip
            m.submodules[f"copy_{copy}"] = table
            write = table.write_port()
            m.d.comb += [write.en.eq(self.write), write.addr.eq(self.address), write.data.eq(entry)]
            for c in range(start, end):
                read = table.read_port(domain="comb")
                m.d.comb += [read.addr.eq(Cat(indices[c], self.half)), self._output(c).eq(read.data)]

    def _in_registers(self, m: Module, entry: Signal) -> None:
        path = numbers(build_path(self._shape.group)).tolist()
        built = [entry]
        for step in range(len(path) - 2):
            built.append(Signal(self._shape.width, name=f"built_{step}", reset_less=True))
        with m.If(self.en & self.build):
            m.d.sync += [after.eq(before) for before, after in pairwise(built)]
        stored: list[Value] = [Const(0, self._shape.width)] * len(path)
        for number, value in zip(reversed(path), built):
            stored[number] = Signal(self._shape.width, name=f"entry_{number}", reset_less=True)
            with m.If(self.en & self.load):
                m.d.sync += stored[number].eq(value)
        self._look_up(m, stored)


class ParallelTable(_Table):
    """All entries at once, each by one adder from two others; registers behind every second adder level.

    A sum of g activations comes of those of its first two and of the rest, so that there are two adder levels up to
    g = 4, three at g = 5, where the sums of two stand in registers first.

    Parameters
    ----------
    shape : TableShape

    Members (beside those of every table)
    -------
    load : In(1)
        ``x`` is there; the table is looked up in :attr:`stages` enabled cycles later, until the next one comes there.
    """

    def __init__(self, shape: TableShape):
        super().__init__(shape, {"load": In(1)})

    stages = property(lambda self: parallel_stages(self._shape.group), doc="Cycles from ``load`` to the table.")

    def elaborate(self, platform) -> Module:
        m = Module()
        group = self._shape.group
        x = self._activations()
        # A sum is known by the places and the trits of its activations, the last trit +1.
        sums: dict[tuple[tuple[int, int], ...], Value] = {((i, 1),): value for i, value in enumerate(x)}
        load = self.load
        for size in range(2, group + 1):
            if size == 3 and self.stages == 2:
                sums = {key: self._register(m, load, key, value) for key, value in sums.items()}
                load = Signal(name="second")
                with m.If(self.en):
                    m.d.sync += load.eq(self.load)
            sums |= {key: self._sum(m, sums, key) for key in _keys(group, size)}
        stored: list[Value] = [Const(0, self._shape.width)] * entries(group)
        for key, value in sums.items():
            stored[sum(trit * 3**i for i, trit in key)] = self._register(m, load, key, value, "entry")
        self._look_up(m, stored)
        return m

    def _sum(self, m: Module, sums: dict, key: tuple[tuple[int, int], ...]) -> Value:
        """The sum ``key`` of its two highest activations (three of five) and the rest."""
        cut = len(key) - 2
        rest, top = key[:cut], key[cut:]
        if not rest:
            rest, top = key[:1], key[1:]
        sign = rest[-1][1]
        low = sums[tuple((i, trit * sign) for i, trit in rest)]
        value = Signal(shape_of_range(*entry_bounds(*self._shape.activation.bounds, len(key))), name=_name("sum", key))
        m.d.comb += value.eq(sums[top] + low if sign > 0 else sums[top] - low)
        return value

    def _register(self, m: Module, load: Value, key: tuple, value: Value, kind: str = "part") -> Signal:
        shape = Shape(self._shape.width, signed=True) if kind == "entry" else value.shape()
        register = Signal(shape, name=_name(kind, key), reset_less=True)
        with m.If(self.en & load):
            m.d.sync += register.eq(value)
        return register


def parallel_stages(group: int) -> int:
    """Cycles in which a :class:`ParallelTable` is built."""
    return 1 if group <= 4 else 2


def _keys(group: int, size: int) -> list[tuple[tuple[int, int], ...]]:
    """The sums of ``size`` of ``group`` activations whose highest trit is +1: (place, trit) of each, in order."""
    found = []
    for trits in product((0, 1, -1), repeat=group):
        key = tuple((i, trit) for i, trit in enumerate(trits) if trit)
        if len(key) == size and key[-1][1] == 1:
            found.append(key)
    return found


def _name(kind: str, key: tuple[tuple[int, int], ...]) -> str:
    return "_".join([kind, *(f"{'p' if trit > 0 else 'n'}{i}" for i, trit in key)])


def table_features(shape: TableShape, build: str, kind: str) -> dict[str, float]:
    """Bits of what one table is made of: entries by kind and half, adders of the build, look-ups, registers."""
    count, width = entries(shape.group), shape.width
    looked = shape.lookups * width
    if build == "parallel":
        adders = (count - 1 - shape.group) * width
        return {"builder_bits": adders, "table_register_bits": (count - 1) * width, "lookup_mux_bits": looked * count}
    built: dict[str, float]
    built = {"builder_bits": width, "builder_mux_bits": (shape.group - 1) * width, "register_bits": width}
    if kind == "distributed":
        depth = 2 << index_bits(shape.group)
        return built | {"lookup_memory_bits": looked * depth, "lookup_bits": looked}
    return built | {"table_register_bits": (2 * count - 3) * width, "lookup_mux_bits": looked * count}


def steps_of(group: int) -> list[tuple[int, int, int]]:
    """The walk of :class:`SerialTable`, step by step: (activation, whether negative, |v| after it); first to 0."""
    path = build_path(group)
    moves = np.diff(path, axis=0, prepend=0)
    which = np.abs(moves).argmax(1)
    return [(int(i), int(move[i] < 0), int(v)) for i, move, v in zip(which, moves, numbers(path))]
