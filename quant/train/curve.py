"""The learning curve as an SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from .loop import Epoch


def draw_curve(history: Sequence[Epoch], title: str, path: str | Path) -> None:
    """Draw loss and errors by epoch; the same history gives the same bytes."""
    epochs = range(1, len(history) + 1)
    with matplotlib.rc_context({"svg.hashsalt": "bitloom", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(6.4, 3.4), layout="constrained")
        errors = figure.add_subplot()
        errors.plot(epochs, [100 * (1 - e.train_accuracy) for e in history], color="#8fb3d9", label="training")
        errors.plot(epochs, [100 * (1 - e.accuracy) for e in history], color="#1f5a99", label="held out")
        errors.set(xlabel="epoch", ylabel="errors (%)", yscale="log", title=title)
        errors.grid(alpha=0.3, which="both")
        loss = errors.twinx()
        loss.plot(epochs, [e.loss for e in history], color="#d98c3f", linewidth=0.8, label="loss (right)")
        loss.set(ylabel="cross-entropy")
        lines = [*errors.get_lines(), *loss.get_lines()]
        errors.legend(lines, [str(line.get_label()) for line in lines], loc="upper right")
        figure.savefig(path, format="svg", metadata={"Date": None})
