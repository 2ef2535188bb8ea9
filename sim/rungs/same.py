"""Whether two integer graphs are the same."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from bitloom.quant import Graph


def same(a: Graph, b: Graph) -> bool:
    """Whether two graphs compute the same from the same constants."""
    if (a.output, [(n.op, n.name) for n in a]) != (b.output, [(n.op, n.name) for n in b]):
        return False
    return all(
        np.array_equal(p, q) if isinstance(p, np.ndarray) or isinstance(q, np.ndarray) else p == q
        for x, y in zip(a, b) for p, q in ((getattr(x, field.name), getattr(y, field.name)) for field in fields(x))
    )
