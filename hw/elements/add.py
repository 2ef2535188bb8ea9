# amaranth: UnusedElaboratable=no
"""Add: two streams become one, element by element."""

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Cat, Const, Module, Shape, Value, unsigned
from amaranth.lib.wiring import In, Out

from ..arithmetic import shift_add
from ..component import Component
from ..control import Steps
from ..parameters import bounds, divisor, integer_array, integer_shape, positive, shape_of_range
from ..pipeline import Pipeline
from ..stream import vector

Bounds = tuple[int, int]


class Add(Component):
    """y = m_0 · a + m_1 · b with integer multipliers: a tree of adders over shifted operands, one level per stage.

    A multiplier is a few signed digits, so that 1, 2, 4 … cost nothing and 3, 5, 6, 7 … one adder per lane. A
    beat is taken from both inputs at once; each input's ready follows the other's valid through a gate. The unit
    stands still while the sink blocks.

    Parameters
    ----------
    elements : int
        Elements per vector.
    lanes : int
        Elements per beat, dividing the elements.
    inputs : (Shape, Shape)
        Shapes of the elements of ``i0`` and ``i1``; ``unsigned(1)`` where bipolar.
    output : Shape
        Shape of an element of ``o``; it must hold every sum that can occur.
    bipolar : (bool, bool)
        Whether input bit 0 is −1 and bit 1 is +1.
    multipliers : (int, int)
        Positive or negative, not 0.
    ranges : ((int, int), (int, int)) or None
        The least and the greatest value of each input, where less than its whole shape can occur; it narrows the
        output that is needed.
    sum_range : (int, int) or None
        The least and the greatest sum, where the inputs' extremes do not meet.

    Members
    -------
    i0, i1 : vectors of ``inputs``
    o : vector of ``output``
        One beat per cycle, ``depth`` cycles later: the levels of the tree, 1 where both multipliers are ± 2^n.
    """

    def __init__(
        self,
        elements: int,
        *,
        lanes: int,
        inputs: tuple[Shape, Shape],
        output: Shape,
        bipolar: tuple[bool, bool] = (False, False),
        multipliers: tuple[int, int] = (1, 1),
        ranges: tuple[Bounds, Bounds] | None = None,
        sum_range: Bounds | None = None,
    ):
        self._elements = positive("elements", elements)
        self._lanes = divisor("lanes", lanes, self._elements, "elements")
        for name, pair in (("inputs", inputs), ("bipolar", bipolar), ("multipliers", multipliers), ("ranges", ranges)):
            if pair is not None and (not isinstance(pair, Sequence) or len(pair) != 2):
                raise ValueError(f"{name} must be one for each of the two inputs, not {pair!r}")
        self._inputs = tuple(integer_shape("inputs", shape) for shape in inputs)
        self._bipolar = tuple(bool(b) for b in bipolar)
        for shape, is_bipolar in zip(self._inputs, self._bipolar):
            if is_bipolar and shape != unsigned(1):
                raise ValueError(f"inputs must be unsigned(1) where they are bipolar, not {shape!r}")
        self._multipliers = _multipliers(multipliers)
        self._ranges = self._check_ranges(ranges)
        self._sum_range, self._output = sum_range, self._check_output(output, sum_range)
        ports = {f"i{k}": In(vector(shape, self._lanes)) for k, shape in enumerate(self._inputs)}
        super().__init__({**ports, "o": Out(vector(output, self._lanes))})

    elements = property(lambda self: self._elements, doc="Elements per vector.")
    lanes = property(lambda self: self._lanes, doc="Elements per beat.")
    inputs = property(lambda self: self._inputs, doc="Shapes of an element of each input.")
    output = property(lambda self: self._output, doc="Shape of an output element.")
    bipolar = property(lambda self: self._bipolar, doc="Which inputs' bits stand for −1 and +1.")
    multipliers = property(lambda self: self._multipliers, doc="What each input is multiplied with.")
    ranges = property(lambda self: self._ranges, doc="The least and greatest value of each input.")
    sum_range = property(lambda self: self._sum_range, doc="The least and the greatest sum, as given.")
    interval = property(lambda self: self._elements // self._lanes, doc="Cycles per vector.")
    depth = property(lambda self: shift_add.stages(len(self._terms())), doc="Cycles from a beat in to its beat out.")
    latency = property(lambda self: self.depth, doc="Cycles from the first beats in to the first beat out.")

    @property
    def control(self) -> Steps:
        """A beat from each input, and one out, in every step."""
        return Steps(np.ones((2, self.interval), bool), np.ones(self.interval, bool), self.depth)

    def roms(self) -> dict:
        """None."""
        return {}

    def model(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The sums for ``a`` and ``b`` (vectors, elements); bipolar operands as −1 and +1."""
        scaled = []
        for k, x in enumerate((a, b)):
            x = integer_array(f"operand {k}", np.asarray(x), 2)
            lo, hi = self._ranges[k]
            if x.shape[1] != self._elements:
                raise ValueError(f"operand {k} must have {self._elements} elements per vector, not {x.shape[1]}")
            if x.min() < lo or x.max() > hi or (self._bipolar[k] and np.any(x == 0)):
                raise ValueError(f"operand {k} must lie within {lo} … {hi}, not {x.min()} … {x.max()}")
            scaled.append(self._multipliers[k] * x)
        return scaled[0] + scaled[1]

    def features(self) -> dict[str, float]:
        """Bits of adders, of what they subtract, and of registers, in all lanes."""
        count = shift_add.costs(self._terms(), self.depth)
        return {name: self._lanes * bits for name, bits in count.items()} | {"control": 3 + self.depth}

    def _terms(self, values: tuple[Value | None, Value | None] = (None, None)) -> list[shift_add.Term]:
        """The shifted operands of one lane."""
        return shift_add.terms(values, self._ranges, self._multipliers)

    def _check_ranges(self, ranges: tuple[Bounds, Bounds] | None) -> tuple[Bounds, Bounds]:
        """The least and greatest value of each input."""
        whole = tuple((-1, 1) if b else bounds(shape) for shape, b in zip(self._inputs, self._bipolar))
        for (lo, hi), (low, high) in zip(whole, whole if ranges is None else ranges):
            if not lo <= low <= high <= hi:
                raise ValueError(f"ranges must lie within {lo} … {hi}, not {low} … {high}")
        (low, high), (lower, upper) = whole if ranges is None else ranges
        return (int(low), int(high)), (int(lower), int(upper))

    def _check_output(self, output: Shape, sum_range: Bounds | None) -> Shape:
        lo, hi = bounds(integer_shape("output", output))
        ends = [sorted(m * v for v in pair) for m, pair in zip(self._multipliers, self._ranges)]
        low, high = (a + b for a, b in zip(*ends))
        if sum_range is not None:
            if not low <= sum_range[0] <= sum_range[1] <= high:
                raise ValueError(f"sum_range must lie within {low} … {high}, not {sum_range[0]} … {sum_range[1]}")
            low, high = sum_range
        if low < lo or high > hi:
            raise ValueError(
                f"output must hold the sums {low} … {high}, not {output!r} "
                f"(use {shape_of_range(low, high)!r}, or say in ranges or sum_range what can occur)"
            )
        return output

    def elaborate(self, platform) -> Module:
        m = Module()
        pipeline = Pipeline(m, self.o, self.i0.valid & self.i1.valid, self.depth)
        m.d.comb += [
            self.i0.ready.eq(pipeline.enable & self.i1.valid),
            self.i1.ready.eq(pipeline.enable & self.i0.valid),
        ]
        for lane in range(self._lanes):
            operands = (self.i0.p[lane], self.i1.p[lane])
            values = tuple(_integer(x, b) for x, b in zip(operands, self._bipolar))
            m.d.comb += self.o.p[lane].eq(shift_add.total(pipeline, self._terms(values), self.depth, f"sum_{lane}"))
        return m


def _multipliers(multipliers: tuple[int, int]) -> tuple[int, int]:
    for value in multipliers:
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise TypeError(f"multipliers must be integers, not {value!r}")
        if value == 0:
            raise ValueError("multipliers must not be 0 (leave that operand out)")
    return int(multipliers[0]), int(multipliers[1])


def _integer(x: Value, bipolar: bool) -> Value:
    """The integer that ``x`` stands for; a bipolar bit becomes 01 or 11."""
    return Cat(Const(1, 1), ~x).as_signed() if bipolar else x
