"""Training with Brevitas and export to the integer graph: the only part of bitloom that needs torch."""

from . import available  # noqa: F401  (says which package is missing before one of them is imported)
from .checkpoint import load_checkpoint, save_checkpoint
from .compare import Comparison, compare
from .data import Dataset, load
from .example import TrainedExample, train_example
from .export import export, graph_of
from .loop import Epoch, TrainedNetwork, train
from .spec import NetworkSpec, load_spec, parse_spec

__all__ = [
    "Comparison",
    "Dataset",
    "Epoch",
    "NetworkSpec",
    "TrainedExample",
    "TrainedNetwork",
    "compare",
    "export",
    "graph_of",
    "load",
    "load_checkpoint",
    "load_spec",
    "parse_spec",
    "save_checkpoint",
    "train",
    "train_example",
]
