"""Five trits in a byte: the dense code of ternary weights, packed and unpacked in NumPy and decoded by a few gates.

A byte has room for 243 of its 256 values. Read as a number to base 3 each trit would depend on all eight bits. Here the
bits are three fields A (2 bits), R and Q (3 bits each), and most trits come from one field alone, in the manner of
Chen–Ho and densely packed decimals (Chen and Ho, 1975; Cowlishaw, 2002):

* A pair of trits that are not both zero has 8 values and is coded in 3 bits g: the signs are g0 and g1 as they are;
  both trits are other than zero if g2, else only the first one where g0 = g1 and only the second one where not.
* Usually A is the first trit (0 is magnitude, 1 is sign), R the second and the third, Q the fourth and the fifth.
* Where a pair is zero, A is the fourth value that a trit leaves (sign without magnitude), and the first trit moves to
  R0, R1. R2 = 0: the second and the third trit are zero. R2 = 1: the fourth and the fifth are, and Q is the second and
  the third; but where R0, R1 are sign without magnitude too, all four are zero and the first trit has moved to Q0, Q1.

The sign of a zero is never asked for (:mod:`bitloom.hw.arithmetic.weights`: its product is an AND with the magnitude),
so most signs are bits of the byte or a choice between two.
"""

from functools import cache
from itertools import product

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Value
from amaranth.lib.wiring import In, Out

from ..component import Component

TRITS = 5
"""Trits in a byte."""


def _pair(first: int, second: int) -> int:
    """The 3 bits g of two trits that are not both zero."""
    if first and second:
        return 4 | (first < 0) | (second < 0) << 1
    if first:
        return 3 if first < 0 else 0
    return 2 if second < 0 else 1


def _byte(a: int, b: int, c: int, d: int, e: int) -> int:
    """The byte of five trits: A in bits 0 and 1, R in 2 to 4, Q in 5 to 7."""

    def fields(first: int, middle: int, last: int) -> int:
        return first | middle << 2 | last << 5

    escape, trit = 2, (a != 0) | (a < 0) << 1
    if (b or c) and (d or e):
        return fields(trit, _pair(b, c), _pair(d, e))
    if d or e:
        return fields(escape, trit, _pair(d, e))
    if b or c:
        return fields(escape, 4 | trit, _pair(b, c))
    return fields(escape, 4 | escape, trit)


@cache
def _tables() -> tuple[np.ndarray, np.ndarray]:
    """The byte of each five trits, by their number to base 3 with digits 0, 1, 2; and the trits of each byte, 2 where
    the byte stands for none."""
    groups = np.array(list(product((-1, 0, 1), repeat=TRITS)), np.int8)
    codes = np.array([_byte(*map(int, group)) for group in groups], np.uint8)
    trits = np.full((256, TRITS), 2, np.int8)
    trits[codes] = groups
    return codes, trits


def pack_trits(trits: np.ndarray) -> np.ndarray:
    """The bytes (…, ⌈n / 5⌉) of the trits −1, 0 and 1 (…, n), the first in the first byte, zeros behind the last."""
    if np.any((trits < -1) | (trits > 1)):
        raise ValueError(f"trits must be -1, 0 or 1, not {trits.min()} … {trits.max()}")
    padded = np.concatenate([trits, np.zeros((*trits.shape[:-1], -trits.shape[-1] % TRITS), trits.dtype)], axis=-1)
    groups = padded.reshape(*trits.shape[:-1], -1, TRITS)
    return _tables()[0][(groups + 1) @ (3 ** np.arange(TRITS)[::-1])]


def unpack_trits(packed: np.ndarray, count: int) -> np.ndarray:
    """The first ``count`` of the trits in the bytes (…, n)."""
    if not 0 <= count <= packed.shape[-1] * TRITS:
        raise ValueError(f"count must be 0 to {packed.shape[-1] * TRITS}, what the bytes hold, not {count}")
    trits = _tables()[1][packed].reshape(*packed.shape[:-1], -1)[..., :count]
    if np.any(trits == 2):
        raise ValueError("packed must hold bytes that stand for trits; 13 of the 256 do not")
    return trits


def decode_trits(packed: Value) -> Value:
    """Five 2-bit codes of :class:`~bitloom.hw.arithmetic.weights.WeightCode` (magnitude lowest, then sign), the first
    trit lowest, from a byte; the sign of a zero is either. 10 six-input tables, or 17 of four inputs."""
    a, r, q = packed[:2], packed[2:5], packed[5:8]
    escape = a[1] & ~a[0]
    first = [a[0] | (a[1] & (r[0] | (r[1] & q[0]))), Mux(a[0], a[1], Mux(r[0], r[1], q[1]))]
    odd = [q[2] | ~(q[0] ^ q[1]), q[2] | (q[0] ^ q[1])]
    own = [r[2] | ~(r[0] ^ r[1]), r[2] | (r[0] ^ r[1])]
    moved = r[2] & (r[0] | ~r[1])
    middle = [[Mux(escape, moved & odd[k], own[k]), Mux(escape, q[k], r[k])] for k in range(2)]
    last = [[odd[k] & ~(escape & r[2]), q[k]] for k in range(2)]
    return Cat(*first, *(Cat(*trit) for trit in (*middle, *last)))


class TritDecoder(Component):
    """:func:`decode_trits` for the bytes of ``count`` trits: from ``i``, 8 bits each, to ``o``, 2 bits per trit."""

    def __init__(self, count: int):
        self._count = count
        super().__init__({"i": In(8 * -(-count // TRITS)), "o": Out(2 * count)})

    count = property(lambda self: self._count, doc="Trits.")

    def elaborate(self, platform) -> Module:
        m = Module()
        groups = [decode_trits(self.i.word_select(k, 8)) for k in range(len(self.i) // 8)]
        m.d.comb += self.o.eq(Cat(*groups)[: 2 * self._count])
        return m
