"""Pins: where the top's plain ports go, from the platform's resources, and the constraint file that says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from amaranth.build import ResourceError
from amaranth.lib import io

from bitloom import RequestError

from .board import Board

SUFFIX = {"ice40": "pcf", "ecp5": "lpf", "gowin": "cst"}
"""The constraint file's suffix, by family."""


@dataclass(frozen=True)
class Pin:
    """One bit of a port: its name in the netlist, the chip's pin, its attributes as the platform gives them.

    ``inverted`` says that the wire on the board carries the opposite of what the port means. Constraints cannot express
    that; the top must.
    """

    port: str
    site: str
    inverted: bool = False
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Pins:
    """The pins of a top: ``clk``, ``rx``, ``tx`` and ``led`` (``led[n]`` where there are several)."""

    clk: Pin
    rx: Pin
    tx: Pin
    leds: tuple[Pin, ...]
    clock_hz: float

    def __iter__(self) -> Iterator[Pin]:
        return iter((self.clk, self.rx, self.tx, *self.leds))

    @property
    def leds_inverted(self) -> bool:
        """Whether an LED lights when its pin is low."""
        return any(pin.inverted for pin in self.leds)


def pins_of(board: Board) -> Pins:
    """The pins of ``board``'s top; :class:`RequestError` names the resource that cannot serve and why."""
    platform = board.make_platform()
    clock_hz = board.clock_hz
    clk = _pin(board, "clk", _request(board, platform, board.clock or platform.default_clk, 0))
    uart = _request(board, platform, "uart", board.uart)
    rx, tx = _pin(board, "rx", uart.rx), _pin(board, "tx", uart.tx)
    leds = tuple(
        _pin(board, "led" if len(board.leds) == 1 else f"led[{index}]", _request(board, platform, "led", number))
        for index, number in enumerate(board.leds)
    )
    for pin in (clk, rx, tx):
        if pin.inverted:
            raise RequestError(f"board {board.name}: the pin of {pin.port} must not be inverted")
    if len({pin.inverted for pin in leds}) > 1:
        raise RequestError(f"board {board.name}: leds must all light at the same level, and {list(board.leds)} do not")
    return Pins(clk, rx, tx, leds, clock_hz)


def constraints(board: Board, pins: Pins) -> str:
    """The text of the constraint file for ``board``'s place and route: PCF, LPF or CST by family."""
    return {"ice40": _pcf, "ecp5": _lpf, "gowin": _cst}[board.family](pins)


def _request(board: Board, platform: Any, name: str, number: int) -> Any:
    try:
        return platform.request(name, number, dir="-")
    except (ResourceError, NameError, KeyError) as error:
        have = ", ".join(str(n) for key, n in platform.resources if key == name)
        way = f"its {name} resources are {have}" if have else f"{board.platform} has no {name}"
        hint = ": give uart_pins" if name == "uart" and not have else ""
        raise RequestError(f"board {board.name}: {name} {number} cannot be had ({error}); {way}{hint}") from None


def _pin(board: Board, port: str, resource: Any) -> Pin:
    if not isinstance(resource, io.SingleEndedPort) or len(resource) != 1:
        raise RequestError(f"board {board.name}: {port} must be one single-ended pin, not {resource!r}")
    metadata = resource.io.metadata[0]
    attributes = {key: str(value) for key, value in metadata.attrs.items()}
    return Pin(port, metadata.name, bool(resource.invert[0]), attributes)


def _pcf(pins: Pins) -> str:
    """iCE40: pins and pull-ups; the I/O standard of a single-ended pin follows from its bank's supply."""
    lines = [f"set_frequency clk {pins.clock_hz / 1e6:g}"]
    for pin in pins:
        pull = " -pullup yes" if pin.attributes.get("PULLUP") == "1" and pin.port == "rx" else ""
        lines.append(f"set_io{pull} {pin.port} {pin.site}")
    return "\n".join(lines) + "\n"


def _lpf(pins: Pins) -> str:
    """ECP5: sites, attributes, the clock; asynchronous and reset paths are not timed, as in amaranth's own flow."""
    lines = ["BLOCK ASYNCPATHS;", "BLOCK RESETPATHS;"]
    for pin in pins:
        lines.append(f'LOCATE COMP "{pin.port}" SITE "{pin.site}";')
        if pin.attributes:
            attributes = " ".join(f"{key}={value}" for key, value in pin.attributes.items())
            lines.append(f'IOBUF PORT "{pin.port}" {attributes};')
    lines.append(f'FREQUENCY PORT "clk" {pins.clock_hz / 1e6:g} MHZ;')
    return "\n".join(lines) + "\n"


def _cst(pins: Pins) -> str:
    """Gowin: sites and attributes; the clock is given to the tool, the format has no word for it."""
    lines = []
    for pin in pins:
        lines.append(f'IO_LOC "{pin.port}" {pin.site};')
        lines += [f'IO_PORT "{pin.port}" {key}={value};' for key, value in pin.attributes.items()]
    return "\n".join(lines) + "\n"
