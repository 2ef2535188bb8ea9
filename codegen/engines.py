"""Engines: the matrix–vector units that can compute a matrix product, how each folds, and its cycles.

=================  =================================================  ==================================================
template           serves                                             products
=================  =================================================  ==================================================
MatVec             every product                                      AND-XOR of weight and activation bits (XNOR and
                                                                      popcount, select-add, bit planes at once)
TableMatVec        ternary weights, one group                         tables of sums of a few activations, looked up
PackedMatVec       any weights, one group; families with multipliers  several in each of the device's multipliers
BitSerialMatVec    weights of up to 8 bits, one group                 a bit plane of the weights per cycle
=================  =================================================  ==================================================

The mapper chooses among those that its device has cost entries for.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import gcd

from amaranth.hdl import Shape

from bitloom.hw.lookup.folding import TableFolding
from bitloom.hw.lookup.trit_codes import TritWeights
from bitloom.hw.packed.packing import Packing
from bitloom.hw.planes.bit_planes import least_bits
from bitloom.hw.planes.bit_serial_matvec import MOST_BITS
from bitloom.quant import MatMul

from .families import Family
from .folding import Folding, divisors

ENGINES = ("MatVec", "TableMatVec", "PackedMatVec", "BitSerialMatVec")
"""The templates."""

GROUPS = (2, 3, 4)
"""Activations per table that the mapper tries and a design may ask for: tables of 5 never pay."""

SLICES = (1, 2, 3, 4, 6, 7, 8, 12, 14, 16, 24, 28, 32, 48, 56, 64, 96, 112, 128, 192, 256)
"""Into how many slices, about, the mapper divides the inputs of a table unit."""


def engines(node: MatMul, activation: Shape, family: Family | None = None) -> tuple[str, ...]:
    """The templates that can compute ``node`` of inputs of this shape, the usual one first."""
    found = ["MatVec"]
    if node.groups > 1:
        return tuple(found)
    least, most = int(node.weights.min()), int(node.weights.max())
    if least >= -1 and most <= 1 and node.weights.shape[1] >= GROUPS[0]:
        found.append("TableMatVec")
    if _multiplies(least, most, activation, None if family is None else family.multiplier):
        found.append("PackedMatVec")
    if least >= -(1 << (MOST_BITS - 1)) and most < 1 << (MOST_BITS - 1):
        found.append("BitSerialMatVec")
    return tuple(found)


def _multiplies(least: int, most: int, activation: Shape, device: str | None) -> bool:
    """Whether a multiplier of ``device``, or of any, takes weights ``least`` … ``most`` and this activation."""
    try:
        Packing.of(device, (least, most), activation, 1, 1)
    except ValueError:
        return False
    return True


def folded(node: MatMul, template: str) -> Iterator[Folding]:
    """The ways to fold the unit ``template`` of ``node``, memory apart, by rising lanes."""
    outputs, inputs = node.weights.shape
    if template != "TableMatVec":
        for pe, simd in product(divisors(outputs // node.groups), divisors(inputs)):
            yield Folding(pe, simd, template=template)
        return
    for pe, group in product(divisors(outputs), GROUPS):
        for count in tables(inputs, group):
            yield Folding(pe, table_lanes(inputs, outputs // pe, group * count), "auto", template, group, count)


def tables(inputs: int, group: int | None = None) -> list[int]:
    """How many tables a table unit may have that takes ``group`` inputs per table, or one of :data:`GROUPS`."""
    groups = GROUPS if group is None else (group,)
    return sorted({-(-inputs // (g * slices)) for g in groups for slices in SLICES if slices * g <= inputs})


def table_lanes(inputs: int, folds: int, whole: int) -> int:
    """The fewest lanes that bring in a slice of ``whole`` inputs within the ``folds`` cycles of the one before.

    They divide the inputs and, where there are several slices, a slice; the most that do if none are enough.
    """
    lanes = divisors(inputs if whole >= inputs else gcd(inputs, whole))
    return next((count for count in lanes if count * folds >= min(whole, inputs)), lanes[-1])


def steps(node: MatMul, folding: Folding) -> int:
    """Cycles per vector of the unit of ``node``; all the engines' closed forms."""
    if folding.template == "TableMatVec":
        weights = TritWeights(node.weights, folding.pe, folding.group, folding.tables)
        return TableFolding(weights, folding.simd, "auto", "auto").interval
    cycles = node.weights.size // (folding.pe * folding.simd)
    if folding.template == "BitSerialMatVec":
        return cycles * least_bits(node.weights)
    return cycles
