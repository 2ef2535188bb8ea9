"""The integers behind a Brevitas tensor, read exactly."""

from __future__ import annotations

import math

import numpy as np
import torch
from brevitas.quant_tensor import IntQuantTensor

from bitloom import RequestError, WorkError

from .layers import POWER_OF_TWO, Scaling


def integers_of(name: str, tensor: IntQuantTensor, scaling: Scaling = POWER_OF_TWO) -> np.ndarray:
    """The integers of a quantized tensor, int64.

    Where the scale is a power of two, they are value over scale, exact in float64. Where it is any other number, of
    weights by their absolute mean or of what :mod:`.factored` makes of them, they are those whose products with the
    scale round to the values in float32. Stricter than ``IntQuantTensor.int()``, which rounds, stops at int32, and
    calls a binary tensor invalid in which only one of the two values occurs.

    :raises WorkError: a value is not a multiple of the scale.
    """
    value = tensor.value.detach()
    if scaling == POWER_OF_TWO:
        integers = value.double() / scale_of(name, tensor)
        right = torch.equal(integers, torch.round(integers))
    else:
        integers = torch.round(value.double() / tensor.scale.detach().double())
        right = torch.equal(integers.float() * tensor.scale.detach(), value)
    if not right:
        raise WorkError(f"{name}: quantized values must be multiples of their scale, and are not")
    return integers.to(torch.int64).numpy()


def scale_of(name: str, tensor: IntQuantTensor) -> float:
    """The one scale of a quantized tensor: a power of two far from the ends of what float32 can hold."""
    scale = tensor.scale.detach().reshape(-1)
    if scale.numel() != 1 or math.frexp(float(scale[0]))[0] != 0.5 or not 2.0**-48 <= float(scale[0]) <= 2.0**48:
        raise RequestError(f"{name}: its scale must be one power of two from 2^-48 to 2^48, not "
                           f"{', '.join(f'{float(s):g}' for s in scale[:3])}; use fixed-point quantizers")
    return float(scale[0])


def scales_of(name: str, tensor: IntQuantTensor, scaling: Scaling) -> tuple[float, ...]:
    """The scale of weights, one or one for each output; any float32 far from the ends unless a power of two is due."""
    if scaling == POWER_OF_TWO:
        return (scale_of(name, tensor),)
    scale = tensor.scale.detach().reshape(-1)
    if not torch.all((scale >= 2.0**-48) & (scale <= 2.0**48)):
        raise RequestError(f"{name}: the mean of absolute weights must be from 2^-48 to 2^48, not "
                           f"{', '.join(f'{float(s):g}' for s in scale[:3])}; train again")
    return tuple(scale.double().tolist())
