"""Fifteen architectures as Brevitas exports them, any two choices together: imported, and exact at every quantizer.

| testpoint | stage | test |
| --- | --- | --- |
| the first rows of the cover | smoke | test_a_network_is_imported_exactly |
| the whole cover | full | test_a_network_is_imported_exactly, slow |
| any two choices occur together | full | test_any_two_choices_meet |
"""

from __future__ import annotations

from itertools import combinations, product
from pathlib import Path

import pytest

pytest.importorskip("qonnx")
from support.brevitas_cover import FACTORS, cover, exportable, exported
from support.imports import agree, imported_from

from bitloom.quant.qonnx import ImportFailure

REFUSED = "its scores have scales and offsets that no integers of 62 bits can order"
"""Why a network of the cover may be refused: a last layer with unequal scales behind long sums."""

QUICK = 6
"""Rows that the quick run of the tests takes."""


@pytest.mark.parametrize("number", [k if k < QUICK else pytest.param(k, marks=pytest.mark.slow)
                                    for k in range(len(cover()))])
def test_a_network_is_imported_exactly(number: int, tmp_path: Path) -> None:
    model = exported(cover()[number], tmp_path)
    for meaning in ("exact", "auto"):
        try:
            imported = imported_from(model, requantize=meaning)
        except ImportFailure as error:
            assert REFUSED in str(error) and "node '" in str(error)
            continue
        agree(imported, model, 12, number)


def test_any_two_choices_meet() -> None:
    rows = [(name, value) for name, values in FACTORS.items() for value in values]
    names = list(FACTORS)
    met = {(pair[0], row[names.index(pair[0])], pair[1], row[names.index(pair[1])])
           for row in cover() for pair in combinations(names, 2)}
    wanted = {(a, x, b, y) for (a, b) in combinations(names, 2) for x, y in product(FACTORS[a], FACTORS[b])
              if exportable((x, y))}
    assert wanted <= met and len(cover()) >= 150 and len(rows) == sum(map(len, FACTORS.values()))
