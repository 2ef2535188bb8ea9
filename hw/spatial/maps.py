"""Windows over one or two spatial axes: what the templates that read them share.

A vector is a map of ``size`` = (W,) or (H, W) positions of channels, row-major, channels last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from ..parameters import integer_array, positive

Axes = tuple[int, ...]
"""One number per spatial axis: (W,) or (H, W)."""


def axes(name: str, values: Sequence[int], dims: int) -> Axes:
    """``values`` as a tuple if it is ``dims`` integers of at least 1."""
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise TypeError(f"{name} must be a tuple of {dims} integers, one per spatial axis, not {values!r}")
    if len(values) != dims:
        raise ValueError(f"{name} must have {dims} numbers, one per spatial axis, not {tuple(values)}")
    return tuple(positive(f"{name}[{axis}]", value) for axis, value in enumerate(values))


def map_size(size: Sequence[int]) -> Axes:
    """``size`` as a tuple if it is (W,) or (H, W)."""
    if isinstance(size, str) or not isinstance(size, Sequence):
        raise TypeError(f"size must be a tuple (W,) or (H, W), not {size!r}")
    if len(size) not in (1, 2):
        raise ValueError(f"size must be (W,) or (H, W), not {tuple(size)}")
    return axes("size", size, len(size))


def maps(x: np.ndarray, size: Axes, channels: int, lo: int, hi: int, bipolar: bool = False) -> np.ndarray:
    """``x`` (vectors, elements) as (vectors, \\*size, channels), if its values are within ``lo`` … ``hi``."""
    x = integer_array("x", np.asarray(x), 2)
    if x.shape[1] != prod(size) * channels:
        raise ValueError(f"x must have {prod(size) * channels} elements per vector, not {x.shape[1]}")
    if x.min() < lo or x.max() > hi or (bipolar and not np.all(np.abs(x) == 1)):
        raise ValueError(f"x must {'be -1 or 1' if bipolar else f'lie within {lo} … {hi}'}, not {x.min()} … {x.max()}")
    return x.reshape(-1, *size, channels)


@dataclass(frozen=True)
class Windows:
    """Windows of ``kernel`` positions, ``dilation`` apart, every ``stride`` positions of a map of ``size``."""

    size: Axes
    kernel: Axes
    stride: Axes
    dilation: Axes

    @classmethod
    def of(
        cls, size: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int] | None = None
    ) -> "Windows":
        """The windows, checked: each number at least 1, and at least one window fits."""
        size = map_size(size)
        dims = len(size)
        dilation = (1,) * dims if dilation is None else dilation
        named = {"kernel": kernel, "stride": stride, "dilation": dilation}
        found = cls(size, *(axes(name, values, dims) for name, values in named.items()))
        for axis, (extent, n) in enumerate(zip(found.extents, size)):
            if extent > n:
                raise ValueError(
                    f"kernel must span at most the {n} positions of axis {axis}, not {extent} (pad the input)"
                )
        return found

    @property
    def extents(self) -> Axes:
        """How many positions a window spans on each axis."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation))

    @property
    def positions(self) -> Axes:
        """How many windows there are on each axis."""
        return tuple((n - e) // s + 1 for n, e, s in zip(self.size, self.extents, self.stride))

    @property
    def inputs(self) -> int:
        """Positions of the map."""
        return prod(self.size)

    def strides(self, beats: int) -> Axes:
        """The distance in beats of neighbours on each axis, with ``beats`` per position."""
        return tuple(beats * prod(self.size[axis + 1 :]) for axis in range(len(self.size)))

    def outer(self, beats: int) -> list[tuple[int, int]]:
        """The loops over the windows, as (count, stride in beats)."""
        return [(n, s * d) for n, s, d in zip(self.positions, self.stride, self.strides(beats))]

    def inner(self, beats: int) -> list[tuple[int, int]]:
        """The loops over the positions of a window, as (count, stride in beats)."""
        return [(n, s * d) for n, s, d in zip(self.kernel, self.dilation, self.strides(beats))]

    def view(self, x: np.ndarray) -> np.ndarray:
        """Every window of ``x`` (vectors, \\*size, C): (vectors, \\*positions, C, \\*kernel)."""
        where = tuple(range(1, 1 + len(self.size)))
        view = np.lib.stride_tricks.sliding_window_view(x, self.extents, axis=where)
        steps = tuple(slice(None, None, s) for s in self.stride)
        inside = tuple(slice(None, None, d) for d in self.dilation)
        return view[(slice(None), *steps, slice(None), *inside)]
