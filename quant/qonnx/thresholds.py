"""Integers at which a quantizer of a float function changes: bisection where it is monotone, search where it is not.

The argument of each channel is an integer lo … hi. What counts is the function as float32 arithmetic computes it, so
that rounding and ties fall where the network's own arithmetic puts them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Reached = Callable[[np.ndarray], np.ndarray]
"""int64 (levels, channels) → bool (levels, channels): whether the function of row l has reached level l + 1."""

Levels = Callable[[np.ndarray, int], np.ndarray]
"""int64 (n,) arguments of one channel, its number → int64 (n,): the level of each argument."""

CHUNK = 1 << 22
"""Evaluations made at a time."""


def bisect(reached: Reached, lo: np.ndarray, hi: np.ndarray, levels: int) -> np.ndarray | None:
    """The least arguments at which each channel of a rising function reaches 1, 2, … ``levels``.

    :param lo, hi: int64 (channels,), the inclusive range of each channel's argument.
    :returns: int64 (channels, levels), rows ascending; ``hi + 1`` where a level is never reached, ``lo`` where the
        function is never below it; None if the function is seen to fall anywhere.
    """
    below = np.broadcast_to(lo - 1, (levels, len(lo))).copy()
    above = np.broadcast_to(hi + 1, (levels, len(lo))).copy()
    while np.any(above - below > 1):
        middle = (below + above) // 2
        open_ = above - below > 1
        up = reached(np.clip(middle, lo, hi))
        above = np.where(open_ & up, middle, above)
        below = np.where(open_ & ~up, middle, below)
    for point in (above, above - 1, lo, hi):
        x = np.broadcast_to(np.clip(point, lo, hi), above.shape)
        if np.any(reached(x) != (x >= above)):
            return None
    return above.T.copy() if np.all(np.diff(above, axis=0) >= 0) else None


def pieces(level: Levels, lo: np.ndarray, hi: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray] | None:
    """The intervals on which each channel of any function is constant, by evaluating all of them.

    :returns: int64 (channels, n) of the first arguments of the second, third, … interval, ``hi + 1`` beyond the last;
        and int64 (channels, n + 1) of the levels on them, the last repeated. None if there are more than ``limit``.
    """
    starts, values = [], []
    for c in range(len(lo)):
        edges, level_of = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        before: int | None = None
        for first in range(int(lo[c]), int(hi[c]) + 1, CHUNK):
            x = np.arange(first, min(first + CHUNK, int(hi[c]) + 1))
            y = level(x, c)
            new = np.flatnonzero(np.diff(y, prepend=y[0] - 1 if before is None else before))
            edges.append(x[new])
            level_of.append(y[new])
            before = int(y[-1])
        starts.append(np.concatenate(edges)[1:])
        values.append(np.concatenate(level_of))
        if len(starts[-1]) > limit:
            return None
    most = max(1, *(len(s) for s in starts))
    rows = np.stack([np.pad(s, (0, most - len(s)), constant_values=h + 1) for s, h in zip(starts, hi)])
    table = np.stack([np.pad(v, (0, most + 1 - len(v)), mode="edge") for v in values])
    return rows, table

