"""What the tests of spatial templates share: a unit run, its bits and its closed forms held."""

import numpy as np

from bitloom.hw.parameters import bounds

from .control import STALLS, assert_follows
from .streams import drive, gaps

PATTERNS = [("none", "none"), ("random", "random"), ("none", "heavy")]
"""Stalls of source and sink."""


def random_maps(rng, shape, bipolar: bool, vectors: int, elements: int) -> np.ndarray:
    """Random vectors: the least values, the greatest, and any between."""
    lo, hi = bounds(shape)
    if bipolar:
        x = rng.choice([-1, 1], (vectors, elements))
        lo, hi = -1, 1
    else:
        x = rng.integers(lo, hi + 1, (vectors, elements))
    x[0], x[1] = lo, hi
    return x


def run(unit, x, *, bipolar=(False, False), **stalls):
    """``unit`` fed with ``x``; shapes and lanes are those of its ports."""
    i, o = unit.i.p.shape(), unit.o.p.shape()
    return drive(
        unit, x, unit.model(x).shape[1], i_shape=i.elem_shape, i_lanes=i.length, o_shape=o.elem_shape,
        o_lanes=o.length, bipolar=bipolar, **stalls,
    )  # fmt: skip


def assert_equals(make, x, expected, *, bipolar=(False, False), seed=0):
    """The model gives ``expected``, and so does the hardware under every pattern of stalls."""
    assert np.array_equal(make().model(x), expected)
    for i_gap, o_gap in PATTERNS:
        done = run(make(), x, bipolar=bipolar, i_gap=gaps(i_gap, seed), o_gap=gaps(o_gap, seed + 1))
        assert np.array_equal(done.y, expected), (i_gap, o_gap)


def assert_timing(unit, x, *, bipolar=(False, False)):
    """The first output beat leaves ``latency`` cycles after the first input beat came; a vector each ``interval``."""
    done = run(unit, x, bipolar=bipolar)
    outputs = done.y.shape[1] // unit.o.p.shape().length
    assert done.o_cycles[0] - done.i_cycles[0] == unit.latency
    assert set(np.diff(done.o_cycles[outputs - 1 :: outputs])) == {unit.interval}


def assert_controlled(make, vectors=3, patterns=tuple(STALLS)):
    """Each ready and valid of each cycle is that of the unit's control."""
    for stalls in patterns:
        assert_follows(make(), vectors=vectors, stalls=stalls)
