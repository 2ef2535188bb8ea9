# amaranth: UnusedElaboratable=no
"""Depthwise: a convolution of each channel with weights of its own."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value

from ..arithmetic import dot
from ..arithmetic.weights import ActivationCode, FoldedWeights, WeightCode
from ..counters import advance
from ..memory.rom import Rom
from ..memory.start_words import start_rom, start_width
from ..parameters import (
    accumulator_shape,
    activation_shape,
    bias_values,
    divisor,
    integer_array,
    one_of,
    shape_of_range,
)
from .buffered_unit import BufferedUnit
from .loops import Loops
from .maps import Windows, map_size, maps


class Depthwise(BufferedUnit):
    """y[p, c] = Σ_k weights[c, k] · x[stride·p + dilation·k, c] + bias[c], one product per lane and cycle.

    Input beats stay in a circular buffer from which a nest of loops reads them: windows, then the channels' beats,
    then the positions of the window in row-major order. A product is a few gates per weight bit, as in MatVec (see
    :mod:`bitloom.hw.arithmetic.weights`), and there is one accumulator per lane. The unit stands still while the sink
    blocks; ``i.ready`` comes from a register.

    Parameters
    ----------
    weights : np.ndarray
        Integers (channels, *kernel). Stored with 1 bit each if all are −1 or +1, 2 bits if all are within −1 … 1, else
        with the least signed width.
    size : (W,) or (H, W)
        Positions of the input map.
    lanes : int
        Channels per beat and cycle, dividing the channels.
    activation : Shape
        Shape of an input element; ``unsigned(1)`` if ``bipolar_activation``.
    accumulator : Shape
        Shape of an output element; it must hold every sum that can come.
    stride, dilation : one number per axis
        Distance of windows, distance of a window's positions.
    bipolar_activation : bool
        Input bit 0 is −1, bit 1 is +1.
    bias : np.ndarray or None
        Integers (channels,), added to the sums.
    sum_range : tuple of np.ndarray or None
        The least and the greatest output of each channel, (channels,) each, where fewer values can come than the whole
        range of ``activation`` allows; it narrows the accumulator that is needed.
    memory : str
        Where the weights are: ``block``, ``distributed`` or ``auto`` (see :class:`Rom`).
    buffer : str
        Where the buffer is: ``block``, ``registers``, ``distributed`` or ``auto`` (see :class:`~bitloom.hw.Window`).

    Members
    -------
    i : vector of ``activation``, ``lanes`` lanes
    o : vector of ``accumulator``, ``lanes`` lanes
        A vector per ``interval`` = max(output beats · positions of a window, input beats); an output beat ``depth`` =
        3 + R cycles after the last input beat of its window where the unit has kept up, with R =
        :func:`bitloom.hw.arithmetic.dot.stages` pipeline registers.
    """

    def __init__(
        self,
        weights: np.ndarray,
        size: Sequence[int],
        *,
        lanes: int,
        activation: Shape,
        accumulator: Shape,
        stride: Sequence[int],
        dilation: Sequence[int],
        bipolar_activation: bool = False,
        bias: np.ndarray | None = None,
        sum_range: tuple[np.ndarray, np.ndarray] | None = None,
        memory: str = "auto",
        buffer: str = "auto",
    ):
        self._weights = integer_array("weights", weights, 1 + len(map_size(size)))
        self._channels = len(self._weights)
        self._windows = windows = Windows.of(size, self._weights.shape[1:], stride, dilation)
        self._lanes = divisor("lanes", lanes, self._channels, "channels")
        self._bipolar = bool(bipolar_activation)
        self._activation = activation_shape(activation, self._bipolar)
        self._bias = bias_values(bias, self._channels, "channels")
        rows = self._weights.reshape(self._channels, -1)
        self._code = WeightCode.of(rows)
        self._folded = FoldedWeights(rows, self._code, self._lanes, 1)
        self._acts = ActivationCode.of(activation, self._bipolar)
        self._sum_range = self._check_sum_range(sum_range)
        self._accumulator = accumulator_shape(accumulator, int(self._sum_range[0].min()), int(self._sum_range[1].max()))
        self._memory = one_of("memory", memory, ("auto", "block", "distributed"))
        self._weight_rom = Rom(self._folded.words, self._folded.width, memory, depth=self._folded.steps)
        self._start_rom, self._start_width = self._make_start_rom()
        beats, dims = self._channels // self._lanes, len(windows.size)
        levels = (*windows.outer(beats), (beats, 1), *windows.inner(beats))
        loops = Loops(levels, windows.inputs * beats, free_level=dims, group_level=dims)
        super().__init__(
            loops, stages=2 + self._registers, lanes=self._lanes, input=activation, output=accumulator, memory=buffer
        )

    weights = property(lambda self: self._weights, doc="The weights, (channels, *kernel).")
    bias = property(lambda self: self._bias, doc="The bias, (channels,), or None.")
    size = property(lambda self: self._windows.size, doc="Positions of the input map.")
    channels = property(lambda self: self._channels, doc="Channels per position.")
    lanes = property(lambda self: self._lanes, doc="Channels per beat and cycle.")
    activation = property(lambda self: self._activation, doc="Shape of an input element.")
    accumulator = property(lambda self: self._accumulator, doc="Shape of an output element.")
    kernel = property(lambda self: self._windows.kernel, doc="Positions of a window.")
    stride = property(lambda self: self._windows.stride, doc="Distance of windows.")
    dilation = property(lambda self: self._windows.dilation, doc="Distance of the positions of a window.")
    bipolar_activation = property(lambda self: self._bipolar, doc="Whether input bits stand for −1 and +1.")
    sum_range = property(lambda self: self._sum_range, doc="The least and the greatest output of each channel.")
    memory = property(lambda self: self._memory, doc="Where the weights are, as asked for.")
    buffer = property(lambda self: self._buffer.kind, doc="Where the buffer is; ``auto`` has been decided.")
    positions = property(lambda self: self._windows.positions, doc="Windows on each axis.")

    @property
    def _registers(self) -> int:
        """Pipeline registers in a product."""
        return dot.stages(1, self._code)

    def roms(self) -> dict[str, Rom]:
        """The ROMs by instance path: ``weights``, and ``start`` (bias and code corrections) unless it is all zero."""
        roms = {"weights": self._weight_rom}
        if self._start_rom is not None:
            roms["start"] = self._start_rom
        return roms

    def model(self, x: np.ndarray) -> np.ndarray:
        """The sums for ``x`` (vectors, positions · channels), flattened; bipolar elements as −1 and +1."""
        inside = maps(x, self.size, self._channels, *self._acts.bounds, self._bipolar)
        patches = self._windows.view(inside)
        products = (patches * self._weights).sum(tuple(range(-len(self.kernel), 0)))
        y = products + (0 if self._bias is None else self._bias)
        low, high = self._sum_range
        if np.any(y < low) or np.any(y > high):
            raise ValueError(f"x must have sums within {low.min()} … {high.max()}, not {y.min()} … {y.max()}")
        return y.reshape(len(inside), -1)

    def features(self) -> dict[str, float]:
        """The buffer; bits of products, adders, accumulators, registers and ROMs, as of :class:`~bitloom.hw.MatVec`."""
        count = super().features() | self._peaks.features(self._activation.width)
        count["accumulator_bits"] = sum(shape.width for shape in self._lane_shapes)
        count["control"] += self._folded.steps.bit_length() + 2 * self._registers
        for rom in self.roms().values():
            for name, value in rom.features().items():
                count[name] = count.get(name, 0) + value
        return count

    def _check_sum_range(self, given: tuple[np.ndarray, np.ndarray] | None) -> tuple[np.ndarray, np.ndarray]:
        """The least and the greatest output of each channel."""
        if given is not None:
            low, high = (integer_array("sum_range", np.asarray(bound), 1) for bound in given)
            if low.shape != (self._channels,) or high.shape != (self._channels,) or np.any(low > high):
                raise ValueError(
                    f"sum_range must have a least and a greatest output for each of the {self._channels} channels, "
                    f"not {low} and {high}"
                )
            return low, high
        lo, hi = self._acts.bounds
        weights, bias = self._folded.weights, 0 if self._bias is None else self._bias
        low = np.minimum(weights * lo, weights * hi).sum(1) + bias
        return low, np.maximum(weights * lo, weights * hi).sum(1) + bias

    @cached_property
    def _peaks(self) -> dot.Peaks:
        """How far each lane's products can count."""
        return dot.Peaks.of(self._folded)

    @cached_property
    def _lane_shapes(self) -> list[Shape]:
        """The narrowest shape of each output lane."""
        low, high = (bound.reshape(-1, self._lanes) for bound in self._sum_range)
        return [shape_of_range(lo, hi) for lo, hi in zip(low.min(0), high.max(0))]

    def _make_start_rom(self) -> tuple[Rom | None, int]:
        """Where each channel's sum starts, a word per beat (one in all if they are equal); bits per lane."""
        start = self._acts.start(self._folded.weights, self._code) + (0 if self._bias is None else self._bias)
        width = start_width(start, max(shape.width for shape in self._lane_shapes))
        return start_rom(start, self._lanes, width, self._memory), width

    def elaborate(self, platform) -> Module:
        m = Module()
        enable = Signal()
        buffer = self._connect(m, enable)
        m.submodules.weights = weights = self._weight_rom
        m.d.comb += weights.en.eq(enable)
        if weights.depth > 1:
            with m.If(enable & buffer.ready):
                m.d.sync += weights.addr.eq(advance(weights.addr, weights.depth))

        valid: list[Value] = [buffer.ready]
        last: list[Value] = [buffer.last]
        fresh = Signal(init=1)
        with m.If(enable):
            for stage in range(1, self._registers + 2):
                valid.append(Signal(name=f"valid_{stage}"))
                last.append(Signal(name=f"last_{stage}", reset_less=True))
                m.d.sync += [valid[-1].eq(valid[-2]), last[-1].eq(last[-2])]
            m.d.sync += self.o.valid.eq(valid[-1] & last[-1])
            with m.If(valid[-1]):
                m.d.sync += fresh.eq(last[-1])
        start = self._start(m, enable, valid[-2] & last[-2])
        for lane, shape in enumerate(self._lane_shapes):
            product = self._product(m, enable, lane, buffer.data, weights.data)
            total = self._accumulate(m, enable & valid[-1], fresh, start, lane, product, shape.width)
            m.d.comb += self.o.p[lane].eq(total.as_signed() if shape.signed else total)
        return m

    def _start(self, m: Module, enable: Signal, leaves: Value) -> Value | None:
        """The start word of the step that is accumulated; ``leaves``: a window's last step comes to that next."""
        if self._start_rom is None:
            return None
        m.submodules.start = rom = self._start_rom
        m.d.comb += rom.en.eq(enable)
        if rom.depth > 1:
            with m.If(enable & leaves):
                m.d.sync += rom.addr.eq(advance(rom.addr, rom.depth))
        return rom.data

    def _product(self, m: Module, enable: Signal, lane: int, data: Value, weights: Value) -> Value:
        """The product of one lane, unsigned: what its digits contribute."""
        x = data.word_select(lane, self._activation.width)
        if self._acts.flip:
            x = x ^ (1 << (self._activation.width - 1))
        m.submodules[f"dot_{lane}"] = unit = dot.DotProduct(self._peaks.lane(lane), self._code, self._activation.width)
        m.d.comb += [unit.en.eq(enable), unit.x.eq(x), unit.w.eq(weights.word_select(lane, self._code.bits))]
        return unit.o

    def _accumulate(
        self, m: Module, en: Value, fresh: Signal, start: Value | None, lane: int, product: Value, width: int
    ) -> Signal:
        """The accumulator of one lane, modulo 2^width: exact, because the finished sum fits."""
        accumulator = Signal(width, name=f"accumulator_{lane}", reset_less=True)
        first = Signal(width, name=f"start_{lane}")
        if start is not None:
            m.d.comb += first.eq(start.word_select(lane, self._start_width).as_signed())
        base = Mux(fresh, first, accumulator) if self._folded.weights.shape[1] > 1 else first
        low = self._acts.scale.bit_length() - 1
        with m.If(en):
            m.d.sync += accumulator.eq(Cat(base[:low], base[low:] + product))
        return accumulator
