"""Brevitas modules exported with ONNX' own quantizers: QuantizeLinear, Clip, DequantizeLinear, on weights as well."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import brevitas.nn as qnn
import numpy as np
import pytest
import torch

pytest.importorskip("qonnx")
import onnx
from brevitas.export import export_onnx_qcdq
from brevitas.quant import (
    Int8ActPerTensorFloat,
    Int8Bias,
    Int8WeightPerChannelFloat,
    Int16Bias,
    Int32Bias,
    ShiftedUint8ActPerTensorFloat,
    ShiftedUint8WeightPerChannelFloat,
    ShiftedUint8WeightPerTensorFloat,
)
from support.brevitas_models import MODULES, made
from support.imports import agree, imported_from
from support.onnx_models import Net
from torch import nn

from bitloom.quant import Conv, MatMul, Threshold
from bitloom.quant.qonnx import Imported

REFUSED = ("binary", "ternary")
"""Modules that Brevitas itself does not export so."""

WEIGHTS = {"plain": {}, "channels": {"weight_quant": Int8WeightPerChannelFloat},
           "shifted": {"weight_quant": ShiftedUint8WeightPerTensorFloat},
           "shifted channels": {"weight_quant": ShiftedUint8WeightPerChannelFloat}}
BIASES = {"none": {"bias": False}, "float": {"bias": True}, "8": {"bias": True, "bias_quant": Int8Bias},
          "16": {"bias": True, "bias_quant": Int16Bias}, "32": {"bias": True, "bias_quant": Int32Bias}}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def exported(module: nn.Module, shape: tuple[int, ...], folder: Path, dynamo: bool = False) -> onnx.ModelProto:
    path = folder / "module.onnx"
    export_onnx_qcdq(module, args=torch.zeros(shape), export_path=str(path), dynamo=dynamo)
    return onnx.load(path)


def agreeing(model: onnx.ModelProto, count: int = 16) -> Imported:
    """The import, which agrees with the executor."""
    assert {"QuantizeLinear", "DequantizeLinear"} <= {node.op_type for node in model.graph.node}
    imported = imported_from(model)
    agree(imported, model, count)
    return imported


def slowly(values: Iterable[Any], quick: Collection[Any]) -> list[Any]:
    """Parameters of which but ``quick`` are for the long run of the tests."""
    return [value if value in quick else pytest.param(value, marks=pytest.mark.slow) for value in values]


@pytest.mark.parametrize("name", slowly((name for name in MODULES if name not in REFUSED), (
    "residual_unaligned", "zero_points", "branches", "upsampling")))
def test_every_kind_of_module(name: str, tmp_path: Path) -> None:
    module, shape = made(name)
    agreeing(exported(module, shape, tmp_path))


def small(bits: int, weights: str, bias: str, act: type = Int8ActPerTensorFloat) -> nn.Module:
    """A convolution and a matrix product, after a moment of data."""
    options = {"weight_bit_width": bits, **WEIGHTS[weights], **BIASES[bias]}
    module = nn.Sequential(
        qnn.QuantIdentity(bit_width=7, act_quant=act, return_quant_tensor=True), qnn.QuantConv2d(2, 4, 3, **options),
        nn.BatchNorm2d(4), qnn.QuantReLU(bit_width=bits, return_quant_tensor=True), nn.Flatten(),
        qnn.QuantLinear(36, 3, **options))
    for _ in range(3):
        module(torch.randn(8, 2, 5, 5))
    return module.eval()


QUICK = ((2, "plain", "8"), (4, "channels", "16"), (5, "shifted channels", "32"))


@pytest.mark.parametrize("kind", slowly((
    *QUICK, (3, "shifted", "none"), (6, "plain", "float"), (7, "channels", "32"), (8, "shifted channels", "8"),
    (8, "plain", "none"), *product(range(2, 9), ("shifted channels",), ("float", "16"))), QUICK))
def test_weights_and_biases_of_every_kind(kind: tuple[int, str, str], tmp_path: Path) -> None:
    bits, weights, bias = kind
    graph = agreeing(exported(small(bits, weights, bias), (1, 2, 5, 5), tmp_path)).graph
    layers = [node for node in graph if isinstance(node, (Conv, MatMul))]
    assert len(layers) == 2 and all(node.weight_format.bits <= bits + weights.startswith("shifted") for node in layers)
    assert graph.input.output.format.bits == 7
    assert [node.output.format.bits for node in graph if isinstance(node, Threshold)] == [bits]


@pytest.mark.parametrize("kind", slowly([(4, "plain"), (3, "shifted channels"), (8, "channels")], [(4, "plain")]))
def test_what_torchs_newer_exporter_writes(kind: tuple[int, str], tmp_path: Path) -> None:
    """Float weights behind a quantizer of their own."""
    bits, weights = kind
    model = exported(small(bits, weights, "float", ShiftedUint8ActPerTensorFloat), (1, 2, 5, 5), tmp_path, dynamo=True)
    floats = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) == 4}
    assert any(node.op_type == "QuantizeLinear" and node.input[0] in floats for node in model.graph.node)
    facts = agreeing(model).graph.metadata["input"]
    assert isinstance(facts, dict) and facts["zero"] != 0.0


def test_a_pair_of_quantizers_around_constants() -> None:
    """As onnxruntime's AddQDQPairToWeight leaves them."""
    net = Net(1, (8,))
    scale = np.float32(0.0213)
    q = net.add("QuantizeLinear", net.rng.normal(0, 1, (8, 6)), scale, net.const(np.int8(0)))
    w = net.add("DequantizeLinear", q, scale, net.const(np.int8(0)))
    layer = agreeing(net.model(net.quant(net.add("MatMul", net.quant("x", 0.125, 6), w), 0.2, 6))).graph["fc1"]
    assert isinstance(layer, MatMul) and layer.weight_format.bits == 8 and np.abs(layer.weights).max() > 50
