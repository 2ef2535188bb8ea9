"""InputBuffer: the circular buffer from which a folded matrix–vector unit reads each vector several times."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from .counters import advance, count_up_down

# What the synthesis tool is told. Yosys' "logic" means flip-flops.
_STYLE = {"block": "block", "registers": "logic", "distributed": "distributed"}


class InputBuffer(wiring.Component):
    """Holds 2·SF beats; reads each vector of SF beats NF times, beat after beat.

    The first fold may read a beat in the cycle after it was written, the last fold frees the beats one by one. So two
    vectors share the buffer without a bubble: addresses are (s, half), with a half for each of the two.

    Parameters
    ----------
    width : int
        Bits per beat.
    synapse_fold, neuron_fold : int
        Beats per vector SF; times that each vector is read NF, at least 2.
    kind : str
        ``block`` memory, ``registers``, or ``distributed`` (memory in LUTs; iCE40 has none).

    Members
    -------
    i : stream of ``width`` bits
        ``ready`` comes from registers.
    en : In(1)
        A step is taken if ``ready``.
    ready, last : Out(1)
        The next step's beat is there; it is the last of its fold.
    data : Out(width)
        The beat of the step taken in the last cycle with ``en`` high.
    """

    def __init__(self, width: int, synapse_fold: int, neuron_fold: int, kind: str):
        self._width = width
        self._synapse_fold = synapse_fold
        self._neuron_fold = neuron_fold
        self._kind = kind
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
    synapse_fold = property(lambda self: self._synapse_fold, doc="Beats per vector.")
    neuron_fold = property(lambda self: self._neuron_fold, doc="Times that each vector is read.")
    kind = property(lambda self: self._kind, doc="What the buffer is made of.")

    def features(self) -> dict[str, float]:
        """The stored bits by kind, blocks of 256 words of 16 bits, and counters."""
        beats = 2 * self._synapse_fold
        bits = beats * self._width
        control = 4 * self._synapse_fold.bit_length() + self._neuron_fold.bit_length() + 4
        if self._kind == "registers":
            return {"buffer_register_bits": bits, "control": control}
        if self._kind == "distributed":
            return {"buffer_distributed_bits": bits, "control": control}
        return {"block_bits": bits, "blocks": -(-self._width // 16) * -(-beats // 256), "control": control}

    def elaborate(self, platform) -> Module:
        m = Module()
        beats = 2 * self._synapse_fold
        m.submodules.beats = storage = memory.Memory(
            shape=self._width, depth=beats, init=[], attrs={"ram_style": _STYLE[self._kind]}
        )
        write, read = storage.write_port(), storage.read_port(domain="comb")
        s, write_s = (Signal(range(max(2, self._synapse_fold)), name=name) for name in ("s", "write_s"))
        n = Signal(range(self._neuron_fold))
        half, write_half = Signal(), Signal()
        free = Signal(range(beats + 1), init=beats)  # beats that may be written
        ahead = Signal(range(beats + 1))  # beats written that no first fold has used
        step = Signal()

        m.d.comb += [
            self.i.ready.eq(free != 0),
            write.en.eq(self.i.valid & self.i.ready),
            write.data.eq(self.i.payload),
            write.addr.eq(Cat(write_half, write_s)),
            read.addr.eq(Cat(half, s)),
            self.ready.eq((n != 0) | (ahead != 0)),
            self.last.eq(s == self._synapse_fold - 1),
            step.eq(self.en & self.ready),
        ]
        # A step never reads the beat that is being written. Saying so spares the collision logic that synthesis would
        # otherwise put around a block memory, into which this register moves.
        data = Signal(self._width, reset_less=True)
        m.d.comb += self.data.eq(data)
        with m.If(self.en & ~(write.en & (write.addr == read.addr))):
            m.d.sync += data.eq(read.data)

        with m.If(write.en):
            m.d.sync += write_s.eq(advance(write_s, self._synapse_fold))
            with m.If(write_s == self._synapse_fold - 1):
                m.d.sync += write_half.eq(~write_half)
        with m.If(step):
            m.d.sync += s.eq(advance(s, self._synapse_fold))
            with m.If(self.last):
                m.d.sync += n.eq(advance(n, self._neuron_fold))
                with m.If(n == self._neuron_fold - 1):
                    m.d.sync += half.eq(~half)
        count_up_down(m, ahead, up=write.en, down=step & (n == 0))
        count_up_down(m, free, up=step & (n == self._neuron_fold - 1), down=write.en)
        return m
