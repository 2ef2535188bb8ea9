"""Data that tests use where it is at hand: the folder of ``BITLOOM_DATA``, or ``shared/data`` beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def data_file(name: str) -> Path:
    """The file ``name`` below a data folder; the test is skipped where there is none."""
    folders = [Path(folder) for folder in (os.environ.get("BITLOOM_DATA"), BESIDE) if folder]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    pytest.skip(f"{name} is not in {' or '.join(map(str, folders))}; name its folder in BITLOOM_DATA")
