"""InputBuffer: the circular buffer from which a folded matrix–vector unit reads each vector several times."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import memory, stream
from amaranth.lib.wiring import In, Out

from ..component import Component
from ..counters import advance
from ..memory.storage import STYLE, output_register, storage_features


class InputBuffer(Component):
    """Holds 2·SF beats; reads each vector of SF beats NF times, beat after beat, or as often as somebody else counts.

    The first fold may read a beat in the cycle after it was written, the last fold frees the beats one by one. So two
    vectors share the buffer without a bubble: addresses are (s, half), with a half for each of the two. No beats are
    counted: vectors are numbered modulo 4, and the writer is at most two ahead of the reader. So only beats of equal s
    can be the very same one, and one comparison says both whether the next step's beat is there and whether the next
    beat has room.

    Parameters
    ----------
    width : int
        Bits per beat.
    synapse_fold, neuron_fold : int
        Beats per vector SF; times that each vector is read NF, at least 2, or None where somebody else counts them.
    kind : str
        ``block`` memory, ``registers``, or ``distributed`` (memory in LUTs; iCE40 has none).
    tag : int
        Bits that come with the first beat of a vector and stay with all its steps.

    Members
    -------
    i : stream of ``width`` bits
        ``ready`` depends on registers only.
    en : In(1)
        A step is taken if ``ready``.
    ready, last, ends : Out(1)
        The next step's beat is there; it is the last of its fold; of its vector.
    s, n : Out(range(SF)), Out(range(NF))
        The next step's place in its fold, and its fold.
    first_fold, last_fold : In(1)
        In place of ``n`` where NF is None: the next step is in the first, in the last fold of its vector.
    tag, step_tag : In(tag), Out(tag)
        Where ``tag`` is not 0: sampled with a vector's first beat; that of the next step's vector, once ``ready``.
    data : Out(width)
        The beat of the step taken in the last cycle with ``en`` high.
    """

    def __init__(self, width: int, synapse_fold: int, neuron_fold: int | None, kind: str, tag: int = 0):
        self._width = width
        self._synapse_fold = synapse_fold
        self._neuron_fold = neuron_fold
        self._kind = kind
        self._tag = tag
        folds = {"first_fold": In(1), "last_fold": In(1)} if neuron_fold is None else {"n": Out(range(neuron_fold))}
        tags = {"tag": In(tag), "step_tag": Out(tag)} if tag else {}
        super().__init__(
            {
                "i": In(stream.Signature(width)),
                "en": In(1),
                "ready": Out(1),
                "last": Out(1),
                "ends": Out(1),
                "s": Out(range(max(2, synapse_fold))),
            }
            | folds
            | {"data": Out(width)}
            | tags
        )

    width = property(lambda self: self._width, doc="Bits per beat.")
    synapse_fold = property(lambda self: self._synapse_fold, doc="Beats per vector.")
    neuron_fold = property(lambda self: self._neuron_fold, doc="Times that each vector is read, where fixed.")
    kind = property(lambda self: self._kind, doc="What the buffer is made of.")

    def features(self) -> dict[str, float]:
        """The stored bits by kind, and bits of counters and flags."""
        folds = 0 if self._neuron_fold is None else (self._neuron_fold - 1).bit_length()
        control = 2 * (self._synapse_fold - 1).bit_length() + folds + 8 + 3 * self._tag
        return storage_features(self._kind, 2 * self._synapse_fold, self._width) | {"control": control}

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.beats = beats = memory.Memory(
            shape=self._width, depth=2 * self._synapse_fold, init=[], attrs={"ram_style": STYLE[self._kind]}
        )
        write, read = beats.write_port(), beats.read_port(domain="comb")
        write_s = Signal.like(self.s, name="write_s")
        vector, write_vector = Signal(2), Signal(2)  # numbers of the vector read and of the one written, modulo 4
        apart = Signal(2)
        same_s = Signal()
        folds = self._neuron_fold
        last_fold = self.last_fold if folds is None else Signal(name="last_fold")
        step = Signal()
        later_fold = ~self.first_fold if folds is None else self.n != 0

        m.d.comb += [
            apart.eq(vector ^ write_vector),  # 0 is the same vector, 2 is two ahead, the rest is one ahead
            same_s.eq(self.s == write_s),
            *([] if folds is None else [last_fold.eq(self.n == folds - 1)]),
            self.ready.eq(later_fold | (apart != 0) | ~same_s),
            self.i.ready.eq((apart != 2) | (last_fold & ~same_s)),
            self.last.eq(self.s == self._synapse_fold - 1),
            self.ends.eq(self.last & last_fold),
            step.eq(self.en & self.ready),
            write.en.eq(self.i.valid & self.i.ready),
            write.data.eq(self.i.payload),
            write.addr.eq(Cat(write_vector[0], write_s)),
            read.addr.eq(Cat(vector[0], self.s)),
        ]
        # A step never reads the beat that is being written. Saying so spares the collision logic that synthesis would
        # otherwise put around a block memory, into which this register moves.
        clash = write.en & (write.addr == read.addr) if self._kind == "block" else Const(0)
        data = output_register(self._width)
        m.d.comb += self.data.eq(data)
        with m.If(self.en & ~clash):
            m.d.sync += data.eq(read.data)

        with m.If(write.en):
            m.d.sync += write_s.eq(advance(write_s, self._synapse_fold))
            with m.If(write_s == self._synapse_fold - 1):
                m.d.sync += write_vector.eq(write_vector + 1)
        with m.If(step):
            m.d.sync += self.s.eq(advance(self.s, self._synapse_fold))
            with m.If(self.last):
                if folds is not None:
                    m.d.sync += self.n.eq(advance(self.n, folds))
                with m.If(last_fold):
                    m.d.sync += vector.eq(vector + 1)
        if self._tag:
            self._tags(m, write.en & (write_s == 0), write_vector[0], ~later_fold & (self.s == 0), vector[0], step)
        return m

    def _tags(self, m: Module, arrives: Value, write_half: Value, starts: Value, half: Value, step: Value) -> None:
        """A tag for each of the two vectors, written when its first beat ``arrives``; and the one of the vector that is
        being read, from its first step on: the vector after the next arrives in its last fold."""
        tags = Array(Signal(self._tag, name=f"tag_{number}", reset_less=True) for number in range(2))
        held = Signal(self._tag, reset_less=True)
        with m.If(arrives):
            m.d.sync += tags[write_half].eq(self.tag)
        with m.If(starts & step):
            m.d.sync += held.eq(tags[half])
        m.d.comb += self.step_tag.eq(Mux(starts, tags[half], held))
