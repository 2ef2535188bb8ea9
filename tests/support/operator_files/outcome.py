"""What becomes of a file: refused by name, or compared with each reference that can run it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bitloom import WorkError
from bitloom.quant import run
from bitloom.quant.qonnx import Imported
from bitloom.quant.qonnx.compare import compare
from bitloom.quant.qonnx.executors import Executor
from bitloom.quant.qonnx.failure import ImportFailure
from bitloom.quant.qonnx.grid import Grid
from bitloom.quant.qonnx.importer import import_proto
from bitloom.quant.qonnx.reference import CannotRun
from bitloom.quant.qonnx.samples import extreme_integers, random_integers, real_inputs

from .files import File

SAMPLES = 12
"""Random samples of each file, beside the extreme ones."""

Verdict = Literal["exact", "ties", "refused", "differs"]


@dataclass(frozen=True)
class Outcome:
    """``verdict`` over the file, ``why`` in words.

    ``disagreement`` names the reference that ours differs from where ours is what another one has.
    """

    file: File
    verdict: Verdict
    why: str = ""
    disagreement: str = ""

    def __str__(self) -> str:
        return "; ".join(filter(None, (f"{self.file}: {self.verdict}", self.why, self.disagreement)))


def outcome(file: File) -> Outcome:
    """Import ``file`` and compare the graph with every reference, number by number; ties by rational arithmetic."""
    try:
        imported = import_proto(file.model, "file.onnx", name="net", requantize="exact")
    except ImportFailure as error:
        named = re.match(r"node '.+' \(\w+\): |file\.onnx: |(?:in|out)put '", str(error))
        return Outcome(file, "refused" if named else "differs", str(error))
    graph = imported.graph
    integers = np.concatenate([random_integers(graph, SAMPLES, file.seed), extreme_integers(graph, file.seed)])
    inputs = real_inputs(imported, file.model, integers)
    ties, agreed, differing, failed = 0, list[str](), list[str](), list[str]()
    for executor in file.references:
        try:
            mismatches, tied = _against(imported, file, executor, inputs)
        except WorkError as error:
            failed.append(str(error))
            continue
        if mismatches:
            differing.append(f"{executor.name} ({mismatches})")
        else:
            ties += tied
            agreed.append(executor.name)
    if not agreed:
        return Outcome(file, "differs", f"from {', '.join(differing)} {'; '.join(failed)}".strip())
    apart = f"as {agreed[0]}, unlike {differing[0]} samples" if differing else ""
    return Outcome(file, "ties" if ties else "exact", "; ".join(failed), apart)


def _against(imported: Imported, file: File, executor: Executor, inputs: np.ndarray) -> tuple[int, int]:
    """Samples that differ, and those that differ by a tie, at all places together."""
    try:
        found = compare(imported, file.model, inputs, executors=(executor,))
    except CannotRun:  # nothing says which axis is that of the samples: the outputs alone, number by number
        return _apart(imported, file, executor, inputs), 0
    assert found.rows, file
    return sum(row.mismatches for row in found.rows), found.ties


def _apart(imported: Imported, file: File, executor: Executor, inputs: np.ndarray) -> int:
    """Samples in which the output has another level anywhere; run one by one, ties not looked for."""
    run_file, output = executor.prepare(file.model, 1), file.model.graph.output[0].name
    theirs = np.stack([np.ravel(run_file(x[None])[output]) for x in inputs]).astype(np.float64)
    grid = Grid(imported, imported.graph.output)
    ours = grid.real(run(imported.graph, imported.quantize(inputs).reshape(-1, *imported.graph.input.output.shape)))
    return int(grid.differ(theirs, ours).any(axis=1).sum()) if theirs.shape == ours.shape else len(inputs)
