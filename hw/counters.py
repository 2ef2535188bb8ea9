"""Counters that templates share."""

from amaranth.hdl import Const, Module, Mux, Signal, Value


def advance(counter: Signal, count: int) -> Value:
    """The value after ``counter`` in 0 … ``count`` − 1, 0 after the last."""
    if count == 1:
        return Const(0)
    if count == 1 << len(counter):
        return (counter + 1)[: len(counter)]
    return Mux(counter == count - 1, 0, counter + 1)


def count_up_down(m: Module, counter: Signal, *, up: Value, down: Value) -> None:
    """Count ``up`` and ``down``, standing still when both happen."""
    with m.If(up & ~down):
        m.d.sync += counter.eq(counter + 1)
    with m.Elif(down & ~up):
        m.d.sync += counter.eq(counter - 1)
