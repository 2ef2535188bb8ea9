# amaranth: UnusedElaboratable=no
"""BitPlanes: one bit plane of the weights at a time, against a beat of activations."""

from functools import cached_property

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Shape, Value

from ..arithmetic import dot
from ..arithmetic.weights import ActivationCode, WeightCode
from ..parameters import pack, pack_rows, positive
from .pairs import PlanePairs

MOST_BITS = 8
"""Bits that a weight can have."""

NEVER = Const(0, 1)
"""What is never the case, as a signal."""


def least_bits(weights: np.ndarray) -> int:
    """The bits of these weights: 1 if all are −1 or +1, else those of the least two's complement, at least 2."""
    code = WeightCode.of(weights)
    return 2 if code.kind == "ternary" else code.bits


def range_of(bits: int) -> tuple[int, int]:
    """The least and the greatest weight of ``bits`` bits; of one bit, −1 and +1."""
    return (-1, 1) if bits == 1 else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def bits_of(weights: np.ndarray, bits: int | None) -> int:
    """``bits``, or the fewest if None, if it is 1 … 8 and these weights have no more.

    :raises ValueError: it is not, or they have.
    """
    least = least_bits(weights)
    bits = least if bits is None else positive("bits", bits)
    if bits > MOST_BITS:
        what = "bits must be" if least <= MOST_BITS else "weights must have"
        raise ValueError(f"{what} at most {MOST_BITS}{'' if least <= MOST_BITS else ' bits'}, not {bits}")
    lo, hi = range_of(bits)
    if weights.min() < lo or weights.max() > hi or (bits == 1 and not weights.all()):
        fit = "be −1 or +1" if bits == 1 else f"lie within {lo} … {hi}"
        raise ValueError(
            f"weights of bits = {bits} must {fit}, not reach {weights.min()} … {weights.max()} (use bits = {least})"
        )
    return bits


class BitPlanes:
    """Σ over the SIMD elements of a beat of plane p of w · x, for each of PE lanes, with one stored bit per weight.

    Weights of 2 or more bits are two's complement; a product is b AND u with the activation's unsigned code u, and in
    the top plane, which counts negative, b AND NOT u. A single plane means −1 (bit 0) and +1, the product is u XNOR b.
    All that is missing is a constant of the neuron; see :mod:`bitloom.hw.arithmetic.weights`. The sums of ``bits``
    planes come after one another, p = 0 is the top one, and whoever adds them up doubles what there is before each
    further plane (BISMO: Umuroglu, Rasnayake and Själander, 2018; T-MAC).

    :param weights: (N, K). :param pe: lanes. :param simd: elements per beat. :param activation: their shape.
    :param bipolar: whether activation bits stand for −1 and +1. :param bits: planes of these weights.
    :param any_weights: whether other weights can come in their place. :param any_bits: of any number of bits.
    :param table: whether pairs of activations are looked up (:class:`PlanePairs`); else there is an AND per product
        bit, in a :class:`~bitloom.hw.arithmetic.dot.DotProduct`.
    """

    def __init__(
        self,
        weights: np.ndarray,
        pe: int,
        simd: int,
        activation: Shape,
        bipolar: bool,
        bits: int,
        any_weights: bool,
        any_bits: bool,
        table: bool,
    ):
        self._weights, self._pe, self._simd, self._bits = weights, pe, simd, bits
        self._any_weights, self._any_bits = any_weights, any_bits
        self._table = table
        self._acts = ActivationCode.of(activation, bipolar)
        # What a dot product is given: a magnitude and a sign bit per element, or a sign bit where that is all.
        self._code = WeightCode("binary", 1) if bits == 1 and not any_bits else WeightCode("ternary", 2)

    width = property(lambda self: self._pe * self._simd, doc="Bits of a step's stored weights.")
    stages = property(lambda self: dot.stages(self._simd, self._code), doc="Pipeline registers.")
    scale = property(lambda self: self._acts.scale, doc="What a sum of 1 counts for.")

    @property
    def start(self) -> np.ndarray:
        """What the codes of weights and activations leave out."""
        code = WeightCode("binary", 1) if self._bits == 1 else WeightCode("complement", self._bits)
        start = self._acts.start(self._weights, code)
        if self._table and self._bits == 1:
            beats = self._weights.reshape(len(start), -1, self._simd)
            start = start - self.scale * PlanePairs.surplus(beats > 0).sum(axis=1)
        return start

    def words(self) -> list[int]:
        """One word per step (n, p, s), s innermost: lane 0 lowest, in a lane element 0 lowest."""
        steps = self._digits().transpose(0, 2, 3, 1, 4)  # neuron folds, planes, synapse folds, lanes, elements
        return pack_rows(steps.reshape(-1, self.width), 1)

    def _digits(self) -> np.ndarray:
        """The stored bits: neuron folds, lanes, planes, synapse folds, elements."""
        weights = self._weights.reshape(-1, self._pe, 1, self._weights.shape[1] // self._simd, self._simd)
        if self._bits == 1:
            return (weights > 0).astype(np.uint8)
        planes = np.arange(self._bits - 1, -1, -1).reshape(-1, 1, 1)
        return ((weights >> planes) & 1).astype(np.uint8)

    @cached_property
    def _peaks(self) -> dot.Peaks:
        """How far each node of the adder trees can count."""
        if self._any_weights or self._bits == 1:
            nodes = dot.tree_sums(np.ones((self._pe, self._simd), np.uint8))
        else:
            nodes = [node.max(axis=(0, 2, 3)) for node in dot.tree_sums(self._digits())]
        tree = [node.astype(np.int64) for node in nodes]
        return dot.Peaks([tree], [tree[-1]])

    def features(self) -> dict[str, float]:
        """Bits of products, adders and pipeline registers."""
        if self._table:
            return self._pairs().features()
        return {name: float(value) for name, value in self._peaks.features(self._acts.bits).items()}

    def _pairs(self) -> PlanePairs:
        planes = "any" if self._any_bits else "single" if self._bits == 1 else "many"
        return PlanePairs(self._peaks.trees[0], self._acts.bits, planes)

    def lanes(
        self, m: Module, en: Value, x: Value, w: Value, top: Value = NEVER, single: Value = NEVER
    ) -> list[Value]:
        """The sums of the lanes, ``stages`` cycles with ``en`` high after beat ``x`` and weights ``w`` were there.

        ``top`` and ``single``: it is the top plane; it is the only one. Neither is asked for where there is always one.
        """
        if self._acts.flip:
            x = x ^ pack([1 << (self._acts.bits - 1)] * self._simd, self._acts.bits)
        if self._table:
            m.submodules.pairs = pairs = self._pairs()
            m.d.comb += [pairs.en.eq(en), pairs.x.eq(x), pairs.w.eq(w), pairs.single.eq(single)]
            m.d.comb += pairs.invert.eq(top & ~single if self._any_bits else top if self._bits > 1 else 0)
            return [pairs.o.word_select(lane, pairs.width) for lane in range(self._pe)]
        sums = []
        for lane in range(self._pe):
            m.submodules[f"dot_{lane}"] = unit = dot.DotProduct(self._peaks.lane(lane), self._code, self._acts.bits)
            bits = w.word_select(lane, self._simd)
            m.d.comb += [unit.en.eq(en), unit.x.eq(x), unit.w.eq(self._stored(bits, top, single))]
            sums.append(unit.o)
        return sums

    def _stored(self, bits: Value, top: Value, single: Value) -> Value:
        """The bits of a plane as weights of the dot product's code: a product is (u XOR sign) AND magnitude."""
        if self._code.kind == "binary":
            return ~bits
        if not self._any_bits:
            single = NEVER
        return Cat(Cat(bit | single, Mux(single, ~bit, top)) for bit in bits)
