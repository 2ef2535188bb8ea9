"""Loops: the order in which a unit reads the beats of a circular buffer, and the room that this order takes."""

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from ..parameters import positive

Levels = tuple[tuple[int, int], ...]
"""A loop nest, outermost first: (count, stride in beats) of each level."""


def addresses(levels: Levels) -> np.ndarray:
    """The beat that each step of the nest reads: Σ index · stride, (steps,)."""
    address = np.zeros(1, dtype=np.int64)
    for count, stride in levels:
        address = (address[:, None] + stride * np.arange(count)).ravel()
    return address


def needs_and_frees(levels: Levels, beats: int, free_level: int) -> tuple[np.ndarray, np.ndarray]:
    """Before each step, how many beats of the vector must have been written; after it, how many are free: (steps,).

    At the end of an iteration of level ``free_level`` everything below the start of its next iteration is free, at
    the end of the vector all. The last step needs all ``beats``, so that a vector is over when it has been written.
    """
    needs = np.maximum.accumulate(addresses(levels) + 1)
    needs[-1] = beats
    starts = addresses(levels[: free_level + 1])
    inner = len(needs) // len(starts)
    frees = np.repeat(starts, inner)
    frees[inner - 1 :: inner] = np.append(starts[1:], beats)
    return needs, frees


def least_capacity(needs: np.ndarray, frees: np.ndarray, beats: int) -> int:
    """The least beats of a buffer with which a vector takes just max(steps, beats) cycles = I.

    Beat j of vector v is written in cycle v·I + ⌊j·I / beats⌋, step k taken in S + v·I + ⌊k·I / steps⌋ with the least S
    for which each beat has been written before it is read. The capacity is the most beats then in the buffer. A unit
    that takes steps as soon as it can is never behind that schedule (Wiggers, Bekooij and Smit, 2007).
    """
    steps = len(needs)
    interval = max(steps, beats)
    written = np.arange(beats) * interval // beats
    taken = np.arange(steps) * interval // steps
    start = int((written[needs - 1] + 1 - taken).max())
    vectors, cycle = np.divmod(written - start - 1, interval)
    last = np.searchsorted(taken, cycle, side="right") - 1
    return int((np.arange(beats) + 1 - vectors * beats - frees[last]).max())


@dataclass(frozen=True)
class Loops:
    """The steps of one vector of ``beats``: a nest of loops, and the levels whose iterations free and group them.

    ``free_level``: see :func:`needs_and_frees`. ``group_level``: the steps of one of its iterations belong together
    (the buffer's ``last`` marks the last of them); by default, −1 for the innermost level, each step stands alone.
    """

    levels: Levels
    beats: int
    free_level: int
    group_level: int = -1

    def __post_init__(self) -> None:
        positive("beats", self.beats)
        if not self.levels:
            raise ValueError("levels must have at least one (count, stride), not none")
        for count, stride in self.levels:
            positive("count", count)
            if stride < 0:
                raise ValueError(f"stride must be at least 0, not {stride}")
        if self.group_level == -1:
            object.__setattr__(self, "group_level", len(self.levels) - 1)
        for name, level in (("free_level", self.free_level), ("group_level", self.group_level)):
            if not 0 <= level < len(self.levels):
                raise ValueError(f"{name} must be 0 to {len(self.levels) - 1}, not {level}")
        self._check_order()

    def _check_order(self) -> None:
        address = self.addresses
        if address.max() >= self.beats:
            raise ValueError(f"levels must stay within the {self.beats} beats, not reach beat {address.max()}")
        frees = self.frees
        if np.any(np.diff(frees) < 0) or np.any(address[1:] < frees[:-1]):
            raise ValueError(
                f"free_level must free no beat that is read later, as {self.free_level} does (use one further out)"
            )

    @property
    def steps(self) -> int:
        """Steps per vector."""
        return prod(count for count, _ in self.levels)

    @property
    def interval(self) -> int:
        """Cycles per vector: as many as steps, or as beats if these are more."""
        return max(self.steps, self.beats)

    @cached_property
    def addresses(self) -> np.ndarray:
        """The beat that each step reads."""
        return addresses(self.levels)

    @cached_property
    def _schedule(self) -> tuple[np.ndarray, np.ndarray]:
        return needs_and_frees(self.levels, self.beats, self.free_level)

    @property
    def needs(self) -> np.ndarray:
        """How many beats must have been written before each step."""
        return self._schedule[0]

    @property
    def frees(self) -> np.ndarray:
        """How many beats are free after each step."""
        return self._schedule[1]

    @property
    def ends(self) -> np.ndarray:
        """Whether each step is the last of its group: bool (steps,)."""
        group = prod(count for count, _ in self.levels[self.group_level + 1 :])
        return np.arange(1, self.steps + 1) % group == 0

    @cached_property
    def capacity(self) -> int:
        """Beats of the buffer: the least with which the interval is kept, rounded up to a power of two from 2 on, and
        beyond 256, where block memory costs more than wrapping addresses, to a multiple of 256."""
        least = least_capacity(self.needs, self.frees, self.beats)
        return -(-least // 256) * 256 if least > 256 else max(2, 1 << (least - 1).bit_length())

    def taken(self, step: int) -> int:
        """Cycles from the first beat's transfer to ``step``, with beats offered and steps taken in each cycle."""
        return int((self.needs[: step + 1] - np.arange(step + 1)).max()) + step

    @cached_property
    def counted(self) -> tuple[Levels, int, int]:
        """The nest with the fewest counters: levels of one iteration left out, levels that run through merged; and how
        many of its levels are outside an iteration that frees, and outside one that groups."""
        merged: list[tuple[int, int]] = []
        outside: dict[int, int] = {}
        for level, (count, stride) in enumerate(self.levels):
            if count > 1 and merged and len(merged) not in outside.values() and merged[-1][1] == count * stride:
                merged[-1] = (merged[-1][0] * count, stride)
            elif count > 1:
                merged.append((count, stride))
            if level in (self.free_level, self.group_level):
                outside[level] = len(merged)
        return tuple(merged), outside[self.free_level], outside[self.group_level]
