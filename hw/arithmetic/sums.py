"""What sums a matrix of weights can reach."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from amaranth.hdl import Shape

from ..parameters import accumulator_shape, integer_array, shape_of_range


@dataclass(frozen=True, eq=False)
class Sums:
    """The sums W·x + bias for inputs that each lie within ``lo`` … ``hi``.

    ``weights`` is (N, K), ``bias`` (N,), ``lo`` and ``hi`` (groups·K,); rows and inputs fall into ``groups`` equal
    parts in order, and each row sees its own part.
    """

    weights: np.ndarray
    bias: np.ndarray | None
    groups: int
    lo: np.ndarray
    hi: np.ndarray

    @classmethod
    def of(
        cls,
        weights: np.ndarray,
        bias: np.ndarray | None,
        groups: int,
        whole: tuple[int, int],
        activation_range: tuple[np.ndarray, np.ndarray] | None,
    ) -> "Sums":
        """For ``activation_range`` if there is one, which must lie within the ``whole`` range of any input."""
        inputs = groups * weights.shape[1]
        lo, hi = (np.full(inputs, bound) for bound in whole)
        if activation_range is None:
            return cls(weights, bias, groups, lo, hi)
        low, high = (integer_array("activation_range", bound, 1) for bound in activation_range)
        if low.shape != lo.shape or high.shape != hi.shape:
            raise ValueError(
                f"activation_range must have two bounds for each of the {inputs} inputs, "
                f"not {low.shape} and {high.shape}"
            )
        if np.any(low > high) or np.any(low < lo) or np.any(high > hi):
            raise ValueError(f"activation_range must lie within {lo[0]} … {hi[0]}, not {low.min()} … {high.max()}")
        return cls(weights, bias, groups, low, high)

    def by_group(self, values: np.ndarray) -> np.ndarray:
        """(N or groups·K, …) as (groups, N / groups or K, …)."""
        return values.reshape(self.groups, -1, *values.shape[1:])

    @cached_property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """The least and the greatest sum of each row, (N,)."""
        weights = self.by_group(self.weights)
        positive, negative = np.maximum(weights, 0), np.minimum(weights, 0)
        lo, hi = (self.by_group(bound)[..., None] for bound in (self.lo, self.hi))
        bias = 0 if self.bias is None else self.bias
        return (positive @ lo + negative @ hi).ravel() + bias, (positive @ hi + negative @ lo).ravel() + bias

    def fitting(self, accumulator: Shape) -> Shape:
        """``accumulator`` if it holds all the sums."""
        return accumulator_shape(accumulator, int(self.bounds[0].min()), int(self.bounds[1].max()))

    def lane_shapes(self, lanes: int) -> list[Shape]:
        """The narrowest shape of each of ``lanes`` output lanes, through which the rows go in turn; what the last turn
        has too many are 0."""
        surplus = -len(self.weights) % lanes
        low, high = (np.pad(bound, (0, surplus)).reshape(-1, lanes) for bound in self.bounds)
        return [shape_of_range(lo, hi) for lo, hi in zip(low.min(0), high.max(0))]

    def checked(self, x: np.ndarray, bipolar: bool) -> np.ndarray:
        """``x`` as integers (vectors, groups·K) if each lies within ``lo`` … ``hi``, and is −1 or +1 if ``bipolar``."""
        x = integer_array("x", np.asarray(x), 2)
        if x.shape[1] != len(self.lo):
            raise ValueError(f"x must have {len(self.lo)} elements per vector, not {x.shape[1]}")
        if np.any(x < self.lo) or np.any(x > self.hi) or (bipolar and not np.all(np.abs(x) == 1)):
            raise ValueError(f"x must lie within {self.lo.min()} … {self.hi.max()}, not {x.min()} … {x.max()}")
        return x

    def model(self, x: np.ndarray) -> np.ndarray:
        """The sums (vectors, N) for ``x`` (vectors, groups·K)."""
        parts = x.reshape(len(x), self.groups, 1, -1)
        sums = (parts @ self.by_group(self.weights).swapaxes(1, 2)).reshape(len(x), -1)
        return sums + (0 if self.bias is None else self.bias)
