"""``bitloom import``: from an ONNX file, or a checkpoint, to the integer graph."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bitloom import RequestError, WorkError

from ..console import Screen
from ..errors import Command
from .report import print_warning

if TYPE_CHECKING:
    from bitloom.quant import Format, Graph
    from bitloom.quant.qonnx import Imported


class Number(click.ParamType):
    """A number, or a fraction such as 1/255."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The value as a float."""
        try:
            return float(Fraction(str(value).strip()))
        except (ValueError, ZeroDivisionError, OverflowError):
            self.fail(f"{value!r} must be a number, or a fraction such as 1/255", param, ctx)


class FormatOption(click.ParamType):
    """An integer format: u8, i4, bipolar."""

    name = "format"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Format:
        """The format that ``value`` names."""
        from bitloom.quant import BIPOLAR, Format

        known = re.fullmatch(r"([ui])(\d{1,2})", str(value).strip().lower())
        if str(value).strip().lower() == "bipolar":
            return BIPOLAR
        if known is None or not 1 <= int(known[2]) <= 32:
            self.fail(f"{value!r} must be u1 to u32 (unsigned), i1 to i32 (two's complement) or bipolar", param, ctx)
        return Format(int(known[2]), signed=known[1] == "i")


@click.command("import", cls=Command, short_help="Turn an ONNX file or a checkpoint into an integer graph.")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path),
              help="Folder for what is made [<name>/], or the graph alone as FILE.npz [a checkpoint's: beside it].")
@click.option("--name", help="What the network is called [the file's name].")
@click.option("--input", "input_format", type=FormatOption(), metavar="FORMAT",
              help="ONNX: the integers that the hardware gets, such as u8 [from the file].")
@click.option("--scale", "input_scale", type=Number(), metavar="X",
              help="ONNX: real input = scale · integer + offset, such as 1/255 [from the file].")
@click.option("--offset", "input_offset", type=Number(), metavar="X", help="ONNX: see --scale [0].")
@click.option("--requantize", type=click.Choice(["auto", "exact", "fixed"]),
              help="ONNX: quantizers as float32 computes them (exact), as their scales mean them (fixed), or the first "
                   "unless float32 rounds sums of more than 24 bits (auto) [auto].")
@click.option("--check", type=click.IntRange(min=0), metavar="N",
              help="ONNX: compare N random inputs, and directed ones, with the file's own run at every quantizer; 0: "
                   "none [32, for some seconds].")
@click.option("--strict", is_flag=True, help="ONNX: fail where nothing here can run the file to compare (for CI).")
@click.option("--dataset", help="ONNX: the data set that the network classifies; its accuracy is measured on it.")
@click.option("--classes", metavar="NAMES", help="ONNX: the classes' names, separated by commas, or a file of lines.")
@click.option("--network", type=click.Path(path_type=Path), help="Checkpoint: its network.yaml [beside it].")
def import_(source: Path, out: Path | None, network: Path | None, as_json: bool, **options: Any) -> None:
    """Turn SOURCE into an integer graph, and compare the two.

    SOURCE is an ONNX file with QONNX's quantizers (as Brevitas and QKeras export them), or the checkpoint.npz of a
    network that `bitloom train` has trained, or a folder that holds one of the two.
    """
    screen = Screen(as_json)
    source = _file(source)
    given = {f"--{key.removeprefix('input_').replace('format', 'input')}": value for key, value in options.items()
             if value not in (None, False)}
    if source.suffix == ".onnx":
        if network is not None:
            raise RequestError(f"--network is for checkpoints, and {source} is an ONNX file")
        _import_onnx(screen, source, out, **options)
        return
    if given:
        raise RequestError(f"{', '.join(given)}: only ONNX files (.onnx) have such options, and {source} is taken for "
                           "a checkpoint")
    _import_checkpoint(screen, source, network, out)


def _file(source: Path) -> Path:
    """The file that a folder stands for."""
    from bitloom.boards.design import IMPORTED

    if not source.is_dir():
        return source
    return source / IMPORTED if (source / IMPORTED).is_file() else source / "checkpoint.npz"


def _import_onnx(
    screen: Screen, source: Path, out: Path | None, *, name: str | None, input_format: Format | None,
    input_scale: float | None, input_offset: float | None, requantize: str | None, check: int | None,
    dataset: str | None, strict: bool, classes: str | None,
) -> None:
    from bitloom.boards.design import GRAPH, IMPORTED, short_name
    from bitloom.quant import save
    from bitloom.quant.files import require_qonnx

    require_qonnx()
    from bitloom.quant.provenance import uncompared, warning
    from bitloom.quant.qonnx import import_qonnx
    from bitloom.quant.qonnx.executors import EXECUTORS, missing

    name = short_name(str(source)) if name is None else name
    out = _target(out, name)
    with screen.step("import") as step:
        imported = import_qonnx(source, name=name, input_format=input_format, input_scale=input_scale,
                                input_offset=input_offset or 0.0, requantize=requantize or "auto", check=check,
                                progress=step.note)
    graph = _named(imported.graph, classes)
    if check and uncompared(graph) and (why := missing(EXECUTORS[0])):
        raise RequestError(f"--check: {why}")
    warning(graph, strict)
    if dataset is not None:
        with screen.step("measure"):
            graph = _measured(graph, dataset)
    path = out if out.suffix == ".npz" else out / GRAPH
    save(graph, path)
    kept = None if out.suffix == ".npz" else path.with_name(IMPORTED)
    if kept is not None and not (kept.exists() and kept.samefile(source)):
        from bitloom.quant.qonnx.files import copy

        copy(source, kept)
    _report(screen, graph, imported, path)


def _target(out: Path | None, name: str) -> Path:
    """Where to write: a folder, or a graph; refused where a trained network lives."""
    out = Path(name) if out is None else out
    if out.suffix != ".npz" and (out / "network.yaml").exists():
        raise RequestError(f"{out}: holds a network.yaml, which is trained and not imported; give --out another folder")
    if out.suffix != ".npz" and out.exists() and not out.is_dir():
        raise RequestError(f"{out}: --out must be a folder, or end in .npz")
    return out


def _measured(graph: Graph, dataset: str) -> Graph:
    """``graph`` with its accuracy on the held-out samples of ``dataset``, and the classes' names."""
    import numpy as np

    from bitloom import quant
    from bitloom.quant.reals import class_count
    from bitloom.quant.train import data

    source, tensor = data.source(dataset), graph.input.output
    if source.features != prod(tensor.shape):
        raise RequestError(f"dataset {dataset}: has {source.features} features, and the network takes {tensor}")
    found = data.load(dataset)
    if not tensor.format.holds(found.x_test):
        raise RequestError(f"dataset {dataset}: samples must lie in the input's format {tensor.format}, and "
                           f"{found.x_test.min()} to {found.x_test.max()} occur; give --input and --scale")
    results = np.concatenate([quant.run(graph, part).reshape(len(part), -1)
                              for part in np.array_split(found.x_test, -(-len(found.x_test) // 250))])
    classes, samples = quant.classes(graph, results), len(found.y_test)
    if classes is None or classes.shape != found.y_test.shape:
        raise RequestError(f"dataset {dataset}: has classes, and the network gives {graph[graph.output].output}")
    errors = int((classes != found.y_test).sum())
    facts = {"dataset": dataset, "samples": samples, "errors": errors, "accuracy": (samples - errors) / samples}
    names = found.classes if class_count(graph) == len(found.classes) and not graph.classes else graph.classes
    return replace(graph, classes=names, metadata={**graph.metadata, **facts})


def _named(graph: Graph, classes: str | None) -> Graph:
    """``graph`` with the names of its classes: separated by commas, or the lines of a file."""
    from bitloom.quant.reals import class_count

    if classes is None:
        return graph
    path, count = Path(classes), class_count(graph)
    text = path.read_text(encoding="utf-8").splitlines() if path.is_file() else classes.split(",")
    names = tuple(name.strip() for name in text if name.strip())
    if len(names) != count or len(set(names)) != count:
        raise RequestError(f"--classes: must be {count} different names" if count else
                           "--classes: the network names no classes")
    return replace(graph, classes=names)


def _report(screen: Screen, graph: Graph, imported: Imported, path: Path) -> None:
    """Print the graph, what was inferred, what was compared."""
    from bitloom.quant.reals import entry_of
    from bitloom.quant.samples import ASSUMED

    entry = entry_of(graph)
    assert entry is not None  # every import leaves its record
    taken = f", taken as {'×'.join(map(str, entry.meaning.shape))}" if entry.meaning.moved else ""
    screen.say(f"{graph}\ninput: {graph.input.output}, {entry.meaning}{taken}")
    for note in imported.notes:
        screen.say(f"note: {note}")
    if entry.assumed:
        screen.warn(ASSUMED)
    rows = [] if imported.compared is None else imported.compared.rows
    for line in [] if imported.compared is None else imported.compared.lines():
        screen.say(line)
    print_warning(screen, graph)
    if "accuracy" in graph.metadata:
        screen.say(f"{graph.metadata['accuracy']:.2%} of {graph.metadata['samples']} held-out samples of "
                   f"{graph.metadata['dataset']}")
    screen.say(f"{path}")
    summary = graph.metadata["compared"]
    screen.result({"model": graph.name, "graph": path, **graph.metadata, "notes": list(imported.notes),
                   "compared": [row.values() for row in rows], "comparison": summary,
                   "nodes": [{"name": node.name, "op": node.op, "output": str(node.output)} for node in graph]})


def _import_checkpoint(screen: Screen, checkpoint: Path, network: Path | None, out: Path | None) -> None:
    from bitloom import quant
    from bitloom.quant.train import compare, export, load, load_checkpoint, load_spec

    if out is not None and (out.is_dir() or out.suffix != ".npz"):
        out = out / "graph.npz"
    spec = load_spec(network or checkpoint.parent / "network.yaml")
    with screen.step("import"):
        module = load_checkpoint(checkpoint, spec)
        graph = export(module, spec)
    with screen.step("compare"):
        for row in compare(module, spec, graph, load(spec.dataset).x_test):
            if row.mismatches:
                raise WorkError(f"{checkpoint}: graph and network must agree, and at {row.quantizer} {row.mismatches} "
                                f"of {row.samples} differ")
    path = out or checkpoint.parent / "graph.npz"
    quant.save(graph, path)
    screen.say(f"{graph}\n{path}: {graph.metadata['accuracy']:.2%} of {graph.metadata['samples']} held-out samples")
    if "note" in graph.metadata:
        screen.say(f"  {graph.metadata['note']}")
    screen.result({"model": graph.name, "graph": path, **graph.metadata,
                   "nodes": [{"name": node.name, "op": node.op, "output": str(node.output)} for node in graph]})
