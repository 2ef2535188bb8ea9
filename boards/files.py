"""Files that appear whole or not at all, and one build at a time in a folder."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bitloom import RequestError, WorkError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no advisory locks of this kind
    fcntl = None  # type: ignore[assignment]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside ``path`` to write to; it takes the final name when the block ends well and vanishes otherwise.

    An interrupt, a failing write or a full disk leaves ``path`` as it was. :class:`WorkError` where the disk is full or
    cannot be written.
    """
    with disk_errors(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
    partial = Path(name)
    try:
        with disk_errors(path):
            yield partial
            settle(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def settle(partial: Path, path: Path) -> None:
    """Give the finished file ``partial`` its final name, once its bytes have really reached the disk."""
    with disk_errors(path):
        os.chmod(partial, 0o644)
        with partial.open("rb") as file:
            os.fsync(file.fileno())  # where a delayed write fails, it fails here and not after the rename
        os.replace(partial, path)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path``: whole or not at all. See :func:`replacing`."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what an operating system says about a disk into one line for the user that names ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise WorkError(f"no space left on the disk for {path}: free some and run the same again") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise WorkError(f"{path} cannot be written ({error.strerror}): choose another output folder") from error
        raise


def make_folder(path: Path) -> Path:
    """``path`` as a folder, made where missing; :class:`RequestError` where a file is in the way."""
    try:
        with disk_errors(path):
            path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise RequestError(f"output folder {path}: a file of that name is in the way; choose another folder") from None
    return path


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep others from building in ``folder`` meanwhile; :class:`WorkError` if one already is."""
    path = make_folder(folder) / ".lock"
    with disk_errors(path), path.open("a+") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise WorkError(f"another bitloom is building in {folder}: wait for it, or take another output folder"
                                ) from None
        yield
