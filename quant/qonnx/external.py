"""Tensors of an ONNX file that lie in files beside it: what they declare is looked at before any is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import onnx
from onnx.external_data_helper import ExternalDataInfo, load_external_data_for_tensor, uses_external_data

from .failure import ImportFailure


def tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Every tensor that a graph holds: initializers, attributes, those of graphs within it."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for inner in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
                yield from tensors(inner)


def draw_in(proto: onnx.ModelProto, path: Path, limit: int) -> None:
    """Read the tensors that lie beside the file ``path`` into ``proto``.

    :param limit: how many bytes they may have together.
    :raises ImportFailure: there are more, or a tensor names a file that is not below the folder of ``path``.
    """
    outside = [tensor for tensor in tensors(proto.graph) if uses_external_data(tensor)]
    total = 0
    for tensor in outside:
        total += _size(path, tensor, limit)
        if total > limit:
            raise ImportFailure(f"{path}: the data beside it have {total} bytes or more, and {limit} are the limit; "
                                "export a smaller model")
    for tensor in outside:
        load_external_data_for_tensor(tensor, str(path.parent))
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]


def _size(path: Path, tensor: onnx.TensorProto, limit: int) -> int:
    """How many bytes the file beside ``path`` gives for ``tensor``."""
    info = ExternalDataInfo(tensor)
    name = PurePosixPath(str(info.location).replace("\\", "/"))
    beside, what = path.parent / name, f"{path}: constant {tensor.name!r} lies in {str(name)!r}"
    if name.is_absolute() or ".." in name.parts or not beside.resolve().is_relative_to(path.parent.resolve()):
        raise ImportFailure(f"{what}, which is not below the file's own folder; put its data beside it")
    if not beside.is_file():
        raise ImportFailure(f"{what}, and there is no such file; put it beside the .onnx file")
    held, offset = beside.stat().st_size, info.offset or 0
    length = held - offset if info.length is None else info.length
    if offset < 0 or length < 0 or offset + length > held:
        raise ImportFailure(f"{what} from byte {offset} to {offset + length}, and that has {held}; export the model "
                            "again")
    return min(int(length), limit + 1)
