"""Integer graphs by file: saved ones are loaded, networks of other tools are imported on the fly.

What an import needs is looked for only then: a plain installation reads graphs.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from bitloom import RequestError

from .graph import Graph
from .serialize import load

SUFFIXES = (".npz", ".onnx")
"""What the names of readable files end in."""


def read(path: str | Path) -> Graph:
    """The integer graph in ``path``, or of the network in it.

    :raises RequestError: the file holds neither, or reading it needs packages that are missing.
    """
    if Path(path).suffix != ".onnx":
        return load(path)
    require_qonnx()
    from .qonnx import import_qonnx

    return import_qonnx(path).graph


def require_qonnx() -> None:
    """:class:`RequestError` unless the package is there that reading ONNX files needs."""
    if find_spec("onnx") is None:
        raise RequestError("reading ONNX files needs the package onnx, which is missing: pip install 'bitloom[qonnx]'")
