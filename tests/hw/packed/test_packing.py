"""Packing: several products in one multiplication.

| testpoint | stage | test |
| --- | --- | --- |
| every weight times every activation comes back, for every packing of few bits | full | test_exact_for_all |
| as many lanes as the literature finds, at its offsets | smoke | test_known_packings |
| one lane more, or one bit less between lanes, is no longer exact | full | test_no_room_for_more |
| extreme weights and activations in wide packings | full | test_extremes |
| the operand is made of the stored weights by wires | full | test_operand_from_stored |
| the fewest multiplier blocks for given lanes and elements | smoke | test_fewest_blocks |
| weights that do not fit are refused with the way out | smoke | test_refused |
"""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned

from bitloom.hw.packed.multiplier import UNITS
from bitloom.hw.packed.packing import Packing, units
from bitloom.hw.parameters import bounds

DEVICES = [None, *UNITS]
RANGES = [(0, 0), (-1, 1), (0, 1), (-1, 0), (-2, 1), (0, 3), (-3, -1), (-3, 3), (-4, 3), (2, 5), (-7, 7), (-8, 7)]
SHAPES = [unsigned(1), signed(1), unsigned(2), signed(2), unsigned(3), signed(3), unsigned(4), signed(4)]
MOST = 16_000
"""Combinations of weights and activation that are all tried; of more, as many at random, extremes among them."""


def packings(weights, activation):
    """Every packing of every unit, each pair of unit width and spacings once."""
    seen = {}
    for device in DEVICES:
        for number, unit in enumerate(units(device)):
            for packing in Packing.choices(device, number, weights, activation, 32):
                seen[unit.a, unit.mixed, packing.spacings] = packing
    return seen.values()


def combinations(packing, rng):
    """Weights (cases, lanes) and activations (cases,)."""
    (lo, hi), (low, high) = packing.weights, bounds(packing.activation)
    count = (hi - lo + 1) ** packing.lanes * (high - low + 1)
    if count <= MOST:
        sizes = [hi - lo + 1] * packing.lanes + [high - low + 1]
        grid = np.indices(sizes).reshape(len(sizes), -1).T
        return grid[:, :-1] + lo, grid[:, -1] + low
    w = rng.integers(lo, hi + 1, (MOST, packing.lanes))
    w[: MOST // 2] = rng.choice([lo, hi, min(max(0, lo), hi), min(max(-1, lo), hi)], (MOST // 2, packing.lanes))
    x = rng.integers(low, high + 1, MOST)
    x[: MOST // 4] = rng.choice([low, high], MOST // 4)
    return w, x


def exact(packing, w, x):
    return np.array_equal(packing.unpack(packing.pack(w) * x, w, x), w * x[:, None])


@pytest.mark.parametrize("activation", SHAPES, ids=repr)
def test_exact_for_all(activation):
    rng = np.random.default_rng(0)
    for weights in RANGES:
        for packing in packings(weights, activation):
            assert exact(packing, *combinations(packing, rng)), packing
            lo, hi = bounds(packing.operand)
            assert lo <= packing.pack(np.full(packing.lanes, weights[0])) and hi >= packing.pack(
                np.full(packing.lanes, weights[1])
            )


@pytest.mark.parametrize("device", DEVICES)
def test_extremes(device):
    rng = np.random.default_rng(1)
    for bits, activation in product(range(2, 9), [unsigned(8), signed(8), unsigned(5)]):
        weights = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
        for number in range(len(units(device))):
            for packing in Packing.choices(device, number, weights, activation, 8):
                assert exact(packing, *combinations(packing, rng)), packing


def test_known_packings():
    def lanes(device, weights, activation, pe=64):
        packing = Packing.of(device, weights, activation, pe, 2)
        return packing.used.count * packing.lanes, packing.offsets

    assert lanes("dsp48e1", (-7, 7), unsigned(4), 4) == (4, (0, 7, 14, 21))
    assert lanes("dsp48e2", (-8, 7), unsigned(4), 4) == (4, (0, 8, 15, 22))
    assert lanes("dsp48e2", (-7, 7), unsigned(4), 4) == (4, (0, 8, 16, 23))
    assert lanes("ecp5", (-8, 7), unsigned(8)) == (2, (0, 12))
    assert lanes("ecp5", (-128, 127), unsigned(8)) == (1, (0,))
    assert lanes("ecp5", (-1, 1), unsigned(8), 3) == (3, (0, 8, 16))
    assert lanes("ecp5", (-1, 1), unsigned(2), 9) == (9, tuple(range(0, 18, 2)))
    assert lanes("ice40", (-128, 127), unsigned(8)) == (2, (0,))
    assert lanes("ice40", (-1, 1), unsigned(2), 8) == (8, (0, 2, 4, 6))


def test_no_room_for_more():
    """Where a multiplication holds as many lanes as it can, one more does not fit its operand."""
    rng = np.random.default_rng(2)
    for weights, activation in product([(-1, 1), (-3, 3), (-8, 7)], [unsigned(2), unsigned(4), signed(8)]):
        best = max(Packing.choices("ecp5", 0, weights, activation, 32), key=lambda p: p.lanes)
        assert best.operand.width <= 18
        least = min(best.spacings)
        more = replace(best, spacings=(*best.spacings, least))
        assert more.operand.width > 18
        if best.overlaps == len(best.spacings) > 0:
            tight = replace(best, spacings=(best.spacings[0] - 1, *best.spacings[1:]))
            assert not exact(tight, *combinations(tight, rng))


def test_operand_from_stored():
    """The packed operand is w'_l side by side, each extended to its spacing."""
    rng = np.random.default_rng(3)
    for weights, activation in product(RANGES, SHAPES):
        for packing in packings(weights, activation):
            w, _ = combinations(packing, rng)
            stored = packing.encode(w)
            for lane, shape in enumerate(packing.stored):
                lo, hi = bounds(shape)
                assert stored[:, lane].min() >= lo and stored[:, lane].max() <= hi
            masks = [*[(1 << spacing) - 1 for spacing in packing.spacings], -1]
            fields = [(stored[:, lane] & mask) << packing.offsets[lane] for lane, mask in enumerate(masks)]
            assert np.array_equal(sum(fields), packing.pack(w))


def test_fewest_blocks():
    """Four lanes of three in a multiplier are two and two; iCE40 takes what needs fewer blocks in all."""
    packing = Packing.of("ecp5", (-1, 1), unsigned(8), 4, 5)
    assert (packing.lanes, packing.overlaps, packing.multipliers(4, 5)) == (2, 0, 10)
    assert Packing.of("ecp5", (-1, 1), unsigned(8), 6, 5).multipliers(6, 5) == 10
    wide = Packing.of("ice40", (-7, 7), unsigned(2), 3, 4)
    assert (wide.used.count, wide.lanes, wide.multipliers(3, 4)) == (1, 3, 4)
    split = Packing.of("ice40", (-7, 7), unsigned(2), 1, 4)
    assert (split.used.count, split.lanes, split.multipliers(1, 4)) == (2, 1, 2)


def test_refused():
    with pytest.raises(ValueError, match=r"weights must be of at most 18 bits \(signed\), not -131073 … 5, to be"):
        Packing.of("ecp5", (-(1 << 17) - 1, 5), unsigned(8), 1, 1)
    with pytest.raises(ValueError, match=r"left to MatVec, not -1 … 1, to be multiplied by unsigned\(18\) on dsp48e1"):
        Packing.of("dsp48e1", (-1, 1), unsigned(18), 1, 1)
