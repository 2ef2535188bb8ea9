# amaranth: UnusedElaboratable=no
"""DepthToSpace: channels become positions."""

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Shape

from ..parameters import divisor, integer_shape, one_of, positive
from .buffered_unit import LoopReader
from .loops import Loops
from .maps import map_size, maps


class DepthToSpace(LoopReader):
    """x (H, W, C) → y (H·b, W·b, C/b²) with b = ``block``, as ONNX defines it, a beat per cycle.

    Mode ``DCR``: y[h·b + i, w·b + j, c] = x[h, w, (i·b + j)·C/b² + c]; mode ``CRD``: … = x[h, w, (c·b + i)·b + j]. A
    nest of loops reads the beats from a circular buffer, which holds a row and what comes of the next meanwhile.

    Parameters
    ----------
    size : (H, W)
        Positions of the input map.
    channels : int
        Channels per position, a multiple of ``block``².
    lanes : int
        Elements per beat, dividing C/b²; 1 in mode ``CRD``, whose neighbours do not stay neighbours.
    element : Shape
        Shape of an element; ``unsigned(1)`` serves bipolar ones.
    block : int
        How many positions each becomes along each axis.
    mode : str
        ``DCR`` (depth, column, row) or ``CRD``.
    memory : str
        Where the buffer is: ``block``, ``registers``, ``distributed`` or ``auto`` (see :class:`~bitloom.hw.Window`).

    Members
    -------
    i, o : vectors of ``element``, ``lanes`` lanes
        A vector per ``interval`` = beats; the first output beat ``depth`` = 2 cycles after the first input beat.
    """

    def __init__(
        self,
        size: Sequence[int],
        channels: int,
        *,
        lanes: int,
        element: Shape,
        block: int,
        mode: str,
        memory: str = "auto",
    ):
        self._size = map_size(size)
        if len(self._size) != 2:
            raise ValueError(f"size must be (H, W), not {self._size}")
        self._block = positive("block", block)
        self._channels = positive("channels", channels)
        if self._channels % self._block**2:
            raise ValueError(f"channels must be a multiple of the {block}² positions of a block, not {channels}")
        self._mode = one_of("mode", mode, ("DCR", "CRD"))
        left = self._channels // self._block**2
        lanes = divisor("lanes", lanes, left, "channels that are left")
        if self._mode == "CRD" and lanes != 1:
            raise ValueError(f"lanes must be 1 in mode CRD, not {lanes}")
        beats, part, b = self._channels // lanes, left // lanes, self._block
        row, column, depth = (b * part, part, 1) if self._mode == "DCR" else (b, 1, b * b)
        height, width = self._size
        levels = ((height, width * beats), (b, row), (width, beats), (b, column), (part, depth))
        loops = Loops(levels, height * width * beats, free_level=0)
        super().__init__(loops, lanes=lanes, element=integer_shape("element", element), memory=memory)

    size = property(lambda self: self._size, doc="Positions of the input map.")
    channels = property(lambda self: self._channels, doc="Channels per position.")
    block = property(lambda self: self._block, doc="How many positions each becomes along each axis.")
    mode = property(lambda self: self._mode, doc="``DCR`` or ``CRD``.")

    def model(self, x: np.ndarray) -> np.ndarray:
        """The rearranged elements of ``x`` (vectors, positions · channels), flattened."""
        inside = maps(x, self._size, self._channels, *self._bounds)
        n, h, w, c = inside.shape
        b = self._block
        if self._mode == "DCR":
            y = inside.reshape(n, h, w, b, b, c // b**2).transpose(0, 1, 3, 2, 4, 5)
        else:
            y = inside.reshape(n, h, w, c // b**2, b, b).transpose(0, 1, 4, 2, 5, 3)
        return y.reshape(n, -1)
