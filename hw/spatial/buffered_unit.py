# amaranth: UnusedElaboratable=no
"""BufferedUnit: what the units that read their input from a LoopBuffer share; LoopReader, which does just that."""

from amaranth.hdl import Module, Shape, Signal, unsigned
from amaranth.lib.wiring import In, Out

from ..component import Component
from ..control import Buffered
from ..memory.rom import Rom
from ..parameters import bounds
from ..stream import vector
from .loop_buffer import LoopBuffer
from .loops import Loops


class BufferedUnit(Component):
    """A rigid pipeline of ``stages`` cycles behind a LoopBuffer; an output beat comes of the last step of each group.

    The pipeline stands still while the sink blocks; ``i.ready`` comes from a register.

    Parameters
    ----------
    loops : Loops
        The order in which input beats are read.
    stages : int
        Cycles from a step to its output beat.
    lanes : int
        Elements per beat, of the input and of the output.
    input, output : Shape
        Shapes of an element.
    memory : str
        Where the buffer is: ``block``, ``registers``, ``distributed`` or ``auto`` (see :class:`LoopBuffer`).
    """

    def __init__(self, loops: Loops, *, stages: int, lanes: int, input: Shape, output: Shape, memory: str):
        self._stages = stages
        self._buffer = LoopBuffer(lanes * input.width, loops, memory)
        super().__init__({"i": In(vector(input, lanes)), "o": Out(vector(output, lanes))})

    loops = property(lambda self: self._buffer.loops, doc="The order in which input beats are read.")
    interval = property(lambda self: self.loops.interval, doc="Cycles per vector: the steps, or the beats if more.")
    depth = property(lambda self: self._stages + 1, doc="Cycles from the input beat that completes an output to it.")

    @property
    def latency(self) -> int:
        """Cycles from the first beat in to the first beat out."""
        return self.loops.taken(int(self.loops.ends.argmax())) + self._stages

    @property
    def control(self) -> Buffered:
        """Steps over the buffer; an output beat at the end of each group."""
        loops = self.loops
        return Buffered(loops.beats, loops.capacity, loops.needs, loops.frees, loops.ends, self._stages)

    @property
    def buffers(self) -> list[tuple[int, int, str]]:
        """The memories that are not ROMs: (depth, width, kind)."""
        return [(self._buffer.capacity, self._buffer.width, self._buffer.kind)]

    def roms(self) -> dict[str, Rom]:
        """None."""
        return {}

    def features(self) -> dict[str, float]:
        """The buffer's storage, pointers and counters."""
        count = self._buffer.features()
        count["control"] += 1 + self._stages
        return count

    def _connect(self, m: Module, enable: Signal) -> LoopBuffer:
        """The buffer, at the input; ``enable`` says whether the pipeline moves."""
        m.submodules.buffer = buffer = self._buffer
        m.d.comb += [
            enable.eq(~self.o.valid | self.o.ready),
            buffer.i.valid.eq(self.i.valid),
            buffer.i.payload.eq(self.i.p.as_value()),
            self.i.ready.eq(buffer.i.ready),
            buffer.en.eq(enable),
        ]
        return buffer


class LoopReader(BufferedUnit):
    """The input's beats in another order, one per cycle.

    Parameters as in :class:`BufferedUnit`; the output beat of each step is what the buffer's read register holds.
    """

    def __init__(self, loops: Loops, *, lanes: int, element: Shape, memory: str):
        self._lanes, self._element, self._memory = lanes, element, memory
        super().__init__(loops, stages=1, lanes=lanes, input=element, output=element, memory=memory)

    lanes = property(lambda self: self._lanes, doc="Elements per beat.")
    element = property(lambda self: self._element, doc="Shape of an element.")
    memory = property(lambda self: self._memory, doc="Where the buffer is, as asked for.")

    @property
    def _bounds(self) -> tuple[int, int]:
        """The least and the greatest value of an element; one unsigned bit may also stand for −1 or +1."""
        return (-1, 1) if self._element == unsigned(1) else bounds(self._element)

    def elaborate(self, platform) -> Module:
        m = Module()
        enable = Signal()
        buffer = self._connect(m, enable)
        m.d.comb += self.o.p.as_value().eq(buffer.data)
        with m.If(enable):
            m.d.sync += self.o.valid.eq(buffer.ready)
        return m
