# amaranth: UnusedElaboratable=no
"""TableMatVec: the ternary matrix–vector unit that looks sums up in tables."""

import numpy as np
from amaranth.hdl import Cat, Const, Module, Shape, Signal, Value
from amaranth.lib.wiring import In, Out

from ..arithmetic.sums import Sums
from ..memory.rom import Rom
from ..memory.weight_memory import PORT
from ..parameters import activation_shape, bias_values, one_of, positive
from ..stream import vector
from .accumulators import partials_kind
from .folding import TableFolding
from .rewriting import TableRewriting, ternary
from .signed_tree import SignedTree, tree_features
from .slice_buffer import SliceBuffer
from .steps import TableSteps
from .trit_codes import GROUPS, TritWeights, index_bits
from .trit_tables import Activation, ParallelTable, SerialTable, TableShape, table_features


class TableMatVec(TableRewriting):
    """y = W·x + bias for ternary W: ``group`` activations at a time are looked up in a table of all their sums.

    A slice of ``group``·``tables`` activations becomes ``tables`` tables, in which the weights of PE outputs are looked
    up per cycle and added up. Steps (s, n) of the SF = ⌈K / (group · tables)⌉ slices and the NF = ⌈N / PE⌉ neuron folds
    follow one another with n innermost, one per cycle, so that a table is built once and serves NF cycles; meanwhile
    the next one is built and the next slice comes in. The partial sums of all outputs wait in a memory of NF words, the
    last slice gives the output. After TeLLMe's table-lookup matrix product (Qiao et al., arXiv 2504.16266 and
    2510.15926), with half the entries (a sum and its negative are one) and signs that cost no negation
    (:mod:`bitloom.hw.lookup.signed_tree`).

    A table is built by one adder in (3^group + 1) / 2 cycles, or, where NF is less, by an adder per entry at once.

    Parameters
    ----------
    weights : np.ndarray
        Integers (N, K) of −1, 0 and +1.
    pe, simd : int
        Output lanes: where they do not divide N, the surplus ones of the last beat are 0. Input elements per beat: a
        divisor of K and, with more than one slice, of a slice.
    activation : Shape
        Shape of an input element; ``unsigned(1)`` if ``bipolar_activation``.
    accumulator : Shape
        Shape of an output element; it must hold every sum these weights and activations can reach.
    bipolar_activation : bool
        Input bit 0 is −1, bit 1 is +1.
    activation_range : tuple of np.ndarray or None
        The least and the greatest value of each input element, (K,) each; it narrows the accumulator that is needed.
    bias : np.ndarray or None
        Integers (N,), added to the sums.
    memory : str
        Where the weights are: ``block``, ``distributed`` or ``auto`` (see :class:`Rom`).
    group, tables : int
        Activations per table, 2 to 5; tables, at most ⌈K / group⌉.
    build : str
        ``serial`` (needs NF ≥ (3^group + 1) / 2), ``parallel``, or ``auto``: serial where it can be.
    table_memory : str
        ``distributed`` (memory in LUTs; iCE40 has none), ``registers``, or ``auto``: ``distributed`` where the build is
        serial. Tables built in parallel are in registers.
    partials : str
        Where the partial sums are: ``block`` memory, together with what they start from, ``distributed``,
        ``registers``, or ``auto`` (see :func:`~bitloom.hw.lookup.accumulators.partials_kind`).
    writable : bool
        Weights and bias can be written: ``accumulator`` must hold the sums of any ternary weights, what the sums start
        from is in a memory of its own, and ``distributed`` ROMs are flip-flops.
    port : int
        Bits of a write, if ``writable``.

    Members
    -------
    i : vector of ``activation``, SIMD lanes
    o : vector of ``accumulator``, PE lanes
        One vector per ``interval`` cycles: Σ over slices of max(NF, beats of the slice), which is SF·NF where a slice
        has no more beats than NF.
    w : In(stream of {address, data}), always ready
        Writes, as :meth:`image` gives them, if ``writable``. Look-ups read them from the second cycle after their
        transfer on, so that a vector whose first beat comes then sees them whole; the unit stands still for a cycle
        where it would read the very word that is written.
    """

    def __init__(
        self,
        weights: np.ndarray,
        *,
        pe: int,
        simd: int,
        activation: Shape,
        accumulator: Shape,
        bipolar_activation: bool = False,
        activation_range: tuple[np.ndarray, np.ndarray] | None = None,
        bias: np.ndarray | None = None,
        memory: str = "auto",
        group: int = 3,
        tables: int = 1,
        build: str = "auto",
        table_memory: str = "auto",
        partials: str = "auto",
        writable: bool = False,
        port: int = PORT,
    ):
        self._weights = ternary(weights)
        n, k = self._weights.shape
        self._group = positive("group", group)
        if group not in GROUPS:
            raise ValueError(f"group must be {GROUPS[0]} to {GROUPS[-1]}, not {group}")
        self._pe = positive("PE", pe)
        if pe > n:
            raise ValueError(f"PE must be at most the {n} output elements, not {pe}")
        self._tables = positive("tables", tables)
        most = -(-k // group)
        if tables > most:
            raise ValueError(f"tables must be at most {most}, for {k} inputs in groups of {group}, not {tables}")
        self._folded = TritWeights(self._weights, self._pe, self._group, self._tables)
        self._simd = positive("SIMD", simd)
        self._folding = TableFolding(self._folded, self._simd, build, table_memory)
        bipolar = bool(bipolar_activation)
        self._activation = Activation(activation_shape(activation, bipolar), bipolar)
        self._bias = bias_values(bias, n)
        self._sums = Sums.of(self._weights, self._bias, 1, self._activation.bounds, activation_range)
        self._rewrites, self._port = bool(writable), positive("port", port)
        self._accumulator = self._fitting(accumulator)
        self._memory = one_of("memory", memory, ("auto", "block", "distributed"))
        self._table = TableShape(self._activation, self._group, self._pe)
        self._partials = partials_kind(partials, self.neuron_fold, sum(self._lane_widths))
        self._weight_rom = self._weight_memory()
        members = {"i": In(vector(activation, self._simd)), "o": Out(vector(accumulator, self._pe))}
        super().__init__(members | ({"w": In(self._access.signature)} if self._rewrites else {}))

    weights = property(lambda self: self._weights, doc="The weights, (N, K).")
    bias = property(lambda self: self._bias, doc="The bias, (N,), or None.")
    pe = property(lambda self: self._pe, doc="Output lanes.")
    simd = property(lambda self: self._simd, doc="Input elements per beat.")
    activation = property(lambda self: self._activation.shape, doc="Shape of an input element.")
    accumulator = property(lambda self: self._accumulator, doc="Shape of an output element.")
    bipolar_activation = property(lambda self: self._activation.bipolar, doc="Whether input bits stand for −1 and +1.")
    memory = property(lambda self: self._memory, doc="Where the weights are, as asked for.")
    group = property(lambda self: self._group, doc="Activations per table.")
    tables = property(lambda self: self._tables, doc="Tables.")
    build = property(lambda self: self._folding.builds, doc="``serial`` or ``parallel``: ``auto`` decided.")
    table_memory = property(lambda self: self._folding.tables_in, doc="Where the tables are: ``auto`` decided.")
    partials = property(lambda self: self._partials, doc="Where the partial sums are: ``auto`` decided.")
    neuron_fold = property(lambda self: self._folded.neuron_fold, doc="NF = ⌈N / PE⌉.")
    synapse_fold = property(lambda self: self._folded.synapse_fold, doc="SF = ⌈K / (group · tables)⌉.")
    beats = property(lambda self: self._folding.beats, doc="Input beats of each slice.")
    interval = property(lambda self: self._folding.interval, doc="Cycles per vector: Σ max(NF, beats) over slices.")
    latency = property(lambda self: self._folding.latency, doc="Cycles from the first beat in to the first out.")
    control = property(lambda self: self._folding.control, doc="One step per cycle over a buffer of slices.")
    depth = property(lambda self: self._folding.delay + 1, doc="Cycles from the last beat in, if idle, to the output.")

    @property
    def buffers(self) -> list[tuple[int, int, str]]:
        """The memories that are not ROMs: (depth, width, kind); a table counts once for each look-up."""
        found = self._accumulators.buffers
        if self.table_memory == "distributed":
            found += [(2 << index_bits(self._group), self._table.width, "distributed")] * (self._pe * self._tables)
        return found

    def roms(self) -> dict[str, Rom]:
        """The ROMs by instance path: ``weights``, and what the sums start from where that is a ROM of its own."""
        rom = self._start_rom
        return {"weights": self._weight_rom} | ({} if rom is None else {"accumulators.start": rom})

    def model(self, x: np.ndarray) -> np.ndarray:
        """y = W·x + bias for ``x`` (vectors, K): (vectors, N); bipolar elements as −1 and +1."""
        return self._sums.model(self._sums.checked(x, self.bipolar_activation))

    def features(self) -> dict[str, float]:
        """Bits of tables by kind, of look-ups, adders, registers, and ROMs; ``control``: counters and flags."""
        counts = (self.neuron_fold, self.synapse_fold, self._folded.steps)
        fold, slice_, word = ((count - 1).bit_length() for count in counts)
        count: dict[str, float] = {"control": (self._folding.tree_stages + 3) * (fold + 3) + slice_ + word}
        table = table_features(self._table, self.build, self.table_memory)
        parts = [{name: value * self._tables for name, value in table.items()}]
        parts += [tree_features(self._table.bounds, self._tables, self._folding.before, width)
                  for width in self._lane_widths]  # fmt: skip
        parts += [self._accumulators.features(), self._weight_rom.features(), self._make_buffer().features()]
        if not self._folding.holds:
            parts.append({"register_bits": self._slice_bits})
        for part in parts:
            for name, value in part.items():
                count[name] = count.get(name, 0) + value
        return count

    @property
    def _slice_bits(self) -> int:
        return self.beats[0] * self._simd * self._activation.shape.width

    def _make_buffer(self) -> SliceBuffer:
        width, beats = self._simd * self._activation.shape.width, self.beats
        return SliceBuffer(width, beats[0], beats[-1], len(beats), self._folding.spare)

    def elaborate(self, platform) -> Module:
        m = Module()
        enable = Signal()
        m.submodules.slices = slices = self._make_buffer()
        m.submodules.steps = steps = TableSteps(self._folding)
        m.submodules.weights = weights = self._weight_rom
        m.d.comb += [
            enable.eq(self._moves(m, steps)),
            slices.i.valid.eq(self.i.valid),
            slices.i.payload.eq(self.i.p.as_value()),
            self.i.ready.eq(slices.i.ready),
            *(slices.free.eq(steps.free), steps.en.eq(enable), steps.ready.eq(slices.ready)),
            *(weights.en.eq(enable), weights.addr.eq(steps.word)),
        ]
        tables = self._make_tables(m, enable, steps, self._slice(m, steps, slices.x), weights.data)
        sums = self._add(m, enable, steps, tables, weights.data)
        for lane, shape in enumerate(self._lane_shapes):
            total = sums[sum(self._lane_widths[:lane]) :][: shape.width]
            m.d.comb += self.o.p[lane].eq(total.as_signed() if shape.signed else total)
        return m

    def _slice(self, m: Module, steps: TableSteps, gathered: Value) -> Value:
        """The activations that tables are built of, the first group lowest; what a short vector lacks is 0."""
        x = gathered
        if not self._folding.holds:
            x = Signal(self._slice_bits, name="slice", reset_less=True)
            with m.If(steps.begin):
                m.d.sync += x.eq(gathered)
        missing = self._folded.slice * self._activation.shape.width - self._slice_bits
        return Cat(Const(0, missing), x)

    def _make_tables(self, m: Module, enable: Signal, steps: TableSteps, x: Value, words: Value) -> list[Value]:
        """The look-ups in each table, lane 0 lowest."""
        looked = []
        bits = index_bits(self._group) + 1
        for t in range(self._tables):
            unit = self._make_table(m, steps)
            m.submodules[f"table_{t}"] = unit
            indices = Cat(words.word_select(c * self._tables + t, bits)[:-1] for c in range(self._pe))
            part = x.word_select(t, self._group * self._activation.shape.width)
            m.d.comb += [unit.en.eq(enable), unit.x.eq(part), unit.index.eq(indices)]
            looked.append(unit.o)
        return looked

    def _make_table(self, m: Module, steps: TableSteps) -> SerialTable | ParallelTable:
        table = SerialTable(self._table, self.table_memory) if self._folding.serial else ParallelTable(self._table)
        ports = [name for name in table.signature.members if name in steps.signature.members and name != "en"]
        m.d.comb += [getattr(table, name).eq(getattr(steps, name)) for name in ports]
        return table

    def _add(self, m: Module, enable: Signal, steps: TableSteps, tables: list[Value], words: Value) -> Value:
        """The sums of all lanes; and the output's ``valid``."""
        look, last, first, n = steps.look, steps.last, steps.first, steps.n
        for stage in range(self._folding.tree_stages + 1):
            before = (look, first, n)
            flags = [Signal.like(flag, name=f"{flag.name}_{stage}") for flag in (look, last, first, n)]
            with m.If(enable):
                m.d.sync += [after.eq(flag) for after, flag in zip(flags, (look, last, first, n))]
            look, last, first, n = flags
        with m.If(enable):
            m.d.sync += self.o.valid.eq(look & last)
        m.submodules.accumulators = accumulators = self._accumulators
        ports = (accumulators.active, accumulators.first, accumulators.n)
        m.d.comb += [accumulators.en.eq(enable), *(port.eq(flag) for port, flag in zip(ports, before))]
        sums, signs = [], []
        bits = index_bits(self._group) + 1
        for lane, width in enumerate(self._lane_widths):
            tree = SignedTree(self._table.bounds, self._tables, self._folding.before, width)
            m.submodules[f"sum_{lane}"] = tree
            m.d.comb += [
                tree.en.eq(enable),
                tree.x.eq(Cat(looked.word_select(lane, self._table.width) for looked in tables)),
                tree.signs.eq(Cat(words.word_select(lane * self._tables + t, bits)[-1] for t in range(self._tables))),
            ]
            sums.append(tree.o)
            signs.append(tree.sign)
        m.d.comb += [accumulators.x.eq(Cat(*sums)), accumulators.sign.eq(Cat(*signs))]
        return accumulators.o
