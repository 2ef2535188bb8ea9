"""Progress on standard error, results on standard output, JSON alone on standard output."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from bitloom.cli.commands.build import print_layers
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


def layers(count: int, name: str = "layer{}", memory: str = "3 of 1,024×12 block") -> dict:
    """What a report says of a network of ``count`` layers."""
    sizes = {"inputs": 4608, "outputs": 512, "pe": 128, "simd": 1152, "interval": 75_497_472, "latency": 1_234_567,
             "queue": 12_345, "lut": 123_456, "ff": 123_456, "bram": 1234, "dsp": 100}
    rows = [{"name": name.format(k), "template": "BitSerialMatVec", "memory": memory, **sizes} for k in range(count)]
    total = {"interval_cycles": 75_497_472, "latency_cycles": 12_345_678, "lut": 1_234_567, "ff": 1_234_567,
             "bram": 1234, "dsp": 123, "throughput_fps": 0.3, "clock_mhz": 25.0}
    return {"layers": rows, "predicted": total}


@pytest.mark.parametrize("width", [None, 80, 120, 200])
@pytest.mark.parametrize("values", [
    layers(3), layers(2, name="/model/backbone/layer{}/0/downsample/Conv_quant_window" + "/deep" * 30),
    layers(30, memory=", ".join(f"part{k}.weights 1,024×12 block" for k in range(9))), layers(1, memory=""),
], ids=["plain", "long names", "many memories", "no memory"])  # fmt: skip
def test_the_layer_table_fits(values, width, capsys):
    screen, text = Screen(), io.StringIO()
    if width is not None:
        screen.out = Console(file=text, force_terminal=True, width=width, highlight=False, soft_wrap=True)
    print_layers(screen, values)
    shown = text.getvalue() if width else capsys.readouterr().out
    lines = [line.rstrip() for line in re.sub(r"\x1b\[[\d;]*m", "", shown).splitlines()]
    table = lines[: 2 + len(values["layers"])]
    assert max(map(len, table)) <= min(width or 120, 120)
    assert table[0].startswith("layer") and table[-1].startswith("pipeline") and len(table) == 2 + len(values["layers"])
    assert all("75,497,472" in line and "128 × 1152" in line and "123,456" in line for line in table[1:-1])
    if width != 80:
        assert "template" in table[0] and "FF" in table[0]


def test_a_small_layer_table_is_shown_whole(capsys):
    values = layers(2, memory="weights 64×12 block")
    for row in values["layers"]:
        row.update(interval=64, latency=12, queue=0, lut=120, ff=90, bram=1, dsp=0, pe=4, simd=8)
    values["predicted"].update(interval_cycles=64, latency_cycles=30, lut=240, ff=180, bram=2, dsp=0)
    print_layers(Screen(), values)
    head, *rows = capsys.readouterr().out.splitlines()
    assert "constants" in head and "weights 64×12 block" in rows[0] and "4608 → 512" in rows[1] and "…" not in rows[0]
