"""An ONNX file as Python: its operations in topological order, its constants, its one input and one output."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import prod
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
from google.protobuf.message import DecodeError

from .annotations import Datatype, datatypes
from .domains import RUNTIME, STANDARD, known
from .external import draw_in
from .failure import ImportFailure
from .op import Op
from .types import FLOAT, YOUNGER, name_of

SIZE_LIMIT = 1 << 30
"""Bytes that a file may have, with what lies in files beside it."""

ELEMENTS_LIMIT = 1 << 25
"""Elements that one sample of any tensor may have."""


@dataclass(frozen=True, eq=False)
class Model:
    """What there is to import: operations that the output needs, in topological order, and constants by name."""

    source: str
    ops: tuple[Op, ...]
    constants: dict[str, np.ndarray]
    input: str
    input_shape: tuple[int, ...]
    input_type: str
    batch: int
    """How many samples the file's tensors hold: 1 where its input leaves that open."""
    output: str
    opset: int
    notes: tuple[str, ...]
    readers: Counter[str] = field(default_factory=Counter)
    datatypes: dict[str, Datatype] = field(default_factory=dict)
    """What FINN's annotations say of tensors."""
    varying: frozenset[Op] = frozenset()
    """The operations that depend on the input, or on its shape."""

    def reading(self, tensor: str) -> list[Op]:
        """The operations that read ``tensor``, but for its shape."""
        return [op for op in self.ops if tensor in op.inputs and op.kind not in ("Shape", "Size")]


def read(path: str | Path) -> onnx.ModelProto:
    """The file as ONNX' own object; :class:`ImportFailure` where it is none."""
    path = Path(path)
    try:
        size = os.stat(path).st_size
        if path.is_dir():
            raise ImportFailure(f"{path}: is a folder; name a .onnx file")
        if size == 0:
            raise ImportFailure(f"{path}: is empty; export the model again")
        if size > SIZE_LIMIT:
            raise ImportFailure(f"{path}: has {size} bytes, and {SIZE_LIMIT} are the limit; export a smaller model")
        proto = onnx.load(path, load_external_data=False)
        draw_in(proto, path, SIZE_LIMIT - size)
        return proto
    except ImportFailure:
        raise
    except OSError as error:
        raise ImportFailure(f"{path}: cannot be read ({error.strerror or error}); name a .onnx file and its "
                            "external data") from error
    except (DecodeError, ValueError, TypeError, RuntimeError, onnx.checker.ValidationError) as error:
        raise ImportFailure(f"{path}: not an ONNX file, or damaged ({type(error).__name__}); export the model again") \
            from error


def parse(proto: onnx.ModelProto, source: str) -> Model:
    """The model behind ``proto``; :class:`ImportFailure` where it is not one that can be imported."""
    if proto.functions:
        proto = onnx.inliner.inline_local_functions(proto)
    graph = proto.graph
    if not graph.node or not graph.output:
        raise ImportFailure(f"{source}: holds no operations; name an ONNX file that holds a network")
    if graph.sparse_initializer:
        raise ImportFailure(f"{source}: sparse initializers are not supported; export dense weights")
    constants = {t.name: _array(source, t) for t in graph.initializer}
    every = _ordered(source, graph, constants)
    output, left = _output(source, graph, constants, every)
    ops = _needed(source, every, output)
    read_by = Counter(name for op in ops for name in op.inputs if name)
    inputs = [i for i in graph.input if i.name not in constants and (i.name in read_by or i.name == output)]
    entry = _one(source, "inputs", [i.name for i in inputs])
    shape, batch, notes = _shape(source, inputs[0])
    kind = inputs[0].type.tensor_type.elem_type
    opset = max((o.version for o in proto.opset_import if o.domain in STANDARD), default=13)
    return Model(source, ops, constants, entry, shape, name_of(kind) if kind else FLOAT, batch, output, opset,
                 notes + left, read_by, datatypes(graph), _varying(ops, entry))


def _varying(ops: tuple[Op, ...], entry: str) -> frozenset[Op]:
    """The operations that depend on the tensor ``entry``."""
    names, found = {entry}, set()
    for op in ops:
        if names.intersection(op.inputs):
            found.add(op)
            names.update(op.outputs)
    return frozenset(found)


def _output(
    source: str, graph: onnx.GraphProto, constants: dict[str, np.ndarray], ops: list[Op]
) -> tuple[str, tuple[str, ...]]:
    """The output, and what is left out: a quantized tensor comes with its scale and bits, which are constant.

    A tensor that is listed twice, or once more behind ``Identity``, is one output.
    """
    copies = {op.outputs[0]: op.inputs[0] for op in ops if op.kind == "Identity" and op.inputs and op.outputs}
    named = [o.name for o in graph.output]
    first: dict[str, str] = {}
    for name in named:
        first.setdefault(_original(copies, name), name)
    names = list(first.values())
    varying = {i.name for i in graph.input if i.name not in constants}
    for op in ops:
        if varying.intersection(op.inputs):
            varying.update(op.outputs)
    changing = [name for name in names if name in varying]
    notes: tuple[str, ...] = ()
    if len(named) > len(names) == 1:
        notes = (f"output {names[0]!r} is listed {len(named)} times and taken once",)
    if len(names) == 1 or len(changing) != 1:
        return _one(source, "outputs", names), notes
    rest = ", ".join(repr(name) for name in names if name != changing[0])
    return changing[0], (f"outputs {rest} are constant and left out",)


def _original(copies: dict[str, str], name: str) -> str:
    """The tensor that ``name`` is a copy of, or itself."""
    seen = set()
    while name in copies and name not in seen:
        seen.add(name)
        name = copies[name]
    return name


def _one(source: str, what: str, names: list[str]) -> str:
    if len(names) != 1:
        listed = f"{len(names)} ({', '.join(repr(n) for n in names[:4])})" if names else "none"
        raise ImportFailure(f"{source}: must have one of its {what}, and has {listed}; export a model with one input "
                            "and one output")
    return names[0]


def _array(source: str, tensor: onnx.TensorProto) -> np.ndarray:
    if tensor.data_type in YOUNGER:
        raise ImportFailure(f"{source}: constant {tensor.name!r} is of type {name_of(tensor.data_type)}, which onnx "
                            f"{onnx.__version__} cannot read; store it with 4 bits")
    try:
        return np.asarray(onnx.numpy_helper.to_array(tensor))
    except (ValueError, TypeError, KeyError, RuntimeError, OSError, AttributeError) as error:
        raise ImportFailure(f"{source}: constant {tensor.name!r} cannot be read ({type(error).__name__}: {error}); "
                            "export the model again, external data beside it") from error


def _attribute(node: onnx.NodeProto, name: str, source: str, a: onnx.AttributeProto) -> object:
    if a.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
        raise ImportFailure(f"node {name!r} ({node.op_type}): control flow has no place in a pipeline; export the "
                            "model without branches and loops")
    value = onnx.helper.get_attribute_value(a)
    if isinstance(value, onnx.TensorProto):
        return _array(source, value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, (int, float)) else list(value) if isinstance(value, list) else value


def _op(source: str, node: onnx.NodeProto) -> Op:
    name = node.name or (node.output[0] if node.output else "?")
    if node.domain == RUNTIME and not known(node.domain, node.op_type):
        raise ImportFailure(f"node {name!r} ({node.op_type}): this operator of ONNX Runtime is not supported; export "
                            "with QuantizeLinear and DequantizeLinear around standard operators (QuantFormat.QDQ), and "
                            "without the runtime's own optimizations")
    if not known(node.domain, node.op_type):
        raise ImportFailure(f"node {name!r} ({node.op_type}): operators of the domain {node.domain!r} are unknown; "
                            "export with standard ONNX and QONNX operators")
    attributes = {a.name: _attribute(node, name, source, a) for a in node.attribute}
    inputs = list(node.input)
    while inputs and not inputs[-1]:
        inputs.pop()
    return Op(name, node.op_type, tuple(inputs), tuple(node.output), attributes,
              node.domain.endswith("channels_last"), node)


def _ordered(source: str, graph: onnx.GraphProto, constants: dict[str, np.ndarray]) -> list[Op]:
    """The operations in topological order, keeping the file's where it is one."""
    given = set(constants) | {i.name for i in graph.input}
    waiting = [_op(source, node) for node in graph.node]
    made: set[str] = set()
    for op in waiting:
        for name in op.outputs:
            if name and (name in made or name in given):
                op.fail(f"computes {name!r}, which is computed already", "give each tensor a name of its own")
            made.add(name)
    for op in waiting:
        for name in op.inputs:
            if name and name not in made and name not in given:
                op.fail(f"reads {name!r}, which nothing computes", "export the model again")
    readers: dict[str, list[Op]] = {}
    missing: dict[Op, int] = {}
    for op in waiting:
        unmet = {name for name in op.inputs if name and name not in given}
        missing[op] = len(unmet)
        for name in unmet:
            readers.setdefault(name, []).append(op)
    rank = {op: i for i, op in enumerate(waiting)}
    ready = [rank[op] for op in waiting if not missing[op]]
    done: list[Op] = []
    while ready:
        op = waiting[heappop(ready)]
        done.append(op)
        for name in op.outputs:
            for reader in readers.get(name, ()):
                missing[reader] -= 1
                if not missing[reader]:
                    heappush(ready, rank[reader])
    if len(done) != len(waiting):
        stuck = next(op for op in waiting if missing[op])
        stuck.fail("is part of a cycle", "a network must not feed back into itself; unroll it")
    return done


def _needed(source: str, ops: list[Op], output: str) -> tuple[Op, ...]:
    """The operations that ``output`` depends on."""
    wanted, kept = {output}, []
    for op in reversed(ops):
        if wanted & set(op.outputs):
            kept.append(op)
            wanted |= set(op.inputs)
    if not kept:
        raise ImportFailure(f"{source}: nothing computes its output {output!r}; export the model again")
    return tuple(reversed(kept))


def _shape(source: str, entry: onnx.ValueInfoProto) -> tuple[tuple[int, ...], int, tuple[str, ...]]:
    """The input's shape for one sample, batch axis included as 1, and how many samples the file has there."""
    if not entry.type.HasField("tensor_type") or not entry.type.tensor_type.HasField("shape"):
        raise ImportFailure(f"{source}: input {entry.name!r} has no shape; export it with a fixed one")
    dims = [d.dim_value if d.HasField("dim_value") else 0 for d in entry.type.tensor_type.shape.dim]
    notes, batch = [], 1
    if len(dims) >= 2:
        batch = max(dims[0], 1)
        if batch > 1:
            notes.append(f"input {entry.name!r} has a batch of {dims[0]}: one sample at a time is imported")
        dims[0] = 1
    if not dims or any(d < 1 for d in dims):
        raise ImportFailure(f"{source}: input {entry.name!r} must have fixed dimensions but for the batch, not "
                            f"{dims}; export it with a sample of the shape you need")
    if prod(dims) > ELEMENTS_LIMIT:
        raise ImportFailure(f"{source}: input {entry.name!r} has {prod(dims)} elements, and {ELEMENTS_LIMIT} are the "
                            "limit; use a smaller input")
    return tuple(dims), batch, tuple(notes)
