"""Sums of shifted operands: what multiplication by constants is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from amaranth.hdl import Shape, Value

from ..parameters import shape_of_range
from ..pipeline import Pipeline


def digits(constant: int) -> list[tuple[int, int]]:
    """``constant`` = Σ sign · 2^shift with the fewest signed digits, as (shift, ±1), the lowest first.

    Binary digits where they are as few, else the canonical signed ones, of which no two are adjacent (Reitwiesner,
    *Binary arithmetic*, 1960).
    """
    magnitude, sign = abs(constant), 1 if constant > 0 else -1
    binary = [(shift, sign) for shift in range(magnitude.bit_length()) if magnitude >> shift & 1]
    canonical, shift = [], 0
    while magnitude:
        if magnitude & 1:
            digit = 2 - (magnitude & 3)
            canonical.append((shift, sign * digit))
            magnitude -= digit
        magnitude >>= 1
        shift += 1
    return binary if len(binary) <= len(canonical) else canonical


def stages(terms: int) -> int:
    """Pipeline stages of a sum of ``terms`` terms: one for each level of adders, at least 1."""
    return max(1, (terms - 1).bit_length())


@dataclass(frozen=True)
class Term:
    """A node of the sum: Σ coefficients[p] · operand p, to be subtracted where ``negative``.

    ``value`` is its hardware, or None where only its width is asked for; ``ranges`` are the operands' bounds.
    """

    value: Value | None
    coefficients: tuple[int, ...]
    ranges: tuple[tuple[int, int], ...]
    negative: bool = False

    @property
    def shape(self) -> Shape:
        """The narrowest shape that holds every value it can have."""
        ends = [sorted((m * lo, m * hi)) for m, (lo, hi) in zip(self.coefficients, self.ranges)]
        return shape_of_range(sum(low for low, _ in ends), sum(high for _, high in ends))

    @property
    def bits(self) -> int:
        """Bits of it that are not 0 for certain."""
        return self.shape.width - self.zeros

    @property
    def zeros(self) -> int:
        """Low bits of it that are always 0."""
        return min((m & -m).bit_length() - 1 for m in self.coefficients if m)

    def plus(self, other: "Term") -> "Term":
        """The sum of two: negative if both are."""
        a, b = (other, self) if self.negative and not other.negative else (self, other)
        sign, value = 1 if a.negative == b.negative else -1, None
        if a.value is not None and b.value is not None:
            value = a.value + b.value if sign == 1 else a.value - b.value
        coefficients = tuple(m + sign * n for m, n in zip(a.coefficients, b.coefficients))
        return Term(value, coefficients, self.ranges, a.negative)

    def positive(self) -> "Term":
        """The same number, to be added."""
        if not self.negative:
            return self
        value = None if self.value is None else -self.value
        return Term(value, tuple(-m for m in self.coefficients), self.ranges)


def terms(values: Sequence[Value | None], ranges: Sequence[tuple[int, int]], multipliers: Sequence[int]) -> list[Term]:
    """Σ multipliers[p] · values[p], one term for each digit of each multiplier."""
    return [
        Term(None if value is None else value << shift, tuple((1 << shift) * (p == q) for q in range(len(values))),
             tuple(ranges), sign < 0)
        for p, (value, multiplier) in enumerate(zip(values, multipliers))
        for shift, sign in digits(multiplier)
    ]  # fmt: skip


def _level(nodes: list[Term]) -> list[Term]:
    """The sums of neighbours; the last stays alone where their number is odd, and the root is positive."""
    pairs = [nodes[j : j + 2] for j in range(0, len(nodes), 2)]
    after = [pair[0].plus(pair[1]) if len(pair) == 2 else pair[0] for pair in pairs]
    return [after[0].positive()] if len(after) == 1 else after


def total(pipeline: Pipeline, nodes: list[Term], depth: int, name: str) -> Value:
    """The sum of the terms ``nodes``, ``depth`` stages later (at least ``stages(len(nodes))``), no node too wide."""
    for level in range(depth):
        nodes = [
            replace(node, value=pipeline.register(node.value, f"{name}_{level}_{j}", node.shape))
            for j, node in enumerate(_level(nodes))
        ]
    (root,) = nodes
    return root.value


def costs(nodes: list[Term], depth: int) -> dict[str, int]:
    """Bits of :func:`total`: of adders (where operands overlap), of what is inverted to be subtracted, of registers."""
    count = {"adder_bits": 0, "subtracted_bits": 0, "register_bits": 0}
    for _ in range(depth):
        after = _level(nodes)
        for a, b, total in zip(nodes[::2], nodes[1::2], after):
            if a.negative == b.negative:
                count["adder_bits"] += total.shape.width - max(a.zeros, b.zeros)
            else:
                lost = b if b.negative else a
                count["adder_bits"] += total.shape.width - lost.zeros
                count["subtracted_bits"] += lost.bits
        if len(after) == 1 and all(node.negative for node in nodes):
            count["adder_bits"] += after[0].bits
            count["subtracted_bits"] += after[0].bits
        count["register_bits"] += sum(node.bits for node in after)
        nodes = after
    return count
