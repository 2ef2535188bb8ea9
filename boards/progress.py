"""How long work tells what it is doing: a protocol that the command line draws and everything else ignores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Step(Protocol):
    """One step under way."""

    def note(self, text: str) -> None:
        """Say in a few words where the step is."""


class Progress(Protocol):
    """Who is told about steps: ``with progress.step("synthesize") as step: step.note("…")``."""

    def step(self, name: str) -> AbstractContextManager[Step]:
        """Begin the step ``name``; it ends, well or badly, with the block."""


class _SilentStep:
    def note(self, text: str) -> None:
        """Nothing."""


class _Silent:
    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        yield _SilentStep()


SILENT: Progress = _Silent()
"""Tells nobody."""
