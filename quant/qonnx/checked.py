"""The comparison that belongs to an import: which samples, for how long, and what is kept of it with the graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from bitloom import WorkError

from .compare import compare
from .reaching import bred_integers
from .reference import CannotRun
from .samples import alternating, directed_integers, random_integers, real_inputs

if TYPE_CHECKING:
    from onnx import ModelProto

    from ..graph import Graph
    from .imported import Imported

RANDOM = 32
"""Random samples that are compared where nobody says how many."""

BRED = 32
"""Bred samples at most."""

SECONDS = 8.0
"""How long the comparison may take where nobody says how many samples; the batch under way is finished."""

ELEMENTS = 1 << 23
"""Elements of all samples together, where nobody says how many."""


def checked(imported: Imported, model: ModelProto, count: int | None = None,
            note: Callable[[str], None] = lambda _: None) -> Imported:
    """``imported``, compared with its file ``model``; what was found is in its graph's metadata under ``compared``.

    :param count: random samples, beside the directed ones, however long they take; 0 compares nothing; None is
        :data:`RANDOM` in at most :data:`SECONDS`.
    :param note: told how far it is.
    :raises WorkError: the two differ.
    """
    if count == 0:
        return unchecked(imported, "no samples were asked for")
    graph = imported.graph
    integers = np.stack(list(alternating(*kinds(graph, count, RANDOM).values())))
    with np.errstate(over="ignore"):
        inputs = real_inputs(imported, model, integers)
    if not np.all(np.isfinite(inputs)):
        return unchecked(imported, "what its input's integers stand for is beyond what float32 holds")
    try:
        found = compare(imported, model, inputs, note, SECONDS if count is None else None)
    except CannotRun as error:
        return unchecked(imported, f"nothing here can run the file: {error}")
    for row in found.rows:
        if row.mismatches:
            raise WorkError(f"{graph.metadata['source']}: graph and file must agree, and at {row.quantizer} (node "
                            f"{row.node}) {row.mismatches} of {row.samples} samples differ from what {found.reference} "
                            "computes; please report the file")
    metadata = {**graph.metadata, "compared": found.summary()}
    return replace(imported, graph=replace(graph, metadata=metadata), compared=found)


def kinds(graph: Graph, count: int | None, usual: int) -> dict[str, np.ndarray]:
    """Samples for ``graph`` by their kind: random ones, directed ones, and ones bred to reach what these do not.

    :param count: random samples; None is the ``usual`` number, or as many as do not fill the memory.
    """
    most = max(2, ELEMENTS // prod(graph.input.output.shape) // 2) if count is None else None
    random = min(usual, most) if most is not None else count or usual
    made = {"random": random_integers(graph, random), "directed": directed_integers(graph, most=most)}
    return {**made, "bred": bred_integers(graph, np.concatenate(list(made.values())), min(BRED, most or BRED))}


def unchecked(imported: Imported, reason: str) -> Imported:
    """``imported``, with the reason why it was not compared."""
    metadata = {**imported.graph.metadata, "compared": {"reference": None, "reason": reason}}
    return replace(imported, graph=replace(imported.graph, metadata=metadata))

