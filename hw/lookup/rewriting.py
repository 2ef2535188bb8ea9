# amaranth: UnusedElaboratable=no
"""TableRewriting: where the constants of a table-lookup unit are, and how they are written while it runs."""

from functools import cached_property

import numpy as np
from amaranth.hdl import Module, Shape, Signal, Value

from ..arithmetic.sums import Sums
from ..matvec.writable import Writable
from ..memory.rom import Rom
from ..parameters import integer_array, pack_rows
from .accumulators import Accumulators
from .signed_tree import tree_widths
from .steps import TableSteps
from .trit_codes import TritWeights


class TableRewriting(Writable):
    """That part of :class:`~bitloom.hw.TableMatVec`: constants in ROMs, or in memories with a stream of writes.

    Where weights can be written, nothing depends on the first ones but their shape: lanes are as wide as the
    accumulator, which holds the sums of any ternary weights, and start words are as wide as lanes, in a memory of their
    own, because what they lack beyond that comes back in the sum, which fits.
    """

    def image(self, weights: np.ndarray, bias: np.ndarray | None = None) -> list[tuple[int, int]]:
        """The writes (address, data) to ``w`` for other weights (N, K) and another bias (N,), zeros if None.

        :raises ValueError: the weights are not ternary, or their sums exceed the accumulator.
        """
        weights, bias = self._to_write(weights, bias)
        Sums(ternary(weights), bias, 1, self._sums.lo, self._sums.hi).fitting(self._accumulator)
        folded = TritWeights(weights, self._pe, self._group, self._tables)
        return self._access.image(folded.words(), pack_rows(_starts(folded, bias), self._accumulator.width))

    @property
    def _start_rom(self) -> Rom | None:
        return self._accumulators.rom

    def _weight_memory(self) -> Rom:
        """Where the weights are."""
        return self._words_in(self._folded.words, self._folded.width, self._folded.steps)

    @cached_property
    def _lane_shapes(self) -> list[Shape]:
        """The narrowest shape of each output lane."""
        return [self._accumulator] * self._pe if self._rewrites else self._sums.lane_shapes(self._pe)

    @cached_property
    def _lane_widths(self) -> list[int]:
        return [shape.width for shape in self._lane_shapes]

    @cached_property
    def _accumulators(self) -> Accumulators:
        terms = [tree_widths(self._table.bounds, self._tables, width)[-1][0] for width in self._lane_widths]
        most = self.synapse_fold * self._tables  # each adder adds 0 or 1 too much
        bias = np.zeros(1, int) if self._bias is None else self._bias
        bounds = min(0, int(bias.min())) - most, max(0, int(bias.max())) + most
        starts, port = (lambda: _starts(self._folded, self._bias)), self._port if self._rewrites else None
        return Accumulators(self._lane_widths, terms, self.neuron_fold, starts, bounds, self._partials, port)

    def _moves(self, m: Module, steps: TableSteps) -> Value:
        """Whether the pipeline moves: not while the sink blocks, nor while the very word is written that it reads."""
        moves = ~self.o.valid | self.o.ready
        if not self._rewrites:
            return moves
        self._access.connect(m, self.w)
        waits = Signal()
        m.d.comb += waits.eq(steps.look & self._weight_rom.clash)
        with m.If(waits & self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return moves & ~waits


def ternary(weights: np.ndarray) -> np.ndarray:
    """``weights`` if they are integers (N, K) of −1, 0 and +1."""
    weights = integer_array("weights", weights, 2)
    if np.abs(weights).max() > 1:
        raise ValueError(f"weights must be −1, 0 or +1, not {weights.min()} … {weights.max()} (use MatVec for others)")
    return weights


def _starts(folded: TritWeights, bias: np.ndarray | None) -> np.ndarray:
    """What the sums start from, (NF, PE): the bias, less what the adders add too much."""
    starts = -folded.leftover()
    if bias is not None:
        starts[: len(bias)] += bias
    return starts.reshape(-1, folded.pe)
