"""Integer formats: how many bits a value has and what those bits mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Format:
    """The integer format of a tensor: its bit width and the values that the bits stand for.

    ``unsigned``: 0 … 2^bits − 1. ``signed``: two's complement, −2^(bits−1) … 2^(bits−1) − 1. ``bipolar``: one bit
    that stands for −1 (bit 0) or +1 (bit 1), as in binary networks; it is signed and has no zero.
    """

    bits: int
    signed: bool = False
    bipolar: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.bits, int) or isinstance(self.bits, bool):
            raise TypeError(f"bits must be an integer, not {self.bits!r}")
        if self.bipolar and (self.bits != 1 or not self.signed):
            raise ValueError(f"a bipolar format is signed and has 1 bit, not {self.bits}")
        if not 1 <= self.bits <= 63:
            raise ValueError(f"bits must be 1 to 63, not {self.bits}")

    @classmethod
    def of_range(cls, lo: int, hi: int) -> Format:
        """The narrowest format (never bipolar) that holds every integer of ``lo`` … ``hi``."""
        if lo > hi:
            raise ValueError(f"an empty range has no format: lo {lo} is above hi {hi}")
        if lo >= 0:
            return cls(max(1, int(hi).bit_length()))
        return cls(1 + max(int(hi).bit_length() if hi > 0 else 0, int(-lo - 1).bit_length()), signed=True)

    @property
    def lo(self) -> int:
        """The least value."""
        if self.bipolar:
            return -1
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def hi(self) -> int:
        """The greatest value."""
        if self.bipolar:
            return 1
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    def holds(self, values: np.ndarray) -> bool:
        """Whether every one of ``values`` (any shape, integers) is a value of this format."""
        if values.size == 0:
            return True
        if self.bipolar:
            return bool(np.all(np.abs(values) == 1))
        return bool(values.min() >= self.lo and values.max() <= self.hi)

    def __str__(self) -> str:
        if self.bipolar:
            return "bipolar"
        return f"{'i' if self.signed else 'u'}{self.bits}"


BIPOLAR = Format(1, signed=True, bipolar=True)
"""One bit for −1 or +1."""
