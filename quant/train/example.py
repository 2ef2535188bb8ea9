"""A folder with ``network.yaml`` becomes a trained example: checkpoint, integer graph and learning curve."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bitloom import WorkError

from ..graph import Graph
from ..serialize import save
from .checkpoint import save_checkpoint
from .compare import compare
from .curve import draw_curve
from .data import load
from .export import export
from .loop import TrainedNetwork, train
from .spec import NetworkSpec, load_spec
from .start import starting_point

PRODUCTS = ("checkpoint.npz", "graph.npz", "curve.svg")


@dataclass(frozen=True)
class TrainedExample:
    """What :func:`train_example` made: the specification, the trained network, its graph, and the seconds it took."""

    spec: NetworkSpec
    trained: TrainedNetwork
    graph: Graph
    seconds: float


def train_example(folder: str | Path, progress: bool = True) -> TrainedExample:
    """Train ``folder/network.yaml``; write ``checkpoint.npz``, ``graph.npz`` and ``curve.svg`` beside it.

    The three appear together, and only once the graph was found equal to the trained network at every quantizer on
    all held-out samples; an interrupt or a failure before leaves the folder as it was.

    :raises RequestError: ``network.yaml`` is missing or wrong, or the network that it starts from is.
    :raises WorkError: training diverged, or the graph differs from the trained network.
    """
    folder, start = Path(folder), time.monotonic()
    spec = load_spec(folder / "network.yaml")
    trained = train(spec, progress, None, starting_point(spec, folder))
    graph = export(trained.module, spec)
    for row in compare(trained.module, spec, graph, load(spec.dataset).x_test):
        if row.mismatches:
            raise WorkError(f"{spec.name}: graph and trained network must agree, and at {row.quantizer} "
                            f"{row.mismatches} of {row.samples} differ")
    with tempfile.TemporaryDirectory(dir=folder, prefix=".training.") as scratch:
        made = Path(scratch)
        save_checkpoint(trained.module, spec, made / "checkpoint.npz")
        save(graph, made / "graph.npz")
        draw_curve(trained.history, f"{spec.name}: {graph.metadata['accuracy']:.2%} on held-out samples",
                   made / "curve.svg")
        for product in PRODUCTS:
            os.replace(made / product, folder / product)
    return TrainedExample(spec, trained, graph, time.monotonic() - start)
