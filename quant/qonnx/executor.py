"""The reference: what the public ``qonnx`` executor computes of a file, tensor by tensor."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx

from .failure import ImportFailure
from .model import QONNX, STANDARD, parse, read

GENERAL = "qonnx.custom_op.general"
CUSTOM = ("Quant", "IntQuant", "BipolarQuant", "Trunc", "MultiThreshold", "FloatQuant")
"""Operators that older exporters leave in ONNX' own domain or a retired one."""


def execute(path: str | Path, samples: np.ndarray, tensors: tuple[str, ...] | None = None) -> dict[str, np.ndarray]:
    """Every tensor (or those named) of a QONNX file for ``samples``, as ``qonnx.core.onnx_exec`` computes them.

    The samples run as one batch where the file's shapes allow it, otherwise one by one.

    :param samples: float32 (n, *sample shape), or (n, elements).
    :returns: for each tensor that depends on the input its numbers, the first axis the samples.
    :raises ImportFailure: the package ``qonnx`` is missing, or it cannot run the file.
    """
    try:
        import onnxruntime
        from qonnx.core.modelwrapper import ModelWrapper
        from qonnx.core.onnx_exec import execute_onnx
        from qonnx.transformation.infer_shapes import InferShapes
    except ImportError as error:
        raise ImportFailure(f"the reference needs the package {error.name}; pip install 'bitloom[qonnx]'") from error
    onnxruntime.set_default_logger_severity(4)
    model = parse(read(path), Path(path).name)
    depending = _depending(model.ops, model.input)
    x = np.asarray(samples, dtype=np.float32).reshape(len(samples), *model.input_shape[1:])

    def batch(part: np.ndarray) -> dict[str, np.ndarray]:
        wrapper = ModelWrapper(_renamed(read(path), model.input, len(part))).transform(InferShapes())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of each tensor whose shape it was not told
            every = execute_onnx(wrapper, {model.input: part}, return_full_exec_context=True)
        return {n: np.asarray(a) for n, a in every.items() if n in depending and (tensors is None or n in tensors)}

    try:
        found = batch(x)
        if all(len(a) == len(x) for a in found.values() if a.ndim):
            return found
    except Exception:  # the file's shapes hold for one sample alone; what else is wrong shows below
        pass
    try:
        parts = [batch(x[i : i + 1]) for i in range(len(x))]
    except Exception as error:  # its own checks raise Exception itself
        raise ImportFailure(f"{path}: the qonnx executor cannot run it ({type(error).__name__}: {error}); compare with "
                            "what exported it") from error
    return {name: np.concatenate([np.atleast_1d(p[name]) for p in parts]) for name in parts[0]}


def _depending(ops: tuple, entry: str) -> set[str]:
    """The tensors that depend on the input."""
    known = {entry}
    for op in ops:
        if op.kind not in ("Shape", "Size") and known & set(op.inputs):
            known |= set(op.outputs)
    return known


def _unbatched(graph: onnx.GraphProto) -> None:
    """Shapes written for a batch of one take the batch that comes: a leading 1 becomes ONNX' 0, "as it is"."""
    shapes = {t.name: t for t in graph.initializer}
    for node in graph.node:
        if node.op_type == "Reshape" and len(node.input) > 1 and node.input[1] in shapes:
            target = onnx.numpy_helper.to_array(shapes[node.input[1]]).copy()
            if target.size > 1 and target[0] == 1 and not any(a.name == "allowzero" and a.i for a in node.attribute):
                target[0] = 0
                name = f"{node.output[0]}_shape"
                graph.initializer.append(onnx.numpy_helper.from_array(target, name))
                node.input[1] = name


def _renamed(proto: onnx.ModelProto, entry: str, count: int) -> onnx.ModelProto:
    """The model with every quantizer in the domain that the executor knows, for ``count`` samples."""
    for node in proto.graph.node:
        if node.op_type in CUSTOM and (node.domain in STANDARD or node.domain.startswith(QONNX)):
            node.domain = GENERAL
    _unbatched(proto.graph)
    for value in proto.graph.input:
        if value.name == entry and len(value.type.tensor_type.shape.dim) > 1:
            value.type.tensor_type.shape.dim[0].dim_value = count
    for value in proto.graph.output:
        value.type.tensor_type.ClearField("shape")
    del proto.graph.value_info[:]
    return proto
