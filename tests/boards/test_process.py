"""A tool's log is on disk as it comes, its error is one line, and nothing of it outlives us."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from bitloom import WorkError
from bitloom.boards.process import run

CHILDREN = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(os.getpid(), child.pid, flush=True)
time.sleep(600)
"""


def call(folder, code, listen=None):
    return run("tool", [sys.executable, "-c", code], folder=folder, log=folder / "log", listen=listen)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_seconds_lines_and_log(tmp_path):
    lines: list[str] = []
    seconds = call(tmp_path, "import os; print('one'); print(os.getcwd())", lines.append)
    assert lines == ["one", str(tmp_path)]
    assert (tmp_path / "log").read_text() == f"one\n{tmp_path}\n"
    assert 0 < seconds < 60


def test_the_log_is_there_while_the_tool_runs(tmp_path):
    seen: list[str] = []
    log = tmp_path / "log"
    call(tmp_path, "print('first', flush=True); print('second')", lambda line: seen.append(log.read_text()))
    assert seen[0].startswith("first\n")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("print('Info: fine'); print('ERROR: Module `top` not found!'); print('bye'); exit(3)",
         r"tool failed with exit code 3: Module `top` not found! \(log: .*log\)"),
        ("import sys; print('only this', file=sys.stderr); sys.exit(1)", "tool failed with exit code 1: only this"),
        ("exit(1)", "it printed nothing"),
        ("import os; os.kill(os.getpid(), 9)", r"tool was ended by SIGKILL \(out of memory\?\)"),
    ],
)
def test_failures_are_one_line(tmp_path, code, message):
    with pytest.raises(WorkError, match=message) as caught:
        call(tmp_path, code)
    assert "\n" not in str(caught.value)


def test_a_tool_that_cannot_start(tmp_path):
    with pytest.raises(WorkError, match="tool cannot be started"):
        run("tool", [str(tmp_path / "none")], folder=tmp_path, log=tmp_path / "log")


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_an_interrupt_ends_the_tool_and_all_it_started(tmp_path, number, error):
    pids: list[int] = []

    def listen(line: str) -> None:
        pids.extend(map(int, line.split()))
        os.kill(os.getpid(), number)
        time.sleep(5)  # the signal comes before this ends

    handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(error):
        call(tmp_path, CHILDREN, listen)
    assert len(pids) == 2
    deadline = time.monotonic() + 10
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, pids))
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_a_tool_that_ignores_interrupts_is_killed(tmp_path):
    pids: list[int] = []

    def listen(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    code = "import os, signal, time; signal.signal(2, signal.SIG_IGN); print(os.getpid(), flush=True); time.sleep(600)"
    with pytest.raises(KeyboardInterrupt):
        call(tmp_path, code, listen)
    assert not alive(pids[0])
