"""Inputs for an imported network: random ones, and those that reach what data does not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, product, zip_longest
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import Graph
from ..operators import Conv, Lookup, MatMul
from .runnable import entry

if TYPE_CHECKING:
    from onnx import ModelProto

    from . import Imported

DIRECTED = 16
"""How many outputs of the first product are driven to each of their ends."""


def random_integers(graph: Graph, count: int, seed: int = 0) -> np.ndarray:
    """``count`` samples over the whole format of the input, tokens up to the last: int64 (count, *input shape)."""
    tensor = graph.input.output
    rng = np.random.default_rng(seed)
    if tensor.format.bipolar:
        return rng.choice(np.array([-1, 1]), (count, *tensor.shape))
    return rng.integers(tensor.format.lo, _greatest(graph), (count, *tensor.shape), endpoint=True)


def extreme_integers(graph: Graph, seed: int = 0) -> np.ndarray:
    """Samples of nothing but the format's two ends: int64 (n, *input shape).

    All least, all greatest, stripes over the elements and over the channels, patterns at random, and for a matrix
    product or a convolution at the front the inputs that drive its first outputs to their greatest and their least.
    """
    return np.stack(list(_extremes(graph, seed)))


def _extremes(graph: Graph, seed: int) -> Iterator[np.ndarray]:
    tensor = graph.input.output
    low, high = tensor.format.lo, _greatest(graph)
    elements, channels = int(np.prod(tensor.shape)), tensor.shape[-1]
    number = np.arange(elements)
    rng = np.random.default_rng(seed)
    up = [np.zeros(elements, bool), np.ones(elements, bool), number % 2 == 0, number % 2 == 1,
          number % channels % 2 == 0, number // channels % 2 == 0, *(rng.random((4, elements)) < 0.5)]
    up += [side for weights in _front(graph) for side in (weights > 0, weights < 0)]
    return (np.where(side, high, low).reshape(tensor.shape).astype(np.int64) for side in up)


def _greatest(graph: Graph) -> int:
    """The greatest integer of the input: of its format, or the last row of a table that it chooses from."""
    names, greatest = {graph.input.name}, graph.input.output.format.hi
    for node in graph:
        if isinstance(node, Lookup) and node.inputs[0] in names:
            greatest = min(greatest, len(node.table) - 1)
        elif names.intersection(node.inputs) and (_selects(node) if isinstance(node, MatMul) else
                                                  not isinstance(node, Lookup)):
            names.add(node.name)
    return greatest


def _selects(node: MatMul) -> bool:
    """Whether each output is one of the inputs."""
    return node.bias is None and bool(np.all(node.weights >= 0) and np.all(node.weights.sum(axis=1) == 1))


def _front(graph: Graph) -> list[np.ndarray]:
    """Weights of the first outputs of the product at the front, laid over the input's elements; a kernel repeats."""
    shape = graph.input.output.shape
    first = next((node for node in graph if isinstance(node, MatMul | Conv)), None)
    if isinstance(first, MatMul) and first.weights.shape[1] == prod(shape):
        return list(first.weights[:DIRECTED])
    if not isinstance(first, Conv) or first.groups != 1 or first.weights.shape[-1] != shape[-1] or (
            len(first.kernel) != len(shape) - 1):
        return []
    steps = [np.arange(n) // dilation % k for n, dilation, k in zip(shape, first.dilation, first.kernel)]
    return [row[np.ix_(*steps)].ravel() for row in first.weights[:DIRECTED]]


def directed_integers(graph: Graph, seed: int = 0, most: int | None = None) -> np.ndarray:
    """Extreme samples and others that random ones are not, by turns, ``most`` at most: int64 (n, *input shape).

    Random numbers of smaller and smaller size around zero and around the format's middle, few elements that are not
    zero, ramps along each axis, and one value throughout: inner quantizers see small sums and great ones.
    """
    return np.stack(list(islice(alternating(_extremes(graph, seed), _moderate(graph, seed + 1)), most)))


def _moderate(graph: Graph, seed: int) -> Iterator[np.ndarray]:
    tensor = graph.input.output
    low, high, shape = tensor.format.lo, _greatest(graph), tensor.shape
    rng, span = np.random.default_rng(seed), high - low
    if tensor.format.bits == 1 or span < 1:
        return
    for center, size in product(sorted({max(0, low), (low + high) // 2}), (span >> k for k in range(2, 6))):
        if size:
            yield np.clip(center + rng.integers(-size, size, shape, endpoint=True), low, high)
    for share in (0.02, 0.1, 0.3):
        yield np.where(rng.random(shape) < share, rng.integers(low, high, shape, endpoint=True), max(low, 0))
    for axis, n in enumerate(shape):
        ramp = low + np.arange(n) * span // max(n - 1, 1)
        yield np.broadcast_to(ramp.reshape(-1, *(1,) * (len(shape) - axis - 1)), shape).astype(np.int64)
    for part in (1, 2, 3):
        yield np.full(shape, low + span * part // 4)


def alternating(*kinds: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The samples of ``kinds`` by turns, so that wherever a comparison ends there were some of each."""
    return (sample for turn in zip_longest(*kinds) for sample in turn if sample is not None)


def real_inputs(imported: Imported, model: ModelProto, integers: np.ndarray) -> np.ndarray:
    """What the file gets where the graph gets ``integers`` (samples, *input shape): float32, (samples, *its shape)."""
    scale, offset = affine(imported)
    values = (integers.reshape(-1, *scale.shape) * scale + offset).reshape(len(integers), -1)
    return values[:, input_order(imported, model)].astype(np.float32).reshape(-1, *_shape(model))


def affine(imported: Imported) -> tuple[np.ndarray, np.ndarray]:
    """Scale and offset of each element of the graph's input, in its shape: real = scale · integer + offset."""
    facts: Any = imported.graph.metadata["input"]
    shape = imported.graph.input.output.shape
    scale, offset = (np.broadcast_to(np.asarray(facts[key], np.float64), shape) for key in ("scale", "offset"))
    return scale, offset


def input_order(imported: Imported, model: ModelProto) -> np.ndarray:
    """For each element of the file's input, which of the graph's it is.

    Found out by asking ``imported.quantize`` with inputs that write each element's number in binary, so far out that
    they become the ends of what the input's quantizer gives.
    """
    shape = _shape(model)
    top = imported.quantize(np.full((1, *shape), 1e30, np.float32)).ravel()
    number = np.arange(int(np.prod(shape)))
    element = np.zeros(len(number), np.int64)
    for bit in range(int(len(number) - 1).bit_length()):
        ends = np.where(number >> bit & 1, 1e30, -1e30).astype(np.float32)
        asked = imported.quantize(ends.reshape(1, *shape)).ravel()
        element |= (asked == top).astype(np.int64) << bit
    order = np.empty(len(number), np.int64)
    order[element] = number
    return order


def _shape(model: ModelProto) -> tuple[int, ...]:
    """The shape of one sample of the file's input."""
    return tuple(d.dim_value for d in entry(model).type.tensor_type.shape.dim)[1:]
