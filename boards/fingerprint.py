"""Fingerprints: whether what is in a build folder was made from what is asked for now."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import fields
from functools import cache
from pathlib import Path

import numpy as np

import bitloom
from bitloom.quant import Graph

from .board import Board
from .design import Design

GENERATORS = ("hw", "codegen", "boards/link", "boards/top.py")
"""What emits RTL, relative to the package: a change in it changes every fingerprint."""


def digest(parts: Iterable[object]) -> str:
    """SHA-256 of ``parts``: bytes as they are, arrays by shape and content, anything else as it is printed."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            data = repr(part.shape).encode() + part.tobytes()
        else:
            data = part if isinstance(part, bytes) else repr(part).encode()
        total.update(len(data).to_bytes(8, "little") + data)
    return total.hexdigest()


def of_request(design: Design, board: Board, graph: Graph) -> str:
    """The fingerprint of ``design``: its own keys, the board's, the network's constants, and bitloom itself."""
    wishes = design.model_dump(exclude={"model", "board", "allow_timing_failure"})
    place = board.model_dump(exclude={"notes", "title", "programmer", "programmer_options"})
    return digest([bitloom.__version__, _generators(), wishes, place, *_of_graph(graph)])


def _of_graph(graph: Graph) -> Iterable[object]:
    yield graph.output
    for node in graph:
        yield node.op
        for field in fields(node):
            yield getattr(node, field.name)


@cache
def _generators() -> str:
    package = Path(bitloom.__file__).parent
    files = [path for name in GENERATORS for path in ([package / name] if name.endswith(".py") else
                                                      sorted((package / name).rglob("*")))]
    return digest(part for path in files if path.suffix in (".py", ".yaml") for part in (path.name, path.read_bytes()))
