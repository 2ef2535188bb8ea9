"""Layers whose weights have any scale: sums of integers first, which float32 holds exactly, then times the scale.

Plain layers add products of scaled weights, which is exact only where scales are powers of two. Here what comes out is
float32(sum × scale), a monotone function of the integer sum; batch norm and activation become its thresholds.
"""

from __future__ import annotations

from typing import Any, cast

import brevitas.nn as qnn
import torch
from brevitas.function.ops_ste import round_ste
from brevitas.quant_tensor import IntQuantTensor

EXACT = 1 << 22
"""Integers below this times one scale are different numbers in float32 as well."""


class FactoredLinear(qnn.QuantLinear):  # type: ignore[misc]
    """A quantized linear layer; binary or ternary weights with the scale of their absolute mean."""

    def forward(self, x: IntQuantTensor) -> IntQuantTensor:
        """(samples, inputs) with one power of two for a scale, to (samples, outputs)."""
        weight = self.quant_weight()
        sums = torch.nn.functional.linear(x.value, weight.value / weight.scale)
        if self.bias is not None:
            bias = self.bias_quant(self.bias, x, weight)
            sums = sums + round_ste(bias.value / bias.scale) * x.scale
        return _scaled(sums, x, weight.scale.reshape(-1))


class FactoredConv2d(qnn.QuantConv2d):  # type: ignore[misc]
    """A quantized convolution without bias, as :class:`FactoredLinear`."""

    def forward(self, x: IntQuantTensor) -> IntQuantTensor:
        """(samples, channels, rows, columns) with one power of two for a scale, to the same of other channels."""
        weight = self.quant_weight()
        sums = torch.nn.functional.conv2d(x.value, weight.value / weight.scale, None, self.stride, self.padding)
        return _scaled(sums, x, weight.scale.reshape(-1, 1, 1))


def _scaled(sums: torch.Tensor, x: IntQuantTensor, scale: torch.Tensor) -> IntQuantTensor:
    return IntQuantTensor(value=sums * scale, scale=x.scale * scale, zero_point=torch.tensor(0.0),
                          bit_width=torch.tensor(32.0), signed=True, training=cast(Any, x.training))
