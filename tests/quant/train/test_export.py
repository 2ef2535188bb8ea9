"""The integer graph is the Brevitas module: no mismatch at any quantizer, whatever the widths and the batch norms."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from bitloom import RequestError
from bitloom.quant import Graph, MatMul, Threshold, trace
from bitloom.quant.train import NetworkSpec, compare, export, load
from bitloom.quant.train.integers import integers_of
from bitloom.quant.train.network import Network
from bitloom.quant.train.nodes import row_signs

WIDTHS = ["binary", "ternary", 2, 3, 4, 5, 6, 7, 8]
Make = Callable[..., NetworkSpec]
Randomize = Callable[[NetworkSpec, int], Network]


def samples() -> np.ndarray:
    """Real digits, pure noise over the whole input format, and the extremes."""
    rng = np.random.default_rng(11)
    return np.concatenate([load("digits").x_test[:120], rng.integers(0, 32, (120, 64)), np.zeros((1, 64), np.int64),
                           np.full((1, 64), 16), np.full((1, 64), 31)])


def check(module: Network, spec: NetworkSpec, graph: Graph) -> None:
    rows = compare(module, spec, graph, samples())
    quantizers = 3 * len(spec.layers) + 4 - len(spec.layers)
    assert len(rows) == quantizers + 1
    assert [row for row in rows if row.mismatches] == []
    assert all(row.samples > 0 for row in rows)


@pytest.mark.parametrize("activation", WIDTHS)
@pytest.mark.parametrize("weight", WIDTHS)
def test_every_pair_of_widths(spec_of: Make, random_module: Randomize, weight: Any, activation: Any) -> None:
    spec = spec_of([(12, weight, activation), (9, weight, activation)], output=weight, bits=activation)
    module = random_module(spec, WIDTHS.index(weight) * 9 + WIDTHS.index(activation))
    graph = export(module, spec)
    check(module, spec, graph)
    formats = {"binary": "bipolar", "ternary": "i2"}
    assert str(graph["act1"].output.format) == formats.get(activation, f"u{activation}")
    assert str(graph["fc1"].weight_format) == {"binary": "bipolar", "ternary": "i2"}.get(weight, f"i{weight}")


@pytest.mark.parametrize("seed", range(6))
def test_many_channels_of_every_temper(spec_of: Make, random_module: Randomize, seed: int) -> None:
    spec = spec_of([(96, 4, 3), (33, "ternary", "binary"), (7, "binary", 4)], output=5)
    module = random_module(spec, 100 + seed)
    assert (module.bn1.weight < 0).sum() > 20
    check(module, spec, export(module, spec))


def test_without_hidden_layers(spec_of: Make, random_module: Randomize) -> None:
    spec = spec_of([], output=4)
    module = random_module(spec, 1)
    graph = export(module, spec)
    assert [node.name for node in graph] == ["input", "quant", "fc1", "argmax"]
    check(module, spec, graph)


def exhaustive(module: Network, graph: Graph, i: int) -> None:
    """Every integer of each channel's range through torch and through the thresholds, ties and all."""
    node, matmul = graph[f"act{i}"], graph[f"fc{i}"]
    assert isinstance(node, Threshold) and isinstance(matmul, MatMul)
    low, high = matmul.output.format.lo, matmul.output.format.hi
    given = graph[matmul.inputs[0]]
    least, most = given.y_min, given.y_min + given.y_step * given.thresholds.shape[1]
    positive, negative = np.maximum(matmul.weights, 0).sum(axis=1), np.minimum(matmul.weights, 0).sum(axis=1)
    lo, hi = positive * least + negative * most, positive * most + negative * least
    sums = np.clip(np.arange(low, high + 1)[:, None], lo, hi)
    norm, act = module.get_submodule(f"bn{i}"), module.get_submodule(f"act{i}")
    with torch.no_grad():
        real = torch.tensor(sums * row_signs(norm.weight), dtype=torch.float32) * matmul.output.scale[0]
        own = integers_of(f"act{i}", act(norm(real)))
    levels = (sums[..., None] >= node.thresholds).sum(axis=-1)
    assert np.array_equal(own, node.y_min + node.y_step * levels)


@pytest.mark.parametrize("activation", ["binary", "ternary", 2, 3, 8])
def test_every_possible_sum(spec_of: Make, random_module: Randomize, activation: Any) -> None:
    spec = spec_of([(24, 3, activation), (16, "binary", activation)], bits=3)
    module = random_module(spec, 5)
    graph = export(module, spec)
    exhaustive(module, graph, 1)
    exhaustive(module, graph, 2)


def tie_module(spec: NetworkSpec, random_module: Randomize, gain: float) -> Network:
    """Batch norms that multiply by exactly ``gain`` and add nothing: every sum lies on the activation's grid or between
    two of its points."""
    module = random_module(spec, 3)
    for i in range(1, module.depth):
        norm = module.get_submodule(f"bn{i}")
        norm.eps = 0.0
        norm.running_mean.zero_()
        norm.running_var.fill_(1.0)
        norm.weight.data.fill_(gain)
        norm.weight.data[::2] *= -1
        norm.bias.data.zero_()
    return module


@pytest.mark.parametrize("activation", ["binary", "ternary", 2, 3, 4])
def test_ties(spec_of: Make, random_module: Randomize, activation: Any) -> None:
    spec = spec_of([(16, "ternary", activation)])
    step = {"binary": 1.0, "ternary": 1.0}.get(activation) or 2.0 / 2**activation
    module = tie_module(spec, random_module, gain=1.0)
    scale = float(module.fc1.quant_weight().scale.reshape(-1)[0]) * float(module.quant.act_quant.scale())
    module = tie_module(spec, random_module, gain=step / scale / 2)
    graph = export(module, spec)
    sums = trace(graph, samples())["fc1"]
    assert np.sum((sums % 2 == 1) & (np.abs(sums) < 8)) > 100, "half-way cases must occur"
    check(module, spec, graph)
    exhaustive(module, graph, 1)
    rising, falling = graph["act1"].thresholds[1], graph["act1"].thresholds[0]
    if activation == 3:  # x/2 rounded to even: 0 0 1 2 2 2 3 4 4 4 5 6 6 6 7, and −x/2 from negated weights alike
        assert rising.tolist() == falling.tolist() == [2, 3, 6, 7, 10, 11, 14]
    if activation == "ternary":  # ±1/2 rounds to 0
        assert rising.tolist() == falling.tolist() == [-1, 2]
    if activation == "binary":  # zero is +1, from either side
        assert rising.tolist() == falling.tolist() == [0]


def test_the_input_quantizer_rounds_half_to_even(spec_of: Make, random_module: Randomize) -> None:
    module = random_module(spec_of([(8, 3, 3)]), 1)
    graph = export(module, spec_of([(8, 3, 3)]))
    ramp = np.repeat(np.arange(17)[:, None], 64, axis=1)
    assert trace(graph, ramp)["quant"][:, 0].tolist() == [0, 0, 1, 2, 2, 2, 3, 4, 4, 4, 5, 6, 6, 6, 7, 7, 7]


@pytest.mark.parametrize(
    ("bits", "codes"),
    [("binary", [-1] * 8 + [1] * 9), ("ternary", [-1] * 4 + [0] * 9 + [1] * 4), (5, list(range(17))),
     (8, list(range(17)))],
)
def test_other_inputs(spec_of: Make, random_module: Randomize, bits: Any, codes: list[int]) -> None:
    spec = spec_of([(8, 3, 3)], bits=bits)
    graph = export(random_module(spec, 1), spec)
    assert trace(graph, np.repeat(np.arange(17)[:, None], 64, axis=1))["quant"][:, 63].tolist() == codes


def test_tied_scores_give_the_first_class_in_both(spec_of: Make, random_module: Randomize) -> None:
    spec = spec_of([(8, 2, 2)], output=2)
    module = random_module(spec, 2)
    module.fc2.weight.data[:] = module.fc2.weight.data[0]
    module.fc2.bias.data[:] = torch.tensor([0.0, 1, 4, 4, 2, 4, 0, 0, 4, 1])
    graph = export(module, spec)
    assert np.all(trace(graph, samples())["argmax"] == 2)
    check(module, spec, graph)


def test_a_constant_channel(spec_of: Make, random_module: Randomize) -> None:
    spec = spec_of([(12, 3, 3)])
    module = random_module(spec, 4)
    module.bn1.bias.data[0], module.bn1.bias.data[1] = 1.0, -1.0
    graph = export(module, spec)
    values = trace(graph, samples())["act1"]
    assert set(values[:, 0]) == {4} and set(values[:, 1]) == {0}
    check(module, spec, graph)


def test_one_sample_alone_gives_what_it_gives_among_many(spec_of: Make, random_module: Randomize) -> None:
    spec = spec_of([(37, 3, 3), (19, 4, 4)])
    module = random_module(spec, 9)
    graph = export(module, spec)
    for x in samples()[::60]:
        assert all(row.mismatches == 0 for row in compare(module, spec, graph, x[None]))


def test_a_damaged_graph_is_seen(spec_of: Make, random_module: Randomize) -> None:
    spec = spec_of([(16, 3, 3)])
    module = random_module(spec, 6)
    graph = export(module, spec)
    for name, part in (("fc1", "weights"), ("act1", "thresholds"), ("fc2", "bias"), ("fc2", "weights")):
        node = graph[name]
        values = getattr(node, part).copy()
        values[5] = values[5] + 1 if part == "bias" else -values[5][::-1]
        damaged = graph.with_nodes([type(n)(**{**vars(n), part: values}) if n is node else n for n in graph])
        rows = compare(module, spec, damaged, samples())
        assert any(row.mismatches and row.node == name for row in rows), name


def test_export_leaves_no_hooks_and_the_module_as_it_was(spec_of: Make, random_module: Randomize) -> None:
    spec = spec_of([(8, "binary", "binary")], output="ternary")
    module = random_module(spec, 8)
    before = {name: value.clone() for name, value in module.state_dict().items() if ".weight" not in name}
    compare(module, spec, export(module, spec), samples())
    assert all(torch.equal(before[name], module.state_dict()[name]) for name in before)
    assert not any(part._forward_hooks for part in module.modules())


def test_sums_that_float32_cannot_hold_are_refused(spec_of: Make, random_module: Randomize) -> None:
    spec = spec_of([(600, 8, 8), (8, 8, 8)])
    module = random_module(spec, 1)
    module.fc2.weight.data = torch.where(module.fc2.weight.data < 0, -1.0, 1.0)
    with pytest.raises(RequestError, match=r"fc2: its sums must stay below 2\^24 to be exact in float32"):
        export(module, spec)


def test_a_scale_that_is_no_power_of_two_is_refused(spec_of: Make, random_module: Randomize) -> None:
    import brevitas.nn as qnn
    from brevitas.quant import Int8WeightPerTensorFloat

    spec = spec_of([(8, 3, 3)])
    module = random_module(spec, 1)
    module.fc1 = qnn.QuantLinear(64, 8, bias=False, weight_quant=Int8WeightPerTensorFloat, return_quant_tensor=True)
    with pytest.raises(RequestError, match=r"fc1.weight: its scale must be one power of two from 2\^-48 to 2\^48, not"):
        export(module, spec)


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [("running_var", -1.0, "bn1: batch norm must give finite numbers for every sum"),
     ("running_mean", float("nan"), "bn1.running_mean: parameters must be finite"),
     ("weight", float("inf"), "bn1.weight: parameters must be finite")],
)
def test_parameters_that_make_no_function(
    spec_of: Make, random_module: Randomize, part: str, value: float, message: str
) -> None:
    spec = spec_of([(8, 3, 3)])
    module = random_module(spec, 1)
    getattr(module.bn1, part).data[5] = value
    with pytest.raises(RequestError, match=message):
        export(module, spec)
