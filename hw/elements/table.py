# amaranth: UnusedElaboratable=no
"""Table: any function of few bits, looked up."""

from functools import partial

import numpy as np
from amaranth.hdl import Cat, Module, Shape, Value, unsigned
from amaranth.lib.wiring import In, Out

from ..component import Component
from ..control import Steps
from ..memory.rom import Rom
from ..parameters import bounds, divisor, integer_array, integer_shape, one_of, positive
from ..pipeline import Pipeline
from ..stream import vector

MOST_WORDS = 1 << 16
"""Words beyond which a table is refused: more than the block memories of any supported device hold."""


class Table(Component):
    """y[c] = table[c, x[c] − x_min]: each lane reads its own :class:`Rom`, whose output register is the unit's.

    The address is (beat, u) with u = x − x_min, which is the input's code with the sign bit inverted; only u where one
    row serves all channels or where a vector is one beat. The unit stands still while the sink blocks.

    Parameters
    ----------
    table : np.ndarray
        Integers (channels, entries), or (1, entries) for all channels alike, with an entry for each integer from the
        least to the greatest input. Between a bipolar input's −1 and +1 stands an entry that is never read.
    channels, lanes : int
        Elements per vector; elements per beat, dividing the channels.
    input, output : Shape
        Shapes of an element; ``unsigned(1)`` where bipolar.
    x_min : int
        What the first entry is for: the least input.
    bipolar_input, bipolar_output : bool
        Bit 0 is −1, bit 1 is +1.
    memory : str
        Where the entries are: ``block``, ``distributed`` or ``auto`` (see :class:`Rom`).

    Members
    -------
    i : vector of ``input``
    o : vector of ``output``
        Latency ``depth`` = 1 cycle, one beat per cycle.
    """

    def __init__(
        self,
        table: np.ndarray,
        *,
        channels: int,
        lanes: int,
        input: Shape,
        output: Shape,
        x_min: int,
        bipolar_input: bool = False,
        bipolar_output: bool = False,
        memory: str = "auto",
    ):
        self._table = integer_array("table", table, 2)
        self._channels = positive("channels", channels)
        self._lanes = divisor("lanes", lanes, self._channels, "channels")
        self._input, self._output = integer_shape("input", input), integer_shape("output", output)
        self._bipolar_input, self._bipolar_output = bool(bipolar_input), bool(bipolar_output)
        for name, shape, bipolar in (("input", input, bipolar_input), ("output", output, bipolar_output)):
            if bipolar and shape != unsigned(1):
                raise ValueError(f"{name} must be unsigned(1) where it is bipolar, not {shape!r}")
        self._check_table(x_min)
        self._memory = one_of("memory", memory, ("auto", "block", "distributed"))
        depth = self._rows << self._input.width
        self._roms = [
            Rom(partial(self._words, lane), self._output.width, memory, depth=depth) for lane in range(self._lanes)
        ]
        super().__init__({"i": In(vector(input, self._lanes)), "o": Out(vector(output, self._lanes))})

    table = property(lambda self: self._table, doc="The entries, (channels or 1, entries).")
    channels = property(lambda self: self._channels, doc="Elements per vector.")
    lanes = property(lambda self: self._lanes, doc="Elements per beat.")
    input = property(lambda self: self._input, doc="Shape of an input element.")
    output = property(lambda self: self._output, doc="Shape of an output element.")
    x_min = property(lambda self: self._ends[0], doc="What the first entry is for.")
    bipolar_input = property(lambda self: self._bipolar_input, doc="Whether input bits stand for −1 and +1.")
    bipolar_output = property(lambda self: self._bipolar_output, doc="Whether output bits stand for −1 and +1.")
    memory = property(lambda self: self._memory, doc="Where the entries are, as asked for.")
    interval = property(lambda self: self._channels // self._lanes, doc="Cycles per vector.")
    depth = property(lambda self: 1, doc="Cycles from a beat's arrival to its departure.")
    latency = property(lambda self: self.depth, doc="Cycles from the first beat in to the first beat out.")

    @property
    def control(self) -> Steps:
        """A beat in and a beat out in every step."""
        return Steps(np.ones((1, self.interval), bool), np.ones(self.interval, bool), self.depth)

    def roms(self) -> dict[str, Rom]:
        """The table of each lane."""
        return {f"lane_{lane}": rom for lane, rom in enumerate(self._roms)}

    def model(self, x: np.ndarray) -> np.ndarray:
        """The entries for ``x`` (vectors, channels); bipolar values as −1 and +1."""
        x = integer_array("x", np.asarray(x), 2)
        lo, hi = self._ends
        if x.shape[1] != self._channels:
            raise ValueError(f"x must have {self._channels} elements per vector, not {x.shape[1]}")
        if x.min() < lo or x.max() > hi or (self._bipolar_input and np.any(x == 0)):
            raise ValueError(f"x must lie within {lo} … {hi}, not {x.min()} … {x.max()}")
        return self._table[np.arange(self._channels) if len(self._table) > 1 else 0, x - lo]

    def features(self) -> dict[str, float]:
        """The ROMs' bits by kind, and control."""
        count: dict[str, float] = {"control": 3 + self._rows.bit_length()}
        for rom in self._roms:
            for name, value in rom.features().items():
                count[name] = count.get(name, 0) + value
        return count

    @property
    def _ends(self) -> tuple[int, int]:
        """The least and the greatest input."""
        return (-1, 1) if self._bipolar_input else bounds(self._input)

    @property
    def _rows(self) -> int:
        """Rows of the table that one lane reads."""
        return self.interval if len(self._table) > 1 else 1

    def _check_table(self, x_min: int) -> None:
        lo, hi = self._ends
        if isinstance(x_min, bool) or not isinstance(x_min, int | np.integer):
            raise TypeError(f"x_min must be an integer, not {x_min!r}")
        if x_min != lo:
            raise ValueError(f"x_min must be the least input, {lo}, not {x_min}")
        if len(self._table) not in (1, self._channels) or self._table.shape[1] != hi - lo + 1:
            raise ValueError(
                f"table must have 1 row or {self._channels}, one per channel, and an entry for each of {lo} … {hi}, "
                f"not the shape {self._table.shape}"
            )
        if self._rows << self._input.width > MOST_WORDS:
            raise ValueError(
                f"table must have at most {MOST_WORDS} entries per lane, not {self._rows << self._input.width} "
                f"(use more lanes, or thresholds)"
            )
        used = self._table[:, ::2] if self._bipolar_input else self._table
        low, high = (-1, 1) if self._bipolar_output else bounds(self._output)
        if used.min() < low or used.max() > high or (self._bipolar_output and np.any(used == 0)):
            bits = "bipolar bits" if self._bipolar_output else repr(self._output)
            raise ValueError(f"output must hold the entries {used.min()} … {used.max()}, which {bits} cannot")

    def _words(self, lane: int) -> list[int]:
        """The words of one lane, a row after the other."""
        used = self._table[:, ::2] if self._bipolar_input else self._table
        rows = used[lane :: self._lanes] if len(used) > 1 else used
        codes = (rows + 1) // 2 if self._bipolar_output else rows & ((1 << self._output.width) - 1)
        return codes.ravel().tolist()

    def elaborate(self, platform) -> Module:
        m = Module()
        pipeline = Pipeline(m, self.o, self.i.valid, self.depth)
        m.d.comb += self.i.ready.eq(pipeline.enable)
        beat = pipeline.count(0, self._rows, "beat")
        for lane, rom in enumerate(self._roms):
            m.submodules[f"lane_{lane}"] = rom
            m.d.comb += [
                rom.en.eq(pipeline.enable),
                rom.addr.eq(
                    Cat(self._offset(self.i.p[lane]), beat) if self._rows > 1 else self._offset(self.i.p[lane])
                ),
                Value.cast(self.o.p[lane]).eq(rom.data),
            ]
        return m

    def _offset(self, x: Value) -> Value:
        """x − x_min."""
        width = self._input.width
        return (x ^ (1 << (width - 1)))[:width] if self._input.signed else x
