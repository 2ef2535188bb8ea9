# amaranth: UnusedElaboratable=no
"""PatchWindow: the patches that a convolution sees, a whole one per beat."""

from collections.abc import Sequence
from functools import cached_property
from math import prod

import numpy as np
from amaranth.hdl import Cat, Const, Module, Shape, Signal, Value, unsigned
from amaranth.lib import memory as lib_memory
from amaranth.lib.wiring import In, Out

from ..component import Component
from ..control import Steps
from ..counters import advance
from ..memory.rom import Rom
from ..memory.storage import STYLE, output_register, storage, storage_features
from ..parameters import bounds, integer_shape, positive
from ..pipeline import Pipeline
from ..stream import vector
from .maps import Windows, maps


class PatchWindow(Component):
    """y[p, (k, c)] = x[stride·p + dilation·k, c], a position with all its channels in, a patch out: one beat per cycle.

    The line buffer with shift registers. Rows are delayed against each other by dilation · width positions, all in one
    memory that is read and written at addresses one apart; behind each comes a shift register as long as a window is
    wide. The kernel runs in row-major order, channels inside. Two counters say which positions complete a window. A
    window wholly inside the map sees nothing of the map before, so that nothing is cleared between vectors. (Bosi,
    Bois and Savaria, *Reconfigurable pipelined 2-D convolvers for fast digital signal processing*, 1999.)

    :class:`~bitloom.hw.Window` is smaller, with a beat per position of the kernel and fewer lanes.

    Parameters
    ----------
    size : (W,) or (H, W)
        Positions of the input map. Padding goes before (:class:`~bitloom.hw.Pad`).
    channels : int
        Channels per position, which come in one beat.
    element : Shape
        Shape of an element; ``unsigned(1)`` serves bipolar ones.
    kernel, stride, dilation : one number per axis
        Positions of a window, distance of windows, distance of a window's positions.
    memory : str
        Where rows are delayed: ``block``, ``registers`` (longer shift registers), ``distributed`` (memory in LUTs;
        iCE40 has none), or ``auto``: ``registers`` up to 96 bits for each 16-bit block memory saved, else ``block``.
        Without meaning where shift registers do it all: one row of the kernel, or a window as wide as the delay.

    Members
    -------
    i : vector of ``element``, ``channels`` lanes
    o : vector of ``element``, channels · Πkernel lanes
        A beat ``depth`` = 1 cycle after the position that completes it; a vector per ``interval`` = positions.
    """

    def __init__(
        self,
        size: Sequence[int],
        channels: int,
        *,
        element: Shape,
        kernel: Sequence[int],
        stride: Sequence[int],
        dilation: Sequence[int],
        memory: str = "auto",
    ):
        self._windows = Windows.of(size, kernel, stride, dilation)
        self._channels = positive("channels", channels)
        self._element = integer_shape("element", element)
        self._memory = memory
        kind = storage("memory", memory, max(1, self._beyond), self._word)
        self._kind = kind if self._rows > 1 and self._beyond else "registers"
        lanes = self._channels * prod(self.kernel)
        super().__init__({"i": In(vector(element, self._channels)), "o": Out(vector(element, lanes))})

    size = property(lambda self: self._windows.size, doc="Positions of the input map.")
    channels = property(lambda self: self._channels, doc="Channels per position.")
    element = property(lambda self: self._element, doc="Shape of an element.")
    kernel = property(lambda self: self._windows.kernel, doc="Positions of a window.")
    stride = property(lambda self: self._windows.stride, doc="Distance of windows.")
    dilation = property(lambda self: self._windows.dilation, doc="Distance of the positions of a window.")
    memory = property(lambda self: self._memory, doc="Where rows are delayed, as asked for.")
    positions = property(lambda self: self._windows.positions, doc="Windows on each axis.")
    interval = property(lambda self: self._windows.inputs, doc="Cycles per vector: the positions.")
    depth = property(lambda self: 1, doc="Cycles from the position that completes a patch to it.")

    # Position numbers count along the rows of the map; a map with one axis is one row.
    _rows = property(lambda self: (1, *self.kernel)[-2], doc="Rows of the kernel.")
    _span = property(lambda self: self._windows.extents[-1], doc="Positions that a window spans in a row.")
    _delay = property(lambda self: (1, *self.dilation)[-2] * self.size[-1], doc="Positions from one row to the next.")
    _beyond = property(lambda self: self._delay - self._span, doc="How much longer than a shift register that is.")
    _width = property(lambda self: self._channels * self._element.width, doc="Bits of a position.")
    _word = property(lambda self: (self._rows - 1) * self._width, doc="Bits of a position of all rows but the newest.")

    @property
    def latency(self) -> int:
        """Cycles from the first beat in to the first beat out."""
        return int(self.control.emits.argmax()) + self.depth

    @cached_property
    def control(self) -> Steps:
        """A step per position; an output beat of those at the lower right of a window."""
        due = [
            (np.arange(n) >= e - 1) & ((np.arange(n) - e + 1) % s == 0)
            for n, e, s in zip(self.size, self._windows.extents, self.stride)
        ]
        emits = due[0] if len(due) == 1 else np.logical_and.outer(*due).ravel()
        return Steps(np.ones((1, self.interval), bool), emits, self.depth)

    @property
    def buffers(self) -> list[tuple[int, int, str]]:
        """The memories that are not ROMs: (depth, width, kind)."""
        depth = self._beyond if self._kind == "registers" else self._delay
        return [(depth, self._word, self._kind)] if self._word and depth else []

    def roms(self) -> dict[str, Rom]:
        """None."""
        return {}

    def features(self) -> dict[str, float]:
        """Bits of the shift registers and of the memory; of counters with the output's ``valid``."""
        shifted, control = self._rows * self._span * self._width, {"control": 1 + self._counter_bits()}
        if self._kind == "registers":
            return {"register_bits": shifted + self._beyond * self._word} | control
        # The first of each older row is the memory's own register where that is block memory.
        shifted -= self._word if self._kind == "block" else 0
        return {"register_bits": shifted} | control | storage_features(self._kind, self._delay, self._word)

    def _counter_bits(self) -> int:
        """Bits of the counters: where the next position is, how far the next window, where the memory is read."""
        height, width = (1, *self.size)[-2:]
        in_memory = self._kind != "registers"
        distances = [max(e, s) for e, s in zip(self._windows.extents, self.stride)]
        column = max(distances) > 1 or (in_memory and self._delay == width)
        row, address = len(distances) > 1 and distances[0] > 1, in_memory and self._delay != width
        counts = [*distances, width if column else 1, height if row else 1, self._delay if address else 1]
        return sum((count - 1).bit_length() for count in counts)

    def model(self, x: np.ndarray) -> np.ndarray:
        """The patches of ``x`` (vectors, positions · channels), flattened."""
        ends = (-1, 1) if self._element == unsigned(1) else bounds(self._element)
        patches = self._windows.view(maps(x, self.size, self._channels, *ends))
        return np.moveaxis(patches, 1 + len(self.size), -1).reshape(len(patches), -1)

    def elaborate(self, platform) -> Module:
        m = Module()
        step, completes = Signal(), Signal()
        pipeline = Pipeline(m, self.o, self.i.valid & completes, self.depth)
        m.d.comb += [self.i.ready.eq(pipeline.enable), step.eq(self.i.valid & pipeline.enable)]
        column, last = _count(m, step, self.size[-1], "column")
        due = _due(m, step, last, self._windows.extents[-1], self.stride[-1], "in_row")
        if len(self.size) > 1:
            _, last_row = _count(m, step & last, self.size[0], "row")
            due &= _due(m, step & last, last_row, self._windows.extents[0], self.stride[0], "in_column")
        m.d.comb += completes.eq(due)
        rows = self._shifted(m, step) if self._kind == "registers" else self._stored(m, step, column)
        dilation = self.dilation[-1]
        patch = [row[dilation * k] for row in reversed(rows) for k in reversed(range(self.kernel[-1]))]
        m.d.comb += self.o.p.as_value().eq(Cat(patch))
        return m

    def _shifted(self, m: Module, step: Signal) -> list[list[Value]]:
        """The positions of each row that a window may see, newest row and position first: one shift register."""
        chain = _shift(m, step, self.i.p.as_value(), (self._rows - 1) * self._delay + self._span, "position")
        return [chain[row * self._delay :][: self._span] for row in range(self._rows)]

    def _stored(self, m: Module, step: Signal, column: Signal) -> list[list[Value]]:
        """The same, rows delayed in a memory, whose words hold one position of each row but the oldest.

        A word is written one step after its newest position came, and read ``_delay`` steps after that position.
        """
        m.submodules.rows = rows = lib_memory.Memory(
            shape=self._word, depth=self._delay, init=[], attrs={"ram_style": STYLE[self._kind]}
        )
        address = column if self._delay == self.size[-1] else _count(m, step, self._delay, "address")[0]
        write, read = rows.write_port(), rows.read_port(domain="comb")
        data = output_register(self._word)
        newest = _shift(m, step, self.i.p.as_value(), 1, "newest")
        first = [*newest, *(data.word_select(row, self._width) for row in range(self._rows - 1))]
        m.d.comb += [
            write.en.eq(step),
            write.addr.eq(address),
            write.data.eq(Cat(first[:-1])),
            read.addr.eq(advance(address, self._delay)),  # never the address written, as synthesis can prove
        ]
        with m.If(step):
            m.d.sync += data.eq(read.data)
        return [[head, *_shift(m, step, head, self._span - 1, f"row_{row}")] for row, head in enumerate(first)]


def _shift(m: Module, step: Signal, value: Value, length: int, name: str) -> list[Value]:
    """Registers through which ``value`` moves with each step."""
    registers: list[Value] = []
    for place in range(length):
        register = Signal(len(value), name=f"{name}_{place}", reset_less=True)
        with m.If(step):
            m.d.sync += register.eq(value)
        registers.append(register)
        value = register
    return registers


def _count(m: Module, step: Value, count: int, name: str) -> tuple[Signal, Value]:
    """The number, 0 … ``count`` − 1 and over again, of the next step; whether it is the last."""
    counter = Signal(range(max(2, count)), name=name)
    with m.If(step):
        m.d.sync += counter.eq(advance(counter, count))
    return counter, counter == count - 1


def _due(m: Module, step: Value, last: Value, extent: int, stride: int, name: str) -> Value:
    """Whether the next position of an axis, maybe its ``last``, ends a window: counted down to the next that does."""
    if extent == stride == 1:
        return Const(1)
    left = Signal(range(max(extent, stride)), name=f"{name}_left", init=extent - 1)
    due = left == 0
    with m.If(step):
        m.d.sync += left.eq(left - 1)
        with m.If(due):
            m.d.sync += left.eq(stride - 1)
        with m.If(last):
            m.d.sync += left.eq(extent - 1)
    return due
