"""The integer graph and its exact semantics; :mod:`bitloom.quant.train` trains and exports (and alone needs torch)."""

from .formats import BIPOLAR, Format
from .graph import ArgMax, Graph, GraphError, Input, MatMul, Node, Tensor, Threshold
from .interpret import run, trace
from .serialize import load, save
from .verifier import verify

__all__ = [
    "BIPOLAR",
    "ArgMax",
    "Format",
    "Graph",
    "GraphError",
    "Input",
    "MatMul",
    "Node",
    "Tensor",
    "Threshold",
    "load",
    "run",
    "save",
    "trace",
    "verify",
]
