"""Names in the circuit: what each part of an accelerator is called there, whatever a network calls its nodes.

A node's name is the user's: any printable text. In the RTL, in netlists, in simulators and in tools' reports its unit
has a name of its own that all of them take and none changes, made here, once. Whoever looks for a part below the
accelerator asks :attr:`bitloom.codegen.topology.Topology.instances`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

LONGEST = 100
"""Characters of a name that is kept; simulators make files' names of them."""

_PLAIN = re.compile(rf"[A-Za-z][A-Za-z0-9_]{{0,{LONGEST - 1}}}")
_TAKEN = re.compile(r"clk|rst|[io]\d*__\w*")
"""What the accelerator's module calls its own: clock, reset, and the wires of streams."""


@dataclass(frozen=True)
class Instances:
    """The instance names below an accelerator, all different.

    ``units`` by node, ``forks`` by the value that they copy, ``parts`` by target and port of a link and by kind
    (``burst``, ``narrow``, ``widen``, ``queue``).
    """

    units: Mapping[str, str]
    forks: Mapping[str, str]
    parts: Mapping[tuple[str, int, str], str]


class Names:
    """Hands out names, each once."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def give(self, wanted: str) -> str:
        """``wanted`` where it is plain and free, else the nearest name that is."""
        base = name = plain(wanted)
        number = 2
        while name in self._given:
            name, number = f"{base}_{number}", number + 1
        self._given.add(name)
        return name


def is_plain(name: str) -> bool:
    """Whether a circuit can use ``name`` as it is: a letter, then letters, digits and underscores, not reserved."""
    return _PLAIN.fullmatch(name) is not None and _TAKEN.fullmatch(name) is None


def plain(name: str) -> str:
    """A plain name that still tells of ``name``."""
    if is_plain(name):
        return name
    text = re.sub(r"[^A-Za-z0-9]+", "_", name[: 10 * LONGEST]).strip("_")[: LONGEST - 20].rstrip("_")
    if not text or not text[0].isalpha() or not is_plain(text):
        text = f"n_{text}" if text else "n"
    return text
