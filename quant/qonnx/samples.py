"""Inputs for an imported network: random ones, and those that reach what data does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..graph import Graph
from ..operators import MatMul
from .reference import entry

if TYPE_CHECKING:
    from onnx import ModelProto

    from . import Imported

DIRECTED = 16
"""How many outputs of the first matrix product are driven to each of their ends."""


def random_integers(graph: Graph, count: int, seed: int = 0) -> np.ndarray:
    """``count`` samples over the whole format of the input: int64 (count, *input shape)."""
    tensor = graph.input.output
    rng = np.random.default_rng(seed)
    if tensor.format.bipolar:
        return rng.choice(np.array([-1, 1]), (count, *tensor.shape))
    return rng.integers(tensor.format.lo, tensor.format.hi, (count, *tensor.shape), endpoint=True)


def extreme_integers(graph: Graph, seed: int = 0) -> np.ndarray:
    """Samples of nothing but the format's two ends: int64 (n, *input shape).

    All least, all greatest, stripes over the elements and over the channels, patterns at random, and for a matrix
    product at the front the inputs that drive its first outputs to their greatest and their least.
    """
    tensor = graph.input.output
    low, high = tensor.format.lo, tensor.format.hi
    elements, channels = int(np.prod(tensor.shape)), tensor.shape[-1]
    number = np.arange(elements)
    rng = np.random.default_rng(seed)
    up = [np.zeros(elements, bool), np.ones(elements, bool), number % 2 == 0, number % 2 == 1,
          number % channels % 2 == 0, number // channels % 2 == 0, *(rng.random((4, elements)) < 0.5)]
    first = next((node for node in graph if isinstance(node, MatMul)), None)
    if first is not None and first.weights.shape[1] == elements:
        up += [side for row in first.weights[:DIRECTED] for side in (row > 0, row < 0)]
    return np.where(np.array(up), high, low).reshape(-1, *tensor.shape).astype(np.int64)


def real_inputs(imported: Imported, model: ModelProto, integers: np.ndarray) -> np.ndarray:
    """What the file gets where the graph gets ``integers`` (samples, *input shape): float32 (samples, *file's shape).

    Which element of the file's input is which of the graph's is found out by asking ``imported.quantize`` with inputs
    that write out each element's number in binary.
    """
    shape = [d.dim_value for d in entry(model).type.tensor_type.shape.dim][1:]
    tensor, facts = imported.graph.input.output, imported.graph.metadata["input"]
    scale, offset = float(facts["scale"]), float(facts["offset"])  # type: ignore[index]
    number = np.arange(int(np.prod(shape)))
    origin = np.zeros(len(number), np.int64)
    for bit in range(int(len(number) - 1).bit_length()):
        ends = np.where(number >> bit & 1, tensor.format.hi, tensor.format.lo) * scale + offset
        asked = imported.quantize(ends.astype(np.float32).reshape(1, *shape)).ravel()
        origin |= (asked > (tensor.format.lo + tensor.format.hi) / 2).astype(np.int64) << bit
    values = np.empty((len(integers), len(number)))
    values[:, origin] = integers.reshape(len(integers), -1) * scale + offset
    return values.astype(np.float32).reshape(-1, *shape)
