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
        np.array_equal(getattr(x, field.name), getattr(y, field.name)) if field.type == "np.ndarray"
        or isinstance(getattr(x, field.name), np.ndarray) else getattr(x, field.name) == getattr(y, field.name)
        for x, y in zip(a, b) for field in fields(x)
    )
