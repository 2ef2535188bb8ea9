"""One input: made of a seed and a number, read, and what is wrong with how that ended."""

from __future__ import annotations

import resource
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

import numpy as np

from bitloom import BitloomError

from .readers import Reader

SECONDS = 10
"""How long reading one input may take."""

GROWTH = 1 << 30
"""Bytes by which the process may grow."""

LINE = 2000
"""Characters of a message."""


@dataclass(frozen=True)
class Finding:
    """An input that was not read and not refused in one line."""

    reader: str
    seed: int
    number: int
    what: str

    def __str__(self) -> str:
        return f"{self.reader}, seed {self.seed}, input {self.number}: {self.what}"


class _Late(BaseException):
    """An input takes too long."""


@contextmanager
def bounded() -> Iterator[None]:
    """At most :data:`GROWTH` more memory, and an alarm that ends what is late."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGALRM, _late)
    resource.setrlimit(resource.RLIMIT_AS, (now + GROWTH, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.signal(signal.SIGALRM, handler)


def _late(number: int, frame: FrameType | None) -> NoReturn:
    raise _Late


def attempt(reader: Reader, seed: int, number: int, folder: Path) -> Finding | None:
    """Make input ``number`` of ``seed`` in ``folder`` and read it; None where it was read, or refused in one line."""
    rng = np.random.default_rng([seed, number])
    path = reader.make(rng, folder)
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader.read(path)
    except BitloomError as error:
        text = str(error)
        if "\n" in text.strip() or not text.strip() or len(text) > LINE:
            return Finding(reader.name, seed, number, f"a message of {len(text)} characters: {text[:200]!r}")
    except _Late:
        return Finding(reader.name, seed, number, f"not done after {SECONDS} s")
    except Exception as error:
        return Finding(reader.name, seed, number, f"{type(error).__name__}: {str(error)[:200]}")
    finally:
        signal.alarm(0)
    return None
