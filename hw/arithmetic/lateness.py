# amaranth: UnusedElaboratable=no
"""Lateness: corrections of a line by whole integers, level by level, from parity or from a memory."""

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Cat, Const, Value

from ..memory.rom import Rom
from ..parameters import integer_array
from ..pipeline import Pipeline


class Lateness:
    """Takes 1 from a level which a line has only just reached, where that level begins later than the line says.

    A line (x · step + offset) ≫ shift has reached its level just now, for the first ``late`` integers x from there on,
    if the bits shifted out are below late · step. Where all channels have every odd level 1 late, or every even one,
    the level itself says so; other corrections are read from a :class:`Rom` for each lane, one stage later.

    :param late: (channels or 1, levels), for the levels 1 … ``levels``: level 0 is never late. :param lanes: elements
        per beat. :param memory: where the corrections are (see :class:`Rom`).
    """

    def __init__(self, late: np.ndarray, lanes: int, shift: int, memory: str):
        self.late, self.shift, self.slack = late, shift, int(late.max())
        odd = np.arange(1, late.shape[1] + 1) & 1
        self.odd, self.even = bool(np.all(late == odd)), bool(np.all(late == 1 - odd))
        self.by_parity = self.odd or self.even
        self.bits = late.shape[1].bit_length()
        self.beats = len(late) // lanes or 1
        self.roms = [] if self.by_parity else [self._rom(lane, lanes, memory) for lane in range(lanes)]
        self.stages = int(not self.by_parity)

    @staticmethod
    def checked(late: np.ndarray, multiplier: np.ndarray, *, channels: int, levels: int, shift: int) -> np.ndarray:
        """``late`` as int64, refused where it does not fit the line."""
        late = integer_array("late", late, 2)
        if late.shape[0] not in (1, channels) or late.shape[1] != levels:
            raise ValueError(f"late must have the shape ({channels} or 1, {levels}), not {late.shape}")
        if late.min() < 0 or int((late.max(axis=1) * multiplier).max()) > 1 << shift:
            raise ValueError(f"late must be 0 to 2^shift / multiplier, not {late.min()} … {late.max()}")
        return late

    def taken(self, at: np.ndarray, rest: np.ndarray, step: np.ndarray) -> np.ndarray:
        """What is taken from the levels ``at`` (vectors, channels) of a line, ``rest`` being shifted out."""
        inside = (at > 0) & (at <= self.late.shape[1])
        rows = np.arange(len(self.late)) if len(self.late) > 1 else 0
        late = self.late[rows, np.clip(at - 1, 0, self.late.shape[1] - 1)]
        return (inside & (rest < late * step)).astype(np.int64)

    def features(self) -> dict[str, float]:
        """For one lane: bits of comparisons and of the subtraction, of registers."""
        count: dict[str, float] = {"late_bits": self.shift * self.slack, "register_bits": self.shift}
        if not self.odd:
            count["late_bits"] += self.bits
        if self.roms:
            count["register_bits"] += self.bits + self.slack
        return count

    def corrected(self, line: Value, rest: Value, step: Value) -> Value:
        """By parity: the unclipped level ``line``, corrected, one less than before where it can be negative."""
        new = (rest < step) if self.shift else Const(1, 1)
        if self.odd:
            bits = Cat(line[0] & ~new, line[1:])
            return bits.as_signed() if line.shape().signed else bits
        return line - (new & ~line[0])

    def searched(self, pipeline: Pipeline, lane: int, level: Value, above: Value, rest: Value, step: Value,
                 beat: Sequence[Value]) -> Value:
        """From memory: the level ``level``, clipped, corrected, a stage later.

        :param above: whether it was clipped from above. :param beat: the number of its beat, if there are several.
        """
        new = [pipeline.register((rest < step * late) & ~above, f"new_{lane}_{late}")
               for late in range(1, self.slack + 1)]
        address = level[: self.bits]
        data = pipeline.read(self.roms[lane], Cat(address, *beat), f"late_{lane}")
        held = pipeline.register(address, f"level_{lane}")
        late = Cat((data == number) & bit for number, bit in enumerate(new, 1)).any()
        return held - late

    def _rom(self, lane: int, lanes: int, memory: str) -> Rom:
        """For each beat, or for all alike, a word for each level from 0 on."""
        rows = self.late if len(self.late) == 1 else self.late.reshape(-1, lanes, self.late.shape[1])[:, lane]

        def words() -> list[int]:
            return np.pad(rows, ((0, 0), (1, (1 << self.bits) - 1 - rows.shape[1]))).ravel().tolist()

        return Rom(words, self.slack.bit_length(), memory, depth=len(rows) << self.bits)
