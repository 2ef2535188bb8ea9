"""Progress on standard error, results on standard output, JSON alone on standard output."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from bitloom.cli.console import Screen, jsonable


def test_steps_are_plain_lines_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    with screen.step("synthesize") as step:
        step.note("abc")
        step.note("1,234 LUTs")
        step.advance(1, 2)
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert first == "synthesize …"
    assert second.startswith("✓ synthesize") and second.endswith("0.0 s  1,234 LUTs")
    assert screen.seconds["synthesize"] >= 0


def test_a_step_that_fails_is_not_ticked_off(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    with pytest.raises(ValueError, match="no"), screen.step("route"):
        raise ValueError("no")
    assert "✓" not in capsys.readouterr().err and screen.seconds == {}


def test_on_a_terminal_steps_may_nest() -> None:
    screen = Screen()
    text = io.StringIO()
    screen.err = Console(file=text, force_terminal=True, width=100)
    with screen.step("build"), screen.step("route") as inner:
        inner.note("routing")
        inner.advance(3, 9)
    assert text.getvalue().index("✓ \x1b[0mroute") < text.getvalue().index("✓ \x1b[0mbuild")


def test_json_is_alone_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(as_json=True)
    screen.say("for people")
    screen.table(["a"], [[1]])
    screen.rule("title")
    screen.result({"p": Path("x"), "n": np.int64(3), "f": float("nan"), "a": np.arange(2), "t": (True, None, "[b]")})
    assert json.loads(capsys.readouterr().out) == {"p": "x", "n": 3, "f": None, "a": [0, 1], "t": [True, None, "[b]"]}


def test_without_json_there_is_no_object(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().result({"a": 1})
    assert capsys.readouterr().out == ""


def test_tables_in_a_pipe_are_as_wide_as_they_need(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().table(["layer", ">cycles"], [["fc1[x]", 64], ["a" * 150, 8]])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["layer", "cycles"]
    assert lines[1].split() == ["fc1[x]", "64"] and lines[2].split() == ["a" * 150, "8"]
    assert len(lines[1]) == len(lines[2])


def test_json_knows_keys_that_are_no_text() -> None:
    assert jsonable({1: {2.5}, Path("a"): np.float32(0.5)}) == {"1": [2.5], "a": 0.5}
