# amaranth: UnusedElaboratable=no
"""Products: the sums of products of one step, in all lanes of a matrix–vector unit; AndXor, the usual way to make them.

Whoever makes them another way brings the same attributes and methods, and gets stream, buffer, weights, start words and
accumulators from :class:`~bitloom.hw.MatVec`.
"""

from functools import cached_property
from typing import Protocol

import numpy as np
from amaranth.hdl import Cat, Module, Shape, Signal, Value

from ..arithmetic import compressor, dot
from ..arithmetic.trits import TRITS, decode_trits
from ..arithmetic.weights import ActivationCode, FoldedWeights, WeightCode
from ..parameters import one_of, pack

TREES = ("auto", "balanced", "compressor")
"""How products are added."""


class Products(Protocol):
    """Σ over the SIMD elements of a beat of w · x, for each of PE lanes, up to a constant of each neuron."""

    @property
    def width(self) -> int:
        """Bits of a step's stored weights."""
        ...

    @property
    def stages(self) -> int:
        """Pipeline registers from weights and beat to the sums."""
        ...

    @property
    def scale(self) -> int:
        """What a sum of 1 counts for: 1, or 2 where bipolar activations are added as 0 and 1."""
        ...

    @property
    def start(self) -> np.ndarray:
        """What the sums over all steps, times ``scale``, lack of each row's W·x, (N,)."""
        ...

    def words(self) -> list[int]:
        """The stored weights, one word per step, in the order of
        :class:`~bitloom.hw.arithmetic.weights.FoldedWeights`."""
        ...

    def features(self) -> dict[str, float]:
        """What they are made of, for the cost model."""
        ...

    def lanes(self, m: Module, en: Value, x: Value, w: Value) -> list[Value]:
        """The sums of the lanes, ``stages`` cycles with ``en`` high after beat ``x`` and weights ``w`` were there."""
        ...


class CodedProducts(Products, Protocol):
    """Products of weights that have a code: where they can be written, any weights of it may come."""

    @property
    def code(self) -> WeightCode:
        """What weights can be."""
        ...


class AndXor:
    """Every product bit is an AND of a weight bit and an activation bit, XORed with the weight's sign, and a balanced
    tree adds them: XNOR and popcount, select-add or bit planes, as the weights are; see
    :mod:`bitloom.hw.arithmetic.weights`.

    :param weights: (N, K). :param pe: lanes. :param simd: elements per beat. :param activation: their shape.
    :param bipolar: whether activation bits stand for −1 and +1. :param code: how weights are stored, see
    :meth:`~bitloom.hw.arithmetic.weights.WeightCode.named`; a register follows the decoder of dense ones.
    :param writable: adders are wide enough for any weights of the code.
    """

    def __init__(
        self,
        weights: np.ndarray,
        pe: int,
        simd: int,
        activation: Shape,
        bipolar: bool,
        *,
        code: str | int = "auto",
        writable: bool = False,
        tree: str = "auto",
    ):
        self._weights, self._simd, self._bits = weights, simd, activation.width
        self._code = WeightCode.named(code, weights, writable)
        self._folded = FoldedWeights(weights, self._code, pe, simd)
        self._writable = writable
        self._tree = "balanced" if one_of("tree", tree, TREES) == "auto" else tree
        self._acts = ActivationCode.of(activation, bipolar)

    code = property(lambda self: self._code, doc="How weights are stored.")
    width = property(lambda self: self._folded.width, doc="Bits of a step's stored weights.")

    @property
    def stages(self) -> int:
        """Pipeline registers: those of the trees, and one behind a decoder."""
        if self._tree == "balanced":
            return self._code.dense + dot.stages(self._simd, self._code)
        return self._code.dense + compressor.stages(self._simd, self._code, self._bits)

    scale = property(lambda self: self._acts.scale, doc="What a sum of 1 counts for.")

    @property
    def start(self) -> np.ndarray:
        """What the codes of weights and activations leave out."""
        return self._acts.start(self._weights, self._code)

    def words(self) -> list[int]:
        """The stored weights."""
        return self._folded.words()

    def features(self) -> dict[str, float]:
        """Bits of products, adders and pipeline registers, bytes of decoders."""
        if self._tree == "balanced":
            count = {name: float(value) for name, value in self._peaks.features(self._bits).items()}
        else:
            lane = compressor.features(self._simd, self._code, self._bits)
            count = {name: float(self._folded.pe * value) for name, value in lane.items()}
        if self._code.dense:
            trits = self._folded.pe * self._simd
            count["decoder_bytes"] = -(-trits // TRITS)
            count["register_bits"] += 2 * trits + self._simd * self._bits
        return count

    @cached_property
    def _peaks(self) -> dot.Peaks:
        """How far each node of the adder trees can count."""
        if not self._writable:
            return dot.Peaks.of(self._folded)
        pe = self._folded.pe
        most = np.full((pe, self._simd), self._code.peak)
        return dot.Peaks.of(FoldedWeights(most, self._code, pe, self._simd))

    def lanes(self, m: Module, en: Value, x: Value, w: Value) -> list[Value]:
        """One :class:`~bitloom.hw.arithmetic.dot.DotProduct` per lane."""
        if self._acts.flip:
            x = x ^ pack([1 << (self._bits - 1)] * self._simd, self._bits)
        if self._code.dense:
            x, w = self._decode(m, en, x, w)
        sums = []
        for lane in range(self._folded.pe):
            m.submodules[f"dot_{lane}"] = unit = self._lane(self._peaks.lane(lane))
            m.d.comb += [unit.en.eq(en), unit.x.eq(x), unit.w.eq(w.word_select(lane, self._simd * self._code.bits))]
            sums.append(unit.o)
        return sums

    def _lane(self, peaks: dot.Peaks) -> dot.DotProduct:
        if self._tree == "balanced":
            return dot.DotProduct(peaks, self._code, self._bits)
        return compressor.CompressorDot(peaks, self._code, self._bits)

    def _decode(self, m: Module, en: Value, x: Value, w: Value) -> tuple[Signal, Signal]:
        """Beat and weights behind a register, the weights in 2 bits each."""
        beat = Signal(len(x), name="beat", reset_less=True)
        decoded = Signal(2 * self._folded.pe * self._simd, name="decoded", reset_less=True)
        groups = [decode_trits(w.word_select(k, 8)) for k in range(len(w) // 8)]
        with m.If(en):
            m.d.sync += [beat.eq(x), decoded.eq(Cat(*groups))]
        return beat, decoded
