"""JSON as bitloom writes it into a build folder, and as it may have become there since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from bitloom import RequestError

from .text import read_text

BYTES = 1 << 22
"""Bytes of a file, unless its reader allows for more."""

SEAL = "seal"
"""The key of the digest of all else."""


class DamagedError(ValueError):
    """A text is not JSON, or not what is looked for in it; one line says why."""


def read_json(path: str | Path, limit: int = BYTES) -> dict[str, Any]:
    """The JSON object in the file ``path`` of at most ``limit`` bytes.

    :raises FileNotFoundError: there is no such file. :raises DamagedError: it cannot be read, or is no JSON object.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: there is no such file")
    try:
        return parse_json(read_text(path, limit))
    except RequestError as error:
        raise DamagedError(str(error).removeprefix(f"{path}: ")) from None


def sealed(values: Mapping[str, Any]) -> str:
    """``values`` as JSON with a seal, by which :func:`read_sealed` knows that nobody has changed them."""
    return json.dumps({**values, SEAL: _digest(values)}, indent=1)


def read_sealed(path: str | Path, limit: int = BYTES) -> dict[str, Any]:
    """What :func:`sealed` made a text of and is in the file ``path``; empty where it is not, or not any more."""
    try:
        values = read_json(path, limit)
    except (FileNotFoundError, DamagedError):
        return {}
    return values if values.pop(SEAL, None) == _digest(values) else {}


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def parse_json(text: str) -> dict[str, Any]:
    """The JSON object that ``text`` is; :class:`DamagedError` where it is none: no infinities, no depth without end."""
    try:
        value = json.loads(text, parse_constant=_no_number)
    except RecursionError:
        raise DamagedError("too many levels of nesting") from None
    except ValueError as error:
        raise DamagedError(f"{error}") from None
    if not isinstance(value, dict):
        raise DamagedError(f"is not a mapping but a {type(value).__name__}")
    return value


def _no_number(name: str) -> NoReturn:
    raise DamagedError(f"{name} is no number of JSON's")
