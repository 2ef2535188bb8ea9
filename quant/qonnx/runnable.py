"""An ONNX file as what runs it takes it: a copy for as many samples at once, and which of its tensors vary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

Context = dict[str, np.ndarray]
"""Every tensor of a file by its name, the samples of a batch along the first axis where they matter."""


def entry(model: ModelProto) -> ValueInfoProto:
    """The input of ``model``; older files list their constants among the inputs."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return next(value for value in model.graph.input if value.name not in constants)


def entry_type(model: ModelProto) -> np.dtype:
    """The type of the input's elements as NumPy has it."""
    from onnx.helper import tensor_dtype_to_np_dtype

    kind = entry(model).type.tensor_type.elem_type
    return np.dtype(tensor_dtype_to_np_dtype(kind) if kind else np.float32)


def inlined(model: ModelProto) -> ModelProto:
    """``model`` without functions of its own, so that every tensor in them has a name."""
    from onnx.inliner import inline_local_functions

    return inline_local_functions(model) if model.functions else model


def varying(model: ModelProto) -> set[str]:
    """The tensors that depend on the input."""
    names = {entry(model).name}
    for _ in model.graph.node:
        before = len(names)
        for node in model.graph.node:
            if names.intersection(node.input) and node.op_type not in ("Shape", "Size"):
                names.update(node.output)
        if len(names) == before:
            break
    return names


def copied(model: ModelProto) -> ModelProto:
    """A copy of ``model`` that lists each output once, and none but those that depend on the input."""
    from onnx import ModelProto

    copy = ModelProto()
    copy.CopyFrom(model)
    depending, listed = varying(copy), set[str]()
    for at, value in reversed(list(enumerate(model.graph.output))):
        if value.name not in depending or value.name in listed:
            del copy.graph.output[at]
        listed.add(value.name)
    return copy


def batched(model: ModelProto, batch: int) -> None:
    """Let ``model`` take ``batch`` samples at once: input, output, and shapes that name the batch."""
    from onnx import numpy_helper

    graph, taken = model.graph, entry(model)
    before = taken.type.tensor_type.shape.dim[0].dim_value
    if before == batch:
        return
    for value in (taken, *graph.output):
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_value = batch
    del graph.value_info[:]
    shapes = {node.input[1] for node in graph.node if node.op_type == "Reshape" and len(node.input) > 1}
    constants = [(tensor, tensor.name) for tensor in graph.initializer]
    constants += [(attribute.t, node.output[0]) for node in graph.node if node.op_type == "Constant"
                  for attribute in node.attribute if attribute.name == "value"]
    for tensor, name in constants:
        if name in shapes:
            shape = numpy_helper.to_array(tensor).copy()
            if shape.size > 1 and shape[0] == (before or 1):
                shape[0] = batch
                tensor.CopyFrom(numpy_helper.from_array(shape, tensor.name))
