# amaranth: UnusedElaboratable=no
"""Accumulators: partial sums of many outputs, one set of lanes after the other."""

from collections.abc import Callable

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import memory
from amaranth.lib.wiring import In, Out

from ..component import Component
from ..memory.rom import Rom
from ..memory.storage import STYLE, output_register, storage, storage_features
from ..memory.weight_memory import WeightMemory
from ..parameters import pack, pack_rows, shape_of_range
from .signed_tree import plus_complemented

LEAST_FOLDS = 3
"""Sets of lanes from which a sum is back in memory before it is read again."""


class Accumulators(Component):
    """Adds sets of terms to partial sums n = 0 … NF − 1 and over again, which start from constants.

    In ``block`` memory the constants are behind the partial sums, and where a sum starts it is read from there: nothing
    has to be chosen. In ``distributed`` memory and ``registers`` they come from a ROM. ``registers`` are a shift
    register of NF sets.

    Parameters
    ----------
    widths : list of int
        Bits of each lane's sums; a finished sum fits.
    terms : list of int
        Bits of each lane's term.
    folds : int
        NF.
    starts : Callable[[], np.ndarray]
        Gives what the sums start from, (NF, lanes), when it is first needed.
    bounds : (int, int)
        What it lies within.
    kind : str
        ``block``, ``distributed`` or ``registers``; see :func:`partials_kind`.
    port : int or None
        The constants can be written, in pieces of so many bits: they are in a :class:`WeightMemory` in the ROM's place,
        with ``block`` too, whatever ``bounds`` says.

    Members
    -------
    en : In(1)
        The pipeline moves.
    active, first, n : In
        A term comes in the next enabled cycle; it is the first of its sum; of which sum.
    x, sign : In
        The terms, signed, lane 0 lowest: x + 1 is added where the sign is 0, x subtracted where it is 1.
    o : Out
        The sums, lane 0 lowest, in the enabled cycle after their terms.
    """

    def __init__(
        self, widths: list[int], terms: list[int], folds: int, starts: Callable[[], np.ndarray],
        bounds: tuple[int, int], kind: str, port: int | None = None,
    ):  # fmt: skip
        self._widths = widths
        self._terms = terms
        self._folds = folds
        self._starts = starts
        self._kind = kind
        narrow = shape_of_range(min(-1, bounds[0]), bounds[1]).width
        self._start_width = max(widths) if port else min(max(widths), narrow)
        self._port = port
        self._rom = None if self._joint else self._make_rom()
        lanes = len(widths)
        super().__init__(
            {
                "en": In(1),
                "active": In(1),
                "first": In(1),
                "n": In(range(max(2, folds))),
                "x": In(sum(terms)),
                "sign": In(lanes),
                "o": Out(sum(widths)),
            }
        )

    kind = property(lambda self: self._kind, doc="Where the partial sums are.")
    rom = property(lambda self: self._rom, doc="Where the constants are, None where the partial sums' memory has them.")
    _joint = property(lambda self: self._kind == "block" and self._port is None, doc="Whether it has them.")

    @property
    def buffers(self) -> list[tuple[int, int, str]]:
        """The memory of the partial sums: (depth, width, kind)."""
        return [] if self._kind == "registers" else [(self._depth, sum(self._widths), self._kind)]

    @property
    def _depth(self) -> int:
        return self._folds + self._page if self._joint else self._folds

    @property
    def _page(self) -> int:
        """Where the constants begin in block memory."""
        return 1 << (self._folds - 1).bit_length()

    def features(self) -> dict[str, float]:
        """Bits of adders, choices, registers and storage."""
        width = sum(self._widths)
        count: dict[str, float] = {"accumulator_bits": width}
        if self._kind == "registers":
            count["partial_register_bits"] = width * (self._folds - 1)
        else:
            count |= storage_features(self._kind, self._depth, width)
        if not self._joint:
            count["start_bits"] = width
        for name, value in ({} if self._rom is None else self._rom.features()).items():
            count[name] = count.get(name, 0) + value
        return count

    def _make_rom(self) -> Rom:
        width, distributed = self._start_width, self._kind == "distributed"
        words, bits = (lambda: pack_rows(self._starts(), width)), width * len(self._widths)
        if self._port is not None:
            kind = "registers" if distributed else "auto"
            return WeightMemory(words, bits, kind, depth=self._folds, port=self._port)
        return Rom(words, bits, "distributed" if distributed else "auto", depth=self._folds)

    def elaborate(self, platform) -> Module:
        m = Module()
        active, first = Signal(), Signal(reset_less=True)
        n = Signal.like(self.n, name="n_1", reset_less=True)
        with m.If(self.en):
            m.d.sync += [active.eq(self.active), first.eq(self.first), n.eq(self.n)]
        sums = Signal(sum(self._widths), reset_less=True)
        if self._kind == "registers":
            base = self._shift_register(m, self.en & active, sums)
        else:
            base = self._memory(m, active, n, sums)
        if self._rom is not None:
            base = Mux(first, self._start(m, self._rom), base)
        with m.If(self.en & active):
            m.d.sync += sums.eq(self._added(base))
        m.d.comb += self.o.eq(sums)
        return m

    def _start(self, m: Module, rom: Rom) -> Value:
        """The constants of the sums whose terms come now."""
        m.submodules.start = rom
        m.d.comb += [rom.en.eq(self.en), rom.addr.eq(self.n)]
        words = [rom.data.word_select(lane, self._start_width).as_signed() for lane in range(len(self._widths))]
        extended = [Signal(width, name=f"start_{lane}") for lane, width in enumerate(self._widths)]
        m.d.comb += [signal.eq(word) for signal, word in zip(extended, words)]
        return Cat(*extended)

    def _added(self, base: Value) -> Value:
        """The sums of ``base`` and the terms, each modulo 2^width: exact, because the finished sum fits."""
        sums, at, term_at = [], 0, 0
        for lane, (width, term) in enumerate(zip(self._widths, self._terms)):
            x = self.x[term_at : term_at + term].as_signed()
            sums.append(plus_complemented(base[at : at + width].as_signed(), x, self.sign[lane])[:width])
            at, term_at = at + width, term_at + term
        return Cat(*sums)

    def _shift_register(self, m: Module, shift: Value, sums: Signal) -> Value:
        """The sum that was made NF sets ago."""
        last = sums
        for place in range(1, self._folds):
            after = Signal.like(sums, name=f"sums_{place}", reset_less=True)
            with m.If(shift):
                m.d.sync += after.eq(last)
            last = after
        return last

    def _memory(self, m: Module, active: Signal, n: Signal, sums: Signal) -> Value:
        """The partial sums, read in the cycle before they are needed."""
        init = [0] * self._page + [self._packed(row) for row in self._starts()] if self._joint else []
        m.submodules.partials = partials = memory.Memory(
            shape=len(sums), depth=self._depth, init=init, attrs={"ram_style": STYLE[self._kind]}
        )
        write, read = partials.write_port(), partials.read_port(domain="comb")
        clash: Value = Const(0)
        if self._kind == "block":
            # No sum is read in the cycle in which it is written. Saying so spares the collision logic that synthesis
            # would otherwise put around a block memory, into which this register moves.
            clash = write.en & (write.addr == read.addr)
            m.d.comb += read.addr.eq(Cat(self.n, self.first) if self._joint else self.n)
        else:
            m.d.comb += read.addr.eq(self.n)
        base = output_register(len(sums))
        m.d.comb += write.data.eq(sums)
        with m.If(self.en):
            m.d.sync += [write.en.eq(active), write.addr.eq(n)]
        with m.If(self.en & ~clash):
            m.d.sync += base.eq(read.data)
        return base

    def _packed(self, row: np.ndarray) -> int:
        word, at = 0, 0
        for value, width in zip(row, self._widths):
            word |= pack([value], width) << at
            at += width
        return word


def partials_kind(kind: str, folds: int, width: int) -> str:
    """Where ``folds`` sets of partial sums are: ``auto`` is ``registers`` where they are few, else ``block``.

    :raises ValueError: memory asked for, for fewer sets than are under way at a time.
    """
    if folds >= LEAST_FOLDS:
        return storage("partials", kind, folds, width)
    if storage("partials", kind, 1, 1) != "registers" and kind != "auto":
        raise ValueError(
            f"partials must be registers where there are fewer than {LEAST_FOLDS} folds of the outputs, not {kind} "
            f"with {folds} (use registers or auto)"
        )
    return "registers"
