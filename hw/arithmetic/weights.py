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

from ..parameters import one_of, pack_rows
from .trits import TRITS, pack_trits

CODES = ("auto", "binary", "ternary", "dense")
"""Names of codes; an integer is the bits of sign and magnitude."""


@dataclass(frozen=True)
class WeightCode:
    """The storage format of a matrix of weights.

    ``binary``: 1 bit, 1 is −1. ``ternary``: 2 bits, magnitude and sign. ``magnitude``: n bits, the lowest n − 1 the
    magnitude, the top one the sign. ``complement``: two's complement of n bits, where −2^(n−1) occurs. ``dense``:
    ternary weights are stored five to a byte (:mod:`bitloom.hw.arithmetic.trits`) and have 2 bits again once they are
    decoded.
    """

    kind: str
    bits: int
    dense: bool = False

    @classmethod
    def of(cls, weights: np.ndarray) -> "WeightCode":
        """The code for these integers: the fewest bits per weight."""
        lo, hi = int(weights.min()), int(weights.max())
        if lo >= -1 and hi <= 1:
            return cls("binary", 1) if np.count_nonzero(weights) == weights.size else cls("ternary", 2)
        bits = 1 + max(hi.bit_length() if hi > 0 else 0, (-lo - 1).bit_length() if lo < 0 else 0)
        return cls("complement" if lo == -(1 << (bits - 1)) else "magnitude", bits)

    @classmethod
    def named(cls, code: str | int, weights: np.ndarray, writable: bool) -> "WeightCode":
        """The code called ``code`` (:data:`CODES`, or bits of sign and magnitude), which must hold these weights; for
        ``writable`` weights it must be named, because others than these will come."""
        if isinstance(code, bool) or not isinstance(code, str | int | np.integer):
            raise TypeError(f"code must be one of {', '.join(CODES)} or a number of bits, not {code!r}")
        if code == "auto":
            if writable:
                raise ValueError("code must say what writable weights can be, binary, ternary, dense or a number of "
                                 "bits, not 'auto'")  # fmt: skip
            return cls.of(weights)
        if isinstance(code, str):
            one_of("code", code, CODES)
            found = cls("binary", 1) if code == "binary" else cls("ternary", 2, code == "dense")
        elif 2 <= code <= 32:
            found = cls("magnitude", int(code)) if code > 2 else cls("ternary", 2)
        else:
            raise ValueError(f"code must have 2 to 32 bits of sign and magnitude, not {code}")
        if np.abs(weights).max() > found.peak or (found.kind == "binary" and not weights.all()):
            which = "−1 or +1" if found.kind == "binary" else f"within {-found.peak} … {found.peak}"
            raise ValueError(f"weights must be {which} with code {code!r}, not {weights.min()} … {weights.max()}"
                             f"{' with zeros' if found.kind == 'binary' and not weights.all() else ''}")  # fmt: skip
        return found

    @property
    def peak(self) -> int:
        """The greatest absolute weight."""
        return {"binary": 1, "ternary": 1, "complement": 1 << (self.bits - 1)}.get(
            self.kind, (1 << (self.bits - 1)) - 1
        )

    @property
    def planes(self) -> int:
        """Bit planes: plane i weighs 2^i."""
        return {"binary": 1, "ternary": 1, "magnitude": self.bits - 1, "complement": self.bits}[self.kind]

    def encode(self, weights: np.ndarray) -> np.ndarray:
        """The stored bits of each weight, as unsigned integers."""
        if self.kind == "binary":
            return (weights < 0).astype(np.uint8)
        if self.kind == "complement":
            return weights & ((1 << self.bits) - 1)
        return np.where(weights < 0, (1 << (self.bits - 1)) - weights, weights)

    def digits(self, weights: np.ndarray) -> list[np.ndarray]:
        """The bits b_i of each weight as bytes, plane by plane: which products can be other than 0."""
        if self.kind == "binary":
            return [np.ones(weights.shape, np.uint8)]
        stored = self.encode(weights)
        if self.bits <= 8:
            stored = stored.astype(np.uint8)
        return [((stored >> plane) & 1).astype(np.uint8, copy=False) for plane in range(self.planes)]

    def inverted(self, weights: np.ndarray) -> np.ndarray:
        """Σ 2^i over the negative digits of each weight: it contributes (2^m − 1) times that too much."""
        if self.kind == "complement":
            return (weights < 0).astype(np.int64) << (self.bits - 1)
        return -np.minimum(weights, 0)


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


@dataclass(frozen=True, eq=False)
class FoldedWeights:
    """The weights (N, K) of a folded unit, in the order of its steps: step n·SF + s needs rows n·PE … n·PE + PE − 1 and
    columns s·SIMD … s·SIMD + SIMD − 1."""

    weights: np.ndarray
    code: WeightCode
    pe: int
    simd: int

    @property
    def steps(self) -> int:
        """How many steps there are, and stored words."""
        return self.weights.size // (self.pe * self.simd)

    @property
    def width(self) -> int:
        """Bits of a stored word."""
        weights = self.pe * self.simd
        return 8 * -(-weights // TRITS) if self.code.dense else weights * self.code.bits

    def by_lane(self) -> np.ndarray:
        """The weights as (neuron fold, PE, synapse fold, SIMD)."""
        return self.weights.reshape(-1, self.pe, self.weights.shape[1] // self.simd, self.simd)

    def words(self) -> list[int]:
        """One word per step: lane 0 lowest, in a lane element 0 lowest."""
        if self.code.dense:
            trits = self.by_lane().swapaxes(1, 2).reshape(self.steps, -1)
            return [int.from_bytes(row.tobytes(), "little") for row in pack_trits(trits)]
        stored = self.code.encode(self.by_lane()).swapaxes(1, 2)
        return pack_rows(stored.reshape(self.steps, -1), self.code.bits)
