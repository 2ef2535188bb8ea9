"""The picture: what is drawn, that labels keep clear of each other, that it is the same each time."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest

from bitloom.sweep import Outcome, draw
from bitloom.sweep.plot import picture

Fake = Callable[..., Outcome]


@pytest.fixture
def outcomes(fake: Fake) -> list[Outcome]:
    """Two networks on two boards, one point too slow for its clock and one without figures."""
    sizes = ((1200, 4e3), (1500, 2e4), (1520, 2.1e4), (2600, 1e5), (5200, 4e5))
    found = [fake(int(lut * k), rate * k, model, board) for lut, rate in sizes
             for k, model, board in ((1, "digits", "icebreaker"), (0.8, "digits-binary", "icebreaker"),
                                     (1.3, "digits", "ulx3s-25f"))]
    nowhere = Outcome(found[0].design, Path("nowhere"), "does not fit", "why")
    return [*found, fake(7000, 9e5, status="misses timing"), nowhere]


def test_a_marker_for_each_point_and_a_front_for_each_network(outcomes: list[Outcome]) -> None:
    figure = picture(outcomes)
    assert figure is not None
    axes = figure.axes[0]
    lines = axes.get_lines()
    assert sum(line.get_linestyle() == "None" for line in lines) == len(outcomes) - 1
    assert sum(line.get_drawstyle() == "steps-post" for line in lines) == 2
    assert len({line.get_marker() for line in lines if line.get_linestyle() == "None"}) == 2
    assert sum(line.get_markerfacecolor() == "white" for line in lines) == 1
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert "routed" in axes.get_xlabel() and "estimated" in axes.get_ylabel()
    words = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    for name in ("digits, Pareto front", "digits-binary, Pareto front", "icebreaker", "ulx3s-25f", "misses timing"):
        assert any(name in word for word in words), name


def test_labels_keep_clear_of_each_other(outcomes: list[Outcome]) -> None:
    figure = picture(outcomes)
    assert figure is not None
    figure.draw_without_rendering()
    labels = [text for text in figure.axes[0].texts if text.get_text() == "4×8 2×4"]
    assert len(labels) > 8
    boxes = [label.get_window_extent() for label in labels]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_the_same_outcomes_give_the_same_bytes(outcomes: list[Outcome], tmp_path: Path) -> None:
    path = draw(outcomes, tmp_path)
    assert path is not None
    first = path.read_bytes()
    draw(outcomes, tmp_path)
    assert path.read_bytes() == first and b"<svg" in first


def test_without_figures_there_is_no_picture(outcomes: list[Outcome], tmp_path: Path) -> None:
    draw(outcomes, tmp_path)
    assert draw(outcomes[-1:], tmp_path) is None
    assert not (tmp_path / "pareto.svg").exists()
