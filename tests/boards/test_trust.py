"""A board's file runs nothing: its platform and its options are among those that are known, unless it is trusted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from bitloom import RequestError
from bitloom.boards.board import load
from bitloom.boards.trust import trusting
from bitloom.cli.main import main

BOARD = """
name: mine
title: My board
family: {family}
platform: {platform}
leds: [0]
baud: 1000000
resources: {{lut: 5280, ff: 5280, bram: 30, dsp: 8}}
grid: [26, 32]
{more}
"""
GOOD = "amaranth_boards.icebreaker.ICEBreakerPlatform"


def board(folder: Path, platform: str = GOOD, family: str = "ice40", more: str = "") -> Path:
    path = folder / "mine.yaml"
    path.write_text(BOARD.format(platform=platform, family=family, more=more))
    return path


@pytest.mark.parametrize("platform", [
    "os.abort", "abort", "subprocess.Popen", "support.platforms.Odd", "amaranth_boards.icebreaker.Resource",
    "amaranth_boards.icebreaker.os.abort", "amaranth_boards..os", "amaranth_boards.icebreaker.LatticeICE40Platform",
    "amaranth_boards.resources.UARTResource", "amaranth_boards.nowhere.Platform", "../amaranth_boards.x.Y",
    "amaranth_boards.icebreaker.__loader__", "amaranth_boards.icebreaker.ICEBreakerPlatform.__init__",
])
def test_only_platforms_of_amaranth_boards_are_named(tmp_path: Path, platform: str,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "abort", lambda: pytest.fail("it ran"))
    with pytest.raises(RequestError, match="platform must be a class of amaranth-boards") as caught:
        load(board(tmp_path, platform))
    assert str(tmp_path) in str(caught.value) and len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(("family", "more", "words"), [
    ("ice40", "nextpnr: [--run, evil.py]", "nextpnr: must be options among --placer"),
    ("ice40", "nextpnr: [--placer]", "nextpnr: --placer must be followed by a value"),
    ("ice40", "nextpnr: [--placer, --run]", "nextpnr: --placer must be followed by a value"),
    ("ice40", 'uart_pins: {rx: "1", tx: "2", attributes: {IO: "A\\nLOCATE"}}', "uart_pins.attributes.IO"),
    ("ice40", 'uart_pins: {rx: "1", tx: "2", attributes: {self: 1}}', "uart_pins.attributes"),
    ("ice40", 'uart_pins: {rx: "1 2", tx: "2"}', "uart_pins.rx"),
    ("ice40", 'notes: "a\\e[31m"', "notes: "),
    ("ice40", "pack: [-v]", "pack: must be options among none, not '-v'"),
    ("ecp5", "pack: [--compress, --svf, /etc/passwd]", "pack: must be options among --compress"),
    ("ecp5", "pack: [--freq, '38.8', --bit=/x]", "pack: must be options among --compress"),
    ("gowin", "pack: [evil]", "pack: must be options among --mspi_as_gpio"),
    ("ice40", "programmer_options: [--cable, ../x]", "programmer_options: --cable must be followed by"),
    ("ice40", "programmer_options: [--dump-flash]", "programmer_options: must be options among --cable"),
    ("ice40", "programmer: --dump-flash", "programmer: "),
    ("gowin", "device: ../GW1N", "device: "),
])
def test_only_listed_options_reach_a_tool(tmp_path: Path, family: str, more: str, words: str) -> None:
    with pytest.raises(RequestError) as caught:
        load(board(tmp_path, OTHERS.get(family, GOOD), family, more))
    assert words in str(caught.value) and len(str(caught.value).splitlines()) == 1


def test_a_platform_is_one_of_its_family(tmp_path: Path) -> None:
    path = board(tmp_path, "amaranth_boards.arty_a7.ArtyA7_35Platform")
    with pytest.raises(RequestError, match="must be one for family ice40"):
        load(path)


OTHERS = {"ecp5": "amaranth_boards.ulx3s.ULX3S_85F_Platform",
          "gowin": "amaranth_boards.tang_nano_9k.TangNano9kPlatform"}


@pytest.mark.parametrize(("family", "more"), [
    ("ecp5", "pack: [--compress, --freq, '38.8']"), ("ice40", "nextpnr: [--tmg-ripup, --placer, sa]"),
    ("ice40", "programmer_options: [--cable, ft232]"), ("gowin", "pack: [--mspi_as_gpio]\ndevice: GW1N-9C"),
])
def test_what_boards_need_is_listed(tmp_path: Path, family: str, more: str) -> None:
    assert load(board(tmp_path, OTHERS.get(family, GOOD), family, more)).name == "mine"


def test_a_file_that_is_trusted_names_what_it_likes(tmp_path: Path) -> None:
    path = board(tmp_path, "support.platforms.Odd", more="nextpnr: [--anything]")
    with trusting():
        assert load(path).make_platform().device == "iCE40UP5K"
    with pytest.raises(RequestError, match="--trust-platform"):
        load(path)


def test_the_command_line_asks_for_trust(tmp_path: Path) -> None:
    path = str(board(tmp_path, "support.platforms.Odd", more="clock: plain"))
    refused = CliRunner().invoke(main, ["boards", path])
    assert refused.exit_code == 2 and "--trust-platform" in refused.stderr
    assert CliRunner().invoke(main, ["boards", path, "--trust-platform"]).exit_code == 0
    assert CliRunner().invoke(main, ["boards", path]).exit_code == 2, "trust ends with the command"
    for command in ("compile", "build", "verify", "batch", "run", "program", "report", "sweep"):
        assert "--trust-platform" in CliRunner().invoke(main, [command, "--help"]).stdout
