"""NumPy's files, ``.npy`` and ``.npz``: what they declare is looked at before room is made for it.

A ``.npz`` is a zip file, which holds a thousand times its own size with ease: 467 kB of zeros are 588 MB. So the
directory is read first, then the header of each array, and only what keeps to the limits is unpacked. No code is ever
run (no pickles); arrays hold booleans, integers or real numbers, and texts where a reader asks for them.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import IO, TypeVar

import numpy as np

NUMBERS = 1 << 25
"""Numbers that all arrays of a ``.npz`` may hold together, unless its reader allows for more."""

MEMBERS = 4096
"""Arrays of a ``.npz``."""

RATIO, PLENTY = 400, 1 << 26
"""Beyond ``PLENTY`` bytes unpacked, how many of them each byte of the file may stand for."""

FILE_BYTES = 1 << 30
"""Bytes of a file."""

T = TypeVar("T")

_KINDS = "biuf"
_HEADER_BYTES = 10_000
_AXES = 32
_DIRECTORY_BYTES = MEMBERS * 512
_END = b"PK\x05\x06"
_END_BYTES = 22
_COMMENT_BYTES = 0xFFFF
FAULTS = (OSError, EOFError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, SyntaxError, MemoryError,
           OverflowError, NotImplementedError, struct.error, zlib.error, zipfile.BadZipFile,
          TokenError)
"""What zipfile, zlib and NumPy's reading of a header can raise at a damaged file."""


class ArrayFileError(ValueError):
    """The file is missing, is not what it should be, or is beyond a limit; one line says which."""


def read_npy(path: str | Path) -> np.ndarray:
    """The array in the ``.npy`` file ``path``; :class:`ArrayFileError` where it is not as large as it declares."""
    return _guarded(path, lambda file: _npy(file, _size(file), _KINDS))


def read_npz(path: str | Path, *, numbers: int = NUMBERS, texts: str = "") -> dict[str, np.ndarray]:
    """The arrays in the ``.npz`` file ``path`` by their names.

    :param numbers: how many numbers they may hold together.
    :param texts: the one member that may hold text, of at most as many characters; none where it is empty.
    :raises ArrayFileError: the file is missing or damaged, or is beyond a limit.
    """
    return _guarded(path, lambda file: _npz(file, numbers, texts))


def _guarded(path: str | Path, read: Callable[[IO[bytes]], T]) -> T:
    try:
        with Path(path).open("rb") as file:
            size = _size(file)
            if not size:
                raise ArrayFileError("the file is empty")
            if size > FILE_BYTES:
                raise ArrayFileError(f"the file has {size:,} bytes, and {FILE_BYTES:,} are the limit")
            return read(file)
    except ArrayFileError:
        raise
    except FileNotFoundError:
        raise ArrayFileError("there is no such file") from None
    except FAULTS as error:
        raise ArrayFileError(" ".join(f"{type(error).__name__}: {error}".split())[:200]) from error


def _size(file: IO[bytes]) -> int:
    size = file.seek(0, 2)
    file.seek(0)
    return size


def _npz(file: IO[bytes], numbers: int, texts: str) -> dict[str, np.ndarray]:
    size = _size(file)
    _check_directory(file, size)
    arrays: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if len(members) > MEMBERS:
            raise ArrayFileError(f"it holds {len(members):,} members, and {MEMBERS:,} are the limit")
        unpacked = sum(member.file_size for member in members)
        if unpacked > PLENTY and unpacked > RATIO * size:
            raise ArrayFileError(f"its {size:,} bytes would become {unpacked:,}, more than {RATIO} times as many")
        left = numbers
        for member in members:
            name = member.filename.removesuffix(".npy")
            if name in arrays:
                raise ArrayFileError(f"member {name!r} is there twice")
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ArrayFileError(f"member {name!r} is compressed in a way that NumPy does not use")
            with archive.open(member) as packed:
                arrays[name] = _npy(packed, member.file_size, "U" if name == texts else _KINDS, left, name)
            left -= arrays[name].size
    return arrays


def _check_directory(file: IO[bytes], size: int) -> None:
    """Refuse a directory that would be large itself; zipfile reads it as a whole."""
    start = max(0, size - _END_BYTES - _COMMENT_BYTES)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_BYTES:
        raise ArrayFileError("it is no whole zip file")
    count, length = struct.unpack_from("<HI", tail, at + 10)
    if count > MEMBERS or length > _DIRECTORY_BYTES:
        raise ArrayFileError(f"its directory has {count:,} entries in {length:,} bytes, and {MEMBERS:,} in "
                             f"{_DIRECTORY_BYTES:,} are the limit")
    if tail.rfind(b"PK\x06\x07", 0, at) == at - 20:
        raise ArrayFileError("its directory is one for files of more than 4 GiB, which it is not")
    file.seek(0)


def _npy(file: IO[bytes], size: int, kinds: str, left: int | None = None, name: str = "") -> np.ndarray:
    """The array that the rest of ``file``, ``size`` bytes, holds and declares."""
    what = f"member {name!r}: " if name else ""
    start = file.read(8)
    width = {b"\x93NUMPY\x01": 2, b"\x93NUMPY\x02": 4, b"\x93NUMPY\x03": 4}.get(start[:7], 0)
    length = int.from_bytes(lead := file.read(width), "little")
    if not width or len(lead) != width:
        raise ArrayFileError(f"{what}not an array of NumPy's")
    if length > _HEADER_BYTES:
        raise ArrayFileError(f"{what}a header of {length:,} bytes, and {_HEADER_BYTES:,} are the limit")
    header = BytesIO(lead + file.read(length))
    reader = np.lib.format.read_array_header_1_0 if width == 2 else np.lib.format.read_array_header_2_0
    try:
        shape, fortran, kind = reader(header)
    except RecursionError:
        raise ArrayFileError(f"{what}its header is nested too deeply") from None
    if kind.kind not in kinds or kind.hasobject or kind.itemsize == 0:
        wanted = "text" if kinds == "U" else "numbers"
        raise ArrayFileError(f"{what}holds elements of type {str(kind)[:40]}, not {wanted}")
    if len(shape) > _AXES or any(extent < 0 for extent in shape):
        raise ArrayFileError(f"{what}its shape is none")
    count = prod(shape)
    if left is not None and count * (kind.itemsize // 4 if kinds == "U" else 1) > left:
        raise ArrayFileError(f"{what}{count:,} elements, and {left:,} are what is left of the limit of this file")
    if (declared := 8 + width + length + count * kind.itemsize) != size:
        raise ArrayFileError(f"{what}it declares {declared:,} bytes and has {size:,}")
    data = file.read(count * kind.itemsize)
    array = np.frombuffer(data, kind, count) if count else np.zeros(0, kind)
    return array.reshape(shape, order="F" if fortran else "C")
