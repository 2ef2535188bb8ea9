"""How passes change nodes."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np

from bitloom.quant import Graph, Node

N = TypeVar("N", bound=Node)


def updated(node: N, **values: object) -> N:
    """``node`` with these fields; the very same object where they are what it has, so that nothing is derived again."""
    same = all(_equal(getattr(node, name), value) for name, value in values.items())
    return node if same else replace(node, **values)  # type: ignore[arg-type]


def _equal(old: object, new: object) -> bool:
    if isinstance(old, np.ndarray) and isinstance(new, np.ndarray):
        return np.array_equal(old, new)
    return not isinstance(old, np.ndarray) and not isinstance(new, np.ndarray) and old == new


def unchanged(before: Graph, after: Graph) -> bool:
    """Whether a pass left every node as it was."""
    return before.output == after.output and len(before.nodes) == len(after.nodes) and all(
        a is b for a, b in zip(before.nodes, after.nodes))
