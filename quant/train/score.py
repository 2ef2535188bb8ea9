"""How many samples an integer graph classifies rightly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..graph import Graph
from ..interpret import run

PART = 1000
"""Samples that are run at a time: more would only take more memory."""


def parts(count: int) -> Iterator[slice]:
    """``count`` samples, :data:`PART` at a time."""
    return (slice(at, at + PART) for at in range(0, count, PART))


def score(graph: Graph, x: np.ndarray, y: np.ndarray) -> dict[str, object]:
    """``samples``, ``errors`` and ``accuracy`` of ``graph`` on samples ``x`` of the classes ``y``."""
    errors = sum(int(np.sum(run(graph, x[part])[:, 0] != y[part])) for part in parts(len(x)))
    return {"samples": len(x), "errors": errors, "accuracy": (len(x) - errors) / len(x)}
