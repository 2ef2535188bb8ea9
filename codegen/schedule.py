"""Closed forms of the pipeline: when its beats move, from the closed forms of its units.

A stream of one vector is described by when its first beat moves and by its bursts: how many beats, how far apart, of
how many beats each, and so on. Each unit turns one such description into the next:

* an element-wise unit adds its depth;
* a link from a to b lanes moves g = gcd(a, b) elements per cycle: it takes a beat every max(spacing, a/g) cycles, and
  makes of it a burst of a/g beats;
* a matrix–vector unit gives its first beat ``depth`` cycles after its last input beat and then one every SF cycles,
  or as slowly as the link behind it takes them;
* argmax gives its one beat ``depth`` cycles after its last input beat.

Units are decoupled by the input buffers of the matrix–vector units (2·SF beats), so that the interval is that of the
slowest unit or link. Max-plus reasoning of this kind: Baccelli et al., *Synchronization and Linearity*, 1992.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import gcd


@dataclass(frozen=True)
class UnitTiming:
    """What the schedule needs to know of a unit: its lanes, its beats per vector and its template's closed forms.

    ``gathers`` says that its first output depends on the last input beat (matrix–vector unit, argmax); otherwise it
    passes beat by beat. ``spacing`` is the distance in cycles of its output beats when nothing blocks them.
    """

    lanes_in: int
    lanes_out: int
    beats_in: int
    beats_out: int
    interval: int
    depth: int
    gathers: bool
    spacing: int = 1


@dataclass(frozen=True)
class LinkTiming:
    """Closed forms of the link between ``a`` and ``b`` lanes that carries ``elements`` per vector."""

    a: int
    b: int
    elements: int
    depth_narrow: int = 1
    depth_widen: int = 1

    @property
    def step(self) -> int:
        """Elements moved per cycle."""
        return gcd(self.a, self.b)

    @property
    def widens(self) -> bool:
        """Whether it gathers elements into wider beats than it moves."""
        return self.b > self.step

    @property
    def interval(self) -> int:
        """Cycles per vector; 0 where no conversion is needed."""
        return 0 if self.a == self.b else self.elements // self.step

    @property
    def pace(self) -> int:
        """The least distance in cycles between two beats that the link takes."""
        return self.a // self.step

    @property
    def depth(self) -> int:
        """Cycles that the link adds to the last element of a vector."""
        narrow = self.depth_narrow if self.a > self.step else 0
        widen = self.depth_widen if self.widens else 0
        return narrow + widen + self.pace - 1


@dataclass(frozen=True)
class _Beats:
    """When the beats of one vector move: the first, then nested bursts as (count, spacing), the outermost first."""

    first: int
    bursts: tuple[tuple[int, int], ...]

    @property
    def last(self) -> int:
        return self.first + sum((count - 1) * spacing for count, spacing in self.bursts)

    def delayed(self, cycles: int) -> _Beats:
        """All of it, later."""
        return replace(self, first=self.first + cycles)

    def paced(self, pace: int) -> _Beats:
        """Taken no faster than one beat each ``pace`` cycles: bursts that are too quick push the next ones back."""
        bursts: list[tuple[int, int]] = []
        for count, spacing in reversed(self.bursts):
            spacing = max(spacing, pace)
            bursts.insert(0, (count, spacing))
            pace = count * spacing
        return replace(self, bursts=tuple(bursts))

    def through(self, link: LinkTiming) -> _Beats:
        """Behind ``link``. Where it widens, only the last beat is told, which is all that a gathering unit needs."""
        beats = self.paced(link.pace)
        if link.widens:
            return _Beats(beats.last + link.depth, ())
        if link.interval:
            return _Beats(beats.first + link.depth_narrow, (*beats.bursts, (link.pace, 1)))
        return beats


def interval(units: Sequence[UnitTiming], links: Sequence[LinkTiming]) -> int:
    """Cycles between the starts of consecutive vectors through the whole pipeline."""
    return max([unit.interval for unit in units] + [link.interval for link in links])


def latency(units: Sequence[UnitTiming], links: Sequence[LinkTiming]) -> int:
    """Cycles from the transfer of a vector's first input beat to that of its first output beat, from idle.

    ``links[i]`` stands between ``units[i]`` and ``units[i + 1]``; behind one that widens stands a unit that gathers.
    """
    beats = _Beats(0, ((units[0].beats_in, 1),))
    for unit, link in zip(units, [*links, None]):
        if unit.gathers:
            beats = _Beats(beats.last + unit.depth, ((unit.beats_out, unit.spacing),))
        else:
            beats = beats.delayed(unit.depth)
        if link is not None:
            beats = beats.through(link)
    return beats.first
