# amaranth: UnusedElaboratable=no
"""PlaneSource: where the steps of a bit-serial matrix–vector unit come from."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..component import Component
from ..counters import advance
from ..matvec.input_buffer import InputBuffer


class PlaneSource(Component):
    """The steps (n, p, s) of NF neuron folds, the bit planes and SF synapse folds, s innermost, and their beats.

    Each vector of SF beats is read NF times the number of planes from an :class:`InputBuffer`. The planes are counted
    from the top one, p = 0. Their number is fixed, or comes with each vector. Steps are numbered without holes:
    (n · planes + p) · SF + s, put together from s, p and n where that is the same, else counted.

    Parameters
    ----------
    width : int
        Bits per beat.
    synapse_fold, neuron_fold : int
        Beats per vector SF; neuron folds NF.
    planes : int
        Bit planes, at most where they come with the vectors.
    fixed : bool
        Whether there are always as many planes; if so NF · ``planes`` is at least 2.
    kind : str
        Where the buffer is; see :class:`InputBuffer`.

    Members
    -------
    i : stream of ``width`` bits
    bits : In(range(1, planes + 1))
        The number of planes, sampled with the first beat of a vector, unless it is fixed.
    en : In(1)
        A step is taken if ``ready``.
    ready : Out(1)
        The next step's beat is there.
    top, single : Out(1)
        The next step is of the top plane; of the only one.
    plane_last, last : Out(1)
        The next step is the last of its plane; of its neuron fold.
    address : Out(range(NF · planes · SF))
        The next step's number.
    data : Out(width)
        The beat of the step taken in the last cycle with ``en`` high.
    """

    def __init__(self, width: int, synapse_fold: int, neuron_fold: int, planes: int, fixed: bool, kind: str):
        self._width = width
        self._synapse_fold = synapse_fold
        self._neuron_fold = neuron_fold
        self._planes = planes
        self._fixed = fixed
        self._kind = kind
        bits = {} if fixed else {"bits": In(range(1, planes + 1))}
        super().__init__(
            {
                "i": In(stream.Signature(width)),
                "en": In(1),
                "ready": Out(1),
                "top": Out(1),
                "single": Out(1),
                "plane_last": Out(1),
                "last": Out(1),
                "address": Out(range(max(2, self.steps))),
                "data": Out(width),
            }
            | bits
        )

    width = property(lambda self: self._width, doc="Bits per beat.")
    steps = property(lambda self: self._neuron_fold * self._planes * self._synapse_fold, doc="Steps per vector.")

    def features(self) -> dict[str, float]:
        """The buffer and counters."""
        count = self._buffer().features()
        counters = (self._planes - 1).bit_length() + (self._neuron_fold - 1).bit_length()
        if self._counted:
            counters += (self.steps - 1).bit_length()
        return count | {"control": count["control"] + counters}

    @property
    def _counted(self) -> bool:
        """Whether a counter of its own counts the steps: one inside another does not count to a power of 2."""
        inner = [(self._synapse_fold, True), (self._planes, self._fixed), (self._neuron_fold, True)]
        while inner and inner[-1][0] == 1:
            inner.pop()
        return any(count & (count - 1) or not fixed for count, fixed in inner[:-1])

    def _buffer(self) -> InputBuffer:
        tag = 0 if self._fixed else self._planes.bit_length()
        return InputBuffer(self._width, self._synapse_fold, None, self._kind, tag)

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.buffer = buffer = self._buffer()
        wiring.connect(m, wiring.flipped(self.i), buffer.i)
        p, n = Signal(range(max(2, self._planes))), Signal(range(max(2, self._neuron_fold)))
        lowest = Signal()
        last_neuron = n == self._neuron_fold - 1
        if self._fixed:
            m.d.comb += [lowest.eq(p == self._planes - 1), self.single.eq(int(self._planes == 1))]
        else:
            m.d.comb += [
                buffer.tag.eq(self.bits),
                lowest.eq(p == (buffer.step_tag - 1)[: len(p)]),
                self.single.eq(self.top & lowest),
            ]
        m.d.comb += [
            buffer.en.eq(self.en),
            buffer.first_fold.eq(self.top & (n == 0)),
            buffer.last_fold.eq(lowest & last_neuron),
            self.ready.eq(buffer.ready),
            self.top.eq(p == 0),
            self.plane_last.eq(buffer.last),
            self.last.eq(buffer.last & lowest),
            self.data.eq(buffer.data),
            self.address.eq(self._address(m, buffer, p, n)),
        ]
        with m.If(self.en & self.ready & self.plane_last):
            if self._planes > 1:
                m.d.sync += p.eq(Mux(lowest, 0, p + 1))
            with m.If(lowest):
                m.d.sync += n.eq(advance(n, self._neuron_fold))
        return m

    def _address(self, m: Module, buffer: InputBuffer, p: Signal, n: Signal) -> Value:
        """The next step's number."""
        if not self._counted:
            counts = ((buffer.s, self._synapse_fold), (p, self._planes), (n, self._neuron_fold))
            return Cat(counter[: (count - 1).bit_length()] for counter, count in counts)
        address = Signal.like(self.address, name="steps")
        with m.If(self.en & self.ready):
            m.d.sync += address.eq(Mux(buffer.ends, 0, address + 1))
        return address
