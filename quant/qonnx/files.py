"""ONNX files that stand alone: a copy of an imported one, external data drawn in."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import onnx
from onnx.external_data_helper import uses_external_data

from .external import tensors
from .model import read


def copy(source: str | Path, target: str | Path) -> None:
    """Copy the network in ``source`` to ``target``, byte for byte unless parts of it lie in files beside it.

    ``target`` appears whole or not at all.
    """
    source, target = Path(source), Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    bare = onnx.load(source, load_external_data=False)
    beside = any(map(uses_external_data, tensors(bare.graph)))
    whole = read(source).SerializeToString() if beside else source.read_bytes()
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        partial.write_bytes(whole)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
