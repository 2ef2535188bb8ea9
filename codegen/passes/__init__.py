"""Passes over the integer graph: each takes a graph and returns one that computes the same outputs.

:func:`simplify` runs them in order and the verifier after each. A new pass is a file here with one function
``Graph → Graph``, safe to repeat, named in :data:`PIPELINE`.
"""

from __future__ import annotations

from collections.abc import Callable

from bitloom.quant import Graph, verify

from .absorb_bias import absorb_bias
from .clamp_thresholds import clamp_thresholds
from .dead_code import remove_dead_nodes
from .lower import lower
from .ranges import narrow_formats, value_ranges

PIPELINE: tuple[Callable[[Graph], Graph], ...] = (
    remove_dead_nodes,
    absorb_bias,
    clamp_thresholds,
    narrow_formats,
    lower,
)


def simplify(graph: Graph) -> Graph:
    """Run every pass of :data:`PIPELINE` in order; the verifier checks the graph before and after each."""
    verify(graph)
    for run_pass in PIPELINE:
        graph = verify(run_pass(graph))
    return graph


__all__ = [
    "PIPELINE",
    "absorb_bias",
    "clamp_thresholds",
    "lower",
    "narrow_formats",
    "remove_dead_nodes",
    "simplify",
    "value_ranges",
]
