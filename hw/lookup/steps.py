"""TableSteps: which table is built and which looked up in, step by step."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib.wiring import In, Out

from ..component import Component
from ..counters import advance
from .folding import TableFolding
from .trit_codes import entries, index_bits
from .trit_tables import parallel_stages, steps_of


class TableSteps(Component):
    """The steps (s, n) of a table-lookup unit, and the look-ups that follow them.

    The steps n of a slice follow one another once it is there. In the first ones a serial build walks from entry to
    entry; all the slice's look-ups come NF steps later, whether or not the next slice is there by then. A parallel
    build takes one step, or two, and the look-ups go along with the steps.

    Parameters
    ----------
    folding : TableFolding
        Folds, slices and how tables are built.

    Members
    -------
    en : In(1)
        The pipeline moves.
    ready : In(1)
        A slice is there.
    begin, free : Out(1)
        This cycle has the first step of a slice; its last use. Both only if ``en``.
    build, start, select, minus : Out
        A serial build's step, if ``en``; see :class:`~bitloom.hw.lookup.trit_tables.SerialTable`.
    write, address : Out
        Where the entry of the step before belongs.
    load : Out(1)
        The table built is looked up in from the next cycle on, if ``en``; a parallel build begins, if ``en``.
    look, n, first, last : Out
        Weights are asked for, if ``en``: of which fold; in the first, in the last slice.
    word : Out(range(SF·NF))
        Their address.
    half : Out(1)
        The half of the tables that they are looked up in, in the enabled cycle after.
    """

    def __init__(self, folding: TableFolding):
        self._folding = folding
        self._folds, self._slices = folding.weights.neuron_fold, folding.weights.synapse_fold
        self._group = group = folding.weights.group
        flags = {name: Out(1) for name in ("begin", "free", "build", "start", "minus", "write", "load", "look", "half")}
        super().__init__(
            {
                "en": In(1),
                "ready": In(1),
                "select": Out(range(group)),
                "address": Out(index_bits(group) + 1),
                "n": Out(range(max(2, self._folds))),
                "word": Out(range(max(2, self._folds * self._slices))),
                "first": Out(1),
                "last": Out(1),
                **flags,
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        step, fold = Signal(), Signal(range(max(2, self._folds)))
        begins, ends = fold == 0, fold == self._folds - 1
        m.d.comb += [
            step.eq(~begins | self.ready if self._folds > 1 else self.ready),
            self.begin.eq(self.en & self.ready & begins),
            self.free.eq(self.en & step & (fold == self._folding.last_use)),
        ]
        with m.If(self.en & step):
            m.d.sync += fold.eq(advance(fold, self._folds))
        if self._folding.serial:
            self._walk(m, step, fold)
            self._follow(m, step & ends)
        else:
            look, n = step, fold
            if parallel_stages(self._group) == 2:
                look, n = Signal(name="look_1"), Signal.like(fold, name="fold_1")
                with m.If(self.en):
                    m.d.sync += [look.eq(step), n.eq(fold)]
            m.d.comb += [self.load.eq(self.begin), self.look.eq(look), self.n.eq(n)]
        self._words(m)
        return m

    def _walk(self, m: Module, step: Signal, fold: Signal) -> None:
        """The serial build: fold j is its step j."""
        count = entries(self._group)
        steps = steps_of(self._group)
        place = Signal(index_bits(self._group))
        half = Signal(init=1)
        with m.Switch(fold[: (count - 1).bit_length()]):
            for j, (which, minus, number) in enumerate(steps):
                with m.Default() if j == count - 1 else m.Case(j):
                    m.d.comb += [self.select.eq(which), self.minus.eq(minus), place.eq(number)]
        m.d.comb += [self.build.eq(step & (fold < count)), self.start.eq(fold == 0)]
        with m.If(self.en):
            m.d.sync += [self.write.eq(self.build), self.address[:-1].eq(place)]
        with m.If(self.begin):
            m.d.sync += half.eq(~half)
        m.d.comb += self.address[-1].eq(half)

    def _follow(self, m: Module, ends: Value) -> None:
        """The look-ups after a slice's last step."""
        with m.If(self.en):
            with m.If(ends):
                m.d.sync += self.look.eq(1)
            with m.Elif(self.n == self._folds - 1):
                m.d.sync += self.look.eq(0)
            with m.If(self.look):
                m.d.sync += self.n.eq(advance(self.n, self._folds))
        m.d.comb += self.load.eq(self.look & (self.n == 0))

    def _words(self, m: Module) -> None:
        """Addresses of the weights, and the slice's place."""
        slice_ = Signal(range(max(2, self._slices)))
        half = Signal()
        move = Signal()
        m.d.comb += [
            move.eq(self.en & self.look),
            self.first.eq(slice_ == 0),
            self.last.eq(slice_ == self._slices - 1),
        ]
        with m.If(move):
            m.d.sync += self.word.eq(advance(self.word, self._folds * self._slices))
            with m.If(self.n == self._folds - 1):
                m.d.sync += [slice_.eq(advance(slice_, self._slices)), half.eq(~half)]
        with m.If(self.en):
            m.d.sync += self.half.eq(half)
