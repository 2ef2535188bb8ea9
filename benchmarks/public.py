"""The public networks of qonnx_model_zoo that benchmarks take."""

from __future__ import annotations

import os
from pathlib import Path

from bitloom import RequestError
from bitloom.quant import Graph, load


def network(path: Path | None, name: str) -> Graph:
    """The integer graph of a QONNX file or of a ``graph.npz``.

    :param path: that of the file; None for ``name`` among the shared data.
    :raises RequestError: there is no such file.
    """
    if path is None:
        folder = os.environ.get("BITLOOM_DATA")
        if folder is None:
            raise RequestError(f"--network is missing: the public {name} of qonnx_model_zoo, or set BITLOOM_DATA")
        path = Path(folder) / "qonnx" / name
    if not path.is_file():
        raise RequestError(f"--network: there is no file {path}")
    if path.suffix == ".npz":
        return load(path)
    from bitloom.quant.qonnx import import_qonnx

    return import_qonnx(path).graph
