# amaranth: UnusedElaboratable=no
"""Start words: where the sums of a folded unit start, bias and what its codes leave out, as constants."""

from collections.abc import Callable, Sequence

import numpy as np

from ..parameters import pack_rows, shape_of_range
from .rom import Rom


def start_width(start: np.ndarray, widest: int) -> int:
    """Bits of a start, signed, at most ``widest``: sums are made modulo that."""
    return min(widest, shape_of_range(min(-1, start.min()), start.max()).width)


def start_rom(
    start: np.ndarray,
    lanes: int,
    width: int,
    memory: str,
    words: Callable[[np.ndarray], Sequence[int]] | None = None,
) -> Rom | None:
    """The starts (N,) of ``width`` bits, a word for each fold of ``lanes``; a single word if all folds' are equal, and
    None if all are zero.

    :param memory: that of the weights; start words are in block memory only where they are many. :param words: makes
    the words of the rows (folds, lanes); :func:`~bitloom.hw.parameters.pack_rows` if None.
    """
    if not start.any():
        return None
    rows = start.reshape(-1, lanes)
    if np.all(rows == rows[0]):
        rows = rows[:1]
    make = (lambda: pack_rows(rows, width)) if words is None else (lambda: words(rows))
    return Rom(make, width * lanes, "distributed" if memory == "distributed" else "auto", depth=len(rows))
