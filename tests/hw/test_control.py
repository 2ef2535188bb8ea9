# amaranth: UnusedElaboratable=no
"""Control: what each template says of its beats is what the hardware does, cycle for cycle.

| testpoint | stage | test |
| --- | --- | --- |
| every ready and valid of every cycle, under five patterns of stalls | full | test_follows |
| a queue holds and passes beats as its docstring says | full | test_queue |
| a control that is off by one cycle or one beat is told from the hardware | smoke | test_tells_apart |
"""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from support.control import STALLS, QueueModel, assert_follows

from bitloom.hw import ArgMax, MatVec, RegisterSlice, StreamFIFO, Threshold
from bitloom.hw.control import Slice


def matvec(n, k, pe, simd, low=-3, **options):
    weights = np.random.default_rng(n).integers(low, 4, (n, k))
    return MatVec(weights, pe=pe, simd=simd, activation=unsigned(2), accumulator=signed(14), **options)


def threshold(rows, lanes):
    return Threshold(np.arange(rows * 3).reshape(rows, 3), channels=6, lanes=lanes, input=signed(6), output=unsigned(2))


UNITS = {
    "matvec NF 1": lambda: matvec(4, 12, 4, 3),
    "matvec parallel": lambda: matvec(2, 3, 2, 3),
    "matvec NF 3": lambda: matvec(6, 12, 2, 4),
    "matvec SF 1": lambda: matvec(6, 4, 2, 4, buffer="registers"),
    "matvec NF 2": lambda: matvec(4, 20, 2, 4, buffer="block"),
    "matvec of one lane": lambda: matvec(3, 5, 1, 1, low=0),
    "matvec NF 1 in groups": lambda: matvec(6, 6, 2, 2, groups=3),
    "matvec NF 2 in groups": lambda: matvec(12, 6, 2, 2, groups=3),
    "matvec SF 1 in groups": lambda: matvec(6, 3, 1, 3, groups=2),
    "argmax of one beat": lambda: ArgMax(6, lanes=6, input=signed(4)),
    "argmax of one lane": lambda: ArgMax(6, lanes=1, input=signed(4)),
    "argmax": lambda: ArgMax(6, lanes=2, input=signed(4)),
    "threshold of one row": lambda: threshold(1, 2),
    "threshold": lambda: threshold(6, 3),
}


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("name", UNITS)
def test_follows(name, stalls):
    assert_follows(UNITS[name](), vectors=8, stalls=stalls)


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("depth", [2, 3, 4, 5, 6, 9])
def test_queue(depth, stalls):
    unit = StreamFIFO(unsigned(5), depth)
    assert_follows(unit, model=QueueModel(depth), beats=60, stalls=stalls, settle=0)


def test_slice():
    assert_follows(RegisterSlice(unsigned(5)), Slice(1), vectors=60, settle=0)


@pytest.mark.parametrize("change", ["depth", "capacity", "needs", "frees", "emits"])
def test_tells_apart(change):
    unit = UNITS["matvec NF 3"]()
    c = unit.control
    other = {
        "depth": c.depth + 1,
        "capacity": c.capacity - 1,
        "needs": np.where(np.arange(unit.interval) < 3, c.needs - 1, c.needs),
        "frees": np.where(c.frees > 0, c.beats, 0),
        "emits": np.roll(c.emits, 1),
    }
    with pytest.raises(AssertionError, match=r"is (True|False), (True|False) in the control"):
        assert_follows(unit, replace(c, **{change: other[change]}), vectors=8, stalls="blocked")


def test_a_queue_one_beat_short_is_told_apart():
    with pytest.raises(AssertionError, match=r"i0\.ready is True, False in the control"):
        assert_follows(StreamFIFO(unsigned(5), 4), model=QueueModel(3), beats=60, stalls="blocked")
