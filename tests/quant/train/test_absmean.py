"""Binary and ternary weights whose scale is the mean of their absolute values, a number that is no power of two."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import brevitas.nn as qnn
import numpy as np
import pytest
import torch

from bitloom import RequestError, WorkError
from bitloom.quant import Graph, MatMul, Threshold, trace
from bitloom.quant.train import NetworkSpec, compare, export, load, load_checkpoint, parse_spec, save_checkpoint, train
from bitloom.quant.train.factored import EXACT
from bitloom.quant.train.integers import integers_of, scales_of
from bitloom.quant.train.network import Network
from bitloom.quant.train.quantizers import LEAST_SCALE, weight

Make = Callable[..., NetworkSpec]
Randomize = Callable[[NetworkSpec, int], Network]
SCALINGS = ["absmean", "absmean-per-channel"]


def quantized(values: list[list[float]], bits: Any, scaling: Any) -> Any:
    layer = qnn.QuantLinear(len(values[0]), len(values), bias=False, weight_quant=weight(bits, 4, scaling),
                            return_quant_tensor=True)
    layer.weight.data = torch.tensor(values)
    return layer, layer.eval().quant_weight()


def spec_with(layers: list[Any], scaling: str, bits: Any = "ternary", **training: object) -> NetworkSpec:
    """(units, activation bits) or mappings, all weights of ``bits`` and ``scaling``."""
    common = {"weight_bits": bits, "weight_scaling": scaling}
    return parse_spec({
        "name": "tiny", "dataset": "digits", "seed": 7, "input": {"bits": 3},
        "layers": [{**common, **(layer if isinstance(layer, dict) else dict(zip(("units", "activation_bits"), layer)))}
                   for layer in layers],
        "output": {"weight_bits": bits, "weight_scaling": "absmean"}, "training": {"epochs": 1, **training},
    })


def samples() -> np.ndarray:
    rng = np.random.default_rng(5)
    return np.concatenate([load("digits").x_test[:80], rng.integers(0, 32, (80, 64)), np.full((1, 64), 31)])


def exact(module: Network, spec: NetworkSpec) -> Graph:
    graph = export(module, spec)
    rows = compare(module, spec, graph, samples())
    assert rows and [row for row in rows if row.mismatches] == []
    return graph


def exhaustive(module: Network, graph: Graph, i: int) -> None:
    """Every sum that each channel can take, through torch and through the thresholds, ties and all."""
    node, matmul, given = graph[f"act{i}"], graph[f"fc{i}"], graph[graph[f"fc{i}"].inputs[0]]
    assert isinstance(node, Threshold) and isinstance(matmul, MatMul) and isinstance(given, Threshold)
    least, most = given.y_min, given.y_min + given.y_step * given.thresholds.shape[1]
    positive, negative = np.maximum(matmul.weights, 0).sum(axis=1), np.minimum(matmul.weights, 0).sum(axis=1)
    lo, hi = positive * least + negative * most, positive * most + negative * least
    sums = np.clip(np.arange(lo.min(), hi.max() + 1)[:, None], lo, hi)
    norm, act = module.norm(f"bn{i}"), module.quantizer(f"act{i}")
    signs = np.where(norm.weight.detach().numpy() < 0, -1, 1)
    layer, scale = module.weighted(f"fc{i}"), float(given.output.scale[0])
    with torch.no_grad():
        real = torch.tensor(sums * signs, dtype=torch.float32) * scale * layer.quant_weight().scale.reshape(-1)
        own = integers_of(f"act{i}", act(norm(real)))
    assert np.array_equal(own, node.y_min + node.y_step * (sums[..., None] >= node.thresholds).sum(axis=-1))


def test_the_scale_is_the_mean_of_absolute_weights() -> None:
    values = [[0.3, -0.1, 0.0, 0.8], [-2.0, 1.0, 0.25, -0.75]]
    for bits in ("binary", "ternary"):
        _, whole = quantized(values, bits, "absmean")
        assert float(whole.scale) == np.float32(np.abs(np.float32(values)).astype(float).mean())
        _, each = quantized(values, bits, "absmean-per-channel")
        assert each.scale.reshape(-1).tolist() == pytest.approx([0.3, 1.0])
        assert integers_of("w", each, "absmean-per-channel").tolist() == (
            [[1, -1, 1, 1], [-1, 1, 1, -1]] if bits == "binary" else [[1, 0, 0, 1], [-1, 1, 0, -1]])


def test_ties_round_half_to_even_and_zero_is_plus_one() -> None:
    values = [[0.5, -0.5, 1.5, -1.5], [1.0, -1.0, 0.0, 2.0]]  # the mean is 1
    _, ternary = quantized(values, "ternary", "absmean")
    assert integers_of("w", ternary, "absmean").tolist() == [[0, 0, 1, -1], [1, -1, 0, 1]]
    _, binary = quantized(values, "binary", "absmean")
    assert integers_of("w", binary, "absmean").tolist() == [[1, -1, 1, -1], [1, -1, 1, 1]]


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("bits", ["binary", "ternary"])
def test_gradients_pass_straight_through(bits: str, scaling: str) -> None:
    """As they are through ternary weights, clipped ones included; times the scale through the sign of binary ones."""
    layer, found = quantized([[0.3, -0.1, 0.0, 0.8], [-2.0, 1.0, 0.25, -0.75]], bits, scaling)
    factor = torch.arange(8.0).reshape(2, 4)
    (layer.quant_weight().value * factor).sum().backward()
    assert torch.equal(layer.weight.grad, factor * found.scale if bits == "binary" else factor)


def test_all_zero_weights_have_the_least_scale() -> None:
    for scaling in SCALINGS:
        _, found = quantized([[0.0] * 4, [0.0] * 4], "ternary", scaling)
        assert not found.value.any() and torch.all(found.scale == LEAST_SCALE)


@pytest.mark.parametrize("activation", ["binary", "ternary", 2, 4, 8])
@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("bits", ["binary", "ternary"])
def test_the_graph_is_the_module(random_module: Randomize, bits: Any, scaling: str, activation: Any) -> None:
    spec = spec_with([(24, activation), (12, activation)], scaling, bits)
    module = random_module(spec, 31)
    graph = exact(module, spec)
    assert str(graph["fc1"].weight_format) == ("bipolar" if bits == "binary" else "i2")
    assert len(graph["fc2"].output.scale) == (12 if "channel" in scaling else 1)
    exhaustive(module, graph, 1)
    exhaustive(module, graph, 2)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_images(random_module: Randomize, scaling: str) -> None:
    spec = spec_with([
        {"kind": "conv", "channels": 6, "kernel": 3, "padding": 1, "pool": 2, "activation_bits": 3},
        {"kind": "residual", "channels": 8, "stride": 2, "activation_bits": 3, "branch_bits": 4}, (7, 4),
    ], scaling)
    exact(random_module(spec, 4), spec)


def test_sums_on_the_grid_of_the_activation(random_module: Randomize) -> None:
    """Gains that undo the scale: sums meet half-way points as nearly as float32 lets them, on either side or both."""
    spec = spec_with([(32, 3)], "absmean-per-channel")
    module = random_module(spec, 3)
    norm, scale = module.norm("bn1"), module.weighted("fc1").quant_weight().scale.reshape(-1)
    norm.eps = 0.0
    for buffer, value in ((norm.running_mean, 0.0), (norm.running_var, 1.0), (norm.bias.data, 0.0)):
        buffer.fill_(value)
    step = float(module.quantizer("quant").act_quant.scale())
    norm.weight.data = 0.125 / (scale.detach() * step)
    norm.weight.data[::2] *= -1
    graph = exact(module, spec)
    exhaustive(module, graph, 1)
    above = graph["act1"].thresholds - np.arange(1, 14, 2)  # of a half-way point, x/2 = k − 1/2
    assert set(above.ravel().tolist()) == {0, 1}
    assert len({tuple(row) for row in above.tolist()}) > 4, "each scale rounds in its own way"
    sums = trace(graph, samples())["fc1"]
    assert np.sum((sums % 2 == 1) & (np.abs(sums) < 8)) > 100, "half-way cases must occur"


def test_after_training(spec_of: Make) -> None:
    spec = spec_with([(16, 4), (12, 3)], "absmean-per-channel", epochs=3)
    trained = train(spec, progress=False)
    exact(trained.module, spec)
    assert trained.accuracy > 0.6


def test_a_checkpoint_gives_the_scales_back(random_module: Randomize, tmp_path: Path) -> None:
    spec = spec_with([(12, 4)], "absmean")
    module = random_module(spec, 8)
    save_checkpoint(module, spec, tmp_path / "c.npz")
    again = load_checkpoint(tmp_path / "c.npz", spec)
    assert export(again, spec)["fc1"].output.scale == export(module, spec)["fc1"].output.scale
    other = spec_with([(12, 4)], "absmean-per-channel")
    with pytest.raises(RequestError, match=r"of a network whose layers is .* and the specification says"):
        load_checkpoint(tmp_path / "c.npz", other)


def test_the_usual_scaling_is_not_written(spec_of: Make) -> None:
    """Checkpoints from before there was a choice name no scaling."""
    assert "weight_scaling" not in str(spec_of([(12, "ternary", 3)], output="binary").model_dump(mode="json"))
    dump = spec_with([(12, 4)], "absmean").model_dump(mode="json")
    assert dump["layers"][0]["weight_scaling"] == dump["output"]["weight_scaling"] == "absmean"
    assert parse_spec(dump) == spec_with([(12, 4)], "absmean")


@pytest.mark.parametrize(("bits", "scaling", "output", "message"), [
    (4, "absmean", "absmean", "layers.0.weight_scaling: must be power-of-two unless weight_bits is binary or ternary, "
                              "which here is 4, not 'absmean'"),
    ("ternary", "absmax", "absmean", "layers.0.weight_scaling: must be 'power-of-two', 'absmean' or"),
    ("ternary", "absmean", "absmean-per-channel",
     "output.weight_scaling: must be power-of-two or absmean, as scores are compared with each other, not"),
])
def test_mistakes(bits: Any, scaling: str, output: str, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_spec({"name": "a", "dataset": "digits", "input": {"bits": 2}, "training": {"epochs": 1},
                    "layers": [{"units": 4, "weight_bits": bits, "activation_bits": 2, "weight_scaling": scaling}],
                    "output": {"weight_bits": "ternary", "weight_scaling": output}})
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_sums_that_one_scale_could_make_equal_are_refused(random_module: Randomize) -> None:
    spec = spec_with([(8, 2)], "absmean")
    module = random_module(spec, 1)
    scale = float(module.weighted("fc2").quant_weight().scale) * float(module.quantizer("act1").act_quant.scale())
    module.weighted("fc2").bias.data.fill_(EXACT * scale)
    with pytest.raises(RequestError, match=r"fc2: its sums must stay below 2\^22 to be exact in float32, and"):
        export(module, spec)


def test_integers_are_read_strictly() -> None:
    _, found = quantized([[0.3, -0.1, 0.0, 0.8]], "ternary", "absmean")
    moved = found._replace(value=found.value + 1e-7)
    with pytest.raises(WorkError, match="w: quantized values must be multiples of their scale"):
        integers_of("w", moved, "absmean")
    with pytest.raises(RequestError, match=r"w: its scale must be one power of two"):
        integers_of("w", found)
    with pytest.raises(RequestError, match=r"w: the mean of absolute weights must be from 2\^-48 to 2\^48, not inf"):
        scales_of("w", found._replace(scale=torch.tensor(float("inf"))), "absmean")
