"""Driving a stream component in simulation: beats in, beats out, stalls on both sides, the protocol checked."""

from dataclasses import dataclass, field

import numpy as np
from amaranth.hdl import Shape
from amaranth.sim import Simulator


def pack(elements, width: int) -> int:
    """A beat's payload: element 0 lowest, each modulo 2^width."""
    return sum((int(element) & ((1 << width) - 1)) << (lane * width) for lane, element in enumerate(elements))


def unpack(payload: int, shape: Shape, lanes: int) -> list[int]:
    """The elements of a beat."""
    values = [(payload >> (lane * shape.width)) & ((1 << shape.width) - 1) for lane in range(lanes)]
    return [v - (1 << shape.width) if shape.signed and v >> (shape.width - 1) else v for v in values]


@dataclass
class Run:
    """What a simulation saw: the output vectors and the cycle of every transfer."""

    y: np.ndarray
    i_cycles: list[int] = field(default_factory=list)
    o_cycles: list[int] = field(default_factory=list)


def drive(
    dut, x, outputs, *, i_shape, i_lanes, o_shape, o_lanes, i_gap=None, o_gap=None, o_interval=1, bipolar=(False, False)
):
    """Send the vectors ``x`` through ``dut`` and collect as many vectors of ``outputs`` elements.

    ``i_gap(cycle)`` and ``o_gap(cycle)`` say whether the source has nothing new, and whether the sink blocks; the sink
    also blocks until ``o_interval`` cycles after the last transfer.
    """
    x = np.asarray(x)
    wire = (x + 1) // 2 if bipolar[0] else x
    beats = [pack(beat, i_shape.width) for beat in wire.reshape(-1, i_lanes)]
    wanted = len(x) * outputs // o_lanes
    run = Run(np.zeros(0))
    got = []

    async def bench(ctx):
        sent, offered, held = 0, False, None
        limit = 200 + 40 * (len(beats) + wanted) + dut.interval * 20 * len(x)
        for cycle in range(limit):
            if not offered and sent < len(beats) and not (i_gap and i_gap(cycle)):
                offered = True
                ctx.set(dut.i.p.as_value(), beats[sent])
            ctx.set(dut.i.valid, offered)
            blocked = bool(o_gap and o_gap(cycle))
            if run.o_cycles and cycle < run.o_cycles[-1] + o_interval:
                blocked = True
            ctx.set(dut.o.ready, blocked)
            before = ctx.get(dut.o.valid)
            ctx.set(dut.o.ready, not blocked)
            valid, payload = ctx.get(dut.o.valid), ctx.get(dut.o.p.as_value())
            assert valid == before, f"cycle {cycle}: valid depends on ready"
            if held is not None:
                assert valid and payload == held, f"cycle {cycle}: valid or payload changed before the transfer"
            held = payload if valid and blocked else None
            if offered and ctx.get(dut.i.ready):
                run.i_cycles.append(cycle)
                sent, offered = sent + 1, False
            if valid and not blocked:
                run.o_cycles.append(cycle)
                got.append(payload)
            await ctx.tick()
            if len(got) >= wanted and sent == len(beats) and cycle > run.o_cycles[-1] + dut.interval + 8:
                return
        raise AssertionError(f"after {limit} cycles: {sent} of {len(beats)} beats in, {len(got)} of {wanted} out")

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert len(got) == wanted, f"{len(got)} beats left, {wanted} were due"
    y = np.array([unpack(payload, o_shape, o_lanes) for payload in got], dtype=np.int64).reshape(len(x), outputs)
    run.y = 2 * y - 1 if bipolar[1] else y
    return run


def gaps(kind: str, seed: int):
    """A stall pattern: ``none``, ``random``, ``heavy``, or ``period <p>`` (open in one cycle of p)."""
    if kind == "none":
        return None
    if kind.startswith("period"):
        period = int(kind.split()[1])
        return lambda cycle: cycle % period != 0
    rng = np.random.default_rng(seed)
    share = {"random": 0.4, "heavy": 0.85}[kind]
    return lambda cycle: rng.random() < share
