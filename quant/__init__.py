"""The integer graph and its exact semantics; :mod:`bitloom.quant.train` trains and exports (and alone needs torch)."""

from .formats import BIPOLAR, Format
from .graph import Graph, GraphError, Input, Node, Range, Tensor
from .interpret import run, trace
from .operators import (
    OPERATORS,
    Add,
    ArgMax,
    Concat,
    Conv,
    DepthToSpace,
    Lookup,
    MatMul,
    Multiply,
    Pad,
    Pool,
    Requantize,
    Reshape,
    Table,
    Threshold,
    Upsample,
    Window,
)
from .reals import classes, scores
from .samples import Taken, take
from .serialize import load, save
from .verifier import verify

__all__ = [
    "BIPOLAR",
    "OPERATORS",
    "Add",
    "ArgMax",
    "Concat",
    "Conv",
    "DepthToSpace",
    "Format",
    "Graph",
    "GraphError",
    "Input",
    "Lookup",
    "MatMul",
    "Multiply",
    "Node",
    "Pad",
    "Pool",
    "Range",
    "Requantize",
    "Reshape",
    "Table",
    "Taken",
    "Tensor",
    "Threshold",
    "Upsample",
    "Window",
    "classes",
    "load",
    "run",
    "save",
    "scores",
    "take",
    "trace",
    "verify",
]
