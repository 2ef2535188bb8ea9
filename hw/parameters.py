"""Checks and shapes of template parameters: every message names the parameter, the rule, the value and the way out."""

from collections.abc import Iterable, Sequence

import numpy as np
from amaranth.hdl import Shape, signed, unsigned


def positive(name: str, value: int) -> int:
    """``value`` if it is an integer of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer, not {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, not {value}")
    return int(value)


def divisor(name: str, value: int, total: int, of_what: str) -> int:
    """``value`` if it divides ``total``, the number of ``of_what``."""
    value = positive(name, value)
    if total % value:
        choices = [str(d) for d in range(1, total + 1) if total % d == 0]
        listed = f"{', '.join(choices[:-1])} or {choices[-1]}" if len(choices) > 1 else choices[0]
        raise ValueError(f"{name} must divide the {total} {of_what}, not {value} (use {listed})")
    return value


def one_of(name: str, value: str, choices: Sequence[str]) -> str:
    """``value`` if it is one of ``choices``."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {value!r}")
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
    return value


def integer_shape(name: str, shape: Shape) -> Shape:
    """``shape`` if it is ``unsigned(n)`` or ``signed(n)`` with 1 to 63 bits."""
    if not isinstance(shape, Shape):
        raise TypeError(f"{name} must be an Amaranth shape such as unsigned(3), not {shape!r}")
    if not 1 <= shape.width <= 63:
        raise ValueError(f"{name} must have 1 to 63 bits, not {shape.width}")
    return shape


def activation_shape(shape: Shape, bipolar: bool) -> Shape:
    """``shape`` if it is one of :func:`integer_shape`, and ``unsigned(1)`` where bits stand for −1 and +1."""
    integer_shape("activation", shape)
    if bipolar and shape != unsigned(1):
        raise ValueError(f"activation must be unsigned(1) where it is bipolar, not {shape!r}")
    return shape


def integer_array(name: str, values: np.ndarray, dimensions: int) -> np.ndarray:
    """``values`` as a read-only int64 array if it is an integer array of ``dimensions`` axes, none of them empty."""
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iu":
        kind = values.dtype if isinstance(values, np.ndarray) else type(values).__name__
        raise TypeError(f"{name} must be a NumPy array of integers, not of {kind}")
    if values.ndim != dimensions or values.size == 0:
        raise ValueError(f"{name} must have {dimensions} axes, none empty, not the shape {values.shape}")
    array = values.astype(np.int64)
    array.setflags(write=False)
    return array


def bias_values(bias: np.ndarray | None, count: int, of_what: str = "outputs") -> np.ndarray | None:
    """``bias`` if it is None or integers (count,), one for each of the ``of_what``."""
    if bias is None:
        return None
    values = integer_array("bias", bias, 1)
    if values.shape != (count,):
        raise ValueError(f"bias must have one value for each of the {count} {of_what}, not {values.shape}")
    return values


def bounds(shape: Shape) -> tuple[int, int]:
    """The least and the greatest integer of ``shape``."""
    if shape.signed:
        return -(1 << (shape.width - 1)), (1 << (shape.width - 1)) - 1
    return 0, (1 << shape.width) - 1


def shape_of_range(lo: int, hi: int) -> Shape:
    """The narrowest shape, of at least one bit, that holds the integers ``lo`` … ``hi``."""
    lo, hi = int(lo), int(hi)
    if lo >= 0:
        return unsigned(max(1, hi.bit_length()))
    return signed(1 + max((-lo - 1).bit_length(), hi.bit_length() if hi > 0 else 0))


def accumulator_shape(shape: Shape, low: int, high: int) -> Shape:
    """``shape`` if it is one of :func:`integer_shape` and holds the sums ``low`` … ``high``."""
    lo, hi = bounds(integer_shape("accumulator", shape))
    if low < lo or high > hi:
        raise ValueError(
            f"accumulator must hold the sums {low} … {high} of these weights, not {shape!r} "
            f"(use {shape_of_range(low, high)!r})"
        )
    return shape


def pack(values: Iterable[int], width: int) -> int:
    """The integers in one word, the first lowest, each modulo 2^width."""
    return sum((int(value) & ((1 << width) - 1)) << (k * width) for k, value in enumerate(values))


def pack_rows(rows: np.ndarray, width: int) -> list[int]:
    """Each row of the integers ``rows`` (words, elements) in one word, as :func:`pack` does it."""
    bits = ((rows[:, :, None] >> np.arange(width, dtype=rows.dtype)) & 1).astype(np.uint8)
    packed = np.packbits(bits.reshape(len(rows), -1), axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]
