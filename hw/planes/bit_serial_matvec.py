# amaranth: UnusedElaboratable=no
"""BitSerialMatVec: a folded matrix–vector unit that takes the bit planes of its weights one after another."""

import numpy as np
from amaranth.hdl import Module, Shape, Signal, Value
from amaranth.lib.wiring import In

from ..control import Buffered, Steps
from ..matvec.step_source import StepSource
from ..memory.storage import storage
from ..memory.weight_memory import PORT
from ..parameters import integer_array, one_of, positive
from .bit_planes import MOST_BITS, bits_of
from .rewriting import PlaneRewriting
from .source import PlaneSource


class BitSerialMatVec(PlaneRewriting):
    """y = W·x + bias as :class:`MatVec` computes it, one bit plane of the weights per cycle instead of all of them.

    Step (n, p, s) of the NF = N / PE neuron folds, the bit planes from the top one and the SF = K / SIMD synapse folds
    adds up plane p of weight word (n, s) times input beat s, s innermost, one step per cycle; before each further
    plane the accumulator doubles (Horner). So weights of b bits take b times the cycles, and the adders of one-bit
    weights. The top plane counts negative; weights of a single bit are −1 and +1. Where each neuron's sum starts comes
    in by Horner too: its lower bits, one by one, into the place that doubling leaves free.

    Where ``writable``, weights and starts are in memories that are written while the unit runs; with ``max_bits`` the
    number of planes is chosen then too, vector by vector. Structure after BISMO (Umuroglu, Rasnayake and Själander,
    2018) and the bit-serial sums of T-MAC (Wei et al., 2024).

    Parameters
    ----------
    weights, pe, simd, activation, accumulator, bipolar_activation, activation_range, bias, memory, buffer
        As for :class:`MatVec`; weights of at most 8 bits. ``memory`` is that of :class:`WeightMemory` if ``writable``.
    bits : int or None
        Bits per weight; None for the fewest that hold them: 1 if all are −1 or +1, else at least 2.
    writable : bool
        Whether weights and bias can be written.
    max_bits : int or None
        The most planes that can be chosen at run time, ``bits`` … 8; None if there are always ``bits``. Needs
        ``writable``: other bits mean other words.
    port : int
        Bits of a write at most.
    plane : str
        How the sums of a plane are made: ``and``, an AND per product bit and a tree of adders; ``table``, pairs of
        activations looked up in tables that all lanes share (:class:`PlanePairs`); ``auto``: ``table`` from two lanes,
        two elements and two bits of an activation on.

    Members
    -------
    i, o : as for :class:`MatVec`
        One vector per ``interval`` = SF·NF·bits cycles; the first output beat ``depth`` cycles after the last input
        beat: 2 + R where NF·bits = 1 and there is no ``max_bits``, else (bits − 1)·SF + 3 + R, with R registers in the
        adder tree. What can be chosen at run time has these closed forms for each number of bits, as ``interval_at``,
        ``latency_at``, ``depth_at`` and ``control_at``.
    bits : In(range(1, max_bits + 1))
        Where there is ``max_bits``: the bits of the weights, sampled with the transfer of each vector's first beat;
        the parameter ``bits`` where nobody says.
    w : In(stream of {address, data}), always ready
        Where ``writable``: words to write, as :meth:`image` gives them. Steps read them from the second cycle after
        their transfer on, so that a vector whose first beat comes then sees them whole (a step waits while its very
        word is written); for a neuron's start word it is its steps' arrival at the accumulator that counts, R + 1
        cycles after them. So words that no vector under way needs are written at any time.
    """

    def __init__(
        self,
        weights: np.ndarray,
        *,
        pe: int,
        simd: int,
        activation: Shape,
        accumulator: Shape,
        bipolar_activation: bool = False,
        activation_range: tuple[np.ndarray, np.ndarray] | None = None,
        bias: np.ndarray | None = None,
        memory: str = "auto",
        buffer: str = "auto",
        bits: int | None = None,
        writable: bool = False,
        max_bits: int | None = None,
        port: int = PORT,
        plane: str = "auto",
    ):
        weights = integer_array("weights", weights, 2)
        self._weight_bits = bits_of(weights, bits)
        self._writable = bool(writable)
        self._plane = one_of("plane", plane, ("auto", "and", "table"))
        self._max_bits = None if max_bits is None else _most_bits(max_bits, self._weight_bits, self._writable)
        self._word_memory = memory
        super().__init__(
            weights,
            pe=pe,
            simd=simd,
            activation=activation,
            accumulator=accumulator,
            bipolar_activation=bipolar_activation,
            activation_range=activation_range,
            bias=bias,
            memory="auto" if self._writable else memory,
            buffer=buffer,
            port=port,
        )
        if self._writable:
            self._memory = memory
            self._members["w"] = In(self._access.signature)
        if self._max_bits is not None:
            self._members["bits"] = In(range(1, self._max_bits + 1), init=self._weight_bits)

    interval = property(lambda self: self.interval_at(self._weight_bits), doc="Cycles per vector: SF·NF·bits.")
    latency = property(
        lambda self: self.latency_at(self._weight_bits), doc="Cycles from first beat in to first beat out."
    )
    depth = property(
        lambda self: self.depth_at(self._weight_bits), doc="Cycles from last beat in to first beat out, of a vector."
    )
    control = property(
        lambda self: self.control_at(self._weight_bits), doc="A step per cycle; buffered unless beats are used once."
    )
    _buffered = property(lambda self: self.neuron_fold * self._planes > 1, doc="Whether beats can be used again.")

    def interval_at(self, bits: int) -> int:
        """Cycles per vector with weights of ``bits`` bits."""
        return self.synapse_fold * self.neuron_fold * bits

    def latency_at(self, bits: int) -> int:
        """Cycles from the transfer of a vector's first beat to that of its first output beat."""
        return self.synapse_fold - 1 + self.depth_at(bits)

    def depth_at(self, bits: int) -> int:
        """Cycles from the transfer of a vector's last input beat to that of its first output beat."""
        return (bits - 1) * self.synapse_fold + self._products.stages + (3 if self._buffered else 2)

    def control_at(self, bits: int) -> Steps | Buffered:
        """One step per cycle, an output beat at the end of the last plane of each neuron fold."""
        sf, folds = self.synapse_fold, self.neuron_fold * bits
        depth = self._products.stages + 2
        beat, fold = np.tile(np.arange(1, sf + 1), folds), np.repeat(np.arange(folds), sf)
        emits = (beat == sf) & (fold % bits == bits - 1)
        if not self._buffered:
            return Steps(np.ones((1, sf), bool), emits, depth)
        needs, frees = np.where(fold == 0, beat, sf), np.where(fold == folds - 1, beat, 0)
        return Buffered(sf, 2 * sf, needs, frees, emits, depth)

    def features(self) -> dict[str, float]:
        """As those of :class:`MatVec`; ``plane_bits`` are the accumulators' where a plane follows another."""
        count = super().features()
        return count if self._planes == 1 else count | {"plane_bits": count["accumulator_bits"]}

    def _choose_buffer(self, buffer: str) -> str:
        kind = storage("buffer", buffer, 2 * self.synapse_fold, self._simd * self._activation.width)
        return kind if self._buffered else "none"

    def _source(self) -> StepSource | PlaneSource:
        beat = self._simd * self._activation.width
        if not self._buffered:
            return StepSource(beat, self.synapse_fold, 1, 1, self._buffer)
        fixed = self._max_bits is None
        return PlaneSource(beat, self.synapse_fold, self.neuron_fold, self._planes, fixed, self._buffer)

    def elaborate(self, platform) -> Module:
        m = Module()
        enable, take = Signal(), Signal()
        m.submodules.steps = step = self._source()
        m.submodules.weights = weights = self._weight_rom
        m.d.comb += [
            enable.eq(~self.o.valid | self.o.ready),
            take.eq(enable & ~weights.clash if self._writable else enable),
            step.i.valid.eq(self.i.valid),
            step.i.payload.eq(self.i.p.as_value()),
            self.i.ready.eq(step.i.ready),
            step.en.eq(take),
            weights.en.eq(enable),
            weights.addr.eq(step.address),
        ]
        if self._max_bits is not None:
            m.d.comb += step.bits.eq(self.bits)
        if self._writable:
            self._access.connect(m, self.w)
        valid, plane_last, last = self._follow(m, enable, step, take)
        start = self._counted_starts(m, enable, valid[-2] & last[-2])
        top, single = Signal(reset_less=True), Signal(reset_less=True)
        with m.If(enable):
            m.d.sync += self.o.valid.eq(valid[-1] & last[-1])
            if self._buffered:
                m.d.sync += [top.eq(step.top), single.eq(step.single)]
        totals = self._products.lanes(m, enable, step.data, weights.data, top, single)
        results = self._accumulators.lanes(m, enable & valid[-1], plane_last[-1], last[-1], totals, start)
        for lane, (shape, result) in enumerate(zip(self._lane_shapes, results)):
            m.d.comb += self.o.p[lane].eq(result.as_signed() if shape.signed else result)
        return m

    def _follow(
        self, m: Module, enable: Signal, step: StepSource | PlaneSource, take: Signal
    ) -> tuple[list[Value], list[Value], list[Value]]:
        """``valid``, last of its plane and last of its neuron, of the step in each stage, issue to accumulation."""
        flags: tuple[list[Value], list[Value], list[Value]]
        flags = [step.ready & take], [step.plane_last if self._buffered else step.last], [step.last]
        for stage in range(1, self._products.stages + 2):
            for name, values in zip(("valid", "plane_last", "last"), flags):
                # A flag that is always 1 starts as 1, so that it folds away.
                values.append(Signal(name=f"{name}_{stage}", init=name != "valid", reset_less=name != "valid"))
                with m.If(enable):
                    m.d.sync += values[-1].eq(values[-2])
        return flags


def _most_bits(max_bits: int, bits: int, writable: bool) -> int:
    """``max_bits`` if it is ``bits`` … 8 and words can be written."""
    if not writable:
        raise ValueError("max_bits must be None where writable is False: other bits need other words")
    if not bits <= positive("max_bits", max_bits) <= MOST_BITS:
        raise ValueError(f"max_bits must be {bits} (the bits at first) … {MOST_BITS}, not {max_bits}")
    return max_bits
