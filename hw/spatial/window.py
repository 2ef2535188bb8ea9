# amaranth: UnusedElaboratable=no
"""Window: the patches that a convolution sees, one after the other."""

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Shape

from ..parameters import divisor, integer_shape, positive
from .buffered_unit import LoopReader
from .loops import Loops
from .maps import Windows, maps


class Window(LoopReader):
    """y[p, (g, k, c)] = x[stride·p + dilation·k, g·C/groups + c], a beat per cycle: a convolution for a MatVec behind.

    Windows follow one another row by row; in each, groups are outermost, then the kernel in row-major order, then the
    channels of the group. Beats stay in a circular buffer from which a nest of loops reads them, and are freed up to
    the next window's first position after each window: a line buffer without lines, which holds no more than is
    needed to read a map while the next comes in. (Sliding windows over a circular buffer: FINN's
    ConvolutionInputGenerator; its least size after Wiggers et al., 2007.)

    Parameters
    ----------
    size : (W,) or (H, W)
        Positions of the input map. Padding goes before (:class:`~bitloom.hw.Pad`).
    channels : int
        Channels per position.
    lanes : int
        Elements per beat, dividing the channels of a group.
    element : Shape
        Shape of an element; ``unsigned(1)`` serves bipolar ones.
    kernel, stride, dilation : one number per axis
        Positions of a window, distance of windows, distance of a window's positions.
    groups : int
        Dividing the channels.
    memory : str
        Where the buffer is: ``block``, ``registers``, ``distributed`` (memory in LUTs; iCE40 has none), or ``auto``:
        ``registers`` up to 96 bits for each 16-bit block memory saved, else ``block``.

    Members
    -------
    i, o : vectors of ``element``, ``lanes`` lanes
        A vector per ``interval`` = max(output beats, input beats); the first output beat ``depth`` = 2 cycles after
        the first input beat (after the last, where the output is a single beat).
    """

    def __init__(
        self,
        size: Sequence[int],
        channels: int,
        *,
        lanes: int,
        element: Shape,
        kernel: Sequence[int],
        stride: Sequence[int],
        dilation: Sequence[int],
        groups: int = 1,
        memory: str = "auto",
    ):
        self._windows = windows = Windows.of(size, kernel, stride, dilation)
        self._channels = positive("channels", channels)
        self._groups = divisor("groups", groups, self._channels, "channels")
        lanes = divisor("lanes", lanes, self._channels // self._groups, "channels of a group")
        beats, group = self._channels // lanes, self._channels // self._groups // lanes
        levels = (*windows.outer(beats), (self._groups, group), *windows.inner(beats), (group, 1))
        loops = Loops(levels, windows.inputs * beats, free_level=len(windows.size) - 1)
        super().__init__(loops, lanes=lanes, element=integer_shape("element", element), memory=memory)

    size = property(lambda self: self._windows.size, doc="Positions of the input map.")
    channels = property(lambda self: self._channels, doc="Channels per position.")
    kernel = property(lambda self: self._windows.kernel, doc="Positions of a window.")
    stride = property(lambda self: self._windows.stride, doc="Distance of windows.")
    dilation = property(lambda self: self._windows.dilation, doc="Distance of the positions of a window.")
    groups = property(lambda self: self._groups, doc="Groups of channels.")
    positions = property(lambda self: self._windows.positions, doc="Windows on each axis.")

    def model(self, x: np.ndarray) -> np.ndarray:
        """The patches of ``x`` (vectors, positions · channels), flattened."""
        patches = self._windows.view(maps(x, self.size, self._channels, *self._bounds))
        dims = len(self.size)
        grouped = patches.reshape(*patches.shape[: 1 + dims], self._groups, -1, *self.kernel)
        return np.moveaxis(grouped, 2 + dims, -1).reshape(len(patches), -1)
