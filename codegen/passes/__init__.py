"""Passes over the integer graph: each takes a graph and returns one that computes the same outputs.

:func:`simplify` runs them in order and the verifier after each. A new pass is a file here with one function
``Graph → Graph``, safe to repeat, named in :data:`PIPELINE`.
"""

from __future__ import annotations

from collections.abc import Callable

from bitloom.quant import Graph, verify

from .absorb_bias import absorb_bias
from .align_branches import align_branches
from .clamp_thresholds import clamp_thresholds
from .dead_code import remove_dead_nodes
from .flatten_first import flatten_first
from .fold_constants import fold_constants
from .lookups import lookups
from .lower import lower
from .merge_functions import merge_functions
from .ranges import narrow_formats, value_ranges
from .requantize import requantize
from .rewrite import unchanged
from .sign_thresholds import sign_thresholds
from .tables import choose_tables
from .threshold_first import threshold_first

PIPELINE: tuple[Callable[[Graph], Graph], ...] = (
    lookups,
    remove_dead_nodes,
    narrow_formats,
    absorb_bias,
    fold_constants,
    choose_tables,
    threshold_first,
    merge_functions,
    absorb_bias,
    align_branches,
    clamp_thresholds,
    narrow_formats,
    fold_constants,
    choose_tables,
    requantize,
    flatten_first,
    lower,
)


ROUNDS = 8
"""What one pass leaves may be work for an earlier one; a few rounds are enough."""


def simplify(graph: Graph) -> Graph:
    """Run :data:`PIPELINE` until nothing changes, then :func:`sign_thresholds`; the verifier checks after each pass."""
    verify(graph)
    for _ in range(ROUNDS):
        before = graph
        for run_pass in PIPELINE:
            graph = verify(run_pass(graph))
        if unchanged(before, graph):
            break
    return verify(sign_thresholds(graph))


__all__ = [
    "PIPELINE",
    "absorb_bias",
    "align_branches",
    "choose_tables",
    "clamp_thresholds",
    "flatten_first",
    "fold_constants",
    "lower",
    "merge_functions",
    "narrow_formats",
    "remove_dead_nodes",
    "requantize",
    "sign_thresholds",
    "simplify",
    "threshold_first",
    "value_ranges",
]
