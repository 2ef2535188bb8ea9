"""What one rung of the verification ladder found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LEVELS = ("model", "rtl", "netlist", "top", "bitstream")
"""The rungs, lowest first."""

Status = Literal["passed", "failed", "unavailable"]


@dataclass(frozen=True)
class LevelResult:
    """One rung: how many samples went through, how many of them differ, and how long it took.

    ``passed`` means that real samples went through and none differed, nor anything else that the rung compares;
    ``unavailable`` that the rung cannot run here. ``reason`` says why a rung is unavailable, what is wrong with one
    that failed, and what was compared by one that passed. ``interval`` and ``latency`` are measured cycles, where the
    rung measures them.
    """

    level: str
    samples: int
    mismatches: int
    seconds: float
    status: Status
    reason: str
    interval: int | None = None
    latency: int | None = None

    def __post_init__(self) -> None:
        if self.status == "passed" and (self.samples < 1 or self.mismatches):
            raise ValueError(f"a level passes with at least one sample and no mismatch, not with {self.samples} "
                             f"samples and {self.mismatches} mismatches")
        if not self.reason:
            raise ValueError("a level must say what was compared, or why it did not pass")


class Unavailable(Exception):
    """A rung cannot run here; the message says why, and what would help."""


@dataclass(frozen=True)
class Findings:
    """What a rung found: ``compared`` says what it looked at, ``wrong`` what it found wrong, each in words."""

    samples: int
    mismatches: int
    compared: str
    wrong: tuple[str, ...] = ()
    interval: int | None = None
    latency: int | None = None

    def result(self, level: str, seconds: float) -> LevelResult:
        """These findings as the result of ``level``; without a sample nothing was proven."""
        wrong = self.wrong or (("no sample went through",) if not self.samples else ())
        if self.mismatches and not wrong:
            wrong = (f"{self.mismatches} of {self.samples} samples differ",)
        return LevelResult(level, self.samples, self.mismatches, seconds, "failed" if wrong else "passed",
                           "; ".join(wrong) if wrong else self.compared, self.interval, self.latency)
