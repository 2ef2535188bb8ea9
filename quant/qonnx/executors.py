"""What can run an ONNX file: QONNX's executor, ONNX Runtime, and the evaluator that defines ONNX' operators.

Each runs the file as it is, in float32, and gives every tensor. QONNX's executor takes node by node, its own operators
in NumPy, the others in ONNX Runtime; it knows no types below eight bits. ONNX Runtime knows these and no operator of
QONNX. ONNX' own evaluator, all in NumPy, is slow, and has both.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from bitloom import WorkError

from .domains import DIALECTS, GENERAL
from .runnable import Context, batched, copied, entry

if TYPE_CHECKING:
    from onnx import ModelProto

Run = Callable[[np.ndarray], Context]
"""Every tensor of a file for a batch of inputs."""

SMALL = ("INT4", "UINT4", "INT2", "UINT2")
"""Types of ONNX whose tensors ONNX Runtime does not hand out; INT8 holds them, or UINT8."""


class Executor(Protocol):
    """One of them."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def packages(self) -> tuple[str, ...]:
        """What it needs."""

    def prepare(self, model: ModelProto, batch: int) -> Run:
        """``model``, without functions of its own, made ready for ``batch`` samples at once.

        :raises WorkError: it cannot run ``model``; nor need what is prepared succeed, which raises the same.
        """


def missing(executor: Executor) -> str:
    """Empty if ``executor`` can run here; otherwise what is missing and how to get it."""
    absent = [package for package in executor.packages if find_spec(package) is None]
    return f"{executor.name} needs {', '.join(absent)}: pip install 'bitloom[qonnx]'" if absent else ""


def versions(executor: Executor) -> str:
    """The packages that run, with their versions."""
    return ", ".join(f"{package} {version(package)}" for package in executor.packages)


class QonnxExecutor:
    """QONNX's own executor, which defines what QONNX's operators compute."""

    name = "QONNX's executor"
    packages = ("qonnx", "onnxruntime")

    def prepare(self, model: ModelProto, batch: int) -> Run:
        """One dialect, every shape inferred."""
        import onnxruntime
        from qonnx.core.modelwrapper import ModelWrapper
        from qonnx.core.onnx_exec import execute_onnx
        from qonnx.transformation.general import RemoveStaticGraphInputs, SortGraph
        from qonnx.transformation.infer_shapes import InferShapes

        onnxruntime.set_default_logger_severity(3)
        copy = copied(model)
        _one_dialect(copy)
        _spell_out(copy)
        with _failing(self.name, "read"):
            wrapper = ModelWrapper(copy).transform(RemoveStaticGraphInputs())
            batched(wrapper.model, batch)
            wrapper = wrapper.transform(SortGraph()).transform(InferShapes())
        name = wrapper.graph.input[0].name

        def run(inputs: np.ndarray) -> Context:
            with _failing(self.name, "run"):
                return _arrays(execute_onnx(wrapper, {name: inputs}, return_full_exec_context=True))

        return run


class OnnxRuntime:
    """ONNX Runtime, nothing optimized, so that every tensor of the file exists."""

    name = "ONNX Runtime"
    packages = ("onnxruntime",)

    def prepare(self, model: ModelProto, batch: int) -> Run:
        """A session that gives every tensor; those of few bits as eight."""
        import onnxruntime
        from onnx import TensorProto, helper, shape_inference

        onnxruntime.set_default_logger_severity(3)
        copy, names = copied(model), [name for node in model.graph.node for name in node.output if name]
        with _failing(self.name, "read"):
            batched(copy, batch)
            inferred = shape_inference.infer_shapes(copy).graph
            types = {value.name: value.type.tensor_type.elem_type for value in (*inferred.value_info, *inferred.output)}
            asked = {}
            for name in names:
                kind = TensorProto.DataType.Name(types.get(name, TensorProto.FLOAT))
                if kind in SMALL:
                    wide = TensorProto.UINT8 if kind.startswith("U") else TensorProto.INT8
                    copy.graph.node.append(helper.make_node("Cast", [name], [f"{name}__wide"], to=wide))
                asked[name] = f"{name}__wide" if kind in SMALL else name
            del copy.graph.output[:]
            copy.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in asked.values())
            options = onnxruntime.SessionOptions()
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            session = onnxruntime.InferenceSession(copy.SerializeToString(), options)
        constants = _constants(model)

        def run(inputs: np.ndarray) -> Context:
            with _failing(self.name, "run"):
                found = dict(zip(asked, session.run(list(asked.values()), {entry(model).name: inputs})))
                return _arrays({entry(model).name: inputs, **constants, **found})

        return run


class OnnxReference:
    """The evaluator that comes with the package ``onnx``; QONNX's own package computes QONNX's operators."""

    name = "ONNX' reference evaluator"
    packages = ("onnx",)

    def prepare(self, model: ModelProto, batch: int) -> Run:
        """The evaluator, with QONNX's operators where the package is there."""
        from onnx.reference import ReferenceEvaluator

        copy = copied(model)
        with _failing(self.name, "read"):
            batched(copy, batch)
            own: list[Any] = []
            if find_spec("qonnx"):
                _one_dialect(copy)
                own = _qonnx_operators(copy)
            evaluator = ReferenceEvaluator(copy, new_ops=own)

        def run(inputs: np.ndarray) -> Context:
            with _failing(self.name, "run"):
                return _arrays(dict(evaluator.run(None, {entry(model).name: inputs}, intermediate=True)))

        return run


EXECUTORS: tuple[Executor, ...] = (QonnxExecutor(), OnnxRuntime(), OnnxReference())
"""All of them; the first that can run a file is what it is compared with."""


@contextmanager
def _failing(name: str, what: str) -> Iterator[None]:
    """Whatever goes wrong in a package that is not ours becomes one line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of shapes that inference could not find out beforehand
        try:
            yield
        except Exception as error:
            text = " ".join(str(error).split())
            raise WorkError(f"{name} cannot {what} the network: {type(error).__name__}: {text[:200]}") from error


def _arrays(tensors: dict[str, Any]) -> Context:
    """The tensors as arrays of NumPy's own types."""
    arrays = {name: np.asarray(value) for name, value in tensors.items() if name and value is not None}
    return {name: array.astype(np.int8 if "i" in array.dtype.name else np.float32) if array.dtype.kind == "V" else array
            for name, array in arrays.items()}


def _constants(model: ModelProto) -> Context:
    from onnx import numpy_helper

    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def _one_dialect(model: ModelProto) -> None:
    """Give the operators of QONNX the domain under which its package knows them."""
    from onnx import helper
    from qonnx.custom_op.registry import is_custom_op
    from qonnx.util.basic import get_preferred_qonnx_opset

    for node in model.graph.node:
        if node.domain in DIALECTS and is_custom_op(GENERAL, node.op_type):
            node.domain = GENERAL
    if not any(entry.domain == GENERAL for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid(GENERAL, get_preferred_qonnx_opset()))


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


def _qonnx_operators(model: ModelProto) -> list[Any]:
    """The operators of QONNX in ``model`` for ONNX' evaluator: each runs the class that QONNX's own executor runs."""
    from onnx.reference.op_run import OpRun
    from qonnx.custom_op.registry import getCustomOp, is_custom_op

    opsets = {entry.domain: entry.version for entry in model.opset_import}

    def compute(self: Any, *inputs: np.ndarray, **attributes: object) -> tuple[np.ndarray, ...]:
        node = self.onnx_node
        context = dict(zip(node.input, inputs))
        getCustomOp(node, opsets.get(node.domain)).execute_node(context, None)
        return tuple(np.asarray(context[name], np.float32) for name in node.output)

    kinds = {(node.domain, node.op_type) for node in model.graph.node}
    return [type(kind, (OpRun,), {"op_domain": domain, "_run": compute}) for domain, kind in sorted(kinds)
            if domain and is_custom_op(domain, kind)]
