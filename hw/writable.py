"""Writable: what matrix–vector units with weights that can be written have in common."""

import numpy as np

from .component import Component
from .parameters import integer_array
from .write_access import WriteAccess


class Writable(Component):
    """A unit whose weights and start words may be in memories with a stream of writes, ``w``."""

    writable = property(lambda self: self._rewrites, doc="Whether weights and bias can be written.")
    port = property(lambda self: self._port, doc="Bits of a write.")

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
        n = len(self._weights)
        bias = np.zeros(n, np.int64) if bias is None else integer_array("bias", bias, 1)
        if bias.shape != (n,):
            raise ValueError(f"bias must have one value for each of the {n} outputs, not {bias.shape}")
        return weights, bias
