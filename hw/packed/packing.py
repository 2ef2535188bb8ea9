"""Packing: several products with the same factor x in one multiplication.

With weights w_l at offsets o_l,  (Σ w_l·2^o_l) · x = Σ w_l·x·2^o_l.  Read as fields of s_l = o_(l+1) − o_l bits, field
l holds f_l = w_l·x + c_l: the product and what the lower fields borrow from it, c_l = −1 where f_(l−1) < 0, else 0. So
w_l·x = f_l + (1 where f_(l−1) < 0), and that 1 is a carry into an adder that is there anyway.

If f_l has s_l bits, its sign is the field's top bit. If it has one bit more (the fields *overlap*), that bit is added
to the lowest one of the field above, which is the lowest bit of w_(l+1)·x (one gate) plus a borrow of −1 where f_l is
negative: the exclusive or of the two bits is the sign again. Both ways are exact for all weights and all x.

The weights' side has fields too: w'_l = w_l − (1 where w'_(l−1) < 0), each extended to s_l bits, side by side, are the
multiplier's operand. They are stored like that, so that making the operand takes wires alone.

Offsets as for DSP48 in Xilinx' white papers WP486 and WP487 and in Sommer et al., "DSP-Packing" (2022).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from amaranth.hdl import Shape, signed

from ..parameters import bounds, shape_of_range
from .multiplier import GENERIC, UNITS, Unit


def _fields(weights: tuple[int, int], activation: Shape) -> tuple[Shape, Shape]:
    """The shapes of f_0 and of the f_l above it."""
    ends = [w * x for w in weights for x in bounds(activation)]
    lo, hi = min(ends), max(ends)
    return shape_of_range(lo, hi), shape_of_range(lo - (lo < 0), hi)


@dataclass(frozen=True)
class Packing:
    """Where ``lanes`` products of a weight within ``weights`` and one ``activation`` are in one product of a unit.

    :param unit: which use of the device's multiplier, a number in :data:`~bitloom.hw.packed.multiplier.UNITS`.
    :param weights: the least and the greatest weight. :param activation: shape of x.
    :param spacings: s_l of all lanes but the top one.
    """

    device: str | None
    unit: int
    weights: tuple[int, int]
    activation: Shape
    spacings: tuple[int, ...]

    @classmethod
    def of(cls, device: str | None, weights: tuple[int, int], activation: Shape, pe: int, simd: int) -> "Packing":
        """The packing that takes the fewest multipliers for ``pe`` lanes times ``simd`` elements; among those the one
        with the fewest overlaps and corrections. :class:`ValueError` if not even one product fits."""
        found = [choice for unit in range(len(units(device)))
                 for choice in cls.choices(device, unit, weights, activation, pe)]  # fmt: skip
        if not found:
            raise ValueError(
                f"weights must be {_widest(device, activation)}, not {weights[0]} … {weights[1]}, to be multiplied "
                f"by {activation!r} on {device or 'any device'} (quantize to fewer bits, or use MatVec)"
            )
        return min(found, key=lambda p: (p.multipliers(pe, simd), p.overlaps, p.corrections, -p.used.count))

    @classmethod
    def choices(
        cls, device: str | None, unit: int, weights: tuple[int, int], activation: Shape, most: int
    ) -> Iterator["Packing"]:
        """The packings with 1, 2, … up to ``most`` lanes on one unit, each with the fewest overlaps possible."""
        used = units(device)[unit]
        if not used.takes(activation):
            return
        for lanes in range(1, most + 1):
            overlapping, apart = (_spacings(weights, activation, lanes, overlap) for overlap in (1, 0))
            for narrow in range(lanes):  # boundaries that overlap, counted from the top
                spacings = apart[: lanes - 1 - narrow] + overlapping[lanes - 1 - narrow :]
                choice = cls(device, unit, weights, activation, spacings)
                if choice.operand.width <= used.a:
                    yield choice
                    break
            else:
                return

    def multipliers(self, pe: int, simd: int) -> int:
        """Multiplier blocks for ``pe`` lanes times ``simd`` elements."""
        return -(-(-(-pe // self.lanes) * simd) // self.used.count)

    used = property(lambda self: units(self.device)[self.unit], doc="The unit.")
    lanes = property(lambda self: len(self.spacings) + 1, doc="Products in one.")

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """Where each product is."""
        return tuple(sum(self.spacings[:lane]) for lane in range(self.lanes))

    @cached_property
    def operand(self) -> Shape:
        """The packed weights: always signed."""
        ends = [sum(w << offset for offset in self.offsets) for w in self.weights]
        shape = shape_of_range(*ends)
        return signed(shape.width + (not shape.signed))

    @cached_property
    def fields(self) -> tuple[Shape, ...]:
        """The shape of each f_l."""
        bottom, upper = _fields(self.weights, self.activation)
        return (bottom, *[upper] * (self.lanes - 1))

    @cached_property
    def stored(self) -> tuple[Shape, ...]:
        """The shape of each w'_l."""
        return _stored(self.weights, self.lanes)

    @property
    def borrows(self) -> bool:
        """Whether a product can be negative, so that the one above lacks 1."""
        return self.fields[0].signed

    @property
    def overlapping(self) -> tuple[bool, ...]:
        """For each boundary, whether the field below has one bit more than there is room for."""
        return tuple(field.width > spacing for field, spacing in zip(self.fields, self.spacings))

    overlaps = property(lambda self: sum(self.overlapping), doc="Boundaries with a bit in common.")
    corrections = property(lambda self: self.borrows * len(self.spacings), doc="Products that lack a carry.")

    def encode(self, weights: np.ndarray) -> np.ndarray:
        """w'_l of the weights (…, lanes or fewer)."""
        stored = weights.copy()
        for lane in range(1, weights.shape[-1]):
            stored[..., lane] -= stored[..., lane - 1] < 0
        return stored

    def pack(self, weights: np.ndarray) -> np.ndarray:
        """The operands for the weights (…, lanes)."""
        return (weights << np.array(self.offsets)).sum(-1)

    def unpack(self, product: np.ndarray, weights: np.ndarray, x: np.ndarray) -> np.ndarray:
        """The products (…, lanes), found in ``product`` as the hardware does it; of weights and ``x`` only the lowest
        bit counts."""
        found, below = [], np.zeros_like(product, bool)
        for lane, (offset, field) in enumerate(zip(self.offsets, self.fields)):
            bits = product >> offset
            if lane < self.lanes - 1 and self.overlapping[lane]:
                top = (product >> self.offsets[lane + 1]) ^ (weights[..., lane + 1] & x)
                bits = (bits & ((1 << (field.width - 1)) - 1)) | ((top & 1) << (field.width - 1))
            value = bits & ((1 << field.width) - 1)
            if field.signed:
                value = value - ((value >> (field.width - 1)) << field.width)
            found.append(value + below)
            below = value < 0
        return np.stack(found, -1)


def units(device: str | None) -> tuple[Unit, ...]:
    """What the multiplier of ``device`` can do."""
    return (GENERIC,) if device is None else UNITS[device]


def _stored(weights: tuple[int, int], lanes: int) -> tuple[Shape, ...]:
    lo, hi = weights
    return (shape_of_range(lo, hi), *[shape_of_range(lo - (lo < 0), hi)] * (lanes - 1))


def _spacings(weights: tuple[int, int], activation: Shape, lanes: int, overlap: int) -> tuple[int, ...]:
    """The least spacings, with an overlap or without; a stored weight must have room too."""
    bottom, upper = _fields(weights, activation)
    fields = (bottom, *[upper] * (lanes - 1))
    return tuple(
        max(field.width - (overlap if bottom.signed else 0), stored.width)
        for field, stored in zip(fields[: lanes - 1], _stored(weights, lanes))
    )


def _widest(device: str | None, activation: Shape) -> str:
    """What weights could be multiplied by ``activation``."""
    fitting = [unit.a for unit in units(device) if unit.takes(activation)]
    return f"of at most {max(fitting)} bits (signed)" if fitting else "left to MatVec"
