"""What operators over positions share: one or two spatial axes before the channels, and windows on them."""

from __future__ import annotations

import numpy as np

from ..graph import Node, Tensor

Axes = tuple[int, ...]
"""One number per spatial axis: (width,) or (height, width)."""


def extents(kernel: Axes, dilation: Axes) -> Axes:
    """How many input positions a window spans on each axis."""
    return tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation))


def positions(spatial: Axes, kernel: Axes, stride: Axes, dilation: Axes) -> Axes:
    """How many windows fit on each axis, without padding."""
    return tuple((n - e) // s + 1 for n, e, s in zip(spatial, extents(kernel, dilation), stride))


def windows(x: np.ndarray, kernel: Axes, stride: Axes, dilation: Axes) -> np.ndarray:
    """Every window of ``x`` (samples, *spatial, C) as a view: (samples, *positions, C, *kernel)."""
    axes = tuple(range(1, 1 + len(kernel)))
    view = np.lib.stride_tricks.sliding_window_view(x, extents(kernel, dilation), axis=axes)  # type: ignore[call-overload]
    steps = tuple(slice(None, None, s) for s in stride)
    inside = tuple(slice(None, None, d) for d in dilation)
    return np.asarray(view[(slice(None), *steps, slice(None), *inside)])


def check_windows(node: Node, x: Tensor, kernel: Axes, stride: Axes, dilation: Axes) -> Axes:
    """Refuse windows that do not fit ``x``; returns how many positions there are on each axis."""
    dims = len(x.shape) - 1
    if dims not in (1, 2):
        node.fail(f"works on (width, channels) or (height, width, channels), not {x.shape}")
    for name, values in (("kernel", kernel), ("stride", stride), ("dilation", dilation)):
        if len(values) != dims or any(v < 1 for v in values):
            node.fail(f"{name} must be {dims} numbers of at least 1, not {values}")
    for n, e in zip(x.shape, extents(kernel, dilation)):
        if e > n:
            node.fail(f"a window spans {e} positions, and the input has {n}; pad it")
    return positions(x.shape[:-1], kernel, stride, dilation)
