# amaranth: UnusedElaboratable=no
"""Upsample: each position several times (nearest neighbour)."""

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Shape

from ..parameters import divisor, integer_shape, positive
from .buffered_unit import LoopReader
from .loops import Loops
from .maps import axes, map_size, maps


class Upsample(LoopReader):
    """y[p, c] = x[p // factors, c]: every position ``factors[d]`` times along axis d, a beat per cycle.

    A nest of loops reads the beats from a circular buffer: each position as often as the last factor says, then, if
    there is another axis, each row as often as the first one says. Rows are freed as a whole where they are read
    again, positions one by one where they are not.

    Parameters
    ----------
    size : (W,) or (H, W)
        Positions of the input map.
    channels, lanes : int
        Channels per position; elements per beat, dividing the channels.
    element : Shape
        Shape of an element; ``unsigned(1)`` serves bipolar ones.
    factors : one number per axis
        How often each position comes.
    memory : str
        Where the buffer is: ``block``, ``registers``, ``distributed`` or ``auto`` (see :class:`~bitloom.hw.Window`).

    Members
    -------
    i, o : vectors of ``element``, ``lanes`` lanes
        A vector per ``interval`` = output beats; the first ``depth`` = 2 cycles after the first input beat.
    """

    def __init__(
        self,
        size: Sequence[int],
        channels: int,
        *,
        lanes: int,
        element: Shape,
        factors: Sequence[int],
        memory: str = "auto",
    ):
        self._size = map_size(size)
        self._channels = positive("channels", channels)
        lanes = divisor("lanes", lanes, self._channels, "channels")
        self._factors = axes("factors", factors, len(self._size))
        beats = self._channels // lanes
        rows, width = (1, *self._size)[-2:]
        again = (1, *self._factors)[-2]
        levels = ((rows, width * beats), (again, 0), (width, beats), (self._factors[-1], 0), (beats, 1))
        loops = Loops(levels, rows * width * beats, free_level=2 if again == 1 else 0)
        super().__init__(loops, lanes=lanes, element=integer_shape("element", element), memory=memory)

    size = property(lambda self: self._size, doc="Positions of the input map.")
    channels = property(lambda self: self._channels, doc="Channels per position.")
    factors = property(lambda self: self._factors, doc="How often each position comes, on each axis.")

    def model(self, x: np.ndarray) -> np.ndarray:
        """The repeated positions of ``x`` (vectors, positions · channels), flattened."""
        y = maps(x, self._size, self._channels, *self._bounds)
        for axis, factor in enumerate(self._factors, start=1):
            y = np.repeat(y, factor, axis=axis)
        return y.reshape(len(y), -1)
