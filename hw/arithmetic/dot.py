"""DotProduct: one lane of a matrix–vector unit, a balanced adder tree over digit products."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from ..component import Component
from .weights import FoldedWeights, WeightCode

LEVELS_PER_STAGE = 2
"""Adder levels between two pipeline registers. Two keep the path below 20 ns on the slowest family (iCE40 UP5K)."""


def levels(terms: int) -> int:
    """Levels of a balanced tree that adds ``terms`` numbers two by two."""
    return (terms - 1).bit_length()


def stages(simd: int, code: WeightCode) -> int:
    """Pipeline registers in a dot product of ``simd`` weights of ``code``."""
    return (levels(simd) + levels(code.planes)) // LEVELS_PER_STAGE


def bit_lengths(peaks: np.ndarray) -> np.ndarray:
    """Bits of each of the integers ``peaks``, 0 for 0."""
    bits = np.frexp(peaks.astype(np.float64))[1].astype(np.int64)
    return bits - ((peaks >> np.maximum(bits - 1, 0)) == 0) * (bits > 0)  # what was rounded up to a power of two


def tree_sums(leaves: np.ndarray) -> list[np.ndarray]:
    """The nodes of a tree that adds ``leaves`` (…, elements) two by two, level by level; bytes grow where needed."""
    result = [leaves]
    while (last := result[-1]).shape[-1] > 1:
        if last.dtype == np.uint8 and len(result) > 7:  # 2^8 ones exceed a byte
            last = last.astype(np.uint32)
        sums = last[..., 0::2].copy()
        sums[..., : last.shape[-1] // 2] += last[..., 1::2]
        result.append(sums)
    return result


def tree_bits(tree: list[np.ndarray], level: int) -> tuple[int, int]:
    """Bits of adders and of pipeline registers above the lowest level of ``tree``; nodes of no bits need no adder.

    :param tree: each node's bits, level by level, (lanes, nodes) each. :param level: the number of the second one.
    """
    adders = registers = 0
    for at, (below, widths) in enumerate(pairwise(tree), level):
        pairs = below.shape[1] // 2
        both = (below[:, 0 : 2 * pairs : 2] > 0) & (below[:, 1::2] > 0)
        adders += int(widths[:, :pairs][both].sum())
        registers += int(widths.sum()) if at % LEVELS_PER_STAGE == 0 else 0
    return adders, registers


def staged(m: Module, en: Value, name: str, value: Value, width: int, level: int) -> Signal:
    """``value`` as a signal of ``width`` bits, behind a register where ``level`` ends a stage."""
    node = Signal(width, name=name, reset_less=True)
    if level % LEVELS_PER_STAGE == 0:
        with m.If(en):
            m.d.sync += node.eq(value)
    else:
        m.d.comb += node.eq(value)
    return node


def _over_steps(nodes: np.ndarray) -> np.ndarray:
    """The greatest of (neuron fold, lanes, synapse fold, nodes) in each lane and node; long rows first, for speed."""
    return nodes.max(axis=0).max(axis=1)


@dataclass(frozen=True, eq=False)
class Peaks:
    """The greatest value of each node of the adder trees, before there is hardware.

    ``trees[i]`` belongs to plane i, level by level, (lanes, nodes) each, for digits of 1; ``root`` adds the planes. An
    activation code of ``bits`` bits multiplies them all by its greatest value.
    """

    trees: list[list[np.ndarray]]
    root: list[np.ndarray]

    @classmethod
    def of(cls, folded: FoldedWeights) -> "Peaks":
        """Over all the steps of each lane."""
        weights = folded.by_lane()
        if folded.code.kind == "binary":  # all digits are 1: one step is like the other, one lane like the other
            nodes = tree_sums(np.ones((1, folded.simd), np.uint8))
            tree = [np.repeat(node, folded.pe, axis=0).astype(np.int64) for node in nodes]
            return cls([tree], [tree[-1]])
        narrow = np.min_scalar_type(folded.simd << folded.code.planes)
        trees, sums = [], []
        for plane, digits in enumerate(folded.code.digits(weights)):
            nodes = tree_sums(digits)
            trees.append([_over_steps(node).astype(np.int64) for node in nodes])
            sums.append(nodes[-1].astype(narrow) << plane)
        root = []
        while True:
            root.append(np.concatenate([_over_steps(node) for node in sums], axis=1).astype(np.int64))
            if len(sums) == 1:
                return cls(trees, root)
            sums = [sum(sums[j + 1 : j + 2], start=sums[j]) for j in range(0, len(sums), 2)]

    def lane(self, lane: int) -> "Peaks":
        """Those of one lane."""
        part = slice(lane, lane + 1)
        return Peaks([[node[part] for node in tree] for tree in self.trees], [node[part] for node in self.root])

    def features(self, bits: int) -> dict[str, int]:
        """Bits of products, of adders and of pipeline registers of all lanes, for activation codes of ``bits`` bits."""
        adders = registers = products = 0
        most = (1 << bits) - 1
        for tree in self.trees:
            products += int(np.count_nonzero(tree[0])) * bits
            of_adders, of_registers = tree_bits([bit_lengths(peaks * most) for peaks in tree], 1)
            adders, registers = adders + of_adders, registers + of_registers
        for level, peaks in enumerate(self.root[1:], len(self.trees[0])):
            total = int(bit_lengths(peaks * most).sum())
            adders += total
            registers += total if level % LEVELS_PER_STAGE == 0 else 0
        return {"product_bits": products, "adder_bits": adders, "register_bits": registers}


class DotProduct(Component):
    """Σ over planes i and elements k of 2^i · (b_ik AND (u_k XOR sign_k)); see :mod:`bitloom.hw.arithmetic.weights`.

    One balanced tree per plane, then the planes, every node as wide as the stored weights can make it. A register
    follows every second adder level.

    Parameters
    ----------
    peaks : Peaks
        What the weights that this lane will see (its first, if there are several) can sum up to.
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

    def __init__(self, peaks: Peaks, code: WeightCode, bits: int):
        self._code = code
        self._bits = bits
        self._simd = peaks.trees[0][0].shape[1]
        most = (1 << bits) - 1
        self._trees = [[bit_lengths(node[0] * most).tolist() for node in tree] for tree in peaks.trees]
        self._root = [bit_lengths(node[0] * most).tolist() for node in peaks.root]
        super().__init__(
            {
                "en": In(1),
                "x": In(self._simd * bits),
                "w": In(self._simd * code.bits),
                "o": Out(max(1, self._root[-1][0])),
            }
        )

    stages = property(lambda self: stages(self._simd, self._code), doc="Latency in enabled cycles.")

    def elaborate(self, platform) -> Module:
        m = Module()
        sums = [self._plane(m, plane) for plane in range(self._code.planes)]
        for step, widths in enumerate(self._root[1:], 1):
            # After ``step`` levels, neighbours weigh 2^(2^(step-1)) of one another.
            low = 1 << (step - 1)
            level = levels(self._simd) + step
            pairs = [self._pair(sums[j : j + 2], low) for j in range(0, len(sums), 2)]
            sums = [
                staged(m, self.en, f"planes_{step}_{j}", pair, max(0, width - j * 2 * low), level)
                for j, (pair, width) in enumerate(zip(pairs, widths))
            ]
        m.d.comb += self.o.eq(sums[0])
        return m

    def _plane(self, m: Module, plane: int) -> Value:
        """The sum over one bit plane."""
        terms = [self._product(k, plane) for k in range(self._simd)]
        for level, widths in enumerate(self._trees[plane][1:], 1):
            terms = [
                staged(m, self.en, f"sum_{plane}_{level}_{j}", self._pair(terms[2 * j : 2 * j + 2], 0), width, level)
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
