# amaranth: UnusedElaboratable=no
"""Concat: streams one after the other."""

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Cat, Const, Module, Shape, Signal, Value, unsigned
from amaranth.lib.wiring import In, Out

from ..component import Component
from ..control import Steps
from ..counters import advance
from ..parameters import bounds, divisor, integer_array, integer_shape, positive
from ..pipeline import Pipeline
from ..stream import vector


class Concat(Component):
    """The vectors of several inputs, joined: all beats of ``i0``, then all of ``i1``, and so on, over and over.

    One vector is one position. Only the input whose turn it is is ready. The unit stands still while the sink blocks.

    Parameters
    ----------
    channels : tuple of int
        Elements per vector of each input, two inputs or more.
    lanes : int
        Elements per beat, dividing every one of the channels.
    inputs : tuple of Shape
        Shapes of the inputs' elements; ``unsigned(1)`` where bipolar.
    output : Shape
        Shape of an element of ``o``; it must hold every value of each input.
    bipolar : tuple of bool or None
        Which inputs' bits stand for −1 and +1; none if left out.
    output_bipolar : bool
        Whether the output's do: then all inputs' must.

    Members
    -------
    i0, i1, … : vectors of ``inputs``
    o : vector of ``output``
        One beat per cycle, ``depth`` = 1 cycle later.
    """

    def __init__(
        self,
        channels: Sequence[int],
        *,
        lanes: int,
        inputs: Sequence[Shape],
        output: Shape,
        bipolar: Sequence[bool] | None = None,
        output_bipolar: bool = False,
    ):
        self._channels = tuple(positive("channels", count) for count in channels)
        if len(self._channels) < 2:
            raise ValueError(f"channels must be those of two inputs or more, not {self._channels}")
        for count in self._channels:
            self._lanes = divisor("lanes", lanes, count, "channels of an input")
        self._bipolar = tuple(bool(b) for b in bipolar) if bipolar is not None else (False,) * len(self._channels)
        for name, values in (("inputs", inputs), ("bipolar", self._bipolar)):
            if len(values) != len(self._channels):
                raise ValueError(f"{name} must be one for each of the {len(self._channels)} inputs, not {values!r}")
        self._inputs = tuple(integer_shape("inputs", shape) for shape in inputs)
        self._output = integer_shape("output", output)
        self._output_bipolar = bool(output_bipolar)
        self._check_formats()
        ports = {f"i{k}": In(vector(shape, self._lanes)) for k, shape in enumerate(self._inputs)}
        super().__init__({**ports, "o": Out(vector(output, self._lanes))})

    channels = property(lambda self: self._channels, doc="Elements per vector of each input.")
    lanes = property(lambda self: self._lanes, doc="Elements per beat.")
    inputs = property(lambda self: self._inputs, doc="Shapes of an element of each input.")
    output = property(lambda self: self._output, doc="Shape of an output element.")
    bipolar = property(lambda self: self._bipolar, doc="Which inputs' bits stand for −1 and +1.")
    output_bipolar = property(lambda self: self._output_bipolar, doc="Whether output bits stand for −1 and +1.")
    interval = property(lambda self: sum(self._channels) // self._lanes, doc="Cycles per vector.")
    depth = property(lambda self: 1, doc="Cycles from a beat's arrival to its departure.")
    latency = property(lambda self: self.depth, doc="Cycles from the first beat in to the first beat out.")

    @property
    def control(self) -> Steps:
        """A beat from the input whose turn it is, and one out, in every step."""
        turn = np.repeat(np.arange(len(self._channels)), [count // self._lanes for count in self._channels])
        return Steps(turn == np.arange(len(self._channels))[:, None], np.ones(self.interval, bool), self.depth)

    def roms(self) -> dict:
        """None."""
        return {}

    def model(self, *operands: np.ndarray) -> np.ndarray:
        """The vectors (vectors, sum of the channels) for one (vectors, channels) from each input."""
        joined = []
        for k, x in enumerate(operands):
            x = integer_array(f"operand {k}", np.asarray(x), 2)
            lo, hi = self._ends(k)
            if x.shape[1] != self._channels[k]:
                raise ValueError(f"operand {k} must have {self._channels[k]} elements per vector, not {x.shape[1]}")
            if x.min() < lo or x.max() > hi or (self._bipolar[k] and np.any(x == 0)):
                raise ValueError(f"operand {k} must lie within {lo} … {hi}, not {x.min()} … {x.max()}")
            joined.append(x)
        return np.concatenate(joined, axis=1)

    def features(self) -> dict[str, float]:
        """The output's register, a multiplexer for each further input, counters."""
        bits = self._lanes * self._output.width
        beats = max(self._channels) // self._lanes
        control = 2 + 2 * len(self._channels) + 2 * beats.bit_length()
        return {"register_bits": bits, "mux_bits": bits * (len(self._channels) - 1), "control": control}

    def _ends(self, k: int) -> tuple[int, int]:
        """The least and the greatest value of input ``k``."""
        return (-1, 1) if self._bipolar[k] else bounds(self._inputs[k])

    def _check_formats(self) -> None:
        one_bit = (*zip(self._inputs, self._bipolar), (self._output, self._output_bipolar))
        if any(bipolar and shape != unsigned(1) for shape, bipolar in one_bit):
            raise ValueError("inputs and output must be unsigned(1) where they are bipolar")
        lo, hi = (-1, 1) if self._output_bipolar else bounds(self._output)
        for k, bipolar in enumerate(self._bipolar):
            low, high = self._ends(k)
            if low < lo or high > hi or (self._output_bipolar and not bipolar):
                bits = "bipolar bits" if self._output_bipolar else repr(self._output)
                raise ValueError(f"output must hold the values {low} … {high} of input {k}, which {bits} cannot")

    def elaborate(self, platform) -> Module:
        m = Module()
        inputs = [getattr(self, f"i{k}") for k in range(len(self._channels))]
        turn = Signal(range(len(inputs)))
        beat = Signal(range(max(2, max(self._channels) // self._lanes)))
        valid, last = Signal(), Signal()
        payload = Signal.like(self.o.p)
        pipeline = Pipeline(m, self.o, valid, self.depth)
        with m.Switch(turn):
            for k, source in enumerate(inputs):
                with m.Case(k) if k < len(inputs) - 1 else m.Default():
                    m.d.comb += [
                        source.ready.eq(pipeline.enable),
                        valid.eq(source.valid),
                        last.eq(beat == self._channels[k] // self._lanes - 1),
                    ]
                    m.d.comb += [payload[j].eq(self._converted(source.p[j], k)) for j in range(self._lanes)]
        with m.If(pipeline.enable):
            m.d.sync += Value.cast(self.o.p).eq(Value.cast(payload))
            with m.If(valid):
                with m.If(last):
                    m.d.sync += [beat.eq(0), turn.eq(advance(turn, len(inputs)))]
                with m.Else():
                    m.d.sync += beat.eq(beat + 1)
        return m

    def _converted(self, x: Value, k: int) -> Value:
        """The output that ``x`` of input ``k`` is; a bipolar bit becomes 01 or 11 unless the output is bipolar too."""
        if self._bipolar[k] and not self._output_bipolar:
            return Cat(Const(1, 1), ~x).as_signed()
        return x
