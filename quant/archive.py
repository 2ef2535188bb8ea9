"""NumPy archives with a JSON header: how graphs and checkpoints are kept. A file appears whole or not at all."""

from __future__ import annotations

import json
import os
import uuid
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

HEADER = "header"


class ArchiveError(ValueError):
    """The file is missing, or is not a whole archive of plain arrays with a header; one line says which."""


def write_archive(path: str | Path, header: Mapping[str, object], arrays: Mapping[str, np.ndarray]) -> None:
    """Write ``arrays`` and ``header`` to ``path``, compressed, the same bytes for the same contents."""
    members: dict[str, Any] = {HEADER: np.array(json.dumps(header)), **arrays}
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with partial.open("xb") as file:
            np.savez_compressed(file, **members)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_archive(path: str | Path) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """Header and arrays of an archive, which never runs code from the file (no pickles)."""
    try:
        with Path(path).open("rb") as file:
            if not file.read(1):
                raise ArchiveError("the file is empty")
            with zipfile.ZipFile(file) as members:
                broken = members.testzip()
            if broken is not None:
                raise ArchiveError(f"{broken} fails its checksum")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        header = json.loads(str(arrays.pop(HEADER)))
    except FileNotFoundError:
        raise ArchiveError("there is no such file") from None
    except KeyError:
        raise ArchiveError("it has no header") from None
    except (OSError, EOFError, ValueError, TypeError, AttributeError, RuntimeError, MemoryError, zlib.error,
            zipfile.BadZipFile) as error:
        raise ArchiveError(" ".join(f"{type(error).__name__}: {error}".split())) from error
    if not isinstance(header, dict):
        raise ArchiveError("its header is not a mapping")
    return header, arrays
