"""Imports of files made by tests, and their comparison with QONNX's executor."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from onnx import ModelProto
from onnx.reference import ReferenceEvaluator

from bitloom.quant import run
from bitloom.quant.qonnx import Imported
from bitloom.quant.qonnx.compare import Comparison, compare
from bitloom.quant.qonnx.importer import import_proto
from bitloom.quant.qonnx.samples import extreme_integers, random_integers, real_inputs

from .onnx_models import Case


def imported_from(source: Case | ModelProto, **options: Any) -> Imported:
    """The import of a file in memory."""
    case = source if isinstance(source, Case) else Case(source, options)
    return import_proto(case.model, "net", name="net", **case.options)


def agree(imported: Imported, model: ModelProto, count: int, seed: int = 0) -> list[Comparison]:
    """Compare the two on ``count`` random samples and the extreme ones; none may differ but for ties."""
    graph = imported.graph
    integers = np.concatenate([random_integers(graph, count, seed), extreme_integers(graph, seed)])
    rows = compare(imported, model, real_inputs(imported, model, integers)).rows
    assert rows and all(row.samples == len(integers) for row in rows)
    assert [row for row in rows if row.mismatches] == []
    assert sum(row.ties for row in rows) < 0.3 * len(rows) * len(integers), rows
    return rows


def reference_agrees(imported: Imported, model: ModelProto, count: int, seed: int = 0) -> None:
    """Compare the outputs of the two with ONNX' own reference implementation: equal, number by number.

    For files that QONNX's executor cannot run, whose last quantizer's sums float32 holds exactly.
    """
    graph = imported.graph
    integers = np.concatenate([random_integers(graph, count, seed), extreme_integers(graph, seed)])
    reference = ReferenceEvaluator(model)
    feeds = real_inputs(imported, model, integers)
    theirs = np.concatenate([np.asarray(reference.run(None, {reference.input_names[0]: x[None]})[0], np.float32)
                             for x in feeds])
    ours = imported.real(graph.output, run(graph, integers))
    assert np.array_equal(ours, theirs), (ours != theirs).sum()
    assert len(np.unique(ours)) > 3


def runtime_agrees(imported: Imported, model: ModelProto, count: int, seed: int = 0) -> None:
    """Compare the outputs of the two with ONNX Runtime: equal, number by number, for the reasons above."""
    graph = imported.graph
    integers = np.concatenate([random_integers(graph, count, seed), extreme_integers(graph, seed)])
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    feeds = real_inputs(imported, model, integers)
    theirs = np.concatenate([np.asarray(session.run(None, {session.get_inputs()[0].name: x[None]})[0], np.float32)
                             for x in feeds])
    ours = imported.real(graph.output, run(graph, integers))
    assert np.array_equal(ours, theirs), ((ours != theirs).sum(), ours.size)
    assert len(np.unique(ours)) > 3
