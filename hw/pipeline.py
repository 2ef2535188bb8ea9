"""A rigid pipeline: registers that move together in each cycle in which the output is free."""

from amaranth.hdl import Module, Shape, Signal, Value, ValueLike

from .counters import advance
from .memory.rom import Rom


class Pipeline:
    """The registers of one unit, built as its ``elaborate`` goes along.

    Stage s lies s registers behind the input. ``enable`` is ~o.valid | o.ready: in such a cycle everything moves on by
    one stage, and otherwise nothing does.

    :param output: the unit's output stream; its ``valid`` becomes the last stage's. :param valid: whether the input
        of stage 0 is there. :param depth: stages, at least 1.
    """

    def __init__(self, m: Module, output, valid: Value, depth: int):
        self._m = m
        self.enable = Signal(name="enable")
        self.valid = [valid, *(Signal(name=f"valid_{stage}") for stage in range(1, depth)), output.valid]
        m.d.comb += self.enable.eq(~output.valid | output.ready)
        with m.If(self.enable):
            m.d.sync += [after.eq(before) for before, after in zip(self.valid, self.valid[1:])]

    def register(self, value: ValueLike, name: str, shape: Shape | None = None) -> Signal:
        """``value``, one stage later; its low bits where ``shape`` is narrower."""
        value = Value.cast(value)
        register = Signal(value.shape() if shape is None else shape, name=name, reset_less=True)
        with self._m.If(self.enable):
            self._m.d.sync += register.eq(value)
        return register

    def delayed(self, value: ValueLike, stages: int, name: str) -> Value:
        """``value``, ``stages`` stages later."""
        value = Value.cast(value)
        for stage in range(stages):
            value = self.register(value, f"{name}_{stage}")
        return value

    def count(self, stage: int, beats: int, name: str) -> Signal:
        """The number, 0 … ``beats`` − 1 and over again, of the beat that comes into ``stage``."""
        counter = Signal(range(max(2, beats)), name=name)
        if beats > 1:
            with self._m.If(self.enable & self.valid[stage]):
                self._m.d.sync += counter.eq(advance(counter, beats))
        return counter

    def rows(self, rom: Rom, stage: int, name: str) -> Value:
        """The words of ``rom`` in turn, one for each beat, there together with the beat in ``stage``.

        ``stage`` is at least 1, unless there is only one word.
        """
        return self.read(rom, self.count(stage - 1, rom.depth, f"{name}_beat"), name)

    def read(self, rom: Rom, address: Value, name: str) -> Value:
        """The word of ``rom`` at ``address``, one stage later."""
        self._m.submodules[name] = rom
        self._m.d.comb += [rom.en.eq(self.enable), rom.addr.eq(address)]
        return rom.data
