# amaranth: UnusedElaboratable=no
"""Rewriting: where the constants of a matrix–vector unit are, and how they are written while it runs."""

import numpy as np
from amaranth.hdl import Module, Signal, Value

from ..arithmetic.sums import Sums
from ..counters import advance
from ..memory.rom import Rom
from ..memory.start_words import start_rom, start_width
from ..memory.weight_memory import WeightMemory
from ..parameters import pack_rows
from .products import AndXor, CodedProducts
from .step_source import StepSource
from .writable import Writable


class Rewriting(Writable):
    """That part of :class:`~bitloom.hw.MatVec`: constants in ROMs, or in memories with a stream of writes.

    Where weights can be written, nothing depends on the first ones but their shape: the code is named, adders and
    accumulators are wide enough for any weights of the code, and start words are as wide as accumulators, because what
    they lack beyond that comes back in the sum, which fits.
    """

    code = property(lambda self: self._code, doc="How weights are stored, as asked for.")
    tree = property(lambda self: self._tree, doc="How products are added, as asked for.")

    def image(self, weights: np.ndarray, bias: np.ndarray | None = None) -> list[tuple[int, int]]:
        """The writes (address, data) to ``w`` for other weights (N, K) and another bias (N,), zeros if None.

        :raises ValueError: the code cannot say these weights, or their sums exceed the accumulator.
        """
        weights, bias = self._to_write(weights, bias)
        products = self._products_of(weights)
        Sums(weights, bias, self._groups, self._sums.lo, self._sums.hi).fitting(self._accumulator)
        starts = (products.start + bias).reshape(-1, self._pe)
        return self._access.image(products.words(), pack_rows(starts, self._start_width))

    def _products_of(self, weights: np.ndarray) -> CodedProducts:
        options = {"code": self._code, "writable": self._rewrites, "tree": self._tree}
        return AndXor(weights, self._pe, self._simd, self._activation, self._bipolar, **options)

    @property
    def _peak(self) -> int:
        """That of the code."""
        return self._products.code.peak

    def _weight_memory(self) -> Rom:
        """Where the weights are."""
        return self._words_in(self._products.words, self._products.width, self.interval)

    def _make_start_rom(self) -> tuple[Rom | None, int]:
        """Where each neuron's sum starts, one word per neuron fold (one in all if they are equal); and their width."""
        start = self._products.start + (0 if self._bias is None else self._bias)
        if self._rewrites:
            width, rows = self._accumulator.width, start.reshape(-1, self._pe)
            words, memory = (lambda: pack_rows(rows, width)), "registers" if self._memory == "distributed" else "auto"
            return WeightMemory(words, width * self._pe, memory, depth=len(rows), port=self._port), width
        width = start_width(start, max(shape.width for shape in self._lane_shapes))
        return start_rom(start, self._pe, width, self._memory), width

    def _starts(self, m: Module, enable: Signal, step: StepSource, leaves: Value) -> Value | None:
        """The start word of the step in the last stage; ``leaves``: a neuron's last step is in the stage before.

        Where a neuron's steps are more than the stages, the word read with them is still there when the first one of
        them arrives; else a counter reads it when the neuron before leaves.
        """
        rom = self._start_rom
        if rom is None or rom.depth == 1 or self._groups > 1 or self.synapse_fold <= self._products.stages:
            return self._counted_starts(m, enable, leaves)
        m.submodules.start = rom
        m.d.comb += [rom.en.eq(enable & step.ready), rom.addr.eq(step.fold)]
        return rom.data

    def _counted_starts(self, m: Module, enable: Signal, leaves: Value) -> Value | None:
        """The start word of the step in the last stage, which a counter reads.

        :param leaves: a neuron's last step is in the stage before.
        """
        if self._start_rom is None:
            return None
        m.submodules.start = rom = self._start_rom
        m.d.comb += rom.en.eq(enable)
        if rom.depth > 1:
            with m.If(enable & leaves):
                m.d.sync += rom.addr.eq(advance(rom.addr, rom.depth))
        return rom.data
