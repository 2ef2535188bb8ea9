"""The integers behind a Brevitas tensor, read exactly."""

from __future__ import annotations

import math

import numpy as np
from brevitas.quant_tensor import IntQuantTensor

from bitloom import RequestError, WorkError


def integers_of(name: str, tensor: IntQuantTensor) -> np.ndarray:
    """A quantized tensor's values over its scale, int64; both are exact in float64.

    Stricter than ``IntQuantTensor.int()``, which rounds, stops at int32, and calls a binary tensor invalid in which
    only one of the two values occurs.

    :raises WorkError: a value is not a multiple of the scale.
    """
    values = tensor.value.detach().double().numpy() / scale_of(name, tensor)
    if not np.array_equal(values, np.round(values)):
        raise WorkError(f"{name}: quantized values must be multiples of their scale, and are not")
    return values.astype(np.int64)


def scale_of(name: str, tensor: IntQuantTensor) -> float:
    """The one scale of a quantized tensor: a power of two far from the ends of what float32 can hold."""
    scale = tensor.scale.detach().reshape(-1)
    if scale.numel() != 1 or math.frexp(float(scale[0]))[0] != 0.5 or not 2.0**-48 <= float(scale[0]) <= 2.0**48:
        raise RequestError(f"{name}: its scale must be one power of two from 2^-48 to 2^48, not "
                           f"{', '.join(f'{float(s):g}' for s in scale[:3])}; use fixed-point quantizers")
    return float(scale[0])
