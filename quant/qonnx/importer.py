"""From a QONNX file to the integer graph: each operation in topological order, each by what is registered for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

from bitloom import RequestError

from ..formats import Format
from ..graph import Graph, Input, Node, Tensor
from ..reals import Entry
from ..rules import Rule
from ..verifier import verify
from . import (  # noqa: F401  (each registers its operators)
    activation,
    casts,
    elementwise,
    finn,
    fixed,
    fold,
    linear,
    multithreshold,
    pools,
    qdq,
    qoperator,
    resize,
    scores,
    shapes,
    spatial,
    transposed,
    trunc,
    written,
)
from .annotations import annotated
from .checked import checked
from .context import HANDLERS, Context, Result, View, safe_name
from .failure import ImportFailure
from .imported import Imported, meaning_of
from .layout import input_order
from .lookup import tokens
from .model import parse, read
from .op import Op
from .types import FLOAT, INTEGERS
from .values import Const, Value
from .written import QUANTIZERS, behind_input

OWN = (*QUANTIZERS, "Constant", "Trunc", "MultiThreshold", "DequantizeLinear")
"""Operators that are handled here even where all they read is constant."""

PIXEL = Format(8)
FAULTS = (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, AssertionError, RuntimeError,
          StopIteration, MemoryError, onnx.defs.SchemaError)
"""What a malformed operation can raise anywhere in numpy and onnx."""


Progress = Callable[[str], None]


def silent(_: str) -> None:
    """Nobody is told."""


def import_qonnx(path: str | Path, *, name: str | None = None, input_format: Format | None = None,
                 input_scale: float | None = None, input_offset: float = 0.0, requantize: str = "auto",
                 check: int | None = None, progress: Progress = silent) -> Imported:
    """The integer graph of a QONNX file, compared with it; the graph's metadata say how under ``compared``.

    :param name: the graph's name, the file's otherwise.
    :param input_format: the integers that the graph takes; real input = input_scale · integer + input_offset. Without
        both, the integers are those of the quantizer right behind the input; where there is none, 8 bits unsigned and a
        scale of 1/255 are assumed and noted.
    :param requantize: ``exact``: quantizers give what float32 gives. ``fixed``: what rational arithmetic gives, as far
        as multipliers of 27 bits do; a note says how far that is from float32. ``auto``: the first, unless float32
        rounds sums of more than 24 bits.
    :param check: random samples to compare, beside directed ones; 0 compares nothing. See
        :func:`~bitloom.quant.qonnx.checked.checked`, and there for what is taken by default.
    :param progress: told which operation is imported, and how far the comparison is.
    :raises ImportFailure: the file or a part of it cannot become an integer graph: one line with node, operator,
        reason and way out.
    :raises WorkError: graph and file differ.
    """
    proto = read(path)
    imported = import_proto(proto, Path(path).name, name=name or Path(path).stem, input_format=input_format,
                            input_scale=input_scale, input_offset=input_offset, requantize=requantize,
                            progress=progress)
    return checked(imported, proto, check, progress)


def import_proto(proto: onnx.ModelProto, source: str, *, name: str, input_format: Format | None = None,
                 input_scale: float | None = None, input_offset: float = 0.0, requantize: str = "auto",
                 progress: Progress = silent) -> Imported:
    """The integer graph of a model in memory, not compared with it; see :func:`import_qonnx`.

    :param source: what messages call it.
    """
    if input_scale is not None and not (np.isfinite(input_scale) and input_scale > 0):
        raise ImportFailure(f"input_scale must be a positive number, not {input_scale}; leave it out for 1/255")
    if not np.isfinite(input_offset):
        raise ImportFailure(f"input_offset must be a number, not {input_offset}; leave it out for 0")
    if requantize not in fixed.MEANINGS:
        raise ImportFailure(f"requantize must be one of {', '.join(fixed.MEANINGS)}, not {requantize!r}")
    try:
        model = parse(proto, source)
    except FAULTS as error:
        raise _failure(f"{source}: malformed", error) from error
    with np.errstate(all="ignore"):  # what overflows is refused where it is used
        ctx = Context(model, notes=list(model.notes), requantize=requantize)
        return _from_model(ctx, name, input_format, input_scale, input_offset, progress)


def _from_model(ctx: Context, name: str, input_format: Format | None, input_scale: float | None,
                input_offset: float, progress: Progress) -> Imported:
    model, source = ctx.model, ctx.model.source
    ctx.tensors.update((n, annotated(a, model.datatypes.get(n))) for n, a in model.constants.items())
    given = input_format is not None or input_scale is not None or input_offset != 0.0
    first = sorted(model.ops, key=lambda op: op in model.varying)  # constants, since others look ahead at them
    for number, op in enumerate(first, 1):
        if op in model.varying and model.input not in ctx.tensors:
            _enter(ctx, given, input_format, input_scale, input_offset)
        progress(f"{op.kind}, {number} of {len(first)} operations")
        _import(ctx, op)
    result = ctx.tensors.get(model.output)
    if not isinstance(result, Value):
        raise ImportFailure(f"{source}: its output {model.output!r} does not depend on its input; export again")
    try:
        result = scores.finish(ctx, result)
        return _imported(ctx, safe_name(name), result)
    except FAULTS as error:
        raise _failure(f"output {model.output!r}", error) from error


def _failure(what: str, error: BaseException) -> ImportFailure:
    if isinstance(error, ImportFailure):
        return error
    if isinstance(error, RequestError):
        return ImportFailure(f"{what}: {error}")
    return ImportFailure(f"{what}: {type(error).__name__}: {error}; export the model again")


def _import(ctx: Context, op: Op) -> None:
    """Import one operation."""
    results: tuple[Result | None, ...]
    try:
        for name in filter(None, op.inputs):
            if name not in ctx.tensors:
                maker = next(other.kind for other in ctx.model.ops if name in other.outputs)
                op.fail(f"reads {name!r}, an output of {maker} that is not supported", "export the model without it")
        constant = all(isinstance(ctx.tensors[n], Const) for n in op.inputs if n)
        if op in ctx.absorbed:
            results = tuple(ctx.tensors[n] for n in op.inputs if isinstance(ctx.tensors.get(n), Value))
        elif constant and op.kind not in OWN:
            results = fold.fold(ctx, op)
        elif op.kind not in HANDLERS:
            op.fail("this operator is not supported", "docs/operators.md lists those that are")
        else:
            made = HANDLERS[op.kind](ctx, op)
            results = made if isinstance(made, tuple) else (made,)
            op.complete()
    except FAULTS as error:
        raise _failure(f"node {op.name!r} ({op.kind})", error) from error
    for tensor, result in zip(op.outputs, results):
        if isinstance(result, Value):
            result = replace(result, trail=(*result.trail, tensor))
        if result is not None:
            ctx.tensors[tensor] = result


def _enter(ctx: Context, given: bool, form: Format | None, scale: float | None, offset: float) -> None:
    """The graph's input: as the user says, as the first quantizer says, or 8 bits of 1/255."""
    model = ctx.model
    kind = INTEGERS.get(model.input_type)
    if kind is None and model.input_type not in (FLOAT, "float64"):
        raise ImportFailure(f"{model.source}: input {model.input!r} is of type {model.input_type}, and all is computed "
                            f"in {FLOAT}; export the model in {FLOAT}")
    said = model.datatypes.get(model.input)
    whole = said is not None and said.scale == 1.0
    ctx.direct = None if given or whole else behind_input(ctx)
    if ctx.direct is None and not given:
        if (token := tokens(ctx)) is not None:
            form, scale = token, 1.0
        elif kind is not None and kind.bits <= 32:
            form, scale = kind, 1.0
        elif said is not None:
            form, scale = said.format, said.scale
            ctx.note(f"input {model.input!r} is annotated as {said.name}: the graph takes its integers")
        else:
            ctx.assumed = True
            ctx.note(f"input {model.input!r} has no quantizer right behind it: 8 bits unsigned, scale 1/255 assumed, "
                     "which are real numbers of 0 to 1; give its own format and scale (--input i8 --scale 0.05, or "
                     "input_format and input_scale), or put a quantizer at the network's input")
    form = form or PIXEL
    if said is not None and whole:
        kind = said.format
    scale = (1 / 255 if form == PIXEL and kind is None else 1.0) if scale is None else float(scale)
    if kind is not None and (scale % 1 or offset % 1 or not kind.lo <= form.lo * scale + offset
                             or not form.hi * scale + offset <= kind.hi):
        raise ImportFailure(f"{model.source}: input {model.input!r} takes integers of type "
                            f"{said.name if said is not None and whole else model.input_type}, and {form} at scale "
                            f"{scale:g} and offset {offset:g} are others; leave out --input, --scale and --offset (or "
                            f"give --input {kind} --scale 1)")
    index = input_order(model)
    shape = index.shape
    node = Input("input", (), Tensor(shape, form, (scale,)))
    ctx.place(node, False)
    order = np.empty(int(np.prod(shape)), np.int64)
    order[index.ravel()] = np.arange(order.size)
    value = Value("input", shape, order.reshape(model.input_shape), scale=np.asarray(scale), offset=np.asarray(offset))
    ctx.tensors[model.input] = replace(value, trail=(model.input,), type=model.input_type)
    if ctx.direct is None:
        ctx.views["input"] = View(model.input, value)


def _imported(ctx: Context, name: str, result: Value) -> Imported:
    """The graph of what the result needs, its nodes numbered in order; at both ends it keeps what its integers mean."""
    nodes = _renumbered(ctx, result.node)
    if "input" not in nodes or "input" not in ctx.views:
        raise ImportFailure(f"{ctx.model.source}: its output does not depend on its input; export again")
    views = {nodes[old].name: ctx.views[old] for old in nodes if old in ctx.views}
    output = nodes[result.node].name
    entry = _entry(ctx, nodes["input"].output.format)
    metadata: dict[str, object] = {"source": ctx.model.source, "input": entry.record()}
    if output in views:  # the file's own output, or the tensor in front of what is left to the host
        same = np.array_equal(result.index, views[output].value.index)
        tensor = views[output].tensor if same else ctx.model.output
        metadata["output"] = {"tensor": tensor, **meaning_of(replace(views[output].value, index=result.index)).record()}
    if ctx.requantize != "auto":
        metadata["requantize"] = ctx.requantize
    if ctx.distances:
        ctx.note(fixed.report(ctx.distances, ctx.requantize == "fixed"))
    graph = verify(Graph(name, tuple(nodes.values()), output, (), metadata))
    return Imported(graph, {node: view.tensor for node, view in views.items()}, tuple(ctx.notes),
                    entry.meaning.shape, {node: meaning_of(view.value) for node, view in views.items()},
                    {nodes[old].name: rough for old, rough in ctx.rough.items() if old in nodes})


def _entry(ctx: Context, form: Format) -> Entry:
    """What the input's integers mean, in the order of the file's own input, and the rule that makes them."""
    value, quantizer = ctx.tensors[ctx.model.input], ctx.entry
    assert isinstance(value, Value)
    meaning = meaning_of(value)
    if quantizer is None:
        return Entry(meaning, Rule("nearest", form.lo, form.hi), ctx.assumed)
    if not isinstance(quantizer.integer, Rule):
        raise ImportFailure(f"input {ctx.model.input!r}: what quantizes it is no quantizer of QONNX or ONNX; put one "
                            "at the network's input")
    scale, zero = quantizer.constants or (quantizer.scale, quantizer.zero)
    constants = {"scale": scale.astype(np.float64), "zero": zero.astype(np.float64), "offset": np.zeros(())}
    return Entry(replace(meaning, **constants), quantizer.integer)


def _renumbered(ctx: Context, output: str) -> dict[str, Node]:
    """The nodes that ``output`` needs under their old names, each with its new name."""
    needed = {output}
    for name in reversed(ctx.nodes):
        if name in needed:
            needed.update(ctx.nodes[name].inputs)
    counts: dict[str, int] = {}
    names: dict[str, str] = {}
    done: dict[str, Node] = {}
    kinds = {n: n.rstrip("0123456789") for n in ctx.nodes}
    single = {k for k in ("argmax",) if sum(kinds[n] == k for n in needed) == 1}
    for old, node in ctx.nodes.items():
        if old not in needed:
            continue
        kind = kinds[old]
        counts[kind] = counts.get(kind, 0) + 1
        names[old] = kind if isinstance(node, Input) or kind in single else f"{kind}{counts[kind]}"
        done[old] = replace(node, name=names[old], inputs=tuple(names[i] for i in node.inputs))
    return done
