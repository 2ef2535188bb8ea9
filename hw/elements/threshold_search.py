# amaranth: UnusedElaboratable=no
"""ThresholdSearch: requantization and any monotone activation by a binary search in memory."""

from functools import cached_property, partial

import numpy as np
from amaranth.hdl import Cat, Module, Shape, Value
from amaranth.lib.wiring import In, Out

from ..component import Component
from ..control import Steps
from ..memory.rom import Rom
from ..parameters import bounds, divisor, integer_array, integer_shape, one_of, positive, shape_of_range
from ..pipeline import Pipeline
from ..stream import vector


class ThresholdSearch(Component):
    """y = y_min + Σ_k [x ≥ T_k] per channel: one comparator per output bit and lane, for activations of many levels.

    A search tree over the thresholds, one level per pipeline stage: each level has a :class:`Rom` of its own, whose
    address is (beat, node), and what the comparison with the node's threshold says is the next bit of the node on the
    level below, and in the end of the count. Thresholds are stored as in :class:`bitloom.hw.Threshold`: 2^w − (T −
    least x), so that a comparison is the carry of one addition; nodes without a threshold hold 0, "never". The unit
    stands still while the sink blocks. Pipelined tree lookup is known from packet classification and from FINN's
    thresholding unit (finn-rtllib).

    Parameters
    ----------
    thresholds : np.ndarray
        Integers (channels, levels), each row ascending; with (1, levels) the row serves all channels.
    channels, lanes : int
        Elements per vector; elements per beat, dividing the channels.
    input, output : Shape
        Shapes of an element.
    y_min : int
        Least output.
    memory : str
        Where the thresholds are: ``block``, ``distributed`` or ``auto``, decided for each :class:`Rom`.

    Members
    -------
    i : vector of ``input``
    o : vector of ``output``
        One beat per cycle, ``depth`` = ⌈log2(levels + 1)⌉ + 1 cycles later.
    """

    def __init__(
        self,
        thresholds: np.ndarray,
        *,
        channels: int,
        lanes: int,
        input: Shape,
        output: Shape,
        y_min: int = 0,
        memory: str = "auto",
    ):
        self._thresholds = integer_array("thresholds", thresholds, 2)
        self._channels = positive("channels", channels)
        self._lanes = divisor("lanes", lanes, self._channels, "channels")
        if len(self._thresholds) not in (1, self._channels):
            raise ValueError(f"thresholds must have 1 row or {channels}, one per channel, not {len(thresholds)}")
        if np.any(np.diff(self._thresholds, axis=1) < 0):
            row = int(np.nonzero(np.any(np.diff(self._thresholds, axis=1) < 0, axis=1))[0][0])
            raise ValueError(f"thresholds must ascend in each row, not fall as in row {row} (sort them)")
        self._input, self._output = integer_shape("input", input), integer_shape("output", output)
        if isinstance(y_min, bool) or not isinstance(y_min, int | np.integer):
            raise TypeError(f"y_min must be an integer, not {y_min!r}")
        self._y_min = int(y_min)
        lo, hi = bounds(self._output)
        if y_min < lo or y_min + self.levels > hi:
            raise ValueError(
                f"output must hold {y_min} … {y_min + self.levels}, not {output!r} "
                f"(use {shape_of_range(y_min, y_min + self.levels)!r})"
            )
        self._memory = one_of("memory", memory, ("auto", "block", "distributed"))
        self._roms = self._make_roms()
        super().__init__({"i": In(vector(input, self._lanes)), "o": Out(vector(output, self._lanes))})

    thresholds = property(lambda self: self._thresholds, doc="The thresholds, (channels or 1, levels).")
    levels = property(lambda self: self._thresholds.shape[1], doc="Thresholds per channel.")
    channels = property(lambda self: self._channels, doc="Elements per vector.")
    lanes = property(lambda self: self._lanes, doc="Elements per beat.")
    input = property(lambda self: self._input, doc="Shape of an input element.")
    output = property(lambda self: self._output, doc="Shape of an output element.")
    y_min = property(lambda self: self._y_min, doc="Least output.")
    memory = property(lambda self: self._memory, doc="Where the thresholds are, as asked for.")
    stages = property(lambda self: self.levels.bit_length(), doc="Levels of the tree: bits of the count.")
    interval = property(lambda self: self._channels // self._lanes, doc="Cycles per vector.")
    depth = property(lambda self: self.stages + 1, doc="Cycles from a beat's arrival to its departure.")
    latency = property(lambda self: self.depth, doc="Cycles from the first beat in to the first beat out.")

    @property
    def control(self) -> Steps:
        """A beat in and a beat out in every step."""
        return Steps(np.ones((1, self.interval), bool), np.ones(self.interval, bool), self.depth)

    def roms(self) -> dict[str, Rom]:
        """The thresholds of each level of the tree and each lane."""
        return {f"level_{level}_lane_{lane}": rom for (level, lane), rom in self._roms.items()}

    def model(self, x: np.ndarray) -> np.ndarray:
        """The outputs for ``x`` (vectors, channels)."""
        x = integer_array("x", np.asarray(x), 2)
        lo, hi = bounds(self._input)
        if x.shape[1] != self._channels:
            raise ValueError(f"x must have {self._channels} elements per vector, not {x.shape[1]}")
        if x.min() < lo or x.max() > hi:
            raise ValueError(f"x must lie within {lo} … {hi}, not {x.min()} … {x.max()}")
        rows = np.broadcast_to(self._thresholds, (self._channels, self.levels))
        columns = [np.searchsorted(row, x[:, c], side="right") for c, row in enumerate(rows)]
        return self._y_min + np.stack(columns, axis=1).astype(np.int64)

    def features(self) -> dict[str, float]:
        """Comparator bits, the registers of inputs, nodes and beats, the ROMs' bits by kind."""
        width, bits = self._input.width, self.stages
        beat = (self._rows - 1).bit_length()
        count: dict[str, float] = {
            "comparator_bits": self._lanes * bits * width,
            "register_bits": self._lanes * (bits * width + bits * (bits - 1) // 2 + self._output.width)
            + (bits - 1) * beat,
            "adder_bits": self._lanes * self._output.width * (self._y_min != 0),
            "control": 2 + bits + 2 * beat,
        }
        for rom in self._roms.values():
            for name, value in rom.features().items():
                count[name] = count.get(name, 0) + value
        return count

    @property
    def _rows(self) -> int:
        """Rows of thresholds that one lane compares with."""
        return self.interval if len(self._thresholds) > 1 else 1

    @cached_property
    def _nodes(self) -> np.ndarray:
        """The codes of the thresholds, one row or one per channel; node k decides between the counts k − 1 and k."""
        lo, hi = bounds(self._input)
        nodes = np.zeros((len(self._thresholds), 1 << self.stages), np.int64)
        nodes[:, 1 : self.levels + 1] = hi + 1 - np.clip(self._thresholds, lo, hi + 1)
        return nodes

    def _words(self, level: int, lane: int) -> list[int]:
        """For each row of ``lane``, the thresholds of the nodes of ``level``, the leftmost first."""
        step = 1 << (self.stages - level)
        rows = self._nodes[lane :: self._lanes] if len(self._nodes) > 1 else self._nodes
        return rows[:, step // 2 :: step].ravel().tolist()

    def _make_roms(self) -> dict[tuple[int, int], Rom]:
        """By level and lane."""
        width = self._input.width + bool(np.any(self._thresholds <= bounds(self._input)[0]))  # "always" is 2^w
        return {
            (level, lane): Rom(partial(self._words, level, lane), width, self._memory, depth=self._rows << level)
            for level in range(self.stages)
            for lane in range(self._lanes)
        }

    def elaborate(self, platform) -> Module:
        m = Module()
        pipeline = Pipeline(m, self.o, self.i.valid, self.depth)
        m.d.comb += self.i.ready.eq(pipeline.enable)
        beats: list[Value] = [pipeline.count(0, self._rows, "beat")]
        while len(beats) < self.stages:
            beats.append(pipeline.register(beats[-1], f"beat_{len(beats)}"))
        for lane in range(self._lanes):
            count = self._search(m, pipeline, beats, lane)
            y = pipeline.register(count + self._y_min, f"y_{lane}", self._output)
            m.d.comb += self.o.p[lane].eq(y)
        return m

    def _search(self, m: Module, pipeline: Pipeline, beats: list[Value], lane: int) -> Value:
        """How many thresholds the element of ``lane`` reaches, ``stages`` cycles later."""
        width = self._input.width
        x = self.i.p[lane]
        u: Value = (x ^ (1 << (width - 1)))[:width] if self._input.signed else x
        node: Value = Cat()
        for level in range(self.stages):
            m.submodules[f"level_{level}_lane_{lane}"] = rom = self._roms[level, lane]
            address = Cat(node, beats[level]) if self._rows > 1 else node
            m.d.comb += [rom.en.eq(pipeline.enable), rom.addr.eq(address)]
            u = pipeline.register(u, f"u_{level}_{lane}")
            above = pipeline.register(node, f"node_{level}_{lane}") if level else node
            node = Cat((u + rom.data)[width], above)
        return node
