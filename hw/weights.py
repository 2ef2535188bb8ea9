"""How weights are stored, and how a product becomes a few AND-XOR gates per weight bit.

An activation arrives as an unsigned code u of m bits: x = a·u + c, where a = 1, c = 0 (unsigned), a = 1, c = −2^(m−1)
(signed, top bit inverted) or a = 2, c = −1 (bipolar). A weight is a sum of digits: w = Σ_i ± 2^i · b_i with bits b_i.
Since −u = (u XOR 11…1) − (2^m − 1), each digit contributes the *unsigned* number  b_i AND (u XOR sign), and all that is
missing is a constant of the neuron, which goes where the bias goes. So there are neither multipliers nor sign
extensions; one 4-input look-up table makes one product bit. For binary weights and bipolar activations this is
XNOR-popcount, for ternary weights select-add/subtract, for wider weights one bit plane per magnitude bit (as in BISMO,
but with sign and magnitude, which saves a plane over two's complement).
"""

from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Shape


@dataclass(frozen=True)
class WeightCode:
    """The storage format of a matrix of weights.

    ``binary``: 1 bit, 1 is −1. ``ternary``: 2 bits, magnitude and sign. ``magnitude``: n bits, the lowest n − 1 the
    magnitude, the top one the sign. ``complement``: two's complement of n bits, where −2^(n−1) occurs.
    """

    kind: str
    bits: int

    @classmethod
    def of(cls, weights: np.ndarray) -> "WeightCode":
        """The code for these integers: the fewest bits per weight."""
        lo, hi = int(weights.min()), int(weights.max())
        if np.all(np.abs(weights) == 1):
            return cls("binary", 1)
        if lo >= -1 and hi <= 1:
            return cls("ternary", 2)
        bits = 1 + max(hi.bit_length() if hi > 0 else 0, (-lo - 1).bit_length() if lo < 0 else 0)
        return cls("complement" if lo == -(1 << (bits - 1)) else "magnitude", bits)

    @property
    def planes(self) -> int:
        """Bit planes: plane i weighs 2^i."""
        return {"binary": 1, "ternary": 1, "magnitude": self.bits - 1, "complement": self.bits}[self.kind]

    def encode(self, weights: np.ndarray) -> np.ndarray:
        """The stored bits of each weight, as unsigned integers."""
        if self.kind == "binary":
            return (weights < 0).astype(np.int64)
        if self.kind == "complement":
            return weights & ((1 << self.bits) - 1)
        return np.abs(weights) | ((weights < 0).astype(np.int64) << (self.bits - 1))

    def digits(self, weights: np.ndarray) -> np.ndarray:
        """The bits b_i of each weight on a new leading axis of ``planes``: which products can be other than 0."""
        if self.kind == "binary":
            return np.ones((1, *weights.shape), dtype=np.int64)
        stored = self.encode(weights)
        return np.stack([(stored >> plane) & 1 for plane in range(self.planes)])

    def inverted(self, weights: np.ndarray) -> np.ndarray:
        """Σ 2^i over the negative digits of each weight: it contributes (2^m − 1) times that too much."""
        if self.kind == "complement":
            return (weights < 0).astype(np.int64) << (self.bits - 1)
        return np.where(weights < 0, -weights, 0)


@dataclass(frozen=True)
class ActivationCode:
    """The affine code x = ``scale``·u + ``offset`` of activations of ``bits`` bits; ``flip`` inverts the top bit."""

    bits: int
    scale: int
    offset: int
    flip: bool

    @classmethod
    def of(cls, shape: Shape, bipolar: bool) -> "ActivationCode":
        """The code of values of ``shape``, or of −1 and +1."""
        if bipolar:
            return cls(1, 2, -1, False)
        if shape.signed:
            return cls(shape.width, 1, -(1 << (shape.width - 1)), True)
        return cls(shape.width, 1, 0, False)

    @property
    def peak(self) -> int:
        """The greatest u."""
        return (1 << self.bits) - 1

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the greatest x."""
        return self.offset, self.scale * self.peak + self.offset

    def start(self, weights: np.ndarray, code: WeightCode) -> np.ndarray:
        """What the sum over all digits' contributions lacks for each row of ``weights`` (…, K): Σ w·x − scale·Σ."""
        return self.offset * weights.sum(-1) - self.scale * self.peak * code.inverted(weights).sum(-1)
