"""``bitloom train`` and ``bitloom import``: from a specification, or a checkpoint, to the integer graph."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from bitloom import RequestError

from ..console import Screen
from ..errors import Command


@click.command(cls=Command, short_help="Train a network.")
@click.argument("network")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for what is made [NETWORK's].")
def train(network: str, out: Path | None, as_json: bool) -> None:
    """Train NETWORK: the name of an example, a folder with a network.yaml, or a network.yaml.

    Writes checkpoint.npz (the float parameters), graph.npz (the integer graph) and curve.svg.
    """
    screen = Screen(as_json)
    folder = _folder(network, out)
    from bitloom.quant.train import train_example

    if screen.err.is_terminal:
        done = train_example(folder)
    else:
        with screen.step("train"):
            done = train_example(folder, progress=False)
    facts = done.graph.metadata
    screen.say(f"{done.spec.name}: {facts['accuracy']:.2%} of {facts['samples']} held-out samples, "
               f"in {done.seconds:.1f} s; {folder / 'graph.npz'}")
    screen.result({"model": done.spec.name, "accuracy": facts["accuracy"], "samples": facts["samples"],
                   "seconds": done.seconds, "graph": folder / "graph.npz", "checkpoint": folder / "checkpoint.npz"})


@click.command("import", cls=Command, short_help="Turn a checkpoint into an integer graph.")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--network", type=click.Path(path_type=Path), help="The network.yaml [beside CHECKPOINT].")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The graph [graph.npz beside CHECKPOINT].")
def import_(checkpoint: Path, network: Path | None, out: Path | None, as_json: bool) -> None:
    """Turn CHECKPOINT, the parameters of a trained network, into an integer graph, and compare the two.

    CHECKPOINT is a file, or a folder that holds checkpoint.npz.
    """
    from bitloom import WorkError, quant
    from bitloom.quant.train import compare, export, load, load_checkpoint, load_spec

    screen = Screen(as_json)
    if checkpoint.is_dir():
        checkpoint = checkpoint / "checkpoint.npz"
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
    screen.result({"model": graph.name, "graph": path, **graph.metadata,
                   "nodes": [{"name": node.name, "op": node.op, "output": str(node.output)} for node in graph]})


def _folder(network: str, out: Path | None) -> Path:
    """The folder to train in: that of the network, or ``out`` with a copy of its network.yaml."""
    from bitloom.boards.design import model_folder

    path = Path(network)
    if path.is_file():
        source = path
    elif path.is_dir():
        source = path / "network.yaml"
    else:
        source = model_folder(network) / "network.yaml"
    if out is None:
        if source.name != "network.yaml":
            raise RequestError(f"{source}: must be called network.yaml, or give --out FOLDER for what is made of it")
        return source.parent
    out.mkdir(parents=True, exist_ok=True)
    if source.is_file() and source.resolve() != (out / "network.yaml").resolve():
        shutil.copyfile(source, out / "network.yaml")
    return out
