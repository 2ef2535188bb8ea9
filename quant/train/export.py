"""From a trained Brevitas module to the integer graph, exactly: ties, negative and zero batch-norm gains included."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from brevitas.nn import QuantLinear
from brevitas.quant_tensor import IntQuantTensor

from bitloom import RequestError

from ..formats import BIPOLAR, Format
from ..graph import Graph, Input, Node, Tensor
from ..interpret import run
from ..operators import ArgMax, MatMul, Threshold
from ..verifier import verify
from .bisect import find_thresholds
from .data import load, source
from .integers import integers_of, scale_of
from .network import Activation, Network
from .spec import NetworkSpec
from .threads import one_thread

EXACT = 1 << 24
"""float32 holds every integer below this, so sums below it are exact in any order."""


@one_thread()
def export(module: Network, spec: NetworkSpec) -> Graph:
    """The integer graph that computes what ``module`` computes in eval mode, bit for bit at every quantizer.

    Nodes carry the names of the module's parts: ``input`` (raw integers), ``quant``, ``fc1``, ``act1``, …, ``argmax``.
    Batch norm and activation become thresholds by bisection on torch's own float32 evaluation of them; a channel with a
    negative batch-norm gain is a falling function, and its weights are negated.

    :raises RequestError: a parameter is not finite, a scale is not a power of two, or sums could leave what
        float32 holds exactly.
    """
    data, info = load(spec.dataset), source(spec.dataset)
    module = module.eval()
    for name, values in module.state_dict().items():
        if not torch.all(torch.isfinite(values)):
            raise RequestError(f"{name}: parameters must be finite, and NaN or infinite values occur; train again")
    with torch.no_grad():
        x = _input_threshold(module, info.input_format, info.features)
        nodes: list[Node] = [Input("input", (), Tensor((info.features,), info.input_format, (1.0,))), x]
        for i in range(1, module.depth):
            sums, x = _hidden(module, i, x)
            nodes += [sums, x]
        scores = _scores(module, x)
        index = Format.of_range(0, len(info.classes) - 1)
        nodes += [scores, ArgMax("argmax", (scores.name,), Tensor((1,), index))]
    graph = verify(Graph(spec.name, tuple(nodes), "argmax", info.classes))
    errors = int(np.sum(run(graph, data.x_test)[:, 0] != data.y_test))
    samples = len(data.x_test)
    facts = {"dataset": spec.dataset, "samples": samples, "errors": errors, "accuracy": (samples - errors) / samples}
    return replace(graph, metadata=facts)


def row_signs(gain: torch.Tensor) -> np.ndarray:
    """−1 for each channel whose batch norm falls (its weights are negated in the graph), +1 for the others."""
    return np.where(gain.detach().numpy() < 0, -1, 1)


def _input_threshold(module: Network, given: Format, features: int) -> Threshold:
    def quantize(x: np.ndarray) -> IntQuantTensor:
        return module.quant(torch.tensor(x, dtype=torch.float32) - module.offset)

    lo, hi = np.array([given.lo]), np.array([given.hi])
    return _threshold("quant", "input", quantize, module.quant, (features,), lo, hi)


def _hidden(module: Network, i: int, x: Threshold) -> tuple[MatMul, Threshold]:
    layer, norm, act = module.linear(i), module.norm(i), module.activation(i)
    weights, form, scale = _weights(f"fc{i}", layer, x)
    signs = row_signs(norm.weight)
    weights = weights * signs[:, None]
    lo, hi = _sums(f"fc{i}", weights, x)
    matmul = MatMul(f"fc{i}", (x.name,), _range_tensor(lo, hi, scale), weights, form)

    def activate(sums: np.ndarray) -> IntQuantTensor:
        real = torch.tensor(sums * signs, dtype=torch.float32) * scale
        normal = norm(real)
        if not torch.all(torch.isfinite(normal)):
            raise RequestError(f"bn{i}: batch norm must give finite numbers for every sum, and does not; "
                               "its variance must not be negative")
        return act(normal)

    return matmul, _threshold(f"act{i}", f"fc{i}", activate, act, (len(weights),), lo, hi)


def _threshold(
    name: str, reads: str, f: Callable[[np.ndarray], IntQuantTensor], quantizer: Activation, shape: tuple[int, ...],
    lo: np.ndarray, hi: np.ndarray,
) -> Threshold:
    """The threshold node of an activation ``f`` from integers (n, channels) to a quantized tensor of that shape."""
    sample = f(np.broadcast_to(lo, (1, len(lo))))
    bits, signed = int(sample.bit_width), bool(sample.signed)
    if bits == 1:
        form, y_min, step, levels = BIPOLAR, -1, 2, 1
    else:
        form = Format(bits, signed=signed)
        y_min = form.lo + int(signed and quantizer.act_quant.is_narrow_range)
        step, levels = 1, form.hi - y_min

    def level(x: np.ndarray) -> np.ndarray:
        return (integers_of(name, f(x)) - y_min) // step

    rows = find_thresholds(name, level, lo, hi, levels)
    return Threshold(name, (reads,), Tensor(shape, form, (scale_of(name, sample),)), rows, y_min, step)


def _scores(module: Network, x: Threshold) -> MatMul:
    name = f"fc{module.depth}"
    layer = module.linear(module.depth)
    weights, form, scale = _weights(name, layer, x)
    bias = integers_of(f"{name}.bias", layer.bias_quant(layer.bias, _operand(x), layer.quant_weight()))
    lo, hi = _sums(name, weights, x, bias)
    return MatMul(name, (x.name,), _range_tensor(lo, hi, scale), weights, form, bias)


def _operand(x: Threshold) -> IntQuantTensor:
    """A quantized tensor of the type of the value ``x``, for quantizers that take their scale from their input."""
    form = x.output.format
    return IntQuantTensor(
        value=torch.zeros(1, *x.output.shape), scale=torch.tensor(x.output.scale[0]), zero_point=torch.tensor(0.0),
        bit_width=torch.tensor(float(form.bits)), signed=form.signed, training=False,
    )


def _weights(name: str, layer: QuantLinear, x: Threshold) -> tuple[np.ndarray, Format, float]:
    """Integer weights (outputs, inputs), their format, and the scale of the layer's sums."""
    weight = layer.quant_weight()
    bits = int(weight.bit_width)
    form = BIPOLAR if bits == 1 else Format(bits, signed=True)
    return integers_of(f"{name}.weight", weight), form, scale_of(f"{name}.weight", weight) * x.output.scale[0]


def _sums(name: str, weights: np.ndarray, x: Threshold, bias: np.ndarray | int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest sum of each output; refused where a partial sum could leave what float32 holds exactly."""
    least = x.y_min
    greatest = x.y_min + x.y_step * x.thresholds.shape[1]
    largest = int((np.abs(weights).sum(axis=1) * max(abs(least), abs(greatest)) + np.abs(bias)).max())
    if largest >= EXACT:
        raise RequestError(
            f"{name}: its sums must stay below 2^24 to be exact in float32, and {largest} is possible; use fewer "
            f"weight or activation bits, or fewer inputs than {weights.shape[1]}"
        )
    positive, negative = np.maximum(weights, 0).sum(axis=1), np.minimum(weights, 0).sum(axis=1)
    return positive * least + negative * greatest + bias, positive * greatest + negative * least + bias


def _range_tensor(lo: np.ndarray, hi: np.ndarray, scale: float) -> Tensor:
    return Tensor((len(lo),), Format.of_range(int(lo.min()), int(hi.max())), (scale,))
