"""How the integers of a node of the graph lie in the real tensor of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .imported import Imported

REAL = 2.0**-21
"""How far, relatively, real numbers may be from exact ones: they are float32, some steps behind their quantizer.

Levels of up to 20 bits are still told apart.
"""

FAR = 1 << 40
"""An integer so great that its real number is not lost in what is added to it."""

OFF_GRID = 0.05
"""How far a value may be from its quantizer's grid, in steps: float32 holds a product of 16 bits far better."""


class Grid:
    """The integers of ``node`` in its tensor: base + unit · integer, and where.

    Found by asking ``imported.real``, which is affine in each element. Where its factor is 0 (a batch norm's gain, at
    the end of a network) the tensor says nothing about the integer.
    """

    def __init__(self, imported: Imported, node: str) -> None:
        self.shape = shape = imported.graph[node].output.shape
        zeros = np.zeros((1, *shape), np.int64)
        base, far, many = (np.asarray(imported.real(node, zeros + k * FAR), dtype=np.float64).ravel()
                           for k in (0, 1, np.arange(zeros.size).reshape(shape)))
        self.base, self.unit = base, (far - base) / FAR
        self.told = self.unit != 0
        self.origin = np.zeros(len(base), np.int64)
        """For each element of the tensor, the element of the node it is."""
        self.origin[self.told] = np.rint((many - base)[self.told] / (FAR * self.unit[self.told]))
        self._unit, self._base = np.where(self.told, self.unit, 1.0), np.abs(base)

    def real(self, integers: np.ndarray) -> np.ndarray:
        """What ``integers`` (samples, *node shape) stand for: float64 (samples, elements), ordered as in the tensor."""
        return self.base + self.unit * integers.reshape(len(integers), -1)[:, self.origin]

    def integers(self, found: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
        """The integers (samples, *node shape) of a tensor, float64 (samples, elements): the nearest.

        These are ``otherwise`` where the tensor says nothing, or the same but for float32.
        """
        integers = otherwise.reshape(len(otherwise), -1)
        samples, places = np.nonzero(self.told & self.differ(found, self.real(otherwise)))
        if len(samples):
            integers = integers.copy()
            nearest = np.rint((found[samples, places] - self.base[places]) / self.unit[places])
            integers[samples, self.origin[places]] = nearest
        return integers.reshape(otherwise.shape)

    def off(self, found: np.ndarray) -> np.ndarray:
        """Which samples of a tensor, float64 (samples, elements), have elements that lie on no level."""
        distance = np.rint((found - self.base) / self._unit)
        distance *= self.unit
        distance += self.base
        distance -= found
        room = OFF_GRID * np.abs(self.unit) + REAL * self._base
        return np.asarray((np.abs(distance) > room + REAL * np.abs(found)).any(axis=1))

    def room(self, real: np.ndarray, places: np.ndarray | slice | int = slice(None)) -> np.ndarray:
        """How far from ``real``, elements ``places`` of some samples, a number may be that is the same level."""
        return np.asarray(0.25 * np.abs(self.unit[places]) + REAL * (np.abs(real) + self._base[places]))

    def differ(self, theirs: np.ndarray, ours: np.ndarray) -> np.ndarray:
        """Which elements of two tensors (samples, elements) are different levels."""
        return np.asarray(np.abs(theirs - ours) > self.room(ours))
