"""Boards: one YAML file each, beside this module or anywhere a user keeps their own."""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from amaranth.build import Attrs
from amaranth_boards.resources import UARTResource
from pydantic import BeforeValidator, Field

from bitloom import RequestError
from bitloom.codegen.families import Resources
from bitloom.files.yaml_file import read_yaml

from .schema import Strict, nearest, validated
from .trust import NAME, NEXTPNR, PACK, PROGRAMMER, check_options, check_platform

DEFAULT = "icebreaker"
"""The board of those who name none."""

Word = Annotated[str, Field(pattern=rf"^{NAME}$")]
"""A word of a tool's command line or of its constraints: no option, no path, no other line."""

Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
"""Text for people, without control characters."""

Count = Annotated[int, Field(strict=True, ge=0)]


def _resources(value: object) -> object:
    """Resources from a mapping: every kind once, each a whole number."""
    if isinstance(value, Resources):
        return value
    kinds = list(Resources.__dataclass_fields__)
    if not isinstance(value, dict) or sorted(map(str, value)) != sorted(kinds):
        raise ValueError(f"must give {', '.join(kinds)}, each once")
    for kind, count in value.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise ValueError(f"must give {kind} as a whole number")
    return Resources(**value)


class UARTPins(Strict):
    """A UART that the platform does not name: pins of the chip, or of the platform's ``connector`` [name, number]."""

    rx: Word
    tx: Word
    connector: tuple[Word, int] | None = None
    attributes: dict[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,31}$")], Word | int] = {}


class Board(Strict):
    """One board. Its platform, a class of amaranth-boards, is the source of part, pins, clock and pin attributes.

    ``clock`` names the platform's clock resource where it is not the default one. ``uart`` is the number of the
    platform's UART resource; ``uart_pins`` stands in where it has none. ``leds`` are numbers of LED resources, all lit
    at the same level. ``resources`` is what the device offers (LUTs, flip-flops, block memories, multipliers).
    ``device`` names the device's database for Gowin's tools. ``grid`` is the device's size in tiles, columns × rows.
    ``nextpnr`` and ``pack`` are further options of place and route and of the packer; ``programmer`` is the board's
    name for openFPGALoader, and ``programmer_options`` go with it.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    title: Line
    family: Literal["ice40", "ecp5", "gowin"]
    platform: str
    device: Word | None = None
    clock: str | None = None
    uart: Count = 0
    uart_pins: UARTPins | None = None
    leds: tuple[Count, ...] = ()
    baud: Annotated[int, Field(strict=True, ge=300, le=12_000_000)] = 115_200
    resources: Annotated[Resources, BeforeValidator(_resources)]
    grid: tuple[Count, Count]
    nextpnr: tuple[str, ...] = ()
    pack: tuple[str, ...] = ()
    programmer: Word | None = None
    programmer_options: tuple[str, ...] = ()
    notes: Line = ""

    def make_platform(self) -> Any:
        """A fresh platform, whose resources can each be requested once."""
        module, _, cls = self.platform.rpartition(".")
        try:
            platform = getattr(import_module(module), cls)()
        except (ImportError, AttributeError, ValueError, TypeError) as error:
            raise RequestError(f"board {self.name}: platform must be the dotted name of a class of amaranth-boards, "
                               f"not {self.platform!r} ({error})") from None
        if self.uart_pins is not None:
            platform.add_resources([_uart(self.uart, self.uart_pins)])
        return platform

    @cached_property
    def clock_hz(self) -> float:
        """Frequency of the clock at the pin, in hertz."""
        platform = self.make_platform()
        name = self.clock or platform.default_clk
        clock = platform.resources[name, 0].clock if (name, 0) in platform.resources else None
        if clock is None:
            names = [key for key, _ in platform.resources if platform.resources[key, 0].clock] or ["none"]
            raise RequestError(f"board {self.name}: clock must be a pin of the platform with a frequency, not {name!r} "
                               f"(it has {', '.join(names)})")
        return float(clock.frequency)

    @cached_property
    def part(self) -> str:
        """The chip, as its maker calls it."""
        platform = self.make_platform()
        if self.family == "gowin":
            return str(platform.part)
        if self.family == "ecp5":
            return f"{platform.device}-{platform.speed}{platform.package}"
        return f"{platform.device}-{platform.package}"


def names() -> list[str]:
    """The boards that come with bitloom."""
    entries = (entry.name for entry in files(__package__).iterdir())
    return sorted(name.removesuffix(".yaml") for name in entries if name.endswith(".yaml"))


def load(name_or_path: str | Path) -> Board:
    """The board called ``name_or_path``, or described by the YAML file of that name, which runs nothing of its own
    unless it is trusted (:mod:`~bitloom.boards.trust`).

    :raises RequestError: no such board (the message names the nearest and all of them), or a mistake in its file.
    """
    text = str(name_or_path)
    if text in names():
        path = Path(str(files(__package__) / f"{text}.yaml"))
    elif text.endswith((".yaml", ".yml")) or "/" in text:
        path = Path(text)
    else:
        raise RequestError(f"no board is called {text!r}{nearest(text, names())} (boards: {', '.join(names())}; or the "
                           "path of a board's own YAML file)")
    found = validated(Board, read_yaml(path), str(path))
    check_platform(str(path), found.platform, found.family)
    for key, known in (("nextpnr", NEXTPNR), ("pack", PACK[found.family]), ("programmer_options", PROGRAMMER)):
        check_options(str(path), key, getattr(found, key), known)
    return found


def _uart(number: int, pins: UARTPins) -> Any:
    return UARTResource(number, rx=pins.rx, tx=pins.tx, conn=pins.connector, attrs=Attrs(**pins.attributes))
