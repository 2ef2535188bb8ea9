"""Every way to fail is one line and an exit code; a traceback goes to a file or, with --debug, to the screen."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bitloom import RequestError, WorkError
from bitloom.cli.console import Screen
from bitloom.cli.errors import INTERRUPTED, Command, Group


def program(body: Callable[[], None]) -> Group:
    """A command line whose one command, ``work``, runs ``body``."""

    @click.group(cls=Group)
    def main() -> None:
        pass

    @main.command("work", cls=Command)
    @click.option("--level", type=click.Choice(["rtl", "top"]))
    def work(level: str | None, as_json: bool) -> None:
        body()
        Screen(as_json).result({"level": level})

    return main


def raising(error: BaseException) -> Group:
    def body() -> None:
        raise error

    return program(body)


@pytest.mark.parametrize(("error", "line", "code"), [
    (RequestError("fps must be above 0, not -1"), "fps must be above 0, not -1", 2),
    (WorkError("3 of 450 samples differ"), "3 of 450 samples differ", 1),
    (WorkError("two\n  lines"), "two lines", 1),
    (KeyboardInterrupt(), INTERRUPTED, 130),
    (MemoryError(), "not enough memory; close other programs, or use a smaller network", 1),
    (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "build/x"), "the disk is full (build/x): free some", 1),
    (FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "graph.npz"), "graph.npz: there is no such file", 1),
    (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "build"), "Permission denied (build)", 1),
])
def test_an_error_is_one_line_and_an_exit_code(error: BaseException, line: str, code: int) -> None:
    result = CliRunner().invoke(raising(error), ["work"])
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.startswith(f"bitloom: {line}") and result.stderr.count("\n") == 1


@pytest.mark.parametrize(("error", "code"), [(RequestError("no\nsuch board"), 2), (ZeroDivisionError("oops"), 1)])
def test_with_json_an_error_is_an_object_as_well(error: Exception, code: int) -> None:
    result = CliRunner().invoke(raising(error), ["work", "--json"])
    answer = json.loads(result.stdout)
    assert result.exit_code == answer["exit_code"] == code
    assert result.stderr == f"bitloom: {answer['error']}\n"


def test_what_nobody_foresaw_is_kept_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = CliRunner().invoke(raising(KeyError("fc1")), ["work"])
    assert result.exit_code == 1 and "Traceback" not in result.output
    log = re.search(r"an error inside bitloom, KeyError: 'fc1'; the traceback is in (\S+)", result.stderr)
    assert log and "Traceback" in Path(log[1]).read_text() and Path(log[1]).parent == tmp_path


def test_debug_shows_the_traceback() -> None:
    result = CliRunner().invoke(raising(RequestError("a mistake")), ["work", "--debug"])
    assert result.exit_code == 2
    assert "Traceback (most recent call last)" in result.stderr and result.stderr.endswith("bitloom: a mistake\n")


@pytest.mark.parametrize(("arguments", "line"), [
    (["wrok"], "there is no command 'wrok'; did you mean 'work'?"),
    (["zzz"], "there is no command 'zzz'; the commands are work"),
    (["work", "--levle", "rtl"], "no such option '--levle'"),
    (["work", "--level", "gates"], "'gates' is not one of 'rtl', 'top'"),
    (["work", "more"], "got unexpected extra argument (more)"),
])
def test_what_click_refuses_is_one_line(arguments: list[str], line: str) -> None:
    result = CliRunner().invoke(program(lambda: None), arguments)
    assert result.exit_code == 2 and result.stdout == ""
    assert line.lower() in result.stderr.lower() and result.stderr.count("\n") == 1
    assert result.stderr.startswith("bitloom: ")


def test_good_work_ends_with_0() -> None:
    result = CliRunner().invoke(program(lambda: None), ["work", "--json", "--level", "top"])
    assert (result.exit_code, result.stdout, result.stderr) == (0, '{"level": "top"}\n', "")
