"""Whatever is wrong with a file, it is one line: inputs at random for everything that reads what others wrote.

``python tests/fuzz.py --reader board --minutes 10`` goes on where these end; docs/verification.md keeps the record.
"""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("qonnx")
from support.fuzz import READERS, attempt

QUICK = {"checkpoint": 40, "onnx": 150, "build": 40}
"""Inputs of readers that take milliseconds for one; others have 200."""


@pytest.mark.parametrize("name", READERS)
def test_a_file_is_read_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    tried = (attempt(READERS[name], 0, number, tmp_path) for number in range(QUICK.get(name, 200)))
    found = [str(finding) for finding in tried if finding is not None]
    assert not found, "\n".join(found[:10])
