"""SliceBuffer: gathers the beats of a vector into slices that are read whole."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from ..component import Component
from ..counters import advance


class SliceBuffer(Component):
    """A shift register of ``beats`` beats; full, it waits until the slice is freed.

    The last slice of a vector may have fewer beats: they stand at the upper end then, below them is what was there
    before. With ``spare``, one more beat can come while a slice waits, so that beats go on coming without a gap.

    Parameters
    ----------
    width : int
        Bits per beat.
    beats, last_beats : int
        Beats of a slice; of a vector's last slice.
    slices : int
        Slices of a vector.
    spare : bool
        Whether there is a register for one more beat.

    Members
    -------
    i : stream of ``width`` bits
        ``ready`` depends on registers only.
    ready : Out(1)
        A slice is there.
    free : In(1)
        It is no longer needed from the next cycle on; only while ``ready``.
    x : Out(beats · width)
        The slice, first beat lowest.
    """

    def __init__(self, width: int, beats: int, last_beats: int, slices: int, spare: bool):
        self._width = width
        self._beats = beats
        self._last_beats = last_beats
        self._slices = slices
        self._spare = spare
        super().__init__(
            {"i": In(stream.Signature(width)), "ready": Out(1), "free": In(1), "x": Out(beats * width)}
        )

    beats = property(lambda self: self._beats, doc="Beats of a slice.")
    spare = property(lambda self: self._spare, doc="Whether there is a register for one more beat.")
    capacity = property(lambda self: self._beats + self._spare, doc="Beats that it holds.")

    def features(self) -> dict[str, float]:
        """Bits of registers and counters, and bits chosen between the spare beat and the input."""
        counted = (self._slices - 1).bit_length() if self._last_beats != self._beats else 0
        return {
            "register_bits": self._width * self.capacity,
            "spare_bits": self._width * self._spare,
            "control": 2 * self._beats.bit_length() + counted + 3,
        }

    def elaborate(self, platform) -> Module:
        m = Module()
        left = Signal(range(self._beats + 1), init=self._beats)  # beats that the slice still lacks
        beat, comes = self.i.payload, self.i.valid & self.i.ready
        if self._spare:
            beat, comes = self._with_spare(m)
        else:
            m.d.comb += self.i.ready.eq(~self.ready)
        shift = Signal()
        m.d.comb += [self.ready.eq(left == 0), shift.eq(comes & (~self.ready | self.free))]
        with m.If(self.free):
            m.d.sync += left.eq(self._next(m) - shift)
        with m.Elif(shift):
            m.d.sync += left.eq(left - 1)
        slice_ = Signal(self._beats * self._width, reset_less=True)
        m.d.comb += self.x.eq(slice_)
        with m.If(shift):
            m.d.sync += slice_.eq(Cat(slice_, beat)[self._width :])
        return m

    def _with_spare(self, m: Module) -> tuple[Value, Value]:
        """The next beat and whether it is there; the spare register catches one that the slice cannot take."""
        spare = Signal(self._width, reset_less=True)
        held = Signal()
        m.d.comb += self.i.ready.eq(~held)
        with m.If(~held):
            m.d.sync += spare.eq(self.i.payload)
        m.d.sync += held.eq((held | self.i.valid) & self.ready & ~self.free)
        return Mux(held, spare, self.i.payload), held | self.i.valid

    def _next(self, m: Module) -> Value:
        """Beats of the slice that is gathered next."""
        if self._last_beats == self._beats or self._slices == 1:
            return Const(self._beats)
        slice_ = Signal(range(self._slices))
        with m.If(self.free):
            m.d.sync += slice_.eq(advance(slice_, self._slices))
        return Mux(slice_ == self._slices - 2, self._last_beats, self._beats)

