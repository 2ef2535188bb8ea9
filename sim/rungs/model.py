"""Level ``model``: the network itself, trained or imported, against the integer graph, at every quantizer."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from bitloom import RequestError
from bitloom.boards.build import Compiled
from bitloom.boards.design import GRAPH, IMPORTED, NETWORK, model_folder
from bitloom.quant import Graph, load

from ..levels import Findings, Unavailable
from .same import same

CHECKPOINT = "checkpoint.npz"


def verify_model(compiled: Compiled, count: int | None, model: str | Path | None,
                 note: Callable[[str], None] = lambda _: None) -> Findings:
    """Run samples through the network and compare each quantizer's integers, and the class.

    Held-out ones through a trained network; extremes and random ones, too, through an imported one.

    :param model: the folder (or the name) of the network, or its ONNX file; None is the example of the graph's name, if
        it is that very graph.
    """
    network = _imported(model)
    if network is not None:
        from .imported import verify_imported

        return verify_imported(compiled.graph, network, count, note)
    folder = _folder(compiled.graph, model)
    missing = [package for package in ("torch", "brevitas", "sklearn") if find_spec(package) is None]
    if missing:
        raise Unavailable(f"running the trained network needs {', '.join(missing)}: pip install 'bitloom[train]'")
    from bitloom.quant.train.checkpoint import load_checkpoint
    from bitloom.quant.train.compare import compare
    from bitloom.quant.train.data import DataUnavailable
    from bitloom.quant.train.data import load as load_data
    from bitloom.quant.train.spec import load_spec

    spec = load_spec(folder / NETWORK)
    try:
        samples = load_data(spec.dataset).x_test[:count]
    except DataUnavailable as error:
        raise Unavailable(str(error)) from None
    rows = compare(load_checkpoint(folder / CHECKPOINT, spec), spec, compiled.graph, samples)
    wrong = [f"{row.quantizer}: {row.mismatches} of {row.samples} differ from node {row.node}"
             for row in rows if row.mismatches]
    mismatches = max(row.mismatches for row in rows if row.quantizer == row.node)
    compared = f"{len(samples)} held-out samples of {spec.dataset} at {len(rows)} quantizers of {folder.name}"
    return Findings(len(samples), mismatches, compared, tuple(wrong))


def _imported(model: str | Path | None) -> Path | None:
    """The ONNX file that ``model`` names, or that lies in the folder it names; None where it names none."""
    path = Path("" if model is None else model)
    if path.suffix == ".onnx":
        return path
    trained = (path / NETWORK).is_file()
    return path / IMPORTED if model is not None and not trained and (path / IMPORTED).is_file() else None


def _folder(graph: Graph, model: str | Path | None) -> Path:
    """The folder of the trained network that ``graph`` was exported from."""
    try:
        folder = model_folder(str(graph.name if model is None else model))
    except RequestError:
        raise Unavailable(f"no trained network of {graph.name!r} is at hand, only its integer graph") from None
    if not (folder / NETWORK).is_file() or not (folder / CHECKPOINT).is_file():
        raise Unavailable(f"{folder} holds no {NETWORK} with its {CHECKPOINT}, only an integer graph")
    if model is None and not ((folder / GRAPH).is_file() and same(load(folder / GRAPH), graph)):
        raise Unavailable(f"this is not the graph of the example {folder.name}; name its trained network's folder")
    return folder
