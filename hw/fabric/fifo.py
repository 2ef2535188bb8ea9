"""StreamFIFO: a queue of beats between two units."""

import numpy as np
from amaranth.hdl import Module, Shape, ShapeLike, Signal, Value
from amaranth.lib import memory as lib_memory
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from ..component import Component
from ..counters import advance
from ..memory.storage import STYLE, output_register, storage, storage_features
from ..parameters import positive


class StreamFIFO(Component):
    """A first-in first-out queue of ``depth`` beats: depth − 1 in a memory, one in the output register behind it.

    In each cycle, exactly: ``i.ready`` is high while fewer than depth − 1 beats are in the memory; ``o.valid`` is high
    while a beat is in the output register. At the end of a cycle the oldest beat of the memory, if there was one in
    this cycle, moves to the output register if that is empty or its beat transfers now; a beat that transfers at ``i``
    enters the memory. So a beat leaves 2 cycles after it came at the earliest, and one moves in each cycle; with depth
    2, where the memory holds one, in each second cycle. It is how :class:`amaranth.lib.fifo.SyncFIFOBuffered` behaves.

    Two addresses with a lap bit each say what is in the memory: equal, it is empty; equal but for the lap, it is full.
    So synthesis can prove that no beat is read while it is written, and adds no logic for that case to block memory.

    Parameters
    ----------
    shape : ShapeLike
        Shape of the payload.
    depth : int
        Beats that the queue holds, at least 2 (one register cannot take a beat in each cycle).
    memory : str
        Where they are: ``block`` memory, ``registers``, ``distributed`` (memory in LUTs; iCE40 has none), or ``auto``:
        ``registers`` up to 96 bits for each 16-bit block memory saved, else ``block``.

    Members
    -------
    i, o : streams of ``shape``
        Latency 2 cycles, interval 1 cycle (2 where ``depth`` is 2); ``ready`` and ``valid`` come from registers,
        ``ready`` through the comparison of the addresses.
    """

    def __init__(self, shape: ShapeLike, depth: int, memory: str = "auto"):
        self._depth = positive("depth", depth)
        if self._depth < 2:
            raise ValueError(f"depth must be at least 2, not {depth} (a RegisterSlice holds single beats)")
        self._shape = shape
        self._width = Shape.cast(shape).width
        self._memory = storage("memory", memory, self._depth - 1, self._width)
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    shape = property(lambda self: self._shape, doc="Shape of the payload.")
    depth = property(lambda self: self._depth, doc="Beats that the queue holds.")
    memory = property(lambda self: self._memory, doc="Where the beats are: ``auto`` has been decided.")
    interval = property(lambda self: 1 if self._depth > 2 else 2, doc="Cycles per beat.")
    latency = property(lambda self: 2, doc="Cycles from a beat's arrival to its departure when the queue is empty.")
    buffers = property(
        lambda self: ((self._depth - 1, self._width, self._memory),), doc="(depth, width, kind) of the memory."
    )

    def model(self, x: np.ndarray) -> np.ndarray:
        """What comes out: what went in."""
        return np.asarray(x, dtype=np.int64)

    def features(self) -> dict[str, float]:
        """The stored bits by kind, the multiplexers between registers, the output register, the addresses.

        The output register is part of a block memory, with a gate per bit where that cannot start as zeros.
        """
        beats = self._depth - 1
        count: dict[str, float] = {"control": 3 + 4 * beats.bit_length()}
        if self._memory == "registers":
            count["mux_bits"] = (beats - 1) * self._width
        count["word_bits" if self._memory == "block" else "register_bits"] = self._width
        return count | storage_features(self._memory, beats, self._width)

    def elaborate(self, platform) -> Module:
        m = Module()
        beats = self._depth - 1
        m.submodules.beats = storage = lib_memory.Memory(
            shape=self._width, depth=beats, init=[], attrs={"ram_style": STYLE[self._memory]}
        )
        write, read = storage.write_port(), storage.read_port(domain="comb")
        write_lap, read_lap, same, move = (Signal(name=name) for name in ("write_lap", "read_lap", "same", "move"))
        write_at, read_at = (Signal(range(max(2, beats)), name=name) for name in ("write_at", "read_at"))
        output = output_register(self._width)
        m.d.comb += [
            same.eq(write_at == read_at),
            self.i.ready.eq(~same | (write_lap == read_lap)),
            move.eq((~same | (write_lap != read_lap)) & (~self.o.valid | self.o.ready)),
            write.en.eq(self.i.valid & self.i.ready),
            write.data.eq(Value.cast(self.i.p)),
            write.addr.eq(write_at),
            read.addr.eq(read_at),
            Value.cast(self.o.p).eq(output),
        ]
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += self.o.valid.eq(move)
        with m.If(move):
            m.d.sync += output.eq(read.data)
        for moves, at, lap in ((write.en, write_at, write_lap), (move, read_at, read_lap)):
            with m.If(moves):
                m.d.sync += [at.eq(advance(at, beats)), lap.eq(lap ^ (at == beats - 1))]
        return m
