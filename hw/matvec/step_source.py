# amaranth: UnusedElaboratable=no
"""StepSource: where the steps of a folded matrix–vector unit come from."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..component import Component
from ..counters import advance
from .input_buffer import InputBuffer


class StepSource(Component):
    """The steps (g, n, s) of the groups, the NF neuron folds and the SF synapse folds, s innermost, with their beats.

    With NF = 1 beats are used as they arrive, otherwise each group of SF beats is read NF times from an
    :class:`InputBuffer`. A step's number is put together from s and n where that is the same, else counted.

    Parameters
    ----------
    width : int
        Bits per beat.
    synapse_fold, neuron_fold, groups : int
        Beats per group SF; times that each is used NF; groups per vector.
    kind : str
        Where the buffer is, if there is one; see :class:`InputBuffer`.

    Members
    -------
    i : stream of ``width`` bits
    en : In(1)
        A step is taken if ``ready``.
    ready, last : Out(1)
        The next step's beat is there; it is the last of its neuron fold.
    fold, address : Out(range(NF)), Out(range(groups·NF·SF))
        The next step's n; its number.
    data : Out(width)
        The beat of the step taken in the last cycle with ``en`` high.
    """

    def __init__(self, width: int, synapse_fold: int, neuron_fold: int, groups: int, kind: str):
        self._width = width
        self._synapse_fold = synapse_fold
        self._neuron_fold = neuron_fold
        self._groups = groups
        self._kind = kind
        super().__init__(
            {
                "i": In(stream.Signature(width)),
                "en": In(1),
                "ready": Out(1),
                "last": Out(1),
                "fold": Out(range(max(2, neuron_fold))),
                "address": Out(range(max(2, self.steps))),
                "data": Out(width),
            }
        )

    width = property(lambda self: self._width, doc="Bits per beat.")
    steps = property(lambda self: self._groups * self._neuron_fold * self._synapse_fold, doc="Steps per vector.")

    def features(self) -> dict[str, float]:
        """The buffer, or the register in its place, and counters."""
        counters = (self._synapse_fold - 1).bit_length()
        count: dict[str, float] = {"register_bits": self._width, "control": counters}
        if self._neuron_fold > 1:
            count = self._buffer().features()
        if not self._counted:
            return count
        return count | {"control": count["control"] + (self.steps - 1).bit_length()}

    @property
    def _counted(self) -> bool:
        """Whether a counter of its own counts the steps."""
        power = self._synapse_fold & (self._synapse_fold - 1) == 0
        return self._groups > 1 or (self._neuron_fold > 1 and not power)

    def _buffer(self) -> InputBuffer:
        return InputBuffer(self._width, self._synapse_fold, self._neuron_fold, self._kind)

    def elaborate(self, platform) -> Module:
        m = Module()
        if self._neuron_fold > 1:
            m.submodules.buffer = buffer = self._buffer()
            wiring.connect(m, wiring.flipped(self.i), buffer.i)
            m.d.comb += [
                buffer.en.eq(self.en),
                self.ready.eq(buffer.ready),
                self.last.eq(buffer.last),
                self.fold.eq(buffer.n),
                self.data.eq(buffer.data),
                self.address.eq(Cat(buffer.s[: (self._synapse_fold - 1).bit_length()], buffer.n)),
            ]
        else:
            self._direct(m)
        if self._counted:
            address = Signal.like(self.address, name="steps")
            after = advance(address, self.steps)
            if self._groups == 1:
                after = Mux(buffer.ends, 0, address + 1)
            with m.If(self.en & self.ready):
                m.d.sync += address.eq(after)
            m.d.comb += self.address.eq(address)
        return m

    def _direct(self, m: Module) -> None:
        """Without a buffer: a register, and s."""
        s = Signal(range(max(2, self._synapse_fold)))
        data = Signal(self._width, reset_less=True)
        m.d.comb += [
            self.i.ready.eq(self.en),
            self.ready.eq(self.i.valid),
            self.last.eq(s == self._synapse_fold - 1),
            self.address.eq(s),
            self.data.eq(data),
        ]
        with m.If(self.en):
            m.d.sync += data.eq(self.i.payload)
            with m.If(self.i.valid):
                m.d.sync += s.eq(advance(s, self._synapse_fold))
