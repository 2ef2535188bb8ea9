"""Vectors through a unit and writes into it at the same time."""

from collections.abc import Callable, Sequence

import numpy as np
from amaranth.sim import Simulator

from support.streams import gaps, pack, unpack


def assert_sets_follow(unit, sets, x_of, gap: str, reference) -> None:
    """Vectors go through ``unit`` while all its weights and biases are written again and again: those that come and
    leave between two sets of writes are computed with one set, and there are some for each.

    :param sets: (weights, bias), the first as in ``unit``. :param x_of: gives so many vectors. :param reference: what
    comes of vectors, weights and a bias.
    """
    images = [[], *(unit.image(*each) for each in sets[1:])]
    pause = 6 * unit.interval + 2 * len(images[1]) + 60
    vectors = 5 * pause // unit.interval
    x = x_of(vectors)
    writes = [(at * pause, *write) for at, image in enumerate(images) for write in image]
    ends = np.cumsum([len(image) for image in images])
    done = Traffic(unit, x, writes, gap, 3)
    beats_in, beats_out = len(done.i_cycles) // vectors, len(done.o_cycles) // vectors
    first, last = done.i_cycles[::beats_in], done.o_cycles[beats_out - 1 :: beats_out]
    exact = np.zeros(len(sets), int)
    for at, (w, bias) in enumerate(sets):
        start = done.w_cycles[ends[at] - 1] + 2 if at else -1
        end = done.w_cycles[ends[at]] if at + 1 < len(sets) else 1 << 30
        inside = np.array([start <= a and b <= end for a, b in zip(first, last)])
        exact[at] = inside.sum()
        assert np.array_equal(done.y[inside], reference(x[inside], w, bias)), at
    assert np.all(exact > 1), exact


class Traffic:
    """Vectors ``x`` (as many, inputs) through ``unit``, and ``writes`` (earliest cycle, address, data) into it, each
    with pauses of its own; notes the cycle of every transfer.

    :param gap: pauses of source, sink and writer, of this kind; or for each the cycles in which it pauses.
    """

    def __init__(self, unit, x, writes, gap: str | Sequence[Callable[[int], bool]], seed: int = 0):
        self.unit, self.writes = unit, writes
        bits = (x + 1) // 2 if unit.bipolar_activation else x
        self.beats = [pack(beat, unit.activation.width) for beat in bits.reshape(-1, unit.simd)]
        self.wanted = len(x) * -(-len(unit.weights) // unit.pe)
        kinds = [gaps(gap, seed + k) for k in range(3)] if isinstance(gap, str) else gap
        self.gaps = [pauses or (lambda cycle: False) for pauses in kinds]
        self.i_cycles, self.o_cycles, self.w_cycles, self.got = [], [], [], []
        simulator = Simulator(unit)
        simulator.add_clock(1e-6)
        simulator.add_testbench(self.bench)
        simulator.run()
        y = np.array([unpack(beat, unit.accumulator, unit.pe) for beat in self.got]).reshape(len(x), -1)
        self.y, surplus = np.split(y, [len(unit.weights)], axis=1)
        assert not surplus.any(), "the surplus lanes of a vector's last beat must be 0"

    async def bench(self, ctx):
        unit, offered, cycle = self.unit, False, 0
        while len(self.got) < self.wanted or len(self.w_cycles) < len(self.writes):
            assert cycle < 60_000
            if not offered and len(self.i_cycles) < len(self.beats) and not self.gaps[0](cycle):
                offered = True
                ctx.set(unit.i.p.as_value(), self.beats[len(self.i_cycles)])
            ctx.set(unit.i.valid, offered)
            ready = not self.gaps[1](cycle)
            ctx.set(unit.o.ready, ready)
            write = self.writes[len(self.w_cycles)] if len(self.w_cycles) < len(self.writes) else None
            if write is not None and (cycle < write[0] or self.gaps[2](cycle)):
                write = None
            ctx.set(unit.w.valid, write is not None)
            if write is not None:
                ctx.set(unit.w.p, {"address": write[1], "data": write[2]})
                assert ctx.get(unit.w.ready)
                self.w_cycles.append(cycle)
            if offered and ctx.get(unit.i.ready):
                self.i_cycles.append(cycle)
                offered = False
            if ready and ctx.get(unit.o.valid):
                self.o_cycles.append(cycle)
                self.got.append(ctx.get(unit.o.p.as_value()))
            await ctx.tick()
            cycle += 1
