"""Monotone functions of integers as thresholds, whatever operator computes them."""

from __future__ import annotations

import numpy as np

from bitloom.quant import Range, Requantize, Table, Threshold

from .ranges import channel_ranges

MOST_LEVELS = 1023
"""Functions of more levels are left as they are."""


def as_threshold(node: Threshold | Requantize | Table, bounds: Range) -> Threshold | None:
    """The thresholds that compute the same as ``node`` for operands within ``bounds``.

    None if the function falls somewhere, or has no levels or more than :data:`MOST_LEVELS`.
    """
    if isinstance(node, Threshold):
        return node
    if isinstance(node, Requantize):
        return unrolled(node)
    lo, hi = (bound[:, None] for bound in channel_ranges(bounds, len(node.table)))
    values = node.x_min + np.arange(node.table.shape[1])
    table = np.take_along_axis(node.table, np.clip(values, lo, hi) - node.x_min, axis=1)
    if np.any(np.diff(table, axis=1) < 0):
        return None
    step = 2 if node.output.format.bipolar else 1
    levels = np.arange(table.min() + step, table.max() + 1, step)
    if not 0 < len(levels) <= MOST_LEVELS:
        return None
    reached = np.stack([np.searchsorted(row, levels) for row in table])
    thresholds = np.append(values, values[-1] + 1)[reached]
    return Threshold(node.name, node.inputs, node.output, thresholds, int(table.min()), step)


def unrolled(node: Requantize) -> Threshold | None:
    """The thresholds of a requantization: level v is reached from ceil((v · 2^shift − offset) / multiplier) + late on.

    None if there are none, more than :data:`MOST_LEVELS`, or if they leave 61 bits on the way.
    """
    levels = np.arange(node.y_min + 1, node.y_max + 1)
    peak = max(abs(node.y_min), abs(node.y_max)) << node.shift
    if not 0 < len(levels) <= MOST_LEVELS or peak >= 1 << 61:
        return None
    offset, multiplier = np.broadcast_arrays(node.offset, node.multiplier)
    thresholds = -((offset[:, None] - (levels << node.shift)) // multiplier[:, None])
    if node.late is not None:
        thresholds = thresholds + node.late
    return Threshold(node.name, node.inputs, node.output, thresholds, node.y_min)
