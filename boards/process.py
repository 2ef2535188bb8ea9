"""Running one tool: its log on disk as it comes, its whole process group ended with us, its errors in one line."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from bitloom import WorkError

from .files import disk_errors

GRACE_SECONDS = 2.0
"""How long an interrupted tool may take to tidy up before it is killed."""


def run(
    name: str, command: Sequence[str], *, folder: Path, log: Path, listen: Callable[[str], None] | None = None
) -> float:
    """Run ``command`` in ``folder`` and return the seconds that it took.

    :param name: the tool, as messages name it.
    :param log: gets everything that the tool prints, as it comes.
    :param listen: is told every line.
    :raises WorkError: the tool cannot be started, fails or is killed; the message has its last error and its log.
    """
    start = time.monotonic()
    with disk_errors(log), log.open("wb") as sink:
        try:
            process = subprocess.Popen(
                list(command), cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise WorkError(f"{name} cannot be started ({error})") from None
        try:
            with _terminations_interrupt():
                assert process.stdout is not None
                for raw in process.stdout:
                    sink.write(raw)
                    sink.flush()
                    if listen:
                        listen(raw.decode(errors="replace").rstrip())
                status = process.wait()
        except BaseException:
            _end(process)
            raise
    if status:
        raise WorkError(f"{name} {_ending(status)}: {_last_error(log)} (log: {log})")
    return time.monotonic() - start


@contextmanager
def _terminations_interrupt() -> Iterator[None]:
    """Treat a request to terminate like an interrupt, so that no tool outlives us."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt the process and all it started; kill what is left after a moment."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()


def _ending(status: int) -> str:
    if status < 0:
        reason = " (out of memory?)" if -status == signal.SIGKILL else ""
        return f"was ended by {signal.Signals(-status).name}{reason}"
    return f"failed with exit code {status}"


def _last_error(log: Path) -> str:
    """The tool's own words: its last line with an error, or else its last line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error", "fatal")) or "Error:" in line]
    return (errors or lines or ["it printed nothing"])[-1].removeprefix("ERROR: ")[:300]
