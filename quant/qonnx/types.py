"""Element types of ONNX: which hold integers, and of how many bits; which hold numbers that are computed with here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx

from ..formats import Format

if TYPE_CHECKING:
    from .op import Op

FLOAT = "float32"
"""The type in which the functions between quantizers are computed."""

WHOLE = 1 << 24
"""Up to here every integer is a float32."""

INTEGERS = {f"{'' if signed else 'u'}int{bits}": Format(min(bits, 63), signed)
            for bits in (2, 4, 8, 16, 32, 64) for signed in (True, False)}
"""Types that hold integers → their format; no network has values beyond 63 bits."""

YOUNGER = {25: "uint2", 26: "int2"}
"""Types that this package's onnx has no word for yet."""


def name_of(code: int) -> str:
    """The name of the type that a file means by the number ``code``."""
    try:
        return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(code)).name
    except KeyError:
        return YOUNGER.get(code, f"number {code}")


def dtype_of(name: str) -> np.dtype:
    """What holds elements of the type ``name`` in NumPy."""
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(getattr(onnx.TensorProto, name.upper())))


def computed(op: Op, array: np.ndarray, name: str) -> np.ndarray:
    """The constant ``name`` as numbers that can be computed with; refused if it has a float type other than float32."""
    kind = array.dtype.name
    if kind in INTEGERS and array.dtype.kind not in "iu":
        return array.astype(np.int8)  # NumPy computes with no narrower ones
    if kind not in INTEGERS and kind not in (FLOAT, "bool"):
        op.fail(f"constant {name!r} is of type {kind}, and all is computed in {FLOAT}", f"export the model in {FLOAT}")
    return array
