# amaranth: UnusedElaboratable=no
"""PlaneRewriting: where the constants of a bit-serial matrix–vector unit are, and how they are written as it runs."""

from functools import partial

import numpy as np

from ..arithmetic.sums import Sums
from ..matvec.matvec import MatVec
from ..memory.rom import Rom
from ..memory.start_words import start_rom
from ..memory.weight_memory import WeightMemory
from .accumulators import PlaneAccumulators
from .bit_planes import BitPlanes, bits_of


class PlaneRewriting(MatVec):
    """That part of :class:`~bitloom.hw.BitSerialMatVec`: bit planes and start words in ROMs, or in memories with a
    stream of writes.

    Where words can be written, nothing depends on the first ones but their shape and, without ``max_bits``, the number
    of planes: trees and accumulators are wide enough for any. With ``max_bits`` there are words for that many planes,
    of which weights of fewer bits use the first ones.
    """

    _products: BitPlanes

    writable = property(lambda self: self._writable, doc="Whether weights and bias can be written.")
    max_bits = property(lambda self: self._max_bits, doc="The most planes at run time, or None if they are fixed.")
    weight_bits = property(lambda self: self._weight_bits, doc="Bits per weight, at first where chosen at run time.")
    _planes = property(lambda self: self._max_bits or self._weight_bits, doc="The most planes.")

    @property
    def plane(self) -> str:
        """How the sums of a plane are made; ``auto`` has been decided."""
        if self._plane == "auto":
            return "table" if min(self._pe, self._simd, self._activation.width) > 1 else "and"
        return self._plane if self._simd > 1 else "and"

    def image(
        self, weights: np.ndarray, bias: np.ndarray | None = None, *, bits: int | None = None
    ) -> list[tuple[int, int]]:
        """The writes (address, data) to ``w`` for other weights (N, K) of ``bits`` bits and another bias (N,).

        :param bias: zeros if None. :param bits: those at first if None.
        :raises ValueError: the unit cannot compute with them.
        """
        weights, bias = self._to_write(weights, bias)
        bits = bits_of(weights, self._weight_bits if bits is None else bits)
        if self._max_bits is None and bits != self._weight_bits:
            raise ValueError(f"bits must be {self._weight_bits}, not {bits} (construct with max_bits to choose them)")
        if bits > self._planes:
            raise ValueError(f"bits must be at most max_bits = {self._planes}, not {bits}")
        Sums(weights, bias, 1, self._sums.lo, self._sums.hi).fitting(self._accumulator)
        planes, memory = self._bit_planes(weights, bits), self._weight_rom
        words, starts = planes.words(), self._accumulators.start_words(planes.start + bias, bits)
        image = self._access.image(words + [0] * (memory.depth - len(words)), starts)
        return image[: len(words) * memory.pieces] + image[memory.depth * memory.pieces :]

    def _bit_planes(self, weights: np.ndarray, bits: int) -> BitPlanes:
        any_bits, table = self._max_bits is not None, self.plane == "table"
        return BitPlanes(
            weights, self._pe, self._simd, self._activation, self._bipolar, bits, self._writable, any_bits, table
        )

    def _make_products(self) -> BitPlanes:
        return self._bit_planes(self._weights, self._weight_bits)

    def _weight_memory(self) -> Rom:
        """The words of the first planes; behind them room for the most planes."""
        if not self._writable:
            return super()._weight_memory()
        steps = self.synapse_fold * self.neuron_fold
        unused = (self._planes - self._weight_bits) * steps
        return WeightMemory(
            lambda: self._products.words() + [0] * unused,
            self._products.width,
            self._word_memory,
            depth=self._planes * steps,
            port=self._port,
            collision="skip",
        )

    def _make_start_rom(self) -> tuple[Rom | None, int]:
        """Where each neuron's sum starts, one word per neuron fold (one if they are all equal); a lane's width."""
        start = self._products.start + (0 if self._bias is None else self._bias)
        low = self._products.scale.bit_length() - 1
        known = None if self._writable else (start, self._weight_bits)
        self._accumulators = PlaneAccumulators(self._lane_shapes, self._planes, low, known)
        width = self._accumulators.start_width
        if self._writable:
            words, depth = (lambda: self._accumulators.start_words(start, self._weight_bits)), len(start) // self._pe
            return WeightMemory(words, width * self._pe, self._word_memory, depth=depth, port=self._port), width
        by_bits = partial(self._accumulators.start_words, bits=self._weight_bits)
        return start_rom(start, self._pe, width, self._memory, by_bits), width
