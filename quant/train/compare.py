"""The module's own integers against the graph's, quantizer by quantizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias, cast

import numpy as np
import torch
from brevitas.quant_tensor import IntQuantTensor

from ..graph import Graph
from ..interpret import trace
from ..operators import MatMul
from .export import row_signs
from .integers import integers_of
from .network import Network
from .spec import NetworkSpec
from .threads import one_thread

Values: TypeAlias = dict[str, np.ndarray]
Seen: TypeAlias = dict[str, IntQuantTensor]


class Comparison(NamedTuple):
    """``quantizer`` of the module and ``node`` of the graph, how many were compared, and how many of them differ.

    ``samples`` counts input samples; for weights and biases it counts constants.
    """

    quantizer: str
    node: str
    samples: int
    mismatches: int


@one_thread()
def compare(module: Network, spec: NetworkSpec, graph: Graph, samples: np.ndarray) -> list[Comparison]:
    """Run ``module`` in eval mode and ``graph`` on the same raw ``samples`` and compare every quantizer's integers.

    The module's integers are its own (value over scale of activations, weights, bias and scores), taken while it runs;
    its class is torch's argmax of its scores. A weight row whose batch norm falls must be negated in the graph. The
    last row is the class decision.
    """
    seen, remove = _record(module.eval())
    try:
        with torch.no_grad():
            classes = module(torch.tensor(samples, dtype=torch.float32)).argmax(dim=1)
    finally:
        remove()
    values = trace(graph, samples)
    rows = [_samples("quant", integers_of("quant", seen["quant"]), values["quant"])]
    for i in range(1, module.depth + 1):
        rows += _layer(module, i, graph, values, seen)
    return [*rows, _samples("argmax", classes.numpy()[:, None], values["argmax"])]


def _layer(module: Network, i: int, graph: Graph, values: Values, seen: Seen) -> list[Comparison]:
    name = f"fc{i}"
    layer, node = module.linear(i), cast(MatMul, graph[name])
    weights = integers_of(f"{name}.weight", layer.quant_weight())
    if i < module.depth:
        weights = weights * row_signs(module.norm(i).weight)[:, None]
        rows = [_constants(f"{name}.weight_quant", name, weights, node.weights)]
        return [*rows, _samples(f"act{i}", integers_of(f"act{i}", seen[f"act{i}"]), values[f"act{i}"])]
    given = seen[f"act{i - 1}" if i > 1 else "quant"]
    bias = integers_of(f"{name}.bias", layer.bias_quant(layer.bias, given, layer.quant_weight()))
    return [
        _constants(f"{name}.weight_quant", name, weights, node.weights),
        _constants(f"{name}.bias_quant", name, bias, np.zeros_like(bias) if node.bias is None else node.bias),
        _samples(name, integers_of(name, seen[name]), values[name]),
    ]


def _samples(name: str, own: np.ndarray, other: np.ndarray) -> Comparison:
    return Comparison(name, name, len(own), int(np.any(own != other, axis=1).sum()))


def _constants(quantizer: str, node: str, own: np.ndarray, other: np.ndarray) -> Comparison:
    return Comparison(quantizer, node, own.size, int((own != other).sum()))


def _record(module: Network) -> tuple[Seen, Callable[[], None]]:
    """Keep what each quantizer of ``module`` puts out at its next run; the function undoes it."""
    seen: Seen = {}
    names = ["quant", *(f"act{i}" for i in range(1, module.depth)), f"fc{module.depth}"]

    def keep(name: str) -> Callable[..., None]:
        return lambda _module, _inputs, output: seen.__setitem__(name, output)

    handles = [module.get_submodule(name).register_forward_hook(keep(name)) for name in names]

    def remove() -> None:
        for handle in handles:
            handle.remove()

    return seen, remove
