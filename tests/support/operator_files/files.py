"""One small file of one operator for each number, as both references can read it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import ModelProto

from bitloom import WorkError
from bitloom.quant.qonnx.executors import Executor, OnnxReference, OnnxRuntime, QonnxExecutor

from .draft import RECIPES, Draft, versions

ATTEMPTS = 50
"""Drafts for one number until a reference runs one: many of what is drawn at random is no file."""


@dataclass(frozen=True)
class File:
    """The file of number ``seed``: what it tries, its operator set, and the references that can run it.

    ``refused`` says why others cannot.
    """

    seed: int
    kind: str
    opset: int
    model: ModelProto
    references: tuple[Executor, ...]
    refused: tuple[str, ...]

    def __str__(self) -> str:
        return f"file {self.seed} ({self.kind}, opset {self.opset})"


def operator_file(seed: int) -> File:
    """The file of number ``seed``, always the same."""
    for attempt in range(ATTEMPTS):
        rng = np.random.default_rng([seed, attempt])
        kinds = [kind for kind, (_, weight) in RECIPES.items() for _ in range(weight)]
        kind = kinds[int(rng.integers(len(kinds)))]
        opset = int(rng.choice(versions(kind)))
        draft = Draft(int(rng.integers(1 << 32)), opset)
        model = _drafted(draft, kind)
        if model is None:
            continue
        found = _runnable(draft, model, kind)
        if found[0]:
            return File(seed, kind, opset, model, *found)
    raise AssertionError(f"no file in {ATTEMPTS} attempts from {seed}")


def _drafted(draft: Draft, kind: str) -> ModelProto | None:
    """The network that is tried, or None where ONNX says that there is no such network."""
    try:
        made = RECIPES[kind][0](draft, kind)
        if draft.quantized_end and draft.chance(0.75):
            made = draft.requantized(made, draft.scale(), draft.zero(draft.pick(np.int8, np.uint8)))
        model = draft.model(made)
        if not draft.own:
            model = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
            del model.graph.value_info[:]
            onnx.checker.check_model(model)
    except (onnx.defs.SchemaError, onnx.shape_inference.InferenceError, onnx.checker.ValidationError):
        return None
    return model


def _runnable(draft: Draft, model: ModelProto, kind: str) -> tuple[tuple[Executor, ...], tuple[str, ...]]:
    """The references that run one sample, and why the others do not.

    None where ONNX Runtime does not run an operator of its own format, which means what it computes.
    """
    executors: tuple[Executor, ...] = (QonnxExecutor(),) if draft.own else (OnnxRuntime(), OnnxReference())
    able, refused = [], []
    for executor in executors:
        try:
            found = executor.prepare(model, 1)(draft.normal(*draft.shape))
        except WorkError as error:
            refused.append(str(error))
        else:
            if found[model.graph.output[0].name].size:
                able.append(executor)
            else:
                refused.append(f"{executor.name} gives nothing")
    if kind.startswith("QLinear") and not any(isinstance(executor, OnnxRuntime) for executor in able):
        return (), tuple(refused)
    return tuple(able), tuple(refused)
