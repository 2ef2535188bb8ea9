"""Driving a stream component in Amaranth's simulator: vectors in, vectors and the cycles of every transfer out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from amaranth.hdl import Value
from amaranth.lib.wiring import Component
from amaranth.sim import Simulator


@dataclass
class Transfers:
    """The beats that moved through one port: their elements, and the cycle in which each moved."""

    beats: list[list[int]] = field(default_factory=list)
    cycles: list[int] = field(default_factory=list)


def drive(component: Component, vectors: np.ndarray, *, outputs: int, stall: float = 0.0, seed: int = 0,
          limit: int = 200_000) -> tuple[np.ndarray, Transfers, Transfers]:
    """Push ``vectors`` (n, inputs) through ``component``; each side pauses with probability ``stall`` per cycle.

    Returns the output vectors (n, ``outputs``) and the transfers at ``i`` and at ``o``. Fails if a beat changes or
    disappears while it waits, or if the outputs are not complete after ``limit`` cycles.
    """
    rng = np.random.default_rng(seed)
    lanes_in, lanes_out = len(component.i.payload), len(component.o.payload)
    signed_out = component.o.payload.shape().elem_shape.signed
    width = component.o.payload.shape().elem_shape.width
    source = vectors.reshape(-1, lanes_in).tolist()
    wanted = len(vectors) * outputs // lanes_out
    sent, received = Transfers(), Transfers()
    mask = (1 << component.i.payload.shape().elem_shape.width) - 1
    bits = mask.bit_length()

    def pack(beat: list[int]) -> int:
        return sum((value & mask) << (bits * lane) for lane, value in enumerate(beat))

    def unpack(word: int) -> list[int]:
        lanes = [(word >> (width * lane)) & ((1 << width) - 1) for lane in range(lanes_out)]
        return [v - (1 << width) if signed_out and v >> (width - 1) else v for v in lanes]

    async def testbench(ctx) -> None:
        payload_in, payload_out = Value.cast(component.i.payload), Value.cast(component.o.payload)
        index, offering, waiting = 0, False, None
        for cycle in range(limit):
            if not offering and index < len(source) and rng.random() >= stall:
                ctx.set(payload_in, pack(source[index]))
                ctx.set(component.i.valid, 1)
                offering = True
            taking = rng.random() >= stall
            ctx.set(component.o.ready, int(taking))
            _, _, ready, valid, word = await ctx.tick().sample(component.i.ready, component.o.valid, payload_out)
            if offering and ready:
                sent.beats.append(source[index])
                sent.cycles.append(cycle)
                index, offering = index + 1, False
                ctx.set(component.i.valid, 0)
            if waiting is not None:
                assert valid and word == waiting, f"cycle {cycle}: a waiting beat changed or went away"
            waiting = word if valid and not taking else None
            if valid and taking:
                received.beats.append(unpack(word))
                received.cycles.append(cycle)
                if len(received.beats) == wanted:
                    return
        raise AssertionError(f"{len(received.beats)} of {wanted} beats after {limit} cycles")

    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    return np.array(received.beats).reshape(len(vectors), outputs), sent, received
