"""The integer graph as one file: a NumPy archive with a JSON header and one array per tensor of constants."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np

from .archive import ArchiveError, read_archive, write_archive
from .formats import Format
from .graph import Graph, GraphError, Input, Node, Tensor
from .operators import OPERATORS
from .verifier import verify

FORMAT_VERSION = 1
REMEDY = "make it again with `bitloom train` or `bitloom import`"
_OPERATORS: dict[str, type[Node]] = {cls.__name__: cls for cls in (Input, *OPERATORS)}


def save(graph: Graph, path: str | Path) -> None:
    """Write ``graph`` to ``path``; the file appears whole or not at all."""
    verify(graph)
    arrays: dict[str, np.ndarray] = {}
    nodes = []
    for node in graph:
        entry: dict[str, object] = {"op": node.op}
        for f in fields(node):
            value = getattr(node, f.name)
            if isinstance(value, np.ndarray):
                arrays[f"{node.name}.{f.name}"] = value
                value = {"array": f"{node.name}.{f.name}"}
            elif isinstance(value, Tensor):
                value = {"shape": value.shape, "format": _format(value.format), "scale": value.scale}
            elif isinstance(value, Format):
                value = _format(value)
            entry[f.name] = value
        nodes.append(entry)
    header = {"bitloom": FORMAT_VERSION, "name": graph.name, "output": graph.output, "nodes": nodes,
              "classes": graph.classes, "metadata": graph.metadata}
    write_archive(path, header, arrays)


def load(path: str | Path) -> Graph:
    """Read a graph that :func:`save` wrote; :class:`GraphError` says in one line why a file is not one."""
    try:
        header, arrays = read_archive(path)
        if header["bitloom"] != FORMAT_VERSION:
            raise GraphError(f"{path}: graph format {header['bitloom']!r}, and this bitloom reads {FORMAT_VERSION}")
        nodes = tuple(_node(entry, arrays) for entry in header["nodes"])  # type: ignore
        graph = Graph(header["name"], nodes, header["output"], tuple(header["classes"]), header["metadata"])  # type: ignore
        return verify(graph)
    except ArchiveError as error:
        raise GraphError(f"{path}: not an integer graph, or damaged ({error}); {REMEDY}") from error
    except GraphError as error:
        raise GraphError(str(error) if str(error).startswith(str(path)) else f"{path}: {error}") from error
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise GraphError(f"{path}: not an integer graph, or damaged ({type(error).__name__}: {error}); "
                         f"{REMEDY}") from error


def _format(f: Format) -> list[object]:
    return [f.bits, f.signed, f.bipolar]


def _node(entry: dict[str, object], arrays: dict[str, np.ndarray]) -> Node:
    entry = dict(entry)
    cls = _OPERATORS[str(entry.pop("op"))]
    for key, value in entry.items():
        if key == "output":
            entry[key] = Tensor(tuple(value["shape"]), Format(*value["format"]), tuple(value["scale"]))  # type: ignore
        elif key == "inputs":
            entry[key] = tuple(value)  # type: ignore
        elif key == "weight_format":
            entry[key] = Format(*value)  # type: ignore
        elif isinstance(value, dict) and "array" in value:
            entry[key] = arrays[value["array"]]
        elif isinstance(value, list):
            entry[key] = _tuple(value)
    return cls(**entry)  # type: ignore


def _tuple(value: object) -> object:
    """Lists as tuples, which is what nodes hold."""
    return tuple(_tuple(v) for v in value) if isinstance(value, list) else value
