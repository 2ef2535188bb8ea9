"""Component: a component whose ports are made when something asks for them."""

from collections.abc import Mapping, Sequence
from typing import Any

from amaranth.lib import wiring


class Component(wiring.Component):
    """What every template derives from: :class:`amaranth.lib.wiring.Component` that makes its ports when they are used.

    Whoever chooses among thousands of foldings asks each for its cycles and its features and for nothing else; signals
    would take most of that time.
    """

    @property
    def buffers(self) -> Sequence[tuple[int, int, str]]:
        """The memories that are not ROMs: (depth, width, kind)."""
        return ()

    def roms(self) -> Mapping[str, Any]:
        """The ROMs by instance path."""
        return {}

    def __init__(self, members: dict[str, wiring.Member]) -> None:
        self._members = members

    def __getattr__(self, name: str) -> Any:
        if "_members" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        super().__init__(self.__dict__.pop("_members"))
        return getattr(self, name)
