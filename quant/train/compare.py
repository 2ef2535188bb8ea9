"""The module's own integers against the graph's, quantizer by quantizer."""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
import torch
from brevitas.quant_tensor import IntQuantTensor

from ..graph import Graph
from ..interpret import trace
from ..operators import Conv as ConvNode
from ..operators import MatMul
from .integers import integers_of
from .layers import POWER_OF_TWO
from .network import Network, Value
from .nodes import channels_last, signs_of
from .score import parts
from .spec import NetworkSpec
from .steps import Conv, Dense, Quantizer, Step
from .threads import one_thread


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
    module = module.eval()
    samples = samples.reshape(len(samples), -1)
    compared = [step.name for step in module.steps if isinstance(step, Quantizer)] + [module.steps[-1].name]
    wrong = dict.fromkeys([*compared, "argmax"], 0)
    with torch.no_grad():
        for part in parts(len(samples)):
            seen, values = module.values(torch.tensor(samples[part], dtype=torch.float32)), trace(graph, samples[part])
            for step in module.steps:
                if step.name in wrong:
                    wrong[step.name] += _differing(_integers(step, seen[step.name]), values[step.name])
            classes = cast(IntQuantTensor, seen[module.steps[-1].name]).value.argmax(dim=1)
            wrong["argmax"] += _differing(classes.numpy()[:, None], values["argmax"])
        rows = []
        for step in module.steps:
            if isinstance(step, Dense | Conv):
                rows += _constants(module, step, graph, seen[step.reads])
            if step.name in wrong:
                rows.append(Comparison(step.name, step.name, len(samples), wrong[step.name]))
    return [*rows, Comparison("argmax", "argmax", len(samples), wrong["argmax"])]


def _constants(module: Network, step: Dense | Conv, graph: Graph, given: Value) -> list[Comparison]:
    """Weights and bias of one layer."""
    name, layer, node = step.name, module.weighted(step.name), cast(MatMul | ConvNode, graph[step.name])
    weights = channels_last(integers_of(f"{name}.weight", layer.quant_weight(), step.scaling), step)
    weights = weights * signs_of(module, step).reshape(-1, *[1] * (weights.ndim - 1))
    rows = [Comparison(f"{name}.weight_quant", name, weights.size, int((weights != node.weights).sum()))]
    if isinstance(step, Dense) and step.last:
        quantized = layer.bias_quant(layer.bias, given, layer.quant_weight())
        bias = integers_of(f"{name}.bias", quantized, step.scaling)
        other = np.zeros_like(bias) if node.bias is None else node.bias
        rows.append(Comparison(f"{name}.bias_quant", name, bias.size, int((bias != other).sum())))
    return rows


def _integers(step: Step, value: Value) -> np.ndarray:
    """The integers of a quantized value, channels last."""
    scaling = step.scaling if isinstance(step, Dense) else POWER_OF_TWO
    found = integers_of(step.name, cast(IntQuantTensor, value), scaling)
    return np.moveaxis(found, 1, -1) if found.ndim == 4 else found


def _differing(own: np.ndarray, other: np.ndarray) -> int:
    """How many samples differ anywhere."""
    return int(np.any((own != other).reshape(len(own), -1), axis=1).sum())
