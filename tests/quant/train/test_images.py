"""Convolutions, pooling and residual blocks: the integer graph is the Brevitas module at every quantizer."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from bitloom import RequestError
from bitloom.quant import Add, Conv, Graph, Pad, Pool, Threshold, load, save, trace
from bitloom.quant.train import NetworkSpec, compare, export, load_checkpoint, save_checkpoint, train
from bitloom.quant.train import load as load_data
from bitloom.quant.train.integers import integers_of
from bitloom.quant.train.network import Network
from bitloom.quant.train.nodes import row_signs

WIDTHS = ["binary", "ternary", 2, 3, 4, 8]
Make = Callable[..., NetworkSpec]
Randomize = Callable[[NetworkSpec, int], Network]


def conv(channels: int, weight: Any = 3, activation: Any = 3, **more: int) -> dict[str, Any]:
    return {"kind": "conv", "channels": channels, "weight_bits": weight, "activation_bits": activation, **more}


def residual(channels: int, weight: Any = 3, activation: Any = 3, branch: int = 4, **more: int) -> dict[str, Any]:
    return {"kind": "residual", "channels": channels, "weight_bits": weight, "activation_bits": activation,
            "branch_bits": branch, **more}


AVERAGE = {"kind": "average", "activation_bits": 4}


def samples() -> np.ndarray:
    """Real digits, pure noise over the whole input format, and the extremes."""
    rng = np.random.default_rng(11)
    return np.concatenate([load_data("digits").x_test[:60], rng.integers(0, 32, (60, 64)),
                           np.zeros((1, 64), np.int64), np.full((1, 64), 16), np.full((1, 64), 31)])


def check(module: Network, spec: NetworkSpec, graph: Graph) -> None:
    rows = compare(module, spec, graph, samples())
    assert [row for row in rows if row.mismatches] == []
    assert {row.node for row in rows} == {node.name for node in graph
                                          if hasattr(node, "weights") or isinstance(node, Threshold)} | {"argmax"}


@pytest.mark.parametrize("activation", WIDTHS)
@pytest.mark.parametrize("weight", WIDTHS)
def test_every_pair_of_widths(spec_of: Make, random_module: Randomize, weight: Any, activation: Any) -> None:
    spec = spec_of([conv(6, weight, activation, padding=1, pool=2), residual(7, weight, activation), AVERAGE],
                   output=weight, bits=activation)
    module = random_module(spec, WIDTHS.index(weight) * 9 + WIDTHS.index(activation))
    check(module, spec, export(module, spec))


@pytest.mark.parametrize("seed", range(8))
def test_shapes_of_every_kind(spec_of: Make, random_module: Randomize, seed: int) -> None:
    rng = np.random.default_rng(seed)
    kernel = int(rng.integers(1, 5))
    layers = [conv(int(rng.integers(5, 12)), kernel=kernel, stride=int(rng.integers(1, 3)),
                   padding=int(rng.integers(0, kernel)), pool=int(rng.integers(1, 3))),
              residual(int(rng.integers(5, 9)), kernel=int(rng.choice([1, 3])), stride=int(rng.integers(1, 3)),
                       branch=int(rng.integers(2, 6))),
              (9, 3, 3) if seed % 2 else AVERAGE]
    spec = spec_of(layers)
    module = random_module(spec, seed)
    check(module, spec, export(module, spec))


def test_what_a_network_of_every_layer_becomes(spec_of: Make, random_module: Randomize) -> None:
    spec = spec_of([conv(8, padding=1, pool=2), residual(8), residual(12, stride=2, branch=3), AVERAGE, (5, 3, 3)])
    graph = export(random_module(spec, 3), spec)
    assert [(node.name, node.op, *node.output.shape) for node in graph] == [
        ("input", "Input", 8, 8, 1), ("quant", "Threshold", 8, 8, 1),
        ("pad_conv1", "Pad", 10, 10, 1), ("conv1", "Conv", 8, 8, 8), ("act1", "Threshold", 8, 8, 8),
        ("pool1", "Pool", 4, 4, 8),
        ("pad_conv2a", "Pad", 6, 6, 8), ("conv2a", "Conv", 4, 4, 8), ("act2a", "Threshold", 4, 4, 8),
        ("pad_conv2b", "Pad", 6, 6, 8), ("conv2b", "Conv", 4, 4, 8), ("branch2", "Threshold", 4, 4, 8),
        ("add2", "Add", 4, 4, 8), ("act2", "Threshold", 4, 4, 8),
        ("pad_conv3a", "Pad", 6, 6, 8), ("conv3a", "Conv", 2, 2, 12), ("act3a", "Threshold", 2, 2, 12),
        ("pad_conv3b", "Pad", 4, 4, 12), ("conv3b", "Conv", 2, 2, 12), ("branch3", "Threshold", 2, 2, 12),
        ("conv3s", "Conv", 2, 2, 12), ("skip3", "Threshold", 2, 2, 12),
        ("add3", "Add", 2, 2, 12), ("act3", "Threshold", 2, 2, 12),
        ("average4", "Pool", 1, 1, 12), ("act4", "Threshold", 1, 1, 12), ("flatten4", "Reshape", 12),
        ("fc5", "MatMul", 5), ("act5", "Threshold", 5), ("fc6", "MatMul", 10), ("argmax", "ArgMax", 1),
    ]
    first, second = graph["add2"], graph["add3"]
    assert isinstance(first, Add) and isinstance(second, Add)
    assert first.inputs == ("branch2", "pool1") and first.multipliers == (1, 1)
    assert second.inputs == ("branch3", "skip3") and str(graph["branch3"].output.format) == "i3"
    assert isinstance(graph["average4"], Pool) and graph["average4"].kind == "sum"


def test_branches_of_unequal_scales_meet_in_multipliers(spec_of: Make, random_module: Randomize) -> None:
    for branch, activation, multipliers in ((4, 4, (2, 1)), (2, 4, (8, 1)), (8, 3, (1, 16)), (4, 3, (1, 1))):
        spec = spec_of([conv(6, activation=activation), residual(6, activation=activation, branch=branch)])
        module = random_module(spec, branch)
        graph = export(module, spec)
        node = graph["add2"]
        assert isinstance(node, Add) and node.multipliers == multipliers
        check(module, spec, graph)


def test_the_border_is_zero_for_binary_values_too(spec_of: Make, random_module: Randomize) -> None:
    spec = spec_of([conv(6, "binary", "binary", padding=1), conv(6, "binary", "binary", padding=2)], bits="binary")
    graph = export(random_module(spec, 2), spec)
    pad = graph["pad_conv2"]
    assert isinstance(pad, Pad) and pad.value == 0 and str(pad.output.format) == "i2"
    assert set(np.unique(trace(graph, samples())["pad_conv2"])) == {-1, 0, 1}


@pytest.mark.parametrize("activation", ["binary", "ternary", 2, 3, 8])
def test_every_possible_sum(spec_of: Make, random_module: Randomize, activation: Any) -> None:
    """Every integer of each channel's range through torch, as images of the network's own size, and the thresholds."""
    spec = spec_of([conv(24, 3, activation, padding=1)])
    module = random_module(spec, 5)
    graph = export(module, spec)
    node, sums = graph["act1"], graph["conv1"]
    assert isinstance(node, Threshold) and isinstance(sums, Conv)
    positive, negative = (np.clip(sums.weights, *b).reshape(24, -1).sum(axis=1) for b in ((0, None), (None, 0)))
    ramp = np.arange(sums.output.format.lo, sums.output.format.hi + 1)
    ramp = np.pad(ramp, (0, -len(ramp) % 64), mode="edge")
    given = np.clip(ramp[:, None], negative * 7, positive * 7).reshape(-1, 8, 8, 24)
    norm, act = module.get_submodule("bn1"), module.get_submodule("act1")
    with torch.no_grad():
        real = torch.tensor(given * row_signs(norm.weight), dtype=torch.float32) * sums.output.scale[0]
        own = integers_of("act1", act(norm(real.permute(0, 3, 1, 2).contiguous())))
    assert np.array_equal(np.moveaxis(own, 1, -1), node.evaluate(given))


def test_one_sample_alone_gives_what_it_gives_among_many(spec_of: Make, random_module: Randomize) -> None:
    spec = spec_of([conv(9, padding=1, pool=2), residual(9), (13, 3, 3)])
    module = random_module(spec, 9)
    graph = export(module, spec)
    for x in samples()[::30]:
        assert all(row.mismatches == 0 for row in compare(module, spec, graph, x[None]))


def test_a_damaged_graph_is_seen(spec_of: Make, random_module: Randomize) -> None:
    spec = spec_of([conv(6, padding=1), residual(6, stride=2), (8, 3, 3)])
    module = random_module(spec, 6)
    graph = export(module, spec)
    changes: list[tuple[str, str, Any]] = [
        ("conv1", "weights", -graph["conv1"].weights), ("fc3", "weights", graph["fc3"].weights[:, ::-1]),
        ("skip2", "thresholds", graph["skip2"].thresholds + 1), ("add2", "multipliers", (1, -1)),
        ("pad_conv2b", "value", 7),
    ]
    for name, part, value in changes:
        node = graph[name]
        damaged = graph.with_nodes([type(n)(**{**vars(n), part: value}) if n is node else n for n in graph])
        rows = compare(module, spec, damaged, samples())
        assert any(row.mismatches for row in rows), name


def test_trained_for_a_moment_kept_and_exported_exactly(spec_of: Make, tmp_path: Any) -> None:
    spec = spec_of([conv(8, padding=1, pool=2), residual(12, stride=2), AVERAGE], epochs=3, moved=0.3)
    trained = train(spec, progress=False)
    assert trained.history[-1].loss < trained.history[0].loss
    save_checkpoint(trained.module, spec, tmp_path / "checkpoint.npz")
    module = load_checkpoint(tmp_path / "checkpoint.npz", spec)
    graph = export(module, spec)
    save(graph, tmp_path / "graph.npz")
    rows = compare(module, spec, load(tmp_path / "graph.npz"), load_data("digits").x_test)
    assert [row for row in rows if row.mismatches] == []
    assert graph.metadata["accuracy"] == pytest.approx(trained.accuracy)


def test_sums_that_float32_cannot_hold_are_refused(spec_of: Make, random_module: Randomize) -> None:
    spec = spec_of([conv(700, 8, 8, kernel=1), conv(5, 8, 8)])
    module = random_module(spec, 1)
    module.conv2.weight.data = torch.where(module.conv2.weight.data < 0, -1.0, 1.0)
    with pytest.raises(RequestError, match=r"conv2: its sums must stay below 2\^24 to be exact in float32"):
        export(module, spec)


def test_through_qonnx_it_becomes_the_same_function(spec_of: Make, random_module: Randomize) -> None:
    """Brevitas' export and the import of QONNX files know nothing of the steps that the export here goes by."""
    pytest.importorskip("qonnx")
    from bitloom.quant import run
    from bitloom.quant.qonnx import import_module

    spec = spec_of([conv(6, padding=1, pool=2), residual(6, branch=3), residual(7, stride=2, activation=4), AVERAGE,
                    (9, "ternary", 3)])
    module = random_module(spec, 12)
    graph = export(module, spec)
    x = samples()
    imported = import_module(module, torch.tensor(x[:1], dtype=torch.float32), input_format=graph.input.output.format,
                             input_scale=1.0)
    assert np.array_equal(run(imported.graph, x), trace(graph, x)["fc6"])
