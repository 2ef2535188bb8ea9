"""docs/operators.md and the importer name the same operators, and what it refuses is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from support.imports import imported_from
from support.onnx_models import Net

from bitloom import hw
from bitloom.quant import OPERATORS
from bitloom.quant.qonnx import ImportFailure
from bitloom.quant.qonnx.importer import HANDLERS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "operators.md").read_text(encoding="utf-8")
SUPPORTED, REFUSED = PAGE.split("## Supported")[1].split("## Not supported")
NODES = PAGE.split("| node of the graph |")[1].split("## Supported")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of each table row but for headings."""
    cells = [[cell.strip() for cell in line.strip("|\n ").split("|")] for line in text.splitlines()
             if line.startswith("|")]
    return [row for row in cells if row[0] not in ("operator", "---")]


def names(cell: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([A-Za-z0-9]+)`", cell)


def test_the_page_names_every_operator_of_the_importer() -> None:
    assert {name for row in rows(SUPPORTED) for name in names(row[0])} == set(HANDLERS)


def test_what_an_operator_becomes_is_an_operator_of_the_graph() -> None:
    known = {operator.__name__ for operator in OPERATORS}
    for row in rows(SUPPORTED):
        assert set(names(row[1])) <= known | {"Quant"}, row


def test_the_templates_are_there() -> None:
    listed = {name for row in rows(NODES) for name in names(row[0])}
    assert listed == {operator.__name__ for operator in OPERATORS} - {"Window"}
    for row in rows(NODES):
        for name in names(row[1]) or (names(row[0]) if "same names" in row[1] else []):
            assert hasattr(hw, name), name


PLAIN = [name for row in rows(REFUSED) if "`" in row[0] and " " not in row[0].replace("`, `", "")
         for name in names(row[0])]


@pytest.mark.parametrize("name", PLAIN)
def test_what_the_page_refuses_is_refused_by_name(name: str) -> None:
    assert name not in HANDLERS
    net = Net(0, (2, 4, 4))
    x = net.add(name, net.quant("x", 0.25, 4), np.ones(2), np.ones(2))
    with pytest.raises(ImportFailure, match=name) as caught:
        imported_from(net.model(net.quant(x, 0.25, 4)))
    assert "docs/operators.md" in str(caught.value)


def test_there_are_such() -> None:
    assert len(PLAIN) > 15
