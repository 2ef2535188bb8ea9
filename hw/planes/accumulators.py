"""PlaneAccumulators: the sums of bit planes, one after another, by Horner's rule, from a start on."""

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value

from ..parameters import pack_rows, shape_of_range


class PlaneAccumulators:
    """start + 2^low · Σ_p 2^(bits − 1 − p) · (the sums of plane p), p = 0 first, in each of several lanes.

    Before each further plane an accumulator doubles, and the place that this leaves free takes the next bit of the
    start; the start's bits above are there from the first plane on. So starts need no adder. A lane's start word holds,
    lowest first: the ``low`` bits that no sum reaches, the bits for planes 1, 2, …, and the rest.

    :param shapes: of the finished sums, which are exact because they fit; accumulators count modulo 2^width.
    :param planes: at most. :param low: 0 or 1.
    :param known: all the starts (N,) that there are, and the number of planes; None if there can be any.
    """

    def __init__(self, shapes: list[Shape], planes: int, low: int, known: tuple[np.ndarray, int] | None):
        self._shapes, self._planes, self._low = shapes, planes, low
        self._rest = max(1, max(shape.width for shape in shapes) - low)
        if known is not None:
            rest = known[0] >> (low + known[1] - 1)
            self._rest = min(self._rest, shape_of_range(min(-1, rest.min()), rest.max()).width)

    start_width = property(lambda self: self._low + self._planes - 1 + self._rest, doc="Bits of a lane's start word.")

    def start_words(self, start: np.ndarray, bits: int) -> list[int]:
        """One word per neuron fold, for the starts (N,) of as many lanes each, with ``bits`` planes."""
        start = start.reshape(-1, len(self._shapes))
        lower = start & ((1 << self._low) - 1)
        for plane in range(1, bits):
            lower |= ((start >> (self._low + bits - 1 - plane)) & 1) << (self._low + plane - 1)
        rest = (start >> (self._low + bits - 1)) & ((1 << self._rest) - 1)
        return pack_rows(lower | (rest << (self._low + self._planes - 1)), self.start_width)

    def lanes(
        self, m: Module, en: Value, plane_last: Value, last: Value, totals: list[Value], start: Value | None
    ) -> list[Signal]:
        """The accumulators. In a cycle with ``en`` high each adds its total, the ``last`` of its plane or of all."""
        fresh, further, plane = Signal(init=1), Signal(init=1), Signal(range(max(2, self._planes)))
        with m.If(en):
            m.d.sync += [fresh.eq(last), further.eq(plane_last)]
            if self._planes > 2:
                with m.If(plane_last):
                    m.d.sync += plane.eq(Mux(last, 0, plane + 1))
        return [self._lane(m, en, lane, fresh, further, plane, total, start) for lane, total in enumerate(totals)]

    def _lane(
        self,
        m: Module,
        en: Value,
        lane: int,
        fresh: Value,
        further: Value,
        plane: Value,
        total: Value,
        start: Value | None,
    ) -> Signal:
        """The accumulator of one lane: ``fresh`` at the first step of all, ``further`` of each plane."""
        width, low = self._shapes[lane].width, self._low
        accumulator = Signal(width, name=f"accumulator_{lane}", reset_less=True)
        first, bit = Signal(width, name=f"start_{lane}"), Signal(name=f"start_bit_{lane}")
        if start is not None:
            word = start.word_select(lane, self.start_width)
            below = low + self._planes - 1
            m.d.comb += first.eq(Cat(word[:low], word[below:]).as_signed())
            if self._planes > 1:
                bits = word[low:below]
                m.d.comb += bit.eq(bits if self._planes == 2 else Cat(Const(0, 1), bits).bit_select(plane, 1))
        doubled = Cat(accumulator[:low], bit, accumulator[low:])[:width] if self._planes > 1 else accumulator
        base = Mux(fresh, first, Mux(further, doubled, accumulator))
        with m.If(en):
            # The sum stands first: in a carry chain one operand comes from a wire, the other from the LUT's own logic.
            m.d.sync += accumulator.eq(Cat(base[:low], total + base[low:]))
        return accumulator
