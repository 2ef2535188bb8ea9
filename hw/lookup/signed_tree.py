"""SignedTree: a sum of look-ups, each with a sign, in which signs cost nothing."""

from itertools import pairwise

from amaranth.hdl import Module, Signal, Value
from amaranth.lib.wiring import In, Out

from ..arithmetic.dot import LEVELS_PER_STAGE, levels
from ..component import Component
from ..parameters import shape_of_range

Range = tuple[int, int]


def complemented(bounds: Range) -> Range:
    """The range of numbers within ``bounds`` or of their complements."""
    lo, hi = bounds
    return min(lo, ~hi), max(hi, ~lo)


def tree_bounds(entry: Range, terms: int) -> list[list[Range]]:
    """The range of each node, level by level, in a tree over ``terms`` look-ups within ``entry``."""
    nodes = [[entry] * terms]
    while len(below := nodes[-1]) > 1:
        nodes.append([below[-1] if j + 1 == len(below) else _sum(below[j], below[j + 1])
                      for j in range(0, len(below), 2)])  # fmt: skip
    return nodes


def _sum(left: Range, right: Range) -> Range:
    lo, hi = complemented(right)
    return left[0] + lo + 1, left[1] + hi + 1


def plus_complemented(left: Value, right: Value, sign: Value) -> Value:
    """``left`` + ``right`` + 1 where ``sign`` is 0, ``left`` − ``right`` where it is 1; both signed.

    Written as a difference, because synthesis may exchange the operands of a sum: the plain one must stay where a carry
    chain needs a wire.
    """
    return left - (right.as_unsigned() ^ ~sign.replicate(len(right))).as_signed()


def stages(terms: int, before: int) -> int:
    """Pipeline registers where the look-up counts as ``before`` adder levels."""
    return (levels(terms) + before) // LEVELS_PER_STAGE


class SignedTree(Component):
    """o = Σ ± e_t, but for a constant and the sign of e_0, in a balanced tree of adders.

    A node adds or subtracts the right sum, whichever its sign relative to the left one's says; the sign of the left one
    is left to the node above, and at last to whoever reads ``o``. Adding adds 1 too many, which makes a constant of
    signs known beforehand (:meth:`bitloom.hw.lookup.trit_codes.TritWeights.leftover`). So each adder has one plain
    operand, as a carry chain wants it, and the exclusive-or disappears into the LUT in front of the chain. The sign
    that comes with look-up t > 0 is that relative to look-up t with its lowest bit cleared, and belongs to the node
    where the two meet. A register follows every second adder level.

    Parameters
    ----------
    entry : (int, int)
        The least and the greatest look-up.
    terms : int
        Look-ups.
    before : int
        Adder levels that the look-up counts as: a register stands in front of the tree if they fill a stage.
    limit : int
        Bits that are read of the sum.

    Members
    -------
    en : In(1)
        The pipeline moves.
    x : In(terms · bits of an entry)
        The look-ups, the first lowest.
    signs : In(terms)
        Their signs.
    o, sign : Out
        The sum, signed, and whether it is to be taken negative, :func:`stages` enabled cycles later.
    """

    def __init__(self, entry: Range, terms: int, before: int, limit: int):
        self._terms = terms
        self._before = before
        self._entry = shape_of_range(*entry)
        self._widths = tree_widths(entry, terms, limit)
        super().__init__(
            {
                "en": In(1),
                "x": In(terms * self._entry.width),
                "signs": In(terms),
                "o": Out(self._widths[-1][0]),
                "sign": Out(1),
            }
        )

    stages = property(lambda self: stages(self._terms, self._before), doc="Latency in enabled cycles.")

    def elaborate(self, platform) -> Module:
        m = Module()
        terms: list[Value] = [self.x.word_select(t, self._entry.width).as_signed() for t in range(self._terms)]
        signs = dict(enumerate(self.signs))
        for level, widths in enumerate(self._widths):
            if level:
                terms = [self._pair(terms[2 * j : 2 * j + 2], signs, level, j)[:width].as_signed()
                         for j, width in enumerate(widths)]  # fmt: skip
            if (level + self._before) % LEVELS_PER_STAGE == 0:
                left = {t: sign for t, sign in signs.items() if t % (1 << level) == 0}
                terms = [self._register(m, f"sum_{level}_{j}", term).as_signed() for j, term in enumerate(terms)]
                signs = {t: self._register(m, f"sign_{level}_{t}", sign) for t, sign in left.items()}
        m.d.comb += [self.o.eq(terms[0]), self.sign.eq(signs[0])]
        return m

    def _pair(self, terms: list[Value], signs: dict[int, Value], level: int, node: int) -> Value:
        """The sum of node ``node``'s one or two operands."""
        if len(terms) == 1:
            return Value.cast(terms[0])
        apart = signs[(2 * node + 1) << (level - 1)]
        return plus_complemented(terms[0], terms[1], apart)

    def _register(self, m: Module, name: str, value: Value) -> Signal:
        register = Signal(len(value), name=name, reset_less=True)
        with m.If(self.en):
            m.d.sync += register.eq(value)
        return register


def tree_widths(entry: Range, terms: int, limit: int) -> list[list[int]]:
    """Bits of each node, level by level; ``limit`` are enough."""
    nodes = tree_bounds(entry, terms)
    return [[min(limit, width) if level else width for width in (shape_of_range(*node).width for node in row)]
            for level, row in enumerate(nodes)]  # fmt: skip


def tree_features(entry: Range, terms: int, before: int, limit: int) -> dict[str, float]:
    """Bits of adders and of registers of one tree."""
    widths = tree_widths(entry, terms, limit)
    adders = sum(sum(row[: len(below) // 2]) for below, row in pairwise(widths))
    registers = sum(sum(row) + len(row) for level, row in enumerate(widths) if (level + before) % LEVELS_PER_STAGE == 0)
    return {"adder_bits": adders, "register_bits": registers}
