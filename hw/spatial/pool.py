# amaranth: UnusedElaboratable=no
"""Pool: the greatest value or the sum of each window, channel by channel."""

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Module, Shape, Signal

from ..parameters import divisor, integer_shape, positive
from .buffered_unit import BufferedUnit
from .loops import Loops
from .maps import Windows, maps
from .reduction import Reduction


class Pool(BufferedUnit):
    """y[p, c] = max or Σ over k of x[stride·p + k, c], one element per lane and cycle.

    Input beats stay in a circular buffer from which a nest of loops reads them: windows, then the channels' beats,
    then the positions of the window; a running maximum or sum per lane follows. The unit stands still while the sink
    blocks; ``i.ready`` comes from a register. An average is the sum, its division left to the thresholds behind.

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
    kernel, stride : one number per axis
        Positions of a window, distance of windows.
    bipolar : bool
        Input bit 0 is −1, bit 1 is +1; so are the bits of a maximum.
    sum_range : (int, int) or None
        The least and the greatest sum that can come, where that is less than the inputs' extremes add up to.
    memory : str
        Where the buffer is: ``block``, ``registers``, ``distributed`` or ``auto`` (see :class:`~bitloom.hw.Window`).

    Members
    -------
    i : vector of ``input``, ``lanes`` lanes
    o : vector of ``output``, ``lanes`` lanes
        A vector per ``interval`` = max(output beats · positions of a window, input beats); an output beat ``depth`` = 3
        cycles after the last input beat of its window where the unit has kept up.
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
        kernel: Sequence[int],
        stride: Sequence[int],
        bipolar: bool = False,
        sum_range: tuple[int, int] | None = None,
        memory: str = "auto",
    ):
        self._windows = windows = Windows.of(size, kernel, stride)
        self._channels = positive("channels", channels)
        self._lanes = divisor("lanes", lanes, self._channels, "channels")
        integer_shape("input", input)
        count = int(np.prod(windows.kernel))
        self._reduction = Reduction(kind, count, input, output, bool(bipolar), sum_range)
        self._memory = memory
        beats, dims = self._channels // self._lanes, len(windows.size)
        levels = (*windows.outer(beats), (beats, 1), *windows.inner(beats))
        loops = Loops(levels, windows.inputs * beats, free_level=dims, group_level=dims)
        super().__init__(loops, stages=2, lanes=self._lanes, input=input, output=output, memory=memory)

    kind = property(lambda self: self._reduction.kind, doc="``max`` or ``sum``.")
    size = property(lambda self: self._windows.size, doc="Positions of the input map.")
    channels = property(lambda self: self._channels, doc="Channels per position.")
    lanes = property(lambda self: self._lanes, doc="Elements per beat.")
    input = property(lambda self: self._reduction.input, doc="Shape of an input element.")
    output = property(lambda self: self._reduction.output, doc="Shape of an output element.")
    kernel = property(lambda self: self._windows.kernel, doc="Positions of a window.")
    stride = property(lambda self: self._windows.stride, doc="Distance of windows.")
    bipolar = property(lambda self: self._reduction.bipolar, doc="Whether input bits stand for −1 and +1.")
    sum_range = property(lambda self: self._reduction.sum_range, doc="The least and the greatest sum, as given.")
    memory = property(lambda self: self._memory, doc="Where the buffer is, as asked for.")
    positions = property(lambda self: self._windows.positions, doc="Windows on each axis.")

    def model(self, x: np.ndarray) -> np.ndarray:
        """The pooled maps of ``x`` (vectors, positions · channels), flattened; bipolar elements as −1 and +1."""
        inside = maps(x, self.size, self._channels, *self._reduction.range, self.bipolar)
        patches = self._windows.view(inside)
        return self._reduction.model(patches, tuple(range(-len(self.kernel), 0))).reshape(len(inside), -1)

    def features(self) -> dict[str, float]:
        """The buffer; comparators or adders and the accumulators of the lanes."""
        held = {"accumulator_bits": self._lanes * self.output.width}
        return super().features() | self._reduction.features(self._lanes) | held

    def elaborate(self, platform) -> Module:
        m = Module()
        enable, valid, last = Signal(), Signal(), Signal(reset_less=True)
        buffer = self._connect(m, enable)
        fresh = Signal(init=1)
        with m.If(enable):
            m.d.sync += [valid.eq(buffer.ready), last.eq(buffer.last), self.o.valid.eq(valid & last)]
            with m.If(valid):
                m.d.sync += fresh.eq(last)
        for lane in range(self._lanes):
            held = Signal(self.output.width, name=f"held_{lane}", reset_less=True)
            x = buffer.data.word_select(lane, self.input.width)
            with m.If(enable & valid):
                m.d.sync += held.eq(self._reduction.next(fresh, held, x))
            m.d.comb += self.o.p[lane].eq(held.as_signed() if self.output.signed else held)
        return m
