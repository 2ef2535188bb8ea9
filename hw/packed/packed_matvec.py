# amaranth: UnusedElaboratable=no
"""PackedMatVec: the folded matrix–vector unit with several products in each of the device's multipliers."""

from typing import Any

import numpy as np
from amaranth.hdl import C, Cat, Value

from ..matvec.matvec import MatVec
from ..parameters import one_of
from .multiplier import UNITS
from .products import PackedProducts


class PackedMatVec(MatVec):
    """:class:`MatVec` with its products in the device's multipliers, several in each; see
    :mod:`bitloom.hw.packed.packing`.

    y = W·x + bias with the same streams, folding, buffer and ROMs; lanes that share an element share a multiplier:
    ⌈PE / lanes⌉ · SIMD multiplications, of which a multiplier block may do two.

    Parameters
    ----------
    device : str or None
        Whose multipliers: ``ecp5`` (MULT18X18D), ``ice40`` (SB_MAC16 of UltraPlus, 16 × 16 or twice 8 × 8), ``gowin``
        (MULT18X18 or two MULT9X9), ``dsp48e1``, ``dsp48e2``; None for 18 × 18 bits wherever synthesis finds them. See
        :class:`Multiplier`.
    code : str or int
        What weights can be: ``auto``, no others than these; ``binary``, ``ternary`` or n bits of sign and magnitude, as
        it must be said where they are ``writable``. They are stored as :class:`Packing` says, never ``dense``.
    options
        What :class:`MatVec` takes, but ``tree``.
    """

    _products: PackedProducts

    def __init__(self, weights: np.ndarray, *, device: str | None = None, **options: Any):
        self._device = None if device is None else one_of("device", device, tuple(UNITS))
        super().__init__(weights, **options)

    device = property(lambda self: self._device, doc="Whose multipliers, or None.")
    packing = property(lambda self: self._products.packing, doc="Where the products of one multiplication are.")
    multipliers = property(lambda self: self._products.multipliers, doc="Multiplier blocks of the device.")

    def _products_of(self, weights: np.ndarray) -> PackedProducts:
        if self._tree != "auto":
            raise TypeError(f"tree must be left out for PackedMatVec, which has its own, not {self._tree!r}")
        if self._code == "dense":
            raise ValueError("code must be auto, binary, ternary or a number of bits for PackedMatVec, not 'dense'")
        return PackedProducts(weights, self._pe, self._simd, self._activation, self._bipolar, device=self._device,
                              code=self._code, writable=self._rewrites)  # fmt: skip

    def features(self) -> dict[str, float]:
        """As :class:`MatVec`, with ``multipliers``, ``correction_bits`` and ``overlap_bits``."""
        count = super().features()
        if "constant_multipliers" in count:
            count["multipliers"] = count.pop("constant_multipliers")
        return count

    def _add(self, lane: int, total: Value, base: Value) -> Value:
        """With the carry that the sum still lacks, which stands below it."""
        if not self._products.lacks(lane):
            return super()._add(lane, total, base)
        return (total + Cat(C(1, 1), base))[1:]
