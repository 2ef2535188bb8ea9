"""QONNX's own executor (the package ``qonnx``), run on batches: what an imported network is compared with.

The executor runs a file node by node in float32: its custom operators in NumPy, the others in ONNX Runtime.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from bitloom import RequestError, WorkError

from .domains import DIALECTS, GENERAL

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

Context = dict[str, np.ndarray]
"""Every tensor of a file by its name, the samples of a batch along the first axis where they matter."""

BATCH_BYTES = 1 << 28
"""How much memory the tensors of one batch may take."""

PACKAGES = ("qonnx", "onnxruntime")


def available() -> str:
    """Empty if the executor can run here; otherwise what is missing and how to get it."""
    missing = [package for package in PACKAGES if find_spec(package) is None]
    return f"QONNX's executor needs {', '.join(missing)}: pip install 'bitloom[qonnx]'" if missing else ""


def entry(model: ModelProto) -> ValueInfoProto:
    """The input of ``model``; older files list their constants among the inputs."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return next(value for value in model.graph.input if value.name not in constants)


def inlined(model: ModelProto) -> ModelProto:
    """``model`` without functions of its own, which the executor does not know."""
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


def execute(model: ModelProto, inputs: np.ndarray) -> Iterator[tuple[slice, Context]]:
    """Run ``inputs`` through ``model``, as many samples at once as memory and the file allow.

    :param inputs: real numbers of shape (samples, *shape of the file's input without its first axis).
    :returns: for each batch which samples it holds, and every tensor: float32 of shape (batch, …) where it depends on
        the input.
    :raises WorkError: the executor fails; the message says where.
    """
    if why := available():
        raise RequestError(why)
    inputs = np.asarray(inputs, dtype=np.float32)
    if not len(inputs):
        return
    first = _run(_prepared(model, 1), inputs[:1])
    size, at = _batch(model, first, inputs), 0
    prepared = _prepared(model, size)
    while at < len(inputs):
        count = min(size, len(inputs) - at)
        if count < size:
            prepared = _prepared(model, count)
        yield slice(at, at + count), _run(prepared, inputs[at : at + count])
        at += count


def _batch(model: ModelProto, first: Context, inputs: np.ndarray) -> int:
    """How many samples to run at once: 1 where the file fixes the batch to 1 in a way that cannot be changed."""
    if len(inputs) == 1:
        return 1
    try:
        pair = _run(_prepared(model, 2), inputs[:2])
    except WorkError:
        return 1
    depending = varying(model)
    for output in (output for output in model.graph.output if output.name in depending):
        one, two = first[output.name], pair[output.name]
        if len(two) != 2 * len(one) or not np.allclose(two[: len(one)], one, rtol=1e-3, atol=1e-5):
            return 1
    each = sum(value.nbytes for value in pair.values()) - sum(value.nbytes for value in first.values())
    return max(1, min(len(inputs), BATCH_BYTES // max(1, each)))


def _run(prepared: object, inputs: np.ndarray) -> Context:
    """Every tensor of the prepared model for ``inputs``."""
    from qonnx.core.onnx_exec import execute_onnx

    name = prepared.graph.input[0].name  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of shapes that inference could not find out beforehand
        try:
            context = execute_onnx(prepared, {name: inputs}, return_full_exec_context=True)
        except Exception as error:
            raise WorkError(f"QONNX's executor cannot run the network: {_line(error)}") from error
    return {name: np.asarray(value) for name, value in context.items() if value is not None}


def _prepared(model: ModelProto, batch: int) -> object:
    """A copy of ``model`` as the executor takes it: one dialect, ``batch`` samples, every shape inferred."""
    import onnxruntime
    from onnx import ModelProto
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.transformation.general import RemoveStaticGraphInputs, SortGraph
    from qonnx.transformation.infer_shapes import InferShapes

    onnxruntime.set_default_logger_severity(3)
    copy = ModelProto()
    copy.CopyFrom(model)
    depending = varying(copy)
    outputs = {value.name: value for value in copy.graph.output if value.name in depending}  # each once
    del copy.graph.output[:]
    copy.graph.output.extend(outputs.values())
    _one_dialect(copy)
    _spell_out(copy)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            wrapper = ModelWrapper(copy).transform(RemoveStaticGraphInputs())
            _set_batch(wrapper.model, batch)
            return wrapper.transform(SortGraph()).transform(InferShapes())
        except Exception as error:
            raise WorkError(f"QONNX's executor cannot read the network: {_line(error)}") from error


def _one_dialect(model: ModelProto) -> None:
    """Give the operators of QONNX the domain under which the executor knows them."""
    from qonnx.custom_op.registry import is_custom_op

    for node in model.graph.node:
        if node.domain in DIALECTS and is_custom_op(GENERAL, node.op_type):
            node.domain = GENERAL


def _spell_out(model: ModelProto) -> None:
    """Replace inputs that are left out, which the executor cannot pass on, by what they stand for."""
    from onnx import numpy_helper

    limits = np.finfo(np.float32)
    stands_for = {("Clip", 1): np.float32(limits.min), ("Clip", 2): np.float32(limits.max),
                  ("Resize", 1): np.zeros(0, np.float32), ("Resize", 2): np.zeros(0, np.float32)}
    made: set[str] = set()
    for node in model.graph.node:
        while len(node.input) and not node.input[-1]:
            del node.input[-1]
        for at, name in enumerate(node.input):
            if not name and (node.op_type, at) in stands_for:
                node.input[at] = f"__{node.op_type}_{at}"
                if node.input[at] not in made:
                    made.add(node.input[at])
                    value = np.asarray(stands_for[node.op_type, at])
                    model.graph.initializer.append(numpy_helper.from_array(value, node.input[at]))


def _set_batch(model: ModelProto, batch: int) -> None:
    """Let ``model`` take ``batch`` samples at once: input, output, and shapes that name the batch."""
    from onnx import numpy_helper

    graph = model.graph
    before = graph.input[0].type.tensor_type.shape.dim[0].dim_value
    if before == batch:
        return
    for value in (graph.input[0], *graph.output):
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


def _line(error: Exception) -> str:
    """What went wrong, in one line that is not too long."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}"
