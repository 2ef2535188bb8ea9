"""Pins come from the platforms; the constraint files say what the tools read."""

from textwrap import dedent

import pytest

from bitloom import RequestError
from bitloom.boards.board import Board, load, names
from bitloom.boards.pins import constraints, pins_of


def text(name: str) -> str:
    board = load(name)
    return constraints(board, pins_of(board))


def odd(**changes: object) -> Board:
    values = {**load("icebreaker").model_dump(), "platform": "support.platforms.Odd", "leds": (), **changes}
    return Board.model_validate(values)


def test_pcf():
    assert text("icebreaker") == dedent("""\
        set_frequency clk 12
        set_io clk 35
        set_io -pullup yes rx 6
        set_io tx 9
        set_io led[0] 11
        set_io led[1] 37
        """)


def test_lpf():
    assert text("ulx3s-85f") == dedent("""\
        BLOCK ASYNCPATHS;
        BLOCK RESETPATHS;
        LOCATE COMP "clk" SITE "G2";
        IOBUF PORT "clk" IO_TYPE=LVCMOS33;
        LOCATE COMP "rx" SITE "M1";
        IOBUF PORT "rx" IO_TYPE=LVCMOS33;
        LOCATE COMP "tx" SITE "L4";
        IOBUF PORT "tx" IO_TYPE=LVCMOS33;
        LOCATE COMP "led[0]" SITE "B2";
        IOBUF PORT "led[0]" IO_TYPE=LVCMOS33 DRIVE=4;
        LOCATE COMP "led[1]" SITE "C2";
        IOBUF PORT "led[1]" IO_TYPE=LVCMOS33 DRIVE=4;
        LOCATE COMP "led[2]" SITE "C1";
        IOBUF PORT "led[2]" IO_TYPE=LVCMOS33 DRIVE=4;
        FREQUENCY PORT "clk" 25 MHZ;
        """)


def test_cst():
    assert text("tang-nano-9k").startswith(dedent("""\
        IO_LOC "clk" 52;
        IO_PORT "clk" IO_TYPE=LVCMOS33;
        IO_LOC "rx" 18;
        IO_PORT "rx" PULL_MODE=UP;
        IO_PORT "rx" IO_TYPE=LVCMOS33;
        """))


@pytest.mark.parametrize("name", names())
def test_every_port_has_a_pin_of_its_own(name):
    board = load(name)
    pins = list(pins_of(board))
    leds = ["led"] if len(board.leds) == 1 else [f"led[{i}]" for i in range(len(board.leds))]
    assert [pin.port for pin in pins] == ["clk", "rx", "tx", *leds]
    assert len({pin.site for pin in pins}) == len(pins)
    assert all(pin.site in constraints(board, pins_of(board)) for pin in pins)


def test_attributes_that_depend_on_the_platform_are_resolved():
    assert pins_of(load("ecp5-5g-evn")).rx.attributes == {"IO_TYPE": "LVCMOS33", "PULLMODE": "UP"}


def test_pins_of_a_connector():
    pins = pins_of(load("orangecrab-25f"))
    assert (pins.rx.site, pins.tx.site) == ("N17", "M18")


def test_inverted_leds_are_reported():
    assert pins_of(load("icebreaker")).leds_inverted
    assert not pins_of(load("ulx3s-85f")).leds_inverted
    assert not pins_of(odd()).leds_inverted


def test_one_led_is_no_vector():
    assert "set_io led 11" in constraints(odd(leds=(0,)), pins_of(odd(leds=(0,))))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"uart": 3}, "uart 3 cannot be had .*its uart resources are 0"),
        ({"leds": (7,)}, "led 7 cannot be had .*its led resources are 0, 1"),
        ({"leds": (0, 1)}, r"leds must all light at the same level, and \[0, 1\] do not"),
        ({"leds": (0, 0)}, "led 0 cannot be had .*already been requested"),
        ({"clock": "pair"}, "clk must be one single-ended pin"),
        ({"clock": "wide"}, "clk must be one single-ended pin"),
        ({"clock": "inverted"}, "the pin of clk must not be inverted"),
    ],
)
def test_what_cannot_serve(changes, message):
    with pytest.raises(RequestError, match=f"board icebreaker: {message}"):
        pins_of(odd(**changes))


def test_a_platform_without_uart_says_how_to_give_one():
    board = load("icebreaker").model_copy(update={"platform": "amaranth_boards.upduino_v3.UpduinoV3Platform",
                                                  "clock": "clk12", "leds": ()})  # fmt: skip
    with pytest.raises(RequestError, match="UpduinoV3Platform has no uart: give uart_pins"):
        pins_of(board)
