"""Features in another order: a dense layer computes them in any, so its rows move and nothing is spent on it."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from ..graph import Node
from ..operators import MatMul, Requantize, Table, Threshold
from .context import Context, View
from .values import Value


def reordered(ctx: Context, value: Value, order: np.ndarray) -> Value | None:
    """``value``, flat features of a dense layer, over a node whose feature i is its feature ``order[i]``.

    The layer and the functions on it are emitted once more with their rows in that order; what nothing reads any longer
    is left out of the graph. None where the features come from anything else.
    """
    if value.shape != (order.size,) or not np.array_equal(np.sort(order), np.arange(value.size)):
        return None
    chain = [ctx.nodes[value.node]]
    while isinstance(chain[-1], Threshold | Table | Requantize):
        chain.append(ctx.nodes[chain[-1].inputs[0]])
    if not isinstance(chain[-1], MatMul) or chain[-1].groups != 1 or any(n.output.shape != value.shape for n in chain):
        return None
    place = np.argsort(order)  # where each feature goes
    name = chain[-1].inputs[0]
    for node in reversed(chain):
        name = _moved(ctx, node, name, order)
        if node.name in ctx.views:
            view = ctx.views[node.name]
            seen = view.value.with_channels(name, value.shape, place[view.value.index], order)
            ctx.views[name] = View(view.tensor, seen)
        if node.name in ctx.rough:
            ctx.rough[name] = ctx.rough[node.name]
    return value.with_channels(name, value.shape, place[value.index], order)


def _moved(ctx: Context, node: Node, source: str, order: np.ndarray) -> str:
    """``node`` once more, reading ``source``, its rows in ``order``."""
    prefix = node.name.rstrip("0123456789")
    ctx.counts[prefix] += 1
    rows = {}
    for field in fields(node):
        constant = getattr(node, field.name)
        if isinstance(constant, np.ndarray) and constant.shape[0] == order.size:
            rows[field.name] = constant[order]
    scale = np.array(node.output.scale)
    output = replace(node.output, scale=tuple(scale[order].tolist())) if scale.size == order.size else node.output
    made = replace(node, name=f"{prefix}{ctx.counts[prefix]}", inputs=(source,), output=output, **rows)
    ctx.place(made, False)
    return made.name
