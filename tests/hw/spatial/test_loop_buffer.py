# amaranth: UnusedElaboratable=no
"""LoopBuffer and Loops: any nest, exactly its control, no beat more than needed.

| testpoint | stage | test |
| --- | --- | --- |
| beats in the order of the nest, under stalls, for random nests and kinds of storage | full | test_order |
| addresses that wrap at no power of two | full | test_addresses_wrap |
| every ready and valid of every cycle is that of the control | full | test_control |
| a vector per interval, first beat after latency | full | test_timing |
| the least capacity keeps the interval, and is what one works out by hand | full | test_capacity_… |
| needs and frees | smoke | test_needs_and_frees |
| fewest counters | smoke | test_counted |
| storage: block memory without bypass logic | full | test_synthesis |
| nests that leave the vector or free too early are refused | smoke | test_errors |
"""

import re

import numpy as np
import pytest
from amaranth.hdl import unsigned
from support.control import STALLS, BufferedModel, assert_follows
from support.spatial import assert_equals, assert_timing, run

from bitloom.hw.control import Buffered
from bitloom.hw.memory.storage import storage
from bitloom.hw.spatial.buffered_unit import LoopReader
from bitloom.hw.spatial.loop_buffer import LoopBuffer
from bitloom.hw.spatial.loops import Loops, least_capacity

NESTS = {
    "copy": Loops(((6, 1),), 6, 0),
    "one beat": Loops(((1, 1),), 1, 0),
    "one beat often": Loops(((5, 0),), 1, 0),
    "first of many": Loops(((1, 3),), 7, 0),
    "twice": Loops(((2, 0), (5, 1)), 5, 0),
    "each twice": Loops(((5, 1), (2, 0)), 5, 0),
    "rows twice": Loops(((3, 4), (2, 0), (4, 1)), 12, 0),
    "gaps": Loops(((3, 5), (2, 1)), 15, 0),
    "wide gaps": Loops(((3, 9), (2, 2)), 29, 0),
    "backwards in blocks": Loops(((3, 4), (2, 1), (2, 2)), 12, 0),
    "transposed": Loops(((4, 1), (3, 4)), 12, 0),
    "transposed, free late": Loops(((1, 0), (4, 1), (3, 4)), 12, 0),
    "windows": Loops(((3, 10), (4, 2), (3, 10), (4, 1)), 52, 1),
    "windows of one channel after the other": Loops(((3, 8), (3, 2), (2, 1), (2, 8), (2, 2)), 32, 2),
    "power of two": Loops(((4, 4), (4, 1)), 16, 0),
}


class Nest(LoopReader):
    """A reader of any nest, one element per beat."""

    def __init__(self, loops, memory="auto"):
        super().__init__(loops, lanes=1, element=unsigned(5), memory=memory)

    def model(self, x):
        """The elements in the order of the nest."""
        return np.asarray(x)[:, self.loops.addresses]


def numbers(loops, vectors=4):
    return np.random.default_rng(loops.steps).integers(0, 32, (vectors, loops.beats))


@pytest.mark.parametrize("memory", ["auto", "block"])
@pytest.mark.parametrize("name", NESTS)
def test_order(name, memory):
    loops = NESTS[name]
    x = numbers(loops)
    assert_equals(lambda: Nest(loops, memory), x, x[:, loops.addresses])


@pytest.mark.parametrize(
    ("levels", "beats"), [(((1, 0), (10, 1), (30, 10)), 300), (((2, 0), (20, 20), (2, 9), (9, 1)), 400)]
)
def test_addresses_wrap(gaps, levels, beats):
    """A capacity that is no power of two, with strides forth and back over its end."""
    loops = Loops(levels, beats, 0)
    assert loops.capacity == 768
    x = numbers(loops, 3)
    done = run(Nest(loops), x, o_gap=gaps("random", 1))
    assert np.array_equal(done.y, x[:, loops.addresses])


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("name", NESTS)
def test_control(name, stalls):
    assert_follows(Nest(NESTS[name]), vectors=5, stalls=stalls)


@pytest.mark.parametrize("name", NESTS)
def test_timing(name):
    assert_timing(Nest(NESTS[name]), numbers(NESTS[name], 6))


def interval_with(loops: Loops, capacity: int) -> float:
    """Cycles per vector with a buffer of ``capacity`` beats, one beat arriving in every ⌊j·I / beats⌋."""
    model = BufferedModel(Buffered(loops.beats, capacity, loops.needs, loops.frees, loops.ends, 1))
    ends, offered, waiting = [], 0, 0
    due = np.arange(loops.beats) * loops.interval // loops.beats
    for cycle in range(40 * loops.interval):
        vector, beat = divmod(offered, loops.beats)
        if vector * loops.interval + due[beat] <= cycle:
            offered, waiting = offered + 1, waiting + 1
        taken = waiting > 0 and model.ready([True], True)[0]
        model.tick([waiting > 0], True)
        waiting -= taken
        if model.step == 0 and model.base == (len(ends) + 1) * loops.beats:
            ends.append(cycle)
    return (ends[-1] - ends[len(ends) // 2]) / (len(ends) - 1 - len(ends) // 2)


@pytest.mark.parametrize("name", NESTS)
def test_capacity_keeps_the_interval(name):
    """With the least capacity, before it is rounded, the interval is kept for ever."""
    loops = NESTS[name]
    least = least_capacity(loops.needs, loops.frees, loops.beats)
    assert least <= loops.capacity < max(3, 2 * least, least + (least > 256) * 256)
    assert interval_with(loops, least) == loops.interval


@pytest.mark.parametrize(
    ("loops", "least"),
    [
        (NESTS["copy"], 2),  # written in one cycle, read in the next, free in the one after
        (NESTS["each twice"], 2),  # a beat every 2 cycles, in use for 3
        (NESTS["twice"], 8),  # the second pass ends 15 cycles after the first beat: 3 beats of the next vector
        (Loops(((26, 28), (26, 1), (3, 28), (3, 1)), 28 * 28, 1), 117),  # 3 rows, and what comes in one
        (Loops(((14, 56), (14, 2), (2, 28), (2, 1)), 28 * 28, 1), 57),  # 2 rows and a beat
    ],
)
def test_capacity_of_known_orders(loops, least):
    assert least_capacity(loops.needs, loops.frees, loops.beats) == least


def test_capacity_is_rounded():
    assert [Loops(((2, 0), (n, 1)), n, 0).capacity for n in (1, 2, 11, 160, 171, 340, 345)] == [
        2, 4, 32, 256, 512, 512, 768,
    ]  # fmt: skip


def test_needs_and_frees():
    loops = Loops(((2, 4), (2, 1), (2, 2)), 9, 1)
    assert loops.addresses.tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    assert loops.needs.tolist() == [1, 3, 3, 4, 5, 7, 7, 9]
    assert loops.frees.tolist() == [0, 1, 1, 4, 4, 5, 5, 9]
    assert (loops.steps, loops.interval, loops.taken(0), loops.taken(1), loops.taken(7)) == (8, 9, 1, 3, 9)
    assert loops.ends.all()
    assert Loops(loops.levels, 9, 1, 1).ends.tolist() == [False, True] * 4


def test_counted():
    assert NESTS["copy"].counted == (((6, 1),), 1, 1)
    assert NESTS["one beat"].counted == ((), 0, 0)
    assert Loops(((3, 4), (1, 9), (4, 1), (1, 5)), 12, 0, 0).counted == (((3, 4), (4, 1)), 1, 1)
    assert Loops(((3, 4), (1, 9), (4, 1)), 12, 2).counted == (((12, 1),), 1, 1)
    assert Loops(((3, 8), (2, 4), (4, 1)), 24, 0, 1).counted == (((3, 8), (2, 4), (4, 1)), 1, 2)


def test_storage():
    assert storage("memory", "auto", 6, 16) == "registers"
    assert storage("memory", "auto", 7, 16) == storage("memory", "block", 2, 1) == "block"
    assert storage("memory", "auto", 8, 17) == "registers"
    unit = Nest(NESTS["windows"], "distributed")
    assert unit.buffers == [(unit.loops.capacity, 5, "distributed")]
    assert unit.features()["buffer_distributed_bits"] == 5 * unit.loops.capacity
    assert Nest(NESTS["windows"], "block").features()["blocks"] == 1


def test_synthesis(synthesize):
    found = synthesize(Nest(NESTS["windows"], "block"), "ice40")
    assert found["SB_RAM40_4K"] == 1 and found["SB_LUT4"] <= 95, found
    found = synthesize(Nest(NESTS["windows"], "distributed"), "ecp5")
    assert found["TRELLIS_DPR16X4"] > 0 and found["TRELLIS_FF"] <= 60, found
    assert synthesize(Nest(NESTS["rows twice"], "registers"), "ice40").get("SB_RAM40_4K", 0) == 0


def test_run_reports_cycles():
    """A block of beats that nothing reads is still taken."""
    done = run(Nest(NESTS["first of many"]), numbers(NESTS["first of many"]))
    assert len(done.i_cycles) == 4 * 7 and len(done.o_cycles) == 4


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Loops((), 3, 0), ValueError, "levels must have at least one (count, stride), not none"),
        (lambda: Loops(((0, 1),), 3, 0), ValueError, "count must be at least 1, not 0"),
        (lambda: Loops(((2, -1),), 3, 0), ValueError, "stride must be at least 0, not -1"),
        (lambda: Loops(((4, 1),), 3, 0), ValueError, "levels must stay within the 3 beats, not reach beat 3"),
        (lambda: Loops(((3, 1),), 0, 0), ValueError, "beats must be at least 1, not 0"),
        (lambda: Loops(((3, 1),), 3, 1), ValueError, "free_level must be 0 to 0, not 1"),
        (lambda: Loops(((3, 1),), 3, 0, 2), ValueError, "group_level must be 0 to 0, not 2"),
        (
            lambda: Loops(((2, 0), (3, 1)), 3, 1),
            ValueError,
            "free_level must free no beat that is read later, as 1 does (use one further out)",
        ),
        (lambda: LoopBuffer(4, NESTS["copy"], "sram"), ValueError, "memory must be one of auto, block, registers"),
        (lambda: LoopBuffer(0, NESTS["copy"]), ValueError, "width must be at least 1, not 0"),
    ],
)
def test_errors(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()
