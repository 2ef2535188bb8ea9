"""Thresholds of a monotone integer function, by bisection on the function itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bitloom import WorkError

Levels = Callable[[np.ndarray], np.ndarray]
"""int64 (n, channels) → int64 (n, channels): each channel's own non-decreasing function, 0 … levels."""


def find_thresholds(name: str, f: Levels, lo: np.ndarray, hi: np.ndarray, levels: int) -> np.ndarray:
    """The least integers at which each channel of ``f`` reaches 1, 2, … ``levels``.

    :param lo, hi: int64 (channels,), the inclusive range of each channel's argument.
    :returns: int64 (channels, levels), rows ascending; ``hi + 1`` where a level is never reached, ``lo`` where the
        function is never below it.
    :raises WorkError: ``f`` does not do what the thresholds T say at T, at T − 1 or at an end of the range: it is
        not monotone.
    """
    wanted = np.arange(1, levels + 1)[:, None]
    below = np.broadcast_to(lo - 1, (levels, len(lo))).copy()
    above = np.broadcast_to(hi + 1, (levels, len(lo))).copy()
    while np.any(above - below > 1):
        middle = (below + above) // 2
        open_ = above - below > 1
        reached = f(np.clip(middle, lo, hi)) >= wanted
        above = np.where(open_ & reached, middle, above)
        below = np.where(open_ & ~reached, middle, below)
    for point in (above, above - 1, lo, hi):
        x = np.broadcast_to(np.clip(point, lo, hi), above.shape)
        wrong = (f(x) >= wanted) != (x >= above)
        if not np.any(wrong):
            continue
        channel = int(np.argwhere(wrong)[0][1])
        raise WorkError(f"{name}: an activation must be monotone to become thresholds, and channel {channel} is not")
    return above.T.copy()
