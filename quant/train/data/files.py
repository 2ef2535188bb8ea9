"""Where the files of a data set are: in the user's folder, in one beside the checkout, or downloaded into a cache."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.request
import uuid
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from bitloom import RequestError

VARIABLE = "BITLOOM_DATA"
BESIDE = Path(__file__).resolve().parents[4] / "shared" / "data"
TIMEOUT = 20
CHUNK = 1 << 18


class DataUnavailable(RequestError):
    """The files of a data set are not at hand and cannot be had; the message says what to put where."""


@dataclass(frozen=True)
class RemoteFile:
    """A file of a data set: its path below a data folder, its usual home, and the checksum of what lies there."""

    path: str
    url: str
    sha256: str


def find(file: RemoteFile) -> Path | None:
    """``file`` in the folder that ``BITLOOM_DATA`` names, in ``shared/data`` beside the checkout or in the cache.

    :raises RequestError: ``BITLOOM_DATA`` is set and is no folder.
    """
    folders = [BESIDE, cache_folder()]
    if os.environ.get(VARIABLE):
        given = Path(os.environ[VARIABLE]).expanduser()
        if not given.is_dir():
            raise RequestError(f"{VARIABLE} must name a folder, and {given} is none")
        folders.insert(0, given)
    return next((folder / file.path for folder in folders if (folder / file.path).is_file()), None)


def obtain(file: RemoteFile) -> Path:
    """``file`` where :func:`find` sees it, otherwise downloaded into the cache.

    :raises DataUnavailable: it is nowhere and cannot be downloaded, or another file lies at its usual home.
    """
    found = find(file)
    if found is not None:
        return found
    path = cache_folder() / file.path
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = _download(file.url, partial)
        if digest != file.sha256:
            raise DataUnavailable(f"{file.url}: its SHA-256 must be {file.sha256} and is {digest}; {_remedy(file)}")
        os.replace(partial, path)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise DataUnavailable(f"{file.path} is not at hand, and downloading it failed ({reason}); "
                              f"{_remedy(file)}") from None
    finally:
        partial.unlink(missing_ok=True)
    return path


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/bitloom``, usually ``~/.cache/bitloom``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "bitloom"


def _remedy(file: RemoteFile) -> str:
    return f"put {file.url} as {file.path} into a folder and name the folder in {VARIABLE}"


def _download(url: str, path: Path) -> str:
    """Fetch ``url`` into ``path`` with a progress bar on standard error; returns the SHA-256."""
    digest = hashlib.sha256()
    with urllib.request.urlopen(url, timeout=TIMEOUT) as response, path.open("xb") as out, Progress(
        TextColumn("downloading {task.description}"), BarColumn(), DownloadColumn(), console=Console(stderr=True)
    ) as bar:
        size = int(response.headers.get("Content-Length") or 0)
        task = bar.add_task(url, total=size or None)
        while chunk := response.read(CHUNK):
            out.write(chunk)
            digest.update(chunk)
            bar.advance(task, len(chunk))
    return digest.hexdigest()
