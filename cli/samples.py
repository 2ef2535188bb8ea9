"""Samples for a build: the held-out ones of the data set that its network was trained on."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from math import prod
from pathlib import Path

import numpy as np

from bitloom.quant import Graph

from .console import Screen


@dataclass(frozen=True)
class HeldOut:
    """Samples that the network was not trained on: integers (n, features), class indices (n,).

    ``image``: rows × columns, where a sample is a picture.
    """

    inputs: np.ndarray
    labels: np.ndarray
    image: tuple[int, int] | None


def held_out(graph: Graph, download: bool = True) -> HeldOut | None:
    """The held-out samples of the data set that ``graph`` was trained on.

    None where bitloom does not know the data set or cannot have it (without ``download``: has it not at hand), or the
    packages of the ``[train]`` extra are not there.
    """
    if "dataset" not in graph.metadata or not (find_spec("sklearn") and find_spec("torch") and find_spec("brevitas")):
        return None
    from bitloom.quant.train import data

    source = data.SOURCES.get(str(graph.metadata["dataset"]))
    if source is None or source.features != prod(graph.input.output.shape) or not (download or source.at_hand):
        return None
    try:
        dataset = source.loader()
    except data.DataUnavailable:
        return None
    return HeldOut(dataset.x_test, dataset.y_test, source.image)


def illustrate(screen: Screen, model: str, folder: Path) -> None:
    """Put held-out samples and the learning curve of ``model`` into the build ``folder`` and draw its page again."""
    from bitloom.boards.design import resolve_model
    from bitloom.boards.report import render
    from bitloom.boards.report.samples import FILE, keep

    source, graph = resolve_model(model)
    if source is not None and (source / "curve.svg").is_file():
        shutil.copyfile(source / "curve.svg", folder / "curve.svg")
    if not (folder / FILE).exists():
        with screen.step("samples"):
            found = held_out(graph, download=False)
            if found is not None and found.image is not None:
                keep(folder, found.inputs, found.labels, found.image)
    render(folder)
