"""What a board's file may name: it says what a board is, and must not run anything.

A file may come from a stranger. So its platform must be a class of the package amaranth-boards, and its options of
tools must be among those below. Whoever knows where a file comes from lifts that for a while with :func:`trusting`
(``--trust-platform`` on the command line).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module

from amaranth.build import Platform

from bitloom import RequestError
from bitloom.files.text import shown

PACKAGE = "amaranth_boards"

VENDORS = {"ice40": "SiliconBluePlatform", "ecp5": "LatticePlatform", "gowin": "GowinPlatform"}
"""Family → the class of Amaranth's that its platforms derive from."""

NUMBER = r"\d{1,9}(\.\d{1,6})?"
NAME = r"[A-Za-z0-9][A-Za-z0-9_.:+-]{0,63}"

NEXTPNR = {"--placer": "heap|sa", "--router": "router1|router2", "--tmg-ripup": "", "--no-tmdriv": ""}
"""Options of place and route, each with the pattern of its value; empty where it has none."""

PACK: dict[str, Mapping[str, str]] = {
    "ice40": {},
    "ecp5": {"--compress": "", "--freq": NUMBER, "--spimode": "fast-read|dual-spi|qspi", "--background": ""},
    "gowin": {f"--{pins}_as_gpio": "" for pins in ("mspi", "sspi", "ready", "done", "reconfign", "i2c", "cpu", "jtag")},
}
"""The same of each family's packer."""

PROGRAMMER = {"--cable": NAME, "--freq": NUMBER, "--ftdi-channel": NUMBER, "--ftdi-serial": NAME,
              "--index-chain": NUMBER, "--fpga-part": NAME, "--write-sram": "", "--write-flash": "", "--verify": ""}
"""The same of openFPGALoader."""

FLAG = "give --trust-platform if you know where the file comes from"

_trusted: ContextVar[bool] = ContextVar("trusted", default=False)


@contextmanager
def trusting(trust: bool = True) -> Iterator[None]:
    """While it lasts, boards' files may name any class and any option."""
    token = _trusted.set(trust)
    try:
        yield
    finally:
        _trusted.reset(token)


def trusted() -> bool:
    """Whether files may name anything now."""
    return _trusted.get()


def check_platform(source: str, name: str, family: str) -> None:
    """Refuse what is no platform of amaranth-boards for a device of ``family``.

    Nothing outside that package is imported to find out.
    """
    if trusted():
        return
    module, _, cls = name.rpartition(".")
    wanted = f"{source}: platform must be a class of amaranth-boards ({PACKAGE}.<module>.<class>), not {shown(name)}"
    if not re.fullmatch(rf"{PACKAGE}(\.[a-z]\w*)+\.[A-Za-z]\w*", name, re.ASCII):
        raise RequestError(f"{wanted}; {FLAG}")
    try:
        found = getattr(import_module(module), cls)
    except (ImportError, AttributeError) as error:
        raise RequestError(f"{wanted} ({error})") from None
    if not (isinstance(found, type) and issubclass(found, Platform) and found.__module__.startswith(f"{PACKAGE}.")):
        raise RequestError(f"{wanted}; {FLAG}")
    if VENDORS[family] not in (base.__name__ for base in found.__mro__):
        raise RequestError(f"{source}: platform {shown(name)} must be one for family {family} (a {VENDORS[family]})")


def check_options(source: str, key: str, options: Sequence[str], known: Mapping[str, str]) -> None:
    """Refuse options that are not ``known``, or have a value that they do not take."""
    words = [] if trusted() else list(options)
    while words:
        option = words.pop(0)
        if option not in known:
            listed = ", ".join(known) or "none"
            raise RequestError(f"{source}: {key}: must be options among {listed}, not {shown(option)}; {FLAG}")
        if known[option]:
            value = words.pop(0) if words else ""
            if not re.fullmatch(known[option], value, re.ASCII):
                raise RequestError(f"{source}: {key}: {option} must be followed by a value like {known[option]}, not "
                                   f"{shown(value)}; {FLAG}")
