"""How passes change nodes."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np

from bitloom.quant import Graph, Node

N = TypeVar("N", bound=Node)


def updated(node: N, **values: object) -> N:
    """``node`` with these fields; the very same object where they are what it has, so that nothing is derived again."""
    same = (np.array_equal(old, new) if isinstance(old, np.ndarray) and isinstance(new, np.ndarray) else old == new
            for old, new in ((getattr(node, name), value) for name, value in values.items()))
    return node if all(same) else replace(node, **values)  # type: ignore[arg-type]


def unchanged(before: Graph, after: Graph) -> bool:
    """Whether a pass left every node as it was."""
    return before.output == after.output and len(before.nodes) == len(after.nodes) and all(
        a is b for a, b in zip(before.nodes, after.nodes))
