"""The Brevitas module of a specification: every sum exact in float32, as scales are powers of two or factored out."""

from __future__ import annotations

from typing import Any, TypeAlias, cast

import brevitas.nn as qnn
import torch
from brevitas.quant.scaled_int import Int32Bias
from brevitas.quant_tensor import IntQuantTensor
from torch import nn

from .data import source
from .factored import FactoredConv2d, FactoredLinear
from .layers import POWER_OF_TWO
from .quantizers import Activation, activation, branch, input_quantizer, weight
from .spec import NetworkSpec
from .steps import INPUT, Average, Conv, Dense, Flatten, MaxPool, Quantizer, Step, Sum, steps

Value: TypeAlias = torch.Tensor | IntQuantTensor
"""float32 sums, or quantized: (samples, features) or, torch's order, (samples, channels, rows, columns)."""

Weighted: TypeAlias = qnn.QuantLinear | qnn.QuantConv2d
Norm: TypeAlias = nn.BatchNorm1d | nn.BatchNorm2d


class Network(nn.Module):
    """A network over raw integers; ``steps`` says what it does, and its parts carry the names of the steps.

    ``depth``: the number of the last linear layer, which gives the scores.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        data = source(spec.dataset)
        self.depth = len(spec.layers) + 1
        self.offset = data.top / 2 if isinstance(spec.input.bits, str) else 0.0
        self.shape = spec.shapes[0]
        self.steps = steps(spec, len(data.classes))
        for step in self.steps:
            for name, part in _parts(step, data.top):
                self.add_module(name, part)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores (samples, classes) of raw integers (samples, features), both as float32."""
        return _float(self.values(x)[self.steps[-1].name])

    def values(self, x: torch.Tensor) -> dict[str, Value]:
        """What each step gives for raw integers ``x`` (samples, features), by its name."""
        if len(self.shape) == 3:
            x = x.reshape(-1, *self.shape).permute(0, 3, 1, 2).clone(memory_format=torch.contiguous_format)
        found: dict[str, Value] = {INPUT: x - self.offset}
        for step in self.steps:
            found[step.name] = self._value(step, found)
        return found

    def quantize(self, step: Quantizer, sums: torch.Tensor) -> IntQuantTensor:
        """What ``step`` makes of ``sums``."""
        if step.norm:
            sums = self.norm(step.norm)(sums)
        return cast(IntQuantTensor, self.quantizer(step.name)(sums))

    def weighted(self, name: str) -> Weighted:
        """The quantized linear layer or convolution ``name``."""
        return cast(Weighted, self.get_submodule(name))

    def norm(self, name: str) -> Norm:
        """The batch norm ``name``."""
        return cast(Norm, self.get_submodule(name))

    def quantizer(self, name: str) -> Activation:
        """The quantized activation ``name``."""
        return cast(Activation, self.get_submodule(name))

    def _value(self, step: Step, found: dict[str, Value]) -> Value:
        given = found[step.reads]
        if isinstance(step, Quantizer):
            return self.quantize(step, _float(given))
        if isinstance(step, Sum):
            return _float(given) + _float(found[step.other])
        if isinstance(step, Average):
            given = _float(given)
        return cast(Value, self.get_submodule(step.name)(given))


def build(spec: NetworkSpec) -> Network:
    """The untrained module of ``spec``; torch's generator decides its initial weights."""
    return Network(spec)


def _float(value: Value) -> torch.Tensor:
    return value.value if isinstance(value, IntQuantTensor) else value


def _parts(step: Step, top: int) -> list[tuple[str, nn.Module]]:
    """The modules of one step, in the order in which they are made."""
    if isinstance(step, Quantizer):
        norm = nn.BatchNorm2d if len(step.shape) == 3 else nn.BatchNorm1d
        return [*([(step.norm, norm(step.shape[-1]))] if step.norm else []), (step.name, _quantizer(step, top))]
    if isinstance(step, Dense):
        bias: dict[str, Any] = {"bias": True, "bias_quant": Int32Bias} if step.last else {"bias": False}
        linear = qnn.QuantLinear if step.scaling == POWER_OF_TWO else FactoredLinear
        return [(step.name, linear(step.inputs, step.shape[0], return_quant_tensor=True,
                                   weight_quant=weight(step.bits, step.inputs, step.scaling), **bias))]
    if isinstance(step, Conv):
        quantized = weight(step.bits, step.inputs * step.kernel**2, step.scaling)
        conv = qnn.QuantConv2d if step.scaling == POWER_OF_TWO else FactoredConv2d
        return [(step.name, conv(step.inputs, step.shape[-1], step.kernel, step.stride, step.padding,
                                 bias=False, weight_quant=quantized, return_quant_tensor=True))]
    if isinstance(step, MaxPool):
        return [(step.name, nn.MaxPool2d(step.size))]
    if isinstance(step, Average):
        return [(step.name, nn.AdaptiveAvgPool2d(1))]
    return [(step.name, nn.Flatten())] if isinstance(step, Flatten) else []


def _quantizer(step: Quantizer, top: int) -> Activation:
    if step.kind == "input":
        return input_quantizer(step.bits, top)
    return branch(int(step.bits)) if step.kind == "branch" else activation(step.bits)
