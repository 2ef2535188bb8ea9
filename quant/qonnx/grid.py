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
        unit = (far - base) / FAR
        told = unit != 0
        origin = np.zeros(len(base), np.int32)
        origin[told] = np.rint((many - base)[told] / (FAR * unit[told]))
        self.origin = origin
        """For each element of the tensor, the element of the node it is."""
        self.base, self.unit, self.told = (_one(values) for values in (base, unit, told))
        """Of each element, or one that is that of all."""

    def real(self, integers: np.ndarray) -> np.ndarray:
        """What ``integers`` (samples, *node shape) stand for: float64 (samples, elements), ordered as in the tensor."""
        return self.base + self.unit * integers.reshape(len(integers), -1)[:, self.origin]

    def step(self, at: int) -> float:
        """How far apart the levels of element ``at`` are."""
        return float(abs(_at(self.unit, at)))

    def integers(self, found: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
        """The integers (samples, *node shape) of a tensor, float64 (samples, elements): the nearest.

        These are ``otherwise`` where the tensor says nothing, or the same but for float32.
        """
        integers = otherwise.reshape(len(otherwise), -1)
        samples, places = np.nonzero(self.told & self.differ(found, self.real(otherwise)))
        if len(samples):
            integers = integers.copy()
            nearest = np.rint((found[samples, places] - _at(self.base, places)) / _at(self.unit, places))
            integers[samples, self.origin[places]] = nearest
        return integers.reshape(otherwise.shape)

    def off(self, found: np.ndarray) -> np.ndarray:
        """Which samples of a tensor, float64 (samples, elements), have elements that lie on no level."""
        distance = np.rint((found - self.base) / np.where(self.told, self.unit, 1.0))
        distance *= self.unit
        distance += self.base
        distance -= found
        room = OFF_GRID * np.abs(self.unit) + REAL * np.abs(self.base)
        return np.asarray((np.abs(distance) > room + REAL * np.abs(found)).any(axis=1))

    def room(self, real: np.ndarray) -> np.ndarray:
        """How far from ``real``, all elements of some samples, a number may be that is the same level."""
        return np.asarray(0.25 * np.abs(self.unit) + REAL * (np.abs(real) + np.abs(self.base)))

    def room_at(self, real: float, at: int) -> float:
        """The same for element ``at`` alone."""
        return 0.25 * self.step(at) + REAL * (abs(real) + float(abs(_at(self.base, at))))

    def differ(self, theirs: np.ndarray, ours: np.ndarray) -> np.ndarray:
        """Which elements of two tensors (samples, elements) are different levels."""
        return np.asarray(np.abs(theirs - ours) > self.room(ours))


def _one(values: np.ndarray) -> np.ndarray:
    """``values``, or the first of them where all are the same."""
    return values[:1].copy() if np.all(values == values[:1]) else values


def _at(values: np.ndarray, places: np.ndarray | int) -> np.ndarray:
    """The values of ``places``."""
    return np.asarray(values[0] if len(values) == 1 else values[places])
