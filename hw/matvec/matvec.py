# amaranth: UnusedElaboratable=no
"""MatVec: the folded matrix–vector unit."""

from functools import cached_property

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib.wiring import In, Out

from ..arithmetic.sums import Sums
from ..control import Buffered, Steps
from ..memory.rom import Rom
from ..memory.storage import storage
from ..memory.weight_memory import PORT
from ..parameters import activation_shape, bias_values, bounds, divisor, integer_array, one_of, positive
from ..stream import vector
from .products import Products
from .rewriting import Rewriting
from .step_source import StepSource


class MatVec(Rewriting):
    """y = W·x + bias with PE output lanes and SIMD input elements per lane and cycle, optionally in groups.

    Step (g, n, s) of the groups, the NF = N / (groups · PE) neuron folds and the SF = K / SIMD synapse folds multiplies
    input beat s of group g with weight word (g·NF + n)·SF + s, s innermost, one step per cycle. With NF = 1 beats are
    used as they arrive. With NF > 1 they pass through a circular buffer of 2·SF beats: the first fold uses a beat in
    the cycle after it was written, the last fold frees the beats one by one, so that the next group or vector loads
    meanwhile and back-to-back vectors leave no bubble. Structure after FINN's matrix–vector unit (Umuroglu et al.,
    2017); products after :mod:`bitloom.hw.matvec.products`.

    The unit stands still while the sink blocks (``i.ready`` follows ``o.ready`` through one gate where NF = 1, and
    comes from registers otherwise), so output beats are never less than SF cycles apart.

    Parameters
    ----------
    weights : np.ndarray
        Integers (N, K): K is the inputs of one group; rows g·N/groups … belong to group g, whose inputs are elements
        g·K … of a vector. Stored with 1 bit each if all are −1 or +1, 2 bits if all are within −1 … 1, else with the
        least signed width.
    pe, simd : int
        Output lanes, dividing N / groups; input elements per lane and cycle, dividing K.
    activation : Shape
        Shape of an input element; ``unsigned(1)`` if ``bipolar_activation``.
    accumulator : Shape
        Shape of an output element; it must hold every sum these weights and activations can reach.
    bipolar_activation : bool
        Input bit 0 is −1, bit 1 is +1.
    activation_range : tuple of np.ndarray or None
        The least and the greatest value of each input element, (groups·K,) each, where less than the whole range of
        ``activation`` can occur; it narrows the accumulator that is needed.
    bias : np.ndarray or None
        Integers (N,), added to the sums.
    memory : str
        Where the weights are: ``block``, ``distributed`` or ``auto`` (see :class:`Rom`).
    buffer : str
        Where the input buffer is: ``block`` memory, ``registers``, ``distributed`` (memory in LUTs; iCE40 has none), or
        ``auto``: ``registers`` up to 96 bits for each 16-bit block memory saved, else ``block``.
    groups : int
        Into how many parts inputs and outputs are divided, each output seeing its own part only; divides N.
    code : str or int
        How weights are stored: ``auto``, as above; ``binary``; ``ternary``, 2 bits; ``dense``, ternary in 8 bits for
        five, which takes a decoder (:mod:`bitloom.hw.arithmetic.trits`) and one more register; n for n bits of sign and
        magnitude.
    tree : str
        How products are added: ``balanced``, a tree of adders; ``compressor``, counters and one adder
        (:mod:`bitloom.hw.arithmetic.compressor`), which is less for binary weights and activations; ``auto``:
        ``balanced``.
    writable : bool
        Weights and bias can be written: nothing depends on their first values but ``code``, which must be named, and
        ``accumulator`` must hold the sums of any weights of the code. ``distributed`` memory is flip-flops then.
    port : int
        Bits of a write, if ``writable``.

    Members
    -------
    i : vector of ``activation``, SIMD lanes
    o : vector of ``accumulator``, PE lanes
        One vector per ``interval`` = groups·SF·NF cycles; the first output beat ``depth`` cycles after the last input
        beat of the first group: 2 + R where NF = 1, else 3 + R, with R registers in the products.
    w : In(stream of {address, data}), always ready
        Writes, as :meth:`image` gives them, if ``writable``. Steps read them from the second cycle after their transfer
        on, so that a vector whose first beat comes then sees them whole; a step waits while its very word is written.
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
        buffer: str = "auto",
        groups: int = 1,
        code: str | int = "auto",
        tree: str = "auto",
        writable: bool = False,
        port: int = PORT,
    ):
        self._weights = integer_array("weights", weights, 2)
        self._outputs, k = self._weights.shape
        self._groups = divisor("groups", groups, self._outputs, "output elements")
        each = "output elements" if self._groups == 1 else f"output elements of each of the {self._groups} groups"
        self._pe = divisor("PE", pe, self._outputs // self._groups, each)
        self._simd = divisor("SIMD", simd, k, each.replace("output", "input"))
        self._bipolar = bool(bipolar_activation)
        self._activation = activation_shape(activation, self._bipolar)
        self._bias = bias_values(bias, self._outputs)
        if type(self)._make_products is not MatVec._make_products and (code, tree, writable) != ("auto", "auto", False):
            raise TypeError(f"code, tree and writable must be left out for {type(self).__name__}, which has its own")
        self._tree = tree
        self._code, self._rewrites, self._port = code, bool(writable), positive("port", port)
        self._products = self._make_products()
        whole = (-1, 1) if self._bipolar else bounds(activation)
        self._sums = Sums.of(self._weights, self._bias, self._groups, whole, activation_range)
        self._accumulator = self._fitting(accumulator)
        self._memory = one_of("memory", memory, ("auto", "block", "distributed"))
        self._buffer = self._choose_buffer(buffer)
        self._weight_rom = self._weight_memory()
        self._start_rom, self._start_width = self._make_start_rom()
        members = {"i": In(vector(activation, self._simd)), "o": Out(vector(accumulator, self._pe))}
        super().__init__(members | ({"w": In(self._access.signature)} if self._rewrites else {}))

    weights = property(lambda self: self._weights, doc="The weights, (N, K).")
    bias = property(lambda self: self._bias, doc="The bias, (N,), or None.")
    pe = property(lambda self: self._pe, doc="Output lanes.")
    simd = property(lambda self: self._simd, doc="Input elements per lane and cycle.")
    groups = property(lambda self: self._groups, doc="Parts into which inputs and outputs are divided.")
    activation = property(lambda self: self._activation, doc="Shape of an input element.")
    accumulator = property(lambda self: self._accumulator, doc="Shape of an output element.")
    bipolar_activation = property(lambda self: self._bipolar, doc="Whether input bits stand for −1 and +1.")
    memory = property(lambda self: self._memory, doc="Where the weights are, as asked for.")
    buffer = property(lambda self: self._buffer, doc="Where the input buffer is: ``auto`` decided, ``none`` if NF = 1.")
    neuron_fold = property(
        lambda self: self._outputs // self._groups // self._pe, doc="NF = N / (groups · PE): folds of one group."
    )
    synapse_fold = property(lambda self: self._weights.shape[1] // self._simd, doc="SF = K / SIMD.")
    interval = property(
        lambda self: self._groups * self.synapse_fold * self.neuron_fold, doc="Cycles per vector: groups·SF·NF."
    )
    latency = property(lambda self: self.synapse_fold - 1 + self.depth, doc="Cycles from first beat in to first out.")

    @property
    def depth(self) -> int:
        """Cycles from the transfer of the first group's last input beat to that of the first output beat."""
        return self._products.stages + (2 if self.neuron_fold == 1 else 3)

    @property
    def control(self) -> Steps | Buffered:
        """One step per cycle, an output beat at the end of each neuron fold; buffered where NF > 1."""
        sf, nf, groups = self.synapse_fold, self.neuron_fold, self._groups
        depth = self._products.stages + 2
        beat = np.tile(np.arange(1, sf + 1), groups * nf)
        if nf == 1:
            return Steps(np.ones((1, groups * sf), bool), beat == sf, depth)
        group, fold = (np.repeat(counts, sf) for counts in (np.arange(groups * nf) // nf, np.arange(groups * nf) % nf))
        needs = group * sf + np.where(fold == 0, beat, sf)
        frees = group * sf + np.where(fold == nf - 1, beat, 0)
        return Buffered(groups * sf, 2 * sf, needs, frees, beat == sf, depth)

    @property
    def buffers(self) -> list[tuple[int, int, str]]:
        """The input buffer, where there is one: (depth, width, kind)."""
        width = self._simd * self._activation.width
        return [] if self._buffer == "none" else [(2 * self.synapse_fold, width, self._buffer)]

    def roms(self) -> dict[str, Rom]:
        """The ROMs by instance path: ``weights``, and ``start`` (bias and code corrections) unless it is all zero."""
        roms = {"weights": self._weight_rom}
        if self._start_rom is not None:
            roms["start"] = self._start_rom
        return roms

    def model(self, x: np.ndarray) -> np.ndarray:
        """y = W·x + bias for ``x`` (vectors, groups·K), each group on its own part; bipolar elements as −1 and +1."""
        return self._sums.model(self._sums.checked(x, self._bipolar))

    def features(self) -> dict[str, float]:
        """Bits of products, adders, accumulators, registers, ROMs and buffer; see :mod:`bitloom.hw.arithmetic.dot`.

        Products and adders of constant weights (``interval`` 1) are counted apart: most of them fold away.
        """
        count: dict[str, float] = {"accumulator_bits": sum(shape.width for shape in self._lane_shapes)}
        for name, value in self._products.features().items():
            constant = self.interval == 1 and not self.writable and name != "register_bits"
            count[f"constant_{name}" if constant else name] = value
        count["control"] = 2 * self.depth
        parts: list[Rom | StepSource] = [*self.roms().values(), self._source()]
        for part in parts:
            for name, amount in part.features().items():
                count[name] = count.get(name, 0) + amount
        return count

    @cached_property
    def _lane_shapes(self) -> list[Shape]:
        """The narrowest shape of each output lane."""
        return [self._accumulator] * self._pe if self.writable else self._sums.lane_shapes(self._pe)

    def _make_products(self) -> Products:
        """How the products of a step are made and added."""
        return self._products_of(self._weights)

    def _choose_buffer(self, buffer: str) -> str:
        kind = storage("buffer", buffer, 2 * self.synapse_fold, self._simd * self._activation.width)
        return "none" if self.neuron_fold == 1 else kind

    def _source(self) -> StepSource:
        beat = self._simd * self._activation.width
        return StepSource(beat, self.synapse_fold, self.neuron_fold, self._groups, self._buffer)

    def elaborate(self, platform) -> Module:
        m = Module()
        enable, waits = Signal(name="enable"), Signal(name="waits")
        m.d.comb += enable.eq(~self.o.valid | self.o.ready)
        m.submodules.steps = step = self._source()
        m.submodules.weights = weights = self._weight_rom
        m.d.comb += [
            step.i.valid.eq(self.i.valid),
            step.i.payload.eq(self.i.p.as_value()),
            self.i.ready.eq(step.i.ready),
            step.en.eq(enable & ~waits),
            weights.en.eq(enable),
            weights.addr.eq(step.address),
        ]
        if self._rewrites:
            self._access.connect(m, self.w)
            m.d.comb += waits.eq(weights.clash)
        valid, last = self._flags(m, enable, step.ready & ~waits, step.last)
        start = self._starts(m, enable, step, valid[-2] & last[-2])
        fresh = Signal(init=1)
        with m.If(enable):
            m.d.sync += self.o.valid.eq(valid[-1] & last[-1])
            with m.If(valid[-1]):
                m.d.sync += fresh.eq(last[-1])
        sums = self._products.lanes(m, enable, step.data, weights.data)
        for lane, (shape, total) in enumerate(zip(self._lane_shapes, sums)):
            result = self._accumulate(m, enable & valid[-1], fresh, start, lane, total, shape.width)
            m.d.comb += self.o.p[lane].eq(result.as_signed() if shape.signed else result)
        return m

    def _flags(self, m: Module, enable: Signal, taken: Value, last: Value) -> tuple[list[Value], list[Value]]:
        """``valid`` and ``last`` of the step in each pipeline stage, issue to accumulation."""
        valids, lasts = [taken], [last]
        for stage in range(1, self._products.stages + 2):
            valids.append(Signal(name=f"valid_{stage}"))
            lasts.append(Signal(name=f"last_{stage}", reset_less=True))
            with m.If(enable):
                m.d.sync += [valids[-1].eq(valids[-2]), lasts[-1].eq(lasts[-2])]
        return valids, lasts

    def _accumulate(
        self, m: Module, en: Value, fresh: Signal, start: Value | None, lane: int, total: Value, width: int
    ) -> Signal:
        """The accumulator of one lane, modulo 2^width: exact, because the finished sum fits."""
        accumulator = Signal(width, name=f"accumulator_{lane}", reset_less=True)
        first = Signal(width, name=f"start_{lane}")
        base = first
        if start is not None:
            m.d.comb += first.eq(start.word_select(lane, self._start_width).as_signed())
        if self.synapse_fold > 1:
            base = Mux(fresh, first, accumulator)
        low = self._products.scale.bit_length() - 1
        with m.If(en):
            # The sum stands first: in a carry chain one operand comes from a wire, the other from the LUT's own logic.
            m.d.sync += accumulator.eq(Cat(base[:low], self._add(lane, total, base[low:])))
        return accumulator

    def _add(self, lane: int, total: Value, base: Value) -> Value:
        """The sum of one step of a lane on top of ``base``."""
        return total + base
