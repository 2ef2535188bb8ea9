"""Level ``model`` of an imported network: its ONNX file, in QONNX's own executor, against the integer graph."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from bitloom import RequestError
from bitloom.quant import Graph

from ..levels import Findings, Unavailable
from ..vectors import held_out
from .same import same

RANDOM = 200
"""Random samples where nobody says how many."""

SECONDS = 60.0
"""How long it may take where nobody says how many samples; the batch under way is finished."""

HELD_OUT = 1000
"""Held-out samples at most, where nobody says how many."""


def verify_imported(graph: Graph, network: Path, count: int | None,
                    note: Callable[[str], None] = lambda _: None) -> Findings:
    """Import ``network`` again as ``graph`` was imported, and compare each quantizer, and the class, with its run.

    What goes through: random samples, directed ones, ones bred to reach more levels, and held-out ones where the data
    set is known and at hand.
    """
    from bitloom.quant.files import require_qonnx

    try:
        require_qonnx()
    except RequestError as error:
        raise Unavailable(str(error)) from None
    from bitloom.quant.qonnx import import_qonnx
    from bitloom.quant.qonnx.checked import kinds
    from bitloom.quant.qonnx.compare import compare
    from bitloom.quant.qonnx.model import read
    from bitloom.quant.qonnx.reference import CannotRun
    from bitloom.quant.qonnx.samples import alternating, real_inputs

    facts: Any = graph.metadata.get("input", {})
    declared = {"input_format": graph.input.output.format, "input_scale": facts.get("scale"),
                "input_offset": facts.get("offset", 0.0)}
    for options in ({}, declared) if isinstance(facts.get("scale"), float) else ({},):  # the file itself may say it
        try:
            imported = import_qonnx(network, name=graph.name, requantize=str(graph.metadata.get("requantize", "auto")),
                                    check=0, **options)
        except RequestError:
            continue
        if same(imported.graph, graph):
            break
    else:
        return Findings(0, 0, "", (f"importing {network} gives another graph than the one that was built",))
    parts = kinds(graph, count, RANDOM)
    known, _ = held_out(graph)
    if known is not None:
        parts["held-out"] = known[: count or HELD_OUT].reshape(-1, *graph.input.output.shape)
    integers, model = np.stack(list(alternating(*parts.values()))), read(network)
    try:
        found = compare(imported, model, real_inputs(imported, model, integers), note, None if count else SECONDS)
    except CannotRun as error:
        raise Unavailable(f"nothing here can run {network.name}: {error}") from None
    wrong = tuple(f"{row.quantizer}: {row.mismatches} of {row.samples} differ from node {row.node}"
                  for row in found.rows if row.mismatches)
    cut = f"{found.samples} (for time) of " if found.samples < found.wanted else ""
    each = ", ".join(f"{len(part)} {kind}" for kind, part in parts.items() if len(part))
    compared = (f"{cut}{len(integers)} samples ({each}) of "
                f"{prod(graph.input.output.shape)} elements at {len(found.rows)} places of {network.name} in "
                f"{found.reference}" + (f"; {found.ties} ties that float32 breaks" if found.ties else "")
                + (f"; {found.reach}" if found.reach else ""))
    return Findings(found.samples, max(row.mismatches for row in found.rows), compared, wrong)
