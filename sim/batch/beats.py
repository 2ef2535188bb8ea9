"""Vectors as the bytes of beats, and back."""

from __future__ import annotations

import numpy as np

from bitloom.quant import Format


def beat_bytes(fmt: Format, lanes: int) -> int:
    """Bytes per beat of ``lanes`` elements."""
    return -(-fmt.bits * lanes // 8)


def to_bytes(values: np.ndarray, fmt: Format, lanes: int) -> bytes:
    """Vectors (n, elements) as beats of ``lanes`` elements, lane 0 in the lowest bits, each in whole bytes."""
    codes = (values + 1) // 2 if fmt.bipolar else values & ((1 << fmt.bits) - 1)
    bits = (codes[..., None] >> np.arange(fmt.bits)) & 1
    return np.packbits(bits.astype(np.uint8).reshape(-1, lanes * fmt.bits), axis=1, bitorder="little").tobytes()


def from_bytes(data: bytes, fmt: Format, lanes: int, elements: int) -> np.ndarray:
    """The vectors (n, elements), int64, that :func:`to_bytes` made into ``data``."""
    rows = np.frombuffer(data, dtype=np.uint8).reshape(-1, beat_bytes(fmt, lanes))
    bits = np.unpackbits(rows, axis=1, count=lanes * fmt.bits, bitorder="little").reshape(-1, fmt.bits)
    codes = bits.astype(np.int64) @ (1 << np.arange(fmt.bits, dtype=np.int64))
    if fmt.bipolar:
        codes = 2 * codes - 1
    elif fmt.signed:
        codes = codes - ((codes >> (fmt.bits - 1)) << fmt.bits)
    return codes.reshape(-1, elements)
