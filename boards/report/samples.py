"""A few samples for the report's page: pictures, what they are, and what the integer graph says they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bitloom import quant
from bitloom.files.arrays import ArrayFileError, read_npz

from ..files import make_folder, replacing

FILE = "samples.npz"
SHOWN = 24
"""How many samples a page shows."""


@dataclass(frozen=True)
class Picture:
    """One sample: (opacity, SVG path) for each grey level, the class predicted and the true class."""

    rows: int
    columns: int
    pixels: list[tuple[float, str]]
    predicted: str
    expected: str

    @property
    def right(self) -> bool:
        """Whether the prediction is the true class."""
        return self.predicted == self.expected


def keep(build_dir: str | Path, inputs: np.ndarray, labels: np.ndarray, image: tuple[int, int]) -> None:
    """Put the first samples beside the report: ``inputs`` (n, rows × columns), ``labels`` (n,) class indices."""
    with replacing(make_folder(Path(build_dir)) / FILE) as partial, partial.open("wb") as file:
        np.savez_compressed(file, inputs=inputs[:SHOWN], labels=labels[:SHOWN], image=np.array(image))


def kept(build_dir: str | Path) -> tuple[np.ndarray, np.ndarray, tuple[int, int]] | None:
    """What :func:`keep` put there: inputs, labels, rows × columns; None where there is nothing, or nothing whole."""
    try:
        arrays = read_npz(Path(build_dir) / FILE)
        rows, columns = arrays["image"]
        return arrays["inputs"], arrays["labels"], (int(rows), int(columns))
    except (ArrayFileError, KeyError, ValueError, TypeError):
        return None


def pictures(build_dir: str | Path) -> list[Picture]:
    """The samples kept in ``build_dir`` (none, perhaps) with the classes that its integer graph gives them."""
    folder = Path(build_dir)
    found = kept(folder)
    if found is None or not (folder / "graph.npz").exists():
        return []
    graph = quant.load(folder / "graph.npz")
    inputs, labels, image = found
    classes = quant.classes(graph, quant.run(graph, inputs))
    if classes is None or classes.ndim > 1:
        return []
    names = graph.classes or tuple(map(str, range(int(max(classes.max(), labels.max())) + 1)))
    top = max(1, int(inputs.max()))
    return [
        Picture(image[0], image[1], _pixels(sample.reshape(image), top), names[int(answer)], names[int(label)])
        for sample, answer, label in zip(inputs, classes, labels)
    ]


def _pixels(image: np.ndarray, top: int) -> list[tuple[float, str]]:
    """One path of unit squares per grey level above 0."""
    levels = sorted({int(value) for value in image.flat if value > 0})
    return [
        (level / top, "".join(f"M{x} {y}h1v1h-1z" for y, x in zip(*np.nonzero(image == level)))) for level in levels
    ]
