"""Processes that work for us: each in a process group of its own, which ends with the call whatever ends the call."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path


@contextlib.contextmanager
def started(
    command: Sequence[str], folder: Path, env: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """``command`` running in ``folder``, its words in ``log``; it and all it started are gone when the context ends."""
    with open(log, "wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        try:
            yield process
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End ``process`` and all that it started: gently, and then not."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=2.0)
    process.wait()


def wait(process: subprocess.Popen[bytes], timeout: float, tick: Callable[[], object]) -> int | None:
    """The exit status of ``process``, or None if ``timeout`` seconds pass before; ``tick`` is called now and then."""
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=0.2)
        tick()
    return None


def last_words(log: Path) -> str:
    """The line of ``log`` that says best what went wrong."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    for pattern in (r"%Error", r"%Fatal|\$fatal", r"\berror:", r"\bError\b", r"\S"):
        found = [line.strip() for line in lines if re.search(pattern, line)]
        if found:
            return found[0 if pattern != r"\S" else -1][:300]
    return "it left no message"
