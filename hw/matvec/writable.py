# amaranth: UnusedElaboratable=no
"""Writable: what matrix–vector units with weights that can be written have in common."""

from collections.abc import Callable, Sequence

import numpy as np
from amaranth.hdl import Shape

from ..arithmetic.sums import Sums
from ..component import Component
from ..memory.rom import Rom
from ..memory.weight_memory import WeightMemory
from ..parameters import bias_values, integer_array
from .write_access import WriteAccess


class Writable(Component):
    """A unit whose weights and start words may be in memories with a stream of writes, ``w``."""

    writable = property(lambda self: self._rewrites, doc="Whether weights and bias can be written.")
    port = property(lambda self: self._port, doc="Bits of a write.")

    @property
    def _peak(self) -> int:
        """The greatest absolute weight that can be written: ternary ones, unless a unit says otherwise."""
        return 1

    @property
    def _access(self) -> WriteAccess:
        return WriteAccess(self._weight_rom, self._start_rom)

    def _to_write(self, weights: np.ndarray, bias: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """``weights`` and ``bias``, zeros if None, if they can be written and have the shapes of the first ones."""
        if not self.writable:
            raise ValueError("weights can be written only where writable is True, not False")
        weights = integer_array("weights", weights, 2)
        if weights.shape != self._weights.shape:
            raise ValueError(f"weights must have the shape {self._weights.shape}, not {weights.shape}")
        bias = bias_values(bias, len(self._weights))
        return weights, np.zeros(len(self._weights), np.int64) if bias is None else bias

    def _fitting(self, accumulator: Shape) -> Shape:
        """``accumulator`` if it holds the sums: those of the first weights, and of any if they can change."""
        if self._rewrites:
            most = np.maximum(np.abs(self._sums.lo), np.abs(self._sums.hi))
            Sums(np.full_like(self._weights, self._peak), None, self._sums.groups, -most, most).fitting(accumulator)
        return self._sums.fitting(accumulator)

    def _words_in(self, words: Callable[[], Sequence[int]], width: int, depth: int) -> Rom:
        """Where the words of weights are: a ROM, or a memory if they can be written, from which nothing reads what is
        being written."""
        if not self._rewrites:
            return Rom(words, width, self._memory, depth=depth)
        memory = "registers" if self._memory == "distributed" else self._memory
        return WeightMemory(words, width, memory, depth=depth, port=self._port, collision="skip")
