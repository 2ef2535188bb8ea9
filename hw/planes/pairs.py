"""PlanePairs: the sums of one bit plane, where two activations at a time are looked up in a table of their sums."""

import numpy as np
from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from ..arithmetic.dot import bit_lengths, staged, tree_bits, tree_sums
from ..component import Component


class PlanePairs(Component):
    """Σ over the elements of b · u in each lane; of a single plane, of u where b = 1 and NOT u where b = 0.

    The sum of two neighbours is made once for all lanes, and two weight bits choose: 0, either, or the sum. That is one
    LUT6 or two LUT4 per bit, where two products and an adder are two and three. Of a single plane the choice is among
    u1 + u2, u1 + NOT u2 and these inverted, which is 1 too much where b1 = 0; see ``surplus``. (The tables of LUT-GEMM,
    Park et al., 2022, and T-MAC, Wei et al., 2024, with groups of two: entries of four come to more LUTs than they save
    unless dozens of lanes share them.) A register follows every second adder level, that of the pairs counted.

    Parameters
    ----------
    tree : list of np.ndarray
        The trees of 0s and 1s that the digits sum up to at most, level by level from single elements on, (lanes, nodes)
        each; :func:`~bitloom.hw.arithmetic.dot.tree_sums`.
    bits : int
        Bits m of an activation code.
    planes : str
        ``many``, always more than one plane; ``single``, always one; ``any``, as the port says.

    Members
    -------
    en : In(1)
        The pipeline moves.
    x, w : In(SIMD · m), In(lanes · SIMD)
        Unsigned activation codes; a bit per weight.
    invert, single : In(1)
        The codes count inverted (of a single plane they do not); ``any``: it is a single plane.
    o : Out(lanes · ``width``)
        The sums, as many enabled cycles later as there are registers.
    """

    def __init__(self, tree: list[np.ndarray], bits: int, planes: str):
        self._bits = bits
        self._planes = planes
        self._lanes, self._simd = tree[0].shape
        if planes == "many":
            peaks = [node * ((1 << bits) - 1) for node in tree[1:]]
        else:
            # Inverted, a sum of two fills all its bits.
            leaves = [(2 << bits) - 1] * (self._simd // 2) + [(1 << bits) - 1] * (self._simd % 2)
            peaks = tree_sums(np.array([leaves] * self._lanes))
        self._widths = [bit_lengths(peak.astype(np.int64)) for peak in peaks]
        self._width = max(1, int(self._widths[-1].max()))
        super().__init__(
            {
                "en": In(1),
                "x": In(self._simd * bits),
                "w": In(self._lanes * self._simd),
                "invert": In(1),
                "single": In(1),
                "o": Out(self._lanes * self._width),
            }
        )

    width = property(lambda self: self._width, doc="Bits of a sum.")

    @staticmethod
    def surplus(bits: np.ndarray) -> np.ndarray:
        """What a single plane of ``bits`` (…, SIMD) counts too much."""
        pairs = bits.shape[-1] // 2
        return np.count_nonzero(bits[..., : 2 * pairs : 2] == 0, axis=-1)

    def features(self) -> dict[str, float]:
        """Bits looked up, of adders and of registers."""
        pairs = self._simd // 2
        shared = pairs * (self._bits + 1) * (1 if self._planes == "many" else 2)
        adders, registers = tree_bits(self._widths, 2)
        return {
            "pair_bits": float(self._widths[0].sum()),
            "adder_bits": float(shared + adders),
            "register_bits": float(registers),
        }

    def elaborate(self, platform) -> Module:
        m = Module()
        x = self.x ^ self.invert.replicate(len(self.x))
        u = [x.word_select(k, self._bits) for k in range(self._simd)]
        tables = [self._table(m, j, *u[2 * j : 2 * j + 2]) for j in range(self._simd // 2)]
        for lane in range(self._lanes):
            b = self.w.word_select(lane, self._simd)
            terms = [self._look_up(table, b[2 * j], b[2 * j + 1]) for j, table in enumerate(tables)]
            if self._simd % 2:
                terms.append(self._alone(u[-1], b[-1]))
            for level, widths in enumerate(self._widths, 1):
                if level > 1:
                    terms = [sum(terms[j + 1 : j + 2], start=terms[j]) for j in range(0, len(terms), 2)]
                terms = [
                    staged(m, self.en, f"sum_{lane}_{level}_{j}", term, int(width), level)
                    for j, (term, width) in enumerate(zip(terms, widths[lane]))
                ]
            m.d.comb += self.o.word_select(lane, self._width).eq(terms[0])
        return m

    def _table(self, m: Module, j: int, first: Value, second: Value) -> list[Signal]:
        """Pair ``j`` of codes for weight bits 00, 10, 01, 11 (the first one's first); of a single plane, 11 and 10."""
        total, other = (Signal(self._bits + 1, name=f"{name}_{j}") for name in ("total", "other"))
        m.d.comb += [total.eq(first + second), other.eq(first + (~second)[: self._bits])]
        if self._planes == "single":
            return [total, other]
        table = [Signal(self._bits + 1, name=f"table_{j}_{entry}") for entry in range(3)]
        many = (Const(0), first, second)
        if self._planes == "many":
            m.d.comb += [entry.eq(value) for entry, value in zip(table, many)]
        else:
            of_one = (~total, other, ~other)
            m.d.comb += [entry.eq(Mux(self.single, one, value)) for entry, one, value in zip(table, of_one, many)]
        return [*table, total]

    def _look_up(self, table: list[Signal], first: Value, second: Value) -> Value:
        if self._planes == "single":
            return Mux(first ^ second, table[1], table[0]) ^ (~first).replicate(self._bits + 1)
        return Array(table)[Cat(first, second)]

    def _alone(self, code: Value, bit: Value) -> Value:
        """An element without a neighbour."""
        if self._planes == "single":
            return code ^ (~bit).replicate(self._bits)
        chosen = code & bit.replicate(self._bits)
        return chosen if self._planes == "many" else Mux(self.single, code ^ (~bit).replicate(self._bits), chosen)
