"""The order of a tensor's elements in a file, beside their order in the integer graph: an index, and how it is kept."""

from __future__ import annotations

from math import prod

import numpy as np

DIGITS = 8
"""Strides with which an order is kept; one that needs more is kept element by element."""


def packed(index: np.ndarray) -> dict[str, list[int]] | None:
    """``index`` in JSON's types; None where it is 0, 1, 2, …

    Written as nested loops wherever it can be: element (i, j, …) of a tensor of ``dims`` is number i·s + j·t + … for
    ``strides`` (s, t, …), which says all that reshaping and transposing can do. Otherwise as it is.
    """
    numbers = index.ravel()
    if np.array_equal(numbers, np.arange(numbers.size)):
        return None
    dims: list[int] = []
    strides: list[int] = []
    rest = numbers
    while rest.size > 1 and len(dims) < DIGITS:
        step = int(rest[1] - rest[0])
        breaks = np.flatnonzero(np.diff(rest) != step)
        run = int(breaks[0]) + 1 if len(breaks) else rest.size
        if rest.size % run or run < 2:
            break
        rows = rest.reshape(-1, run)
        if not np.array_equal(rows, rows[:, :1] + step * np.arange(run)):
            break
        dims.insert(0, run)
        strides.insert(0, step)
        rest = rows[:, 0]
    if rest.size == 1 and rest[0] == 0:
        return {"dims": dims, "strides": strides}
    return {"index": [int(n) for n in numbers]}


def unpacked(kept: dict[str, list[int]] | None, shape: tuple[int, ...]) -> np.ndarray:
    """The index of ``shape`` that :func:`packed` made ``kept`` of; :class:`ValueError` where it is none."""
    count = prod(shape)
    if kept is None:
        return np.arange(count).reshape(shape)
    if "index" in kept:
        return np.asarray(kept["index"], np.int64).reshape(shape)
    dims, strides = kept["dims"], kept["strides"]
    if len(dims) != len(strides) or len(dims) > DIGITS or prod(dims) != count:
        raise ValueError(f"an order of {dims} by {strides} does not fit the shape {shape}")
    index = np.zeros((1,) * len(dims), np.int64)
    for axis, (size, stride) in enumerate(zip(dims, strides)):
        index = index + (np.arange(size) * stride).reshape(-1, *(1,) * (len(dims) - 1 - axis))
    return index.reshape(shape)
