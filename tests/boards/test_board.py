"""Boards: every shipped one is whole, and every mistake in a board's file is one line that helps."""

from pathlib import Path

import pytest

from bitloom import RequestError
from bitloom.boards.board import DEFAULT, Board, load, names
from bitloom.boards.flow import FLOWS
from bitloom.boards.link import baud_divisor
from bitloom.boards.trust import trusting

OWN = """
name: mine
title: My board
family: ice40
platform: amaranth_boards.icebreaker.ICEBreakerPlatform
leds: [0]
baud: 1000000
resources: {lut: 5280, ff: 5280, bram: 30, dsp: 8}
grid: [26, 32]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def test_the_default_board_is_shipped():
    assert DEFAULT in names()
    assert {"icebreaker", "ulx3s-85f", "tang-nano-9k"} <= set(names())


@pytest.mark.parametrize("name", names())
def test_shipped_board_is_whole(name):
    board = load(name)
    assert board.name == name
    assert min(board.resources.lut, board.resources.ff, board.resources.bram) > 0
    assert baud_divisor(board.clock_hz, board.baud) >= 4
    assert FLOWS[board.family].placement(board)
    assert board.part
    assert board.programmer or "USB drive" in board.notes


def test_parts_are_named_as_their_makers_do():
    assert load("icebreaker").part == "iCE40UP5K-SG48"
    assert load("ulx3s-85f").part == "LFE5U-85F-6BG381"
    assert load("tang-nano-9k").part == "GW1NR-LV9QN88PC6/I5"


def test_own_board_by_path(tmp_path):
    board = load(write(tmp_path, OWN))
    assert (board.name, board.clock_hz, board.leds) == ("mine", 12e6, (0,))
    assert load(str(tmp_path / "mine.yaml")) == board


def test_a_board_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        load(DEFAULT).baud = 9600


def test_unknown_board_names_the_nearest_and_all():
    with pytest.raises(RequestError, match=r"no board is called 'icebraker'; did you mean 'icebreaker'\?.*ulx3s-85f"):
        load("icebraker")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("baud: 1000000", "buad: 1000000", r"unknown key buad; did you mean 'baud'\?"),
        ("title: My board\n", "", "title is missing"),
        ("family: ice40", "family: ice41", "family: must be 'ice40', 'ecp5' or 'gowin', not 'ice41'"),
        ("baud: 1000000", "baud: fast", "baud: must be a valid integer, not 'fast'"),
        ("baud: 1000000", "baud: 0", "baud: must be greater than or equal to 300, not 0"),
        ("leds: [0]", "leds: [-1]", r"leds\.0: must be greater than or equal to 0, not -1"),
        ("dsp: 8", "dps: 8", "resources: must give lut, ff, bram, dsp, each once"),
        ("bram: 30", "bram: 3.5", "resources: must give bram as a whole number"),
        ("grid: [26, 32]", "grid: [26]", "grid"),
        ("name: mine", "name: My Board", "name: "),
        ("leds: [0]", "leds: [0]\nleds: [1]", "line 7: .*key 'leds' is given twice"),
        ("leds: [0]", "leds: [0", "line 7: not valid YAML"),
        ("leds: [0]", "uart_pins: {rx: '1'}", r"uart_pins\.tx is missing"),
        ("leds: [0]", "uart_pins: {rx: '1', txx: '2'}", r"unknown key uart_pins\.txx; did you mean 'tx'\?"),
    ],
)
def test_mistakes_in_the_file(tmp_path, old, new, message):
    assert old in OWN
    with pytest.raises(RequestError, match=rf"mine\.yaml.*{message}") as caught:
        load(write(tmp_path, OWN.replace(old, new)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words"])
def test_a_file_that_is_no_mapping(tmp_path, text):
    with pytest.raises(RequestError, match="must hold keys and values"):
        load(write(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(RequestError, match="there is no such file"):
        load(tmp_path / "none.yaml")


@pytest.mark.parametrize("platform", ["nothing", "amaranth_boards.nothing.Board", "amaranth_boards.icebreaker.Other"])
def test_platform_must_be_a_class(tmp_path, platform):
    with trusting():
        board = load(write(tmp_path, OWN.replace("amaranth_boards.icebreaker.ICEBreakerPlatform", platform)))
    with pytest.raises(RequestError, match=f"board mine: platform must be the dotted name of a class.*{platform}"):
        board.make_platform()


@pytest.mark.parametrize("clock", ["none", "unknown"])
def test_clock_must_have_a_frequency(clock):
    board = Board.model_validate({**load(DEFAULT).model_dump(), "platform": "support.platforms.Odd", "clock": clock})
    with pytest.raises(RequestError, match=f"clock must be a pin .* with a frequency, not '{clock}' .*plain, pair"):
        _ = board.clock_hz


def test_device_must_be_known_to_place_and_route():
    board = Board.model_validate({**load(DEFAULT).model_dump(), "platform": "support.platforms.Unknown"})
    with pytest.raises(RequestError, match=r"device must be one that place and route knows .*UP5K.*not 'iCE65L01'"):
        FLOWS["ice40"].placement(board)


def test_gowin_needs_its_database():
    board = load("tang-nano-9k").model_copy(update={"device": None})
    with pytest.raises(RequestError, match="device is missing"):
        FLOWS["gowin"].placement(board)
