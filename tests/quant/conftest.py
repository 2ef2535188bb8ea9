"""A small graph by hand, and modules with random weights and random batch-norm statistics."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bitloom.quant import BIPOLAR, ArgMax, Format, Graph, Input, MatMul, Tensor, Threshold
from bitloom.quant.train import NetworkSpec, parse_spec
from bitloom.quant.train.network import Network, build

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def examples() -> Path:
    """The folder of the shipped examples."""
    return EXAMPLES


@pytest.fixture
def small_graph() -> Graph:
    """u3[3] → i5[2] → bipolar[2] → i4[2] → class."""
    return Graph(
        "small",
        (
            Input("input", (), Tensor((3,), Format(3), (1.0,))),
            MatMul("fc1", ("input",), Tensor((2,), Format(5, signed=True), (0.5,)),
                   np.array([[1, -1, 0], [-1, 0, 1]]), Format(2, signed=True)),
            Threshold("act1", ("fc1",), Tensor((2,), BIPOLAR), np.array([[0], [2]]), -1, 2),
            MatMul("fc2", ("act1",), Tensor((2,), Format(4, signed=True)), np.array([[1, -1], [1, 1]]), BIPOLAR,
                   np.array([0, -1])),
            ArgMax("argmax", ("fc2",), Tensor((1,), Format(1))),
        ),
        "argmax", ("no", "yes"), {"accuracy": 0.5},
    )


def make_spec(layers: list[Any], output: object = 3, bits: object = 3, **training: object) -> NetworkSpec:
    """A specification with hidden ``layers``: (units, weight bits, activation bits), or a mapping."""
    keys = ("units", "weight_bits", "activation_bits")
    return parse_spec({
        "name": "tiny", "dataset": "digits", "seed": 7, "input": {"bits": bits},
        "layers": [layer if isinstance(layer, dict) else dict(zip(keys, layer)) for layer in layers],
        "output": {"weight_bits": output},
        "training": {"epochs": 1, **training},
    })


def randomized(spec: NetworkSpec, seed: int) -> Network:
    """An untrained module with every parameter drawn at random, batch norms of every temper among them.

    Of each batch norm's channels one has zero gain, one minus zero, one a tiny variance, one no variance at all, one a
    huge gain, and about half of the others a negative gain.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = build(spec)
        for name, part in module.named_modules():
            if isinstance(part, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
                n = part.num_features
                layer = module.get_submodule(name.replace("bn", "fc" if part.__class__.__name__[-2] == "1" else "conv"))
                spread = (layer.weight.numel() / n) ** 0.5
                part.weight.data = torch.randn(n)
                part.bias.data = torch.randn(n)
                part.running_mean.copy_(torch.randn(n) * spread)
                part.running_var.copy_((0.1 + torch.rand(n)) * spread**2)
                part.weight.data[0], part.weight.data[1] = 0.0, -0.0
                part.running_var[2], part.running_var[3] = 1e-12, 0.0
                part.weight.data[4] = -1e6
            elif hasattr(part, "bias") and isinstance(part.bias, torch.nn.Parameter):
                part.bias.data = torch.randn_like(part.bias) * 5
    return module.eval()


@pytest.fixture
def spec_of() -> Callable[..., NetworkSpec]:
    """:func:`make_spec`."""
    return make_spec


@pytest.fixture
def random_module() -> Callable[[NetworkSpec, int], Network]:
    """:func:`randomized`."""
    return randomized
