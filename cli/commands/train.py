"""``bitloom train``: from a specification to a trained network and its integer graph."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

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

    done = train_example(folder)
    facts: dict[str, Any] = done.graph.metadata
    screen.say(f"{done.spec.name}: {facts['accuracy']:.2%} of {facts['samples']} held-out samples of "
               f"{facts['dataset']}, in {done.seconds:.1f} s; {folder / 'graph.npz'}")
    for name, part in facts.get("more", {}).items():
        screen.say(f"  {part['accuracy']:.2%} of {part['samples']} {name}")
    if "note" in facts:
        screen.say(f"  {facts['note']}")
    screen.result({"model": done.spec.name, "seconds": done.seconds, "graph": folder / "graph.npz",
                   "checkpoint": folder / "checkpoint.npz", **facts})


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
