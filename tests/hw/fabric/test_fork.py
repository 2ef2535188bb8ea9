# amaranth: UnusedElaboratable=no
"""Fork: every reader gets every beat once, none waits for another.

| testpoint | stage | test |
| --- | --- | --- |
| every output gives all beats in order under any stalls; protocol held | full | test_every_reader_gets_every_beat |
| a reader takes a beat while another still blocks, and then no second time | smoke | test_eager |
| a beat per cycle without latency; ready as documented in every cycle | smoke | test_timing |
| bad parameters are refused | smoke | test_errors |
"""

import re

import numpy as np
import pytest
from amaranth.hdl import signed
from amaranth.sim import Simulator
from support.control import STALLS, Stalls
from support.streams import pack, unpack

from bitloom.hw import Fork

SHAPE = signed(3)


def run(unit, x, i_stall, o_stalls):
    """The beats that leave each output with their cycles, and the cycles of the beats that enter."""
    beats = [pack(beat, SHAPE.width) for beat in x.reshape(-1, unit.lanes)]
    outputs = [getattr(unit, f"o{k}") for k in range(unit.copies)]
    got, entered = [[] for _ in outputs], []

    async def bench(ctx):
        offered, taken, cycle = False, [False] * unit.copies, 0
        while len(entered) < len(beats):
            assert cycle < 100 * len(beats), "the fork stands still"
            if not offered and not i_stall():
                offered = True
                ctx.set(unit.i.p.as_value(), beats[len(entered)])
            ctx.set(unit.i.valid, offered)
            ready = [not stall() for stall in o_stalls]
            for output in outputs:
                ctx.set(output.ready, 0)
            before = [ctx.get(output.valid) for output in outputs]
            for output, is_ready in zip(outputs, ready):
                ctx.set(output.ready, is_ready)
            valid = [ctx.get(output.valid) for output in outputs]
            assert valid == before, f"cycle {cycle}: valid depends on ready"
            assert valid == [offered and not done for done in taken], f"cycle {cycle}"
            for k, output in enumerate(outputs):
                if valid[k] and ready[k]:
                    got[k].append((cycle, unpack(ctx.get(output.p.as_value()), SHAPE, unit.lanes)))
            taken = [done or is_ready for done, is_ready in zip(taken, ready)] if offered else taken
            assert ctx.get(unit.i.ready) == all(done or is_ready for done, is_ready in zip(taken, ready)), f"{cycle}"
            if offered and ctx.get(unit.i.ready):
                entered.append(cycle)
                offered, taken = False, [False] * unit.copies
            await ctx.tick()
            cycle += 1

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return got, entered


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("copies", [2, 3])
@pytest.mark.parametrize("lanes", [1, 4])
def test_every_reader_gets_every_beat(lanes, copies, stalls):
    rng = np.random.default_rng(copies)
    x = rng.integers(-4, 4, (10, 12))
    i_share, o_share, hold = STALLS[stalls]
    unit = Fork(SHAPE, lanes, copies)
    got, _ = run(unit, x, Stalls(rng, i_share, hold), [Stalls(rng, o_share, hold) for _ in range(copies)])
    for beats in got:
        assert np.array_equal(np.array([beat for _, beat in beats]).reshape(x.shape), unit.model(x))


def test_eager():
    """Output 1 blocks for ten cycles: output 0 takes the first beat at once, and only that."""
    blocked = iter([True] * 10 + [False] * 1000)
    got, entered = run(Fork(SHAPE, 1, 2), np.arange(4), lambda: False, [lambda: False, lambda: next(blocked)])
    assert [cycle for cycle, _ in got[0]] == [0, 11, 12, 13]
    assert [cycle for cycle, _ in got[1]] == entered == [10, 11, 12, 13]


def test_timing():
    unit = Fork(SHAPE, 2, 3)
    got, entered = run(unit, np.zeros((6, 4), int), lambda: False, [lambda: False] * 3)
    assert (unit.interval, unit.latency) == (1, 0)
    assert entered == list(range(12)) and all([cycle for cycle, _ in beats] == entered for beats in got)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((SHAPE, 1, 1), ValueError, "copies must be at least 2, not 1 (one reader needs no fork)"),
        ((SHAPE, 0, 2), ValueError, "lanes must be at least 1, not 0"),
        ((3, 1, 2), TypeError, "shape must be an Amaranth shape such as unsigned(3), not 3"),
    ],
)
def test_errors(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Fork(*arguments)
