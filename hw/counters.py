"""Counters that templates share."""

from amaranth.hdl import Cat, Const, Mux, Signal, Value

GATES = 4
"""Bits up to which gates count: each bit is one LUT of its lower ones then, also where the count wraps early."""


def advance(counter: Signal, count: int) -> Value:
    """The value after ``counter`` in 0 … ``count`` − 1, 0 after the last."""
    if count == 1:
        return Const(0)
    width = len(counter)
    after: Value = counter + 1
    if width <= GATES:
        after = Cat(counter[bit] ^ counter[:bit].all() for bit in range(width))
    return after[:width] if count == 1 << width else Mux(counter == count - 1, 0, after)
