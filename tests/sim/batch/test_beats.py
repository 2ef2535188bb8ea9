"""Vectors become bytes and come back."""

from __future__ import annotations

import numpy as np
import pytest

from bitloom.quant import BIPOLAR, Format
from bitloom.sim.batch.beats import beat_bytes, from_bytes, to_bytes


@pytest.mark.parametrize("fmt", [BIPOLAR, Format(1), Format(3), Format(3, True), Format(8), Format(13, True)], ids=str)
@pytest.mark.parametrize("lanes", [1, 2, 6])
def test_round_trip(fmt: Format, lanes: int) -> None:
    rng = np.random.default_rng(lanes)
    values = rng.choice([-1, 1], (5, 12)) if fmt.bipolar else rng.integers(fmt.lo, fmt.hi + 1, (5, 12))
    data = to_bytes(values, fmt, lanes)
    assert len(data) == 5 * (12 // lanes) * beat_bytes(fmt, lanes)
    assert np.array_equal(from_bytes(data, fmt, lanes, 12), values)


def test_lane_0_is_in_the_lowest_bits() -> None:
    assert to_bytes(np.array([[1, 2, -1, 0]]), Format(3, True), 2) == bytes([1 | 2 << 3, 7])
