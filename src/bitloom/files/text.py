"""The bytes and the text of a file, up to a limit, and values in messages, cut before they are put into words."""

from __future__ import annotations

import reprlib
from pathlib import Path

from bitloom import RequestError

WORDS = 60
"""Characters of a value in a message."""


def read_bytes(path: str | Path, limit: int) -> bytes:
    """All of the file ``path``; :class:`RequestError` where there is none or it has more than ``limit`` bytes."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise RequestError(f"{path}: there is no such file") from None
    except (OSError, ValueError) as error:
        raise RequestError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if len(data) > limit:
        raise RequestError(f"{path}: has more than {limit:,} bytes, which are the limit for such a file")
    return data


def read_text(path: str | Path, limit: int) -> str:
    """All of the UTF-8 text in the file ``path``; see :func:`read_bytes`."""
    try:
        return read_bytes(path, limit).decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(f"{path}: cannot be read (byte {error.start} is not UTF-8 text)") from None


def shown(value: object, length: int = WORDS) -> str:
    """``value`` as Python writes it, in at most ``length`` characters; a large value is never written out whole."""
    words = _Shortened(length)
    return words.repr(value)[:length]


class _Shortened(reprlib.Repr):
    """The first elements of the first levels of a value."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = 8
        self.maxstring = self.maxother = length

    def repr_int(self, x: int, level: int) -> str:
        """An integer; one of hundreds of digits is not written out."""
        return repr(x) if x.bit_length() <= 256 else f"an integer of {x.bit_length()} bits"

    def repr_dict(self, x: dict[object, object], level: int) -> str:
        """The first entries in their order."""
        if level <= 0 and x:
            return "{...}"
        items = [f"{self.repr1(key, level - 1)}: {self.repr1(x[key], level - 1)}" for key in list(x)[: self.maxdict]]
        return "{" + ", ".join([*items, *(["..."] if len(x) > self.maxdict else [])]) + "}"
