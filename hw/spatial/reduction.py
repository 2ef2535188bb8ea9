"""Reduction: the running maximum or sum of one channel, as pooling needs it."""

from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Cat, Const, Mux, Shape, Value, unsigned

from ..parameters import bounds, integer_shape, one_of, shape_of_range

KINDS = ("max", "sum")


@dataclass(frozen=True)
class Reduction:
    """``kind`` of ``count`` elements of shape ``input``, the result in shape ``output``.

    A bipolar input is one bit, 0 for −1, 1 for +1; its maximum is one as well, its sum an integer. ``sum_range`` is the
    least and the greatest sum that can come, where that is less than ``count`` times the extremes of ``input``.
    """

    kind: str
    count: int
    input: Shape
    output: Shape
    bipolar: bool
    sum_range: tuple[int, int] | None

    def __post_init__(self) -> None:
        one_of("kind", self.kind, KINDS)
        integer_shape("input", self.input)
        integer_shape("output", self.output)
        if self.bipolar and self.input != unsigned(1):
            raise ValueError(f"input must be unsigned(1) where it is bipolar, not {self.input!r}")
        if self.kind == "max":
            if self.output != self.input:
                raise ValueError(f"output must be the input's {self.input!r} for a maximum, not {self.output!r}")
            return
        low, high = self.sums
        lo, hi = bounds(self.output)
        if low < lo or high > hi:
            raise ValueError(
                f"output must hold the sums {low} … {high}, not {self.output!r} (use {shape_of_range(low, high)!r})"
            )

    @property
    def range(self) -> tuple[int, int]:
        """The least and the greatest element."""
        return (-1, 1) if self.bipolar else bounds(self.input)

    @property
    def sums(self) -> tuple[int, int]:
        """The least and the greatest sum."""
        low, high = (self.count * bound for bound in self.range)
        return (low, high) if self.sum_range is None else (int(self.sum_range[0]), int(self.sum_range[1]))

    def model(self, elements: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
        """The result over ``axis`` of ``elements``."""
        if self.kind == "max":
            return elements.max(axis)
        total = elements.sum(axis)
        low, high = self.sums
        if total.min() < low or total.max() > high:
            raise ValueError(f"x must have sums within {low} … {high}, not {total.min()} … {total.max()}")
        return total

    def features(self, lanes: int) -> dict[str, float]:
        """Bits compared and chosen, or added, in ``lanes`` lanes."""
        width = lanes * self.output.width
        return {"comparator_bits": width, "mux_bits": width} if self.kind == "max" else {"adder_bits": width}

    def next(self, fresh: Value, held: Value, x: Value) -> Value:
        """The result with the element of bits ``x``: alone where ``fresh``, else with those of which ``held`` came."""
        width = self.output.width
        if self.kind == "max":
            greater = x.as_signed() > held.as_signed() if self.input.signed else x > held
            return Mux(fresh | greater, x, held)
        if self.bipolar:  # one bit adds 0 or 2 to a sum that starts at −count
            base = Mux(fresh, Const(-self.count & ((1 << width) - 1), width), held)
            return Cat(base[0], (base[1:] + x)[: width - 1])
        return (Mux(fresh, Const(0, width), held) + (x.as_signed() if self.input.signed else x))[:width]
