"""FINN's data types, which its files write on their tensors: integers that are kept in float32."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import onnx

from ..formats import BIPOLAR, Format
from .values import Const, bare

KEY = "finn_datatype"
"""The name under which a tensor's annotation holds its type."""

BITS = 32
"""Bits that an annotated integer may have."""


@dataclass(frozen=True)
class Datatype:
    """A tensor of ``format``'s integers, each times ``scale``, as ``name`` says."""

    name: str
    format: Format
    scale: float = 1.0


NAMED = {"BINARY": Format(1), "BIPOLAR": BIPOLAR, "TERNARY": Format(2, True)}


def datatypes(graph: onnx.GraphProto) -> dict[str, Datatype]:
    """The integer and fixed-point types that the tensors of ``graph`` are annotated with, by the tensors' names."""
    found = {}
    for annotation in graph.quantization_annotation:
        for entry in annotation.quant_parameter_tensor_names:
            made = _datatype(entry.value) if entry.key == KEY else None
            if made is not None:
                found[annotation.tensor_name] = made
    return found


def _datatype(name: str) -> Datatype | None:
    """What ``name`` stands for; None for floats, and for integers of an unknown scale."""
    if name in NAMED:
        return Datatype(name, NAMED[name])
    whole = re.fullmatch(r"(U?)INT(\d+)", name)
    if whole is not None and 1 <= int(whole[2]) <= BITS:
        return Datatype(name, Format(int(whole[2]), not whole[1]))
    fixed = re.fullmatch(r"FIXED<(\d+),\s*(\d+)>", name)
    if fixed is not None and 1 <= int(fixed[1]) <= BITS:
        return Datatype(name, Format(int(fixed[1]), True), 2.0 ** (int(fixed[2]) - int(fixed[1])))
    return None


def annotated(array: np.ndarray, kind: Datatype | None) -> Const:
    """A constant, with the integers that its annotation says it has, where that is true."""
    if kind is not None and kind.scale == 1.0 and array.dtype.kind == "f":
        ints = np.rint(array).astype(np.int64) if np.all(np.abs(array) < 1 << BITS) else np.zeros(0)
        if np.array_equal(ints, array) and kind.format.holds(ints):
            return Const(array, bare(ints, kind.format))
    return Const(array)
