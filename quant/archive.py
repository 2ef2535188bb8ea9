"""NumPy archives with a JSON header: how graphs and checkpoints are kept. A file appears whole or not at all."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bitloom.files.arrays import NUMBERS, ArrayFileError, read_npz
from bitloom.files.json_file import DamagedError, parse_json

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


def read_archive(path: str | Path, *, numbers: int = NUMBERS) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Header and arrays of an archive, which never runs code from the file (no pickles).

    :param numbers: how many numbers the arrays may hold together; see :mod:`bitloom.files.arrays` for what else is
        limited.
    """
    try:
        arrays = read_npz(path, numbers=numbers, texts=HEADER)
        header = parse_json(str(arrays.pop(HEADER)))
    except KeyError:
        raise ArchiveError("it has no header") from None
    except DamagedError as error:
        raise ArchiveError(f"its header {error}") from None
    except ArrayFileError as error:
        raise ArchiveError(str(error)) from error
    return header, arrays
