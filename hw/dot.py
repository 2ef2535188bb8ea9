"""DotProduct: one lane of a matrix–vector unit, a balanced adder tree over digit products."""

from itertools import pairwise

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .weights import WeightCode

LEVELS_PER_STAGE = 2
"""Adder levels between two pipeline registers. Two keep the path below 20 ns on the slowest family (iCE40 UP5K)."""


def levels(terms: int) -> int:
    """Levels of a balanced tree that adds ``terms`` numbers two by two."""
    return (terms - 1).bit_length()


def stages(simd: int, code: WeightCode) -> int:
    """Pipeline registers in a dot product of ``simd`` weights of ``code``."""
    return (levels(simd) + levels(code.planes)) // LEVELS_PER_STAGE


def tree_peaks(peaks: np.ndarray) -> list[np.ndarray]:
    """Greatest value of each node of a tree, level by level, from those of its leaves (words, leaves)."""
    result = [peaks]
    while result[-1].shape[1] > 1:
        last = result[-1]
        if last.shape[1] % 2:
            last = np.pad(last, ((0, 0), (0, 1)))
        result.append(last[:, 0::2] + last[:, 1::2])
    return result


class Terms:
    """The sums of one lane before there is hardware: the greatest value of each node of its trees.

    ``trees[i]`` belongs to plane i, level by level; ``root`` adds the planes. Parameters as in :class:`DotProduct`.
    """

    def __init__(self, weights: np.ndarray, code: WeightCode, bits: int):
        self.bits = bits
        digits = code.digits(weights) * ((1 << bits) - 1)
        self.trees = [tree_peaks(plane) for plane in digits]
        roots = np.stack([tree[-1][:, 0] << plane for plane, tree in enumerate(self.trees)], axis=1)
        self.root = tree_peaks(roots)

    def features(self) -> dict[str, float]:
        """Bits of products, of adders and of pipeline registers."""
        adders = registers = products = 0
        for tree in self.trees:
            products += int(np.count_nonzero(tree[0].max(0))) * self.bits
            for level, (below, peaks) in enumerate(pairwise(tree), 1):
                widths = [int(peak).bit_length() for peak in peaks.max(0)]
                used = below.max(0) > 0
                adders += sum(w for j, w in enumerate(widths) if used[2 * j : 2 * j + 2].sum() == 2)
                registers += sum(widths) if level % LEVELS_PER_STAGE == 0 else 0
        for level, peaks in enumerate(self.root[1:], len(self.trees[0])):
            bits = sum(int(peak).bit_length() for peak in peaks.max(0))
            adders += bits
            registers += bits if level % LEVELS_PER_STAGE == 0 else 0
        return {"product_bits": products, "adder_bits": adders, "register_bits": registers}


class DotProduct(wiring.Component):
    """Σ over planes i and elements k of 2^i · (b_ik AND (u_k XOR sign_k)); see :mod:`bitloom.hw.weights`.

    One balanced tree per plane, then the planes, every node as wide as the stored weights can make it. A register
    follows every second adder level.

    Parameters
    ----------
    weights : np.ndarray
        The weights this lane will see, (words, SIMD): they bound the widths.
    code : WeightCode
        Their storage format.
    bits : int
        Bits m of an activation code.

    Members
    -------
    en : In(1)
        The pipeline moves.
    x : In(SIMD · m)
        Unsigned activation codes, element 0 lowest.
    w : In(SIMD · code.bits)
        Stored weights, element 0 lowest.
    o : Out
        The sum, unsigned, ``stages`` enabled cycles later.
    """

    def __init__(self, weights: np.ndarray, code: WeightCode, bits: int):
        self._code = code
        self._bits = bits
        self._simd = weights.shape[1]
        terms = Terms(weights, code, bits)
        self._trees, self._root = terms.trees, terms.root
        super().__init__(
            {
                "en": In(1),
                "x": In(self._simd * bits),
                "w": In(self._simd * code.bits),
                "o": Out(max(1, int(self._root[-1].max()).bit_length())),
            }
        )

    stages = property(lambda self: stages(self._simd, self._code), doc="Latency in enabled cycles.")

    def elaborate(self, platform) -> Module:
        m = Module()
        sums = [self._plane(m, plane) for plane in range(self._code.planes)]
        for step, peaks in enumerate(self._root[1:], 1):
            # After ``step`` levels, neighbours weigh 2^(2^(step-1)) of one another.
            low = 1 << (step - 1)
            sums = [self._pair(sums[j : j + 2], low) for j in range(0, len(sums), 2)]
            widths = [int(peak).bit_length() - (j * 2 * low) for j, peak in enumerate(peaks.max(0))]
            level = levels(self._simd) + step
            sums = [
                self._node(m, f"planes_{step}_{j}", value, width, level)
                for j, (value, width) in enumerate(zip(sums, widths))
            ]
        m.d.comb += self.o.eq(sums[0])
        return m

    def _plane(self, m: Module, plane: int) -> Value:
        """The sum over one bit plane."""
        terms = [self._product(k, plane) for k in range(self._simd)]
        for level, peaks in enumerate(self._trees[plane][1:], 1):
            widths = [int(peak).bit_length() for peak in peaks.max(0)]
            terms = [
                self._node(m, f"sum_{plane}_{level}_{j}", self._pair(terms[2 * j : 2 * j + 2], 0), width, level)
                for j, width in enumerate(widths)
            ]
        return terms[0]

    @staticmethod
    def _pair(terms: list[Value], low: int) -> Value:
        """The first of ``terms`` plus, where there is one, 2^low times the second."""
        if len(terms) == 1:
            return terms[0]
        return Cat(Cat(terms[0], Const(0, low))[:low], terms[0][low:] + terms[1])

    def _product(self, k: int, plane: int) -> Value:
        """The contribution b AND (u XOR sign) of element ``k``."""
        u = self.x.word_select(k, self._bits)
        w = self.w.word_select(k, self._code.bits)
        if self._code.kind == "complement":
            top = plane == self._code.bits - 1
            return Mux(w[plane], ~u if top else u, 0)[: self._bits]
        signed_u = u ^ w[-1].replicate(self._bits)
        if self._code.kind == "binary":
            return signed_u
        return signed_u & w[plane].replicate(self._bits)

    def _node(self, m: Module, name: str, value: Value, width: int, level: int) -> Value:
        """``value`` as a signal of ``width`` bits, behind a register where the level ends a stage."""
        node = Signal(max(0, width), name=name, reset_less=True)
        if level % LEVELS_PER_STAGE == 0:
            with m.If(self.en):
                m.d.sync += node.eq(value)
        else:
            m.d.comb += node.eq(value)
        return node
