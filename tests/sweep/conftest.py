"""Two tiny networks to study, and outcomes to draw and compare without building anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.graphs import random_graph

from bitloom.boards.design import make_design
from bitloom.quant import save
from bitloom.sweep import Outcome

Fake = Callable[..., Outcome]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with ``tiny.npz``, which fits every board, and ``wide.npz``, too large for an iCEstick."""
    monkeypatch.chdir(tmp_path)
    save(random_graph(3, (8, 4)), "tiny.npz")
    save(random_graph(5, (12, 8, 4)), "wide.npz")
    return tmp_path


@pytest.fixture
def fake() -> Fake:
    """An outcome of so many LUTs and so many samples per second."""
    def make(lut: int, rate: float, model: str = "digits", board: str = "icebreaker", status: str = "good") -> Outcome:
        design = make_design(model, board, design=f"{model}-{board}-{lut}-{rate:.0f}")
        figures = {"lut": lut, "throughput_fps": rate, "interval_cycles": 12e6 / rate, "accuracy": 0.9}
        return Outcome(design, Path(design.design), status, "" if status == "good" else "why", "routed", "estimated",  # type: ignore[arg-type]
                       figures, {"fc1": (4, 8), "fc2": (2, 4)})
    return make
