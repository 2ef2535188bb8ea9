"""LoopBuffer: a circular buffer that a nest of loops reads."""

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import memory, stream
from amaranth.lib.wiring import In, Out

from ..component import Component
from ..counters import advance
from ..memory.storage import STYLE, output_register, storage, storage_features
from ..parameters import positive, shape_of_range
from .loops import Loops


class LoopBuffer(Component):
    """Holds ``loops.capacity`` beats; reads each vector in the order of a nest of loops, a beat per step.

    A step may be taken in the cycle after its beat was written; the last of a vector also waits for the vector's end.
    Three differences are kept in registers, so that nothing is compared: how far the next step's beat lies ahead of the
    beats written (negative: it is there), how many beats are in the buffer beyond its capacity (negative: there is
    room), and where the next beat is. Each moves by a constant that depends on which loop goes on; addresses wrap by
    themselves where the capacity is a power of two, else through a second sum. A stride beyond the window can free
    beats that have not come yet; they are then written and at once forgotten.

    Parameters
    ----------
    width : int
        Bits per beat.
    loops : Loops
        Beats per vector, the nest, and what frees.
    kind : str
        One of :data:`~bitloom.hw.memory.storage.STORAGE`.

    Members
    -------
    i : stream of ``width`` bits
        ``ready`` comes from a register.
    en : In(1)
        A step is taken if ``ready``.
    ready, last : Out(1)
        The next step's beat is there (from a register); it is the last of its group.
    data : Out(width)
        The beat of the step taken in the last cycle with ``en`` high.
    """

    def __init__(self, width: int, loops: Loops, kind: str = "auto"):
        self._width = positive("width", width)
        self._loops = loops
        self._kind = storage("memory", kind, loops.capacity, width)
        super().__init__(
            {
                "i": In(stream.Signature(width)),
                "en": In(1),
                "ready": Out(1),
                "last": Out(1),
                "data": Out(width),
            }
        )

    width = property(lambda self: self._width, doc="Bits per beat.")
    loops = property(lambda self: self._loops, doc="The order of the steps.")
    kind = property(lambda self: self._kind, doc="What the buffer is made of; ``auto`` has been decided.")
    capacity = property(lambda self: self._loops.capacity, doc="Beats that it holds.")

    def features(self) -> dict[str, float]:
        """The stored bits by kind, the bits of pointers and of counters, and the constants that pointers move by."""
        levels, outside, _ = self._loops.counted
        lead, over = self._shapes()
        address = (self.capacity - 1).bit_length()
        return storage_features(self._kind, self.capacity, self._width) | {
            "pointer_bits": lead.width + over.width + 2 * address,
            "pointer_mux_bits": len(levels) * (lead.width + address) + outside * over.width,
            "pointer_wrap_bits": 0 if self._wraps else 3 * address,
            "control": sum((count - 1).bit_length() for count, _ in levels) + 4,
        }

    @property
    def _wraps(self) -> bool:
        """Whether addresses wrap by themselves."""
        return self.capacity & (self.capacity - 1) == 0

    def _wanted(self) -> np.ndarray:
        """The beat whose writing each step waits for: its own, at the end the vector's last."""
        wanted = self._loops.addresses.copy()
        wanted[-1] = self._loops.beats - 1
        return wanted

    def _shapes(self) -> tuple[Shape, Shape]:
        """Shapes of the step's lead over the beats written, and of the beats held beyond the capacity: both signed."""
        needs, frees = self._loops.needs, self._loops.frees
        lead = int((self._wanted() - np.append(0, needs[:-1])).max())
        over = int((needs - frees).min())
        return shape_of_range(-self.capacity, max(0, lead)), shape_of_range(min(0, over) - self.capacity, 0)

    def _moves(self, levels: int) -> list[int]:
        """How far the start moves when each of the outermost ``levels`` goes on; last, when the vector ends."""
        nest = self._loops.counted[0][:levels]
        spans = [(count - 1) * stride for count, stride in nest]
        return [stride - sum(spans[level + 1 :]) for level, (_, stride) in enumerate(nest)] + [
            self._loops.beats - sum(spans)
        ]

    def elaborate(self, platform) -> Module:
        m = Module()
        levels, outside_free, outside_group = self._loops.counted
        step, write = Signal(), Signal()
        m.d.comb += [step.eq(self.en & self.ready), write.eq(self.i.valid & self.i.ready)]
        indices = [Signal(range(count), name=f"index_{level}") for level, (count, _) in enumerate(levels)]
        ends = [Signal(name=f"end_{level}") for level in range(len(levels))]
        inside: list[Value] = [Const(1)]  # whether all loops from a level on are at their end, innermost first
        for index, end, (count, _) in zip(reversed(indices), reversed(ends), reversed(levels)):
            m.d.comb += end.eq(index == count - 1)
            with m.If(step & inside[-1]):
                m.d.sync += index.eq(advance(index, count))
            inside.append(inside[-1] & end)
        inside.reverse()
        m.d.comb += self.last.eq(inside[outside_group])
        before_last = Cat(*ends[:-1]).all() & (indices[-1] == levels[-1][0] - 2) if levels else Const(0)
        self._lead(m, step, write, ends, before_last)
        self._room(m, write, step & inside[outside_free], ends[:outside_free])
        self._memory(m, step, write, ends)
        return m

    def _lead(self, m: Module, step: Signal, write: Signal, ends: list[Signal], before_last: Value) -> None:
        """``ready``: the beat that the next step waits for has been written."""
        address, wanted = self._loops.addresses, self._wanted()
        late = int(wanted[-1] - address[-1])  # how far beyond its own beat the last step waits
        width = self._shapes()[0].width
        lead = Signal(width, init=int(wanted[0]))
        moves = self._moves(len(ends))
        moves[-1] += int(wanted[0]) - late

        def by(written: int) -> Value:
            value = _choose(ends, [move - written for move in moves], width)
            return Mux(before_last, _constant(moves[-2] + late - written, width), value) if late and ends else value

        change = Mux(step, Mux(write, by(1), by(0)), write.replicate(width))
        m.d.comb += self.ready.eq(lead[-1])
        m.d.sync += lead.eq(lead + change)

    def _room(self, m: Module, write: Signal, free: Value, ends: list[Signal]) -> None:
        """``i.ready``: fewer beats than the capacity are in the buffer."""
        width = self._shapes()[1].width
        over = Signal(width, init=-self.capacity % (1 << width))
        moves = self._moves(len(ends))
        freed, kept = (_choose(ends, [written - move for move in moves], width) for written in (1, 0))
        m.d.comb += self.i.ready.eq(over[-1])
        m.d.sync += over.eq(over + Mux(free, Mux(write, freed, kept), write))

    def _memory(self, m: Module, step: Signal, write: Signal, ends: list[Signal]) -> None:
        """The beats, where the next one goes and where the next step's is."""
        m.submodules.beats = beats = memory.Memory(
            shape=self._width, depth=self.capacity, init=[], attrs={"ram_style": STYLE[self._kind]}
        )
        write_port, read_port = beats.write_port(), beats.read_port(domain="comb")
        head, tail = (Signal(range(self.capacity), name=name) for name in ("head", "tail"))
        m.d.comb += [
            write_port.en.eq(write),
            write_port.addr.eq(head),
            write_port.data.eq(self.i.payload),
            read_port.addr.eq(tail),
        ]
        with m.If(write):
            m.d.sync += head.eq(advance(head, self.capacity))
        with m.If(step):
            m.d.sync += tail.eq(self._moved(tail, ends))
        # A step never reads the beat that is being written. Saying so spares the collision logic that synthesis would
        # otherwise put around a block memory, into which this register moves.
        clash = write & (head == tail) if self._kind == "block" else Const(0)
        data = output_register(self._width)
        m.d.comb += self.data.eq(data)
        with m.If(self.en & ~clash):
            m.d.sync += data.eq(read_port.data)


    def _moved(self, tail: Signal, ends: list[Signal]) -> Value:
        """The address of the next step's beat: modulo the capacity."""
        moves = [move % self.capacity for move in self._moves(len(ends))]
        if self._wraps:
            return tail + _choose(ends, moves, len(tail))
        width = len(tail) + 1
        there = (tail + _choose(ends, moves, width))[:width]
        wrapped = (tail + _choose(ends, [move - self.capacity for move in moves], width))[:width]
        return Mux(wrapped[-1], there, wrapped)


def _constant(value: int, width: int) -> Const:
    """``value`` modulo 2^width."""
    return Const(value & ((1 << width) - 1), width)


def _choose(ends: list[Signal], moves: list[int], width: int) -> Value:
    """The move of the innermost level that is not at its end; the last of ``moves`` where all are."""
    value: Value = _constant(moves[-1], width)
    for end, move in zip(ends, moves):
        value = Mux(end, value, _constant(move, width))
    return value
