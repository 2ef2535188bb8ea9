"""Integer graphs by file: saved ones are loaded, networks of other tools are imported on the fly.

What an import needs is looked for only then: a plain installation reads graphs.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from bitloom import RequestError

from .graph import Graph
from .serialize import load

KEPT = 8
"""Imported networks that are kept for other readers in the same process."""

SUFFIXES = (".npz", ".onnx")
"""What the names of readable files end in."""


def read(path: str | Path, check: int | None = None, note: Callable[[str], None] = lambda _: None) -> Graph:
    """The integer graph in ``path``, or of the network in it.

    A network is imported once for all readers in a process, as long as its file does not change.

    :param check: how an imported network is compared, see :func:`~bitloom.quant.qonnx.import_qonnx`; 0 does not, and
        the graph's metadata say so.
    :param note: told how far the comparison is.
    :raises RequestError: the file holds neither, or reading it needs packages that are missing.
    :raises WorkError: the network and its graph differ.
    """
    path = Path(path)
    if path.suffix != ".onnx":
        return load(path)
    require_qonnx()
    try:
        state = path.stat()
    except OSError:
        return _imported(path, check, note)
    key = path.resolve(), state.st_mtime_ns, state.st_size, check
    if key not in _IMPORTED:
        if len(_IMPORTED) >= KEPT:
            _IMPORTED.clear()
        _IMPORTED[key] = _imported(path, check, note)
    return _IMPORTED[key]


_IMPORTED: dict[tuple[Path, int, int, int | None], Graph] = {}


def _imported(path: Path, check: int | None, note: Callable[[str], None]) -> Graph:
    from .qonnx import import_qonnx

    return import_qonnx(path, check=check, progress=note).graph


def require_qonnx() -> None:
    """:class:`RequestError` unless the package is there that reading ONNX files needs."""
    if find_spec("onnx") is None:
        raise RequestError("reading ONNX files needs the package onnx, which is missing: pip install 'bitloom[qonnx]'")
