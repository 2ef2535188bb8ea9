"""A folder with everything that a page can show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.reports import VALUES, drawing, rectangle

from bitloom import quant
from bitloom.boards.report import update
from bitloom.boards.report.samples import keep


@pytest.fixture
def graph() -> quant.Graph:
    """Two scores of a 2×2 picture: its left and its right half."""
    u4 = quant.Format(4)
    weights = np.array([[1, 0, 1, 0], [0, 1, 0, 1]])
    return quant.Graph("tiny", (
        quant.Input("input", (), quant.Tensor((4,), u4)),
        quant.MatMul("fc1", ("input",), quant.Tensor((2,), quant.Format(5)), weights, quant.Format(1)),
        quant.ArgMax("argmax", ("fc1",), quant.Tensor((1,), quant.Format(1))),
    ), "argmax", ("left", "right"))


@pytest.fixture
def build_dir(tmp_path: Path, graph: quant.Graph) -> Path:
    """A folder with everything that a page can show."""
    update(tmp_path, VALUES)
    quant.save(graph, tmp_path / "graph.npz")
    keep(tmp_path, np.array([[9, 0, 9, 0], [0, 9, 0, 3]]), np.array([0, 0]), (2, 2))
    (tmp_path / "floorplan.svg").write_text(drawing(rectangle(55, 60), rectangle(305, 255)))
    (tmp_path / "curve.svg").write_text("<svg/>")
    return tmp_path
