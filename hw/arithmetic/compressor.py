# amaranth: UnusedElaboratable=no
"""CompressorDot: one lane of a matrix–vector unit, a tree of counters over digit products and one adder at its end.

A counter adds bits of equal weight: six to a 3-bit number (three 6-input tables, which rid the sum of three bits) or
three to a 2-bit one (a full adder). The first counters take products instead of bits, as many as a table has inputs
for, so that products cost nothing of their own. Generalized parallel counters after Parandeh-Afshar et al. (2008); for
popcounts of binarized networks Umuroglu et al. (2019). A product that is always 0 folds away in synthesis.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from amaranth.hdl import Cat, Const, Module, Signal, Value

from .dot import DotProduct, Peaks
from .weights import WeightCode

LEVELS_PER_STAGE = 4
"""Counter levels between two registers, each about half an adder level. Behind the last register is the adder."""

SIZES = (6, 3)
"""Bits that a counter adds."""

Bit = TypeVar("Bit")
Heap = list[list[Bit]]
"""The bits to be added, by weight: those in list c count 2^c each."""


def first_group(code: WeightCode) -> int:
    """How many products fit before a table of 6 inputs: they have 2 each, or 3 with a magnitude and a sign."""
    return 3 if code.kind in ("binary", "complement") else 2


def compress(heap: Heap, sizes: tuple[int, ...], counter: Callable[[list[Bit]], list[Bit]]) -> Heap:
    """One level: from each column counters of the ``sizes``, greatest first, as many as it has bits for."""
    result: Heap = [[] for _ in range(len(heap) + 2)]
    for column, bits in enumerate(heap):
        left = list(bits)
        for size in sizes:
            while len(left) >= size and len(bits) > 1:
                for weight, bit in enumerate(counter(left[:size])):
                    result[column + weight].append(bit)
                left = left[size:]
        result[column] += left
    while result and not result[-1]:
        result.pop()
    return result


def reduced(heap: Heap) -> bool:
    """Whether an adder of two numbers can finish."""
    return all(len(bits) <= 2 for bits in heap)


@lru_cache(maxsize=4096)
def plan(heights: tuple[int, ...], group: int) -> tuple[tuple[tuple[int, ...], ...], int]:
    """The heights of the heap after each level, and the bits that come out of counters."""
    made = 0

    def counter(bits: list[None]) -> list[None]:
        nonlocal made
        outputs = len(bits).bit_length()
        made += outputs
        return [None] * outputs

    heap: Heap = [[None] * height for height in heights]
    levels = []
    if max(heights) > 1:
        heap = compress(heap, tuple(range(group, 1, -1)), counter)
        levels.append(tuple(map(len, heap)))
    while not reduced(heap):
        heap = compress(heap, SIZES, counter)
        levels.append(tuple(map(len, heap)))
    return tuple(levels), made


def full_heights(simd: int, code: WeightCode, bits: int) -> tuple[int, ...]:
    """The heap of products where none is zero always."""
    heights = [0] * (bits + code.planes - 1)
    for plane in range(code.planes):
        for bit in range(bits):
            heights[plane + bit] += simd
    return tuple(heights)


def levels(simd: int, code: WeightCode, bits: int) -> int:
    """Counter levels that any lane needs."""
    return len(plan(full_heights(simd, code, bits), first_group(code))[0])


def stages(simd: int, code: WeightCode, bits: int) -> int:
    """Pipeline registers in a lane."""
    return -(-levels(simd, code, bits) // LEVELS_PER_STAGE)


def features(simd: int, code: WeightCode, bits: int) -> dict[str, float]:
    """Bits of products, bits out of counters, bits of the adder and of registers, for one lane."""
    heap, group = full_heights(simd, code, bits), first_group(code)
    heaps, made = plan(heap, group)
    registered = heaps[::-1][::LEVELS_PER_STAGE]
    adder = sum(height == 2 for height in heaps[-1]) if heaps else 0
    return {
        "product_bits": sum(heap),
        "counter_bits": made,
        "adder_bits": adder,
        "register_bits": sum(map(sum, registered)),
    }


class CompressorDot(DotProduct):
    """What :class:`DotProduct` computes, with counters and one adder.

    A register follows the last counter level and every fourth before it.
    """

    def __init__(self, peaks: Peaks, code: WeightCode, bits: int):
        self._used = [tree[0][0] > 0 for tree in peaks.trees]
        super().__init__(peaks, code, bits)

    stages = property(lambda self: stages(self._simd, self._code, self._bits), doc="Latency in enabled cycles.")

    def elaborate(self, platform) -> Module:
        m = Module()
        heap: Heap = [[] for _ in range(self._bits + self._code.planes - 1)]
        for plane in range(self._code.planes):
            for k in range(self._simd):
                product = Signal(self._bits, name=f"product_{plane}_{k}")
                if self._used[plane][k]:
                    m.d.comb += product.eq(self._product(k, plane))
                for bit in range(self._bits):
                    heap[plane + bit].append(product[bit])
        group = first_group(self._code)
        count = levels(self._simd, self._code, self._bits)
        for level in range(count):
            sizes = SIZES if level else tuple(range(group, 1, -1))
            heap = self._named(
                m, compress(heap, sizes, _counter), level, register=(count - 1 - level) % LEVELS_PER_STAGE == 0
            )
        m.d.comb += self.o.eq(_add(heap))
        return m

    def _named(self, m: Module, heap: Heap, level: int, register: bool) -> Heap:
        """The heap as signals, of the columns that the sum has; behind a register if ``register``."""
        result: Heap = []
        for column, bits in enumerate(heap[: len(self.o)]):
            node = Signal(len(bits), name=f"column_{level}_{column}", reset_less=True)
            if register:
                with m.If(self.en):
                    m.d.sync += node.eq(Cat(bits))
            else:
                m.d.comb += node.eq(Cat(bits))
            result.append(list(node))
        return result


def _counter(bits: list[Value]) -> list[Value]:
    """The sum of the bits, lowest first."""
    if len(bits) == 2:
        return [bits[0] ^ bits[1], bits[0] & bits[1]]
    if len(bits) == 3:
        a, b, c = bits
        return [a ^ b ^ c, (a & b) | (c & (a ^ b))]
    low, high = _counter(bits[:3]), _counter(bits[3:])
    ones = _counter([low[0], high[0]])
    return [ones[0], *_counter([low[1], high[1], ones[1]])]


def _add(heap: Heap) -> Value:
    """The sum of a heap of at most two bits in each column."""
    low = 0
    while low < len(heap) and len(heap[low]) < 2:
        low += 1
    first, second = (Cat(bits[row] if len(bits) > row else Const(0, 1) for bits in heap[low:]) for row in (0, 1))
    single = Cat(bits[0] if bits else Const(0, 1) for bits in heap[:low])
    return Cat(single, first + second) if low < len(heap) else single
