"""What a data set is: samples as the hardware gets them, and what is known of them without loading them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod

import numpy as np

from ...formats import Format
from .files import RemoteFile, find


@dataclass(frozen=True)
class Dataset:
    """Samples as the hardware gets them: ``x_*`` integers (samples, features), ``y_*`` int64 (samples,) class indices.

    ``x_test`` is int64, ``x_train`` perhaps of a narrower type. An image's features are its pixels in row-major order,
    channels last. The arrays are read-only: a data set is loaded once and shared.

    ``more``: further held-out samples by what they are, (x, y) each, whose accuracy is told beside that of ``x_test``.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: tuple[str, ...]
    input_format: Format
    more: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for x, y in ((self.x_train, self.y_train), (self.x_test, self.y_test), *self.more.values()):
            x.setflags(write=False)
            y.setflags(write=False)


@dataclass(frozen=True)
class Source:
    """A data set before it is loaded.

    ``shape`` of one sample: (rows, columns, channels) of an image, or (features,). ``top``: the greatest element; the
    least is 0. ``files``: what the loader reads. ``note``: what must be said wherever results on it are told (that the
    samples are generated, say).
    """

    shape: tuple[int, ...]
    classes: tuple[str, ...]
    top: int
    loader: Callable[[], Dataset]
    files: tuple[RemoteFile, ...] = ()
    note: str = ""

    @property
    def at_hand(self) -> bool:
        """Whether loading it needs no download."""
        return all(find(file) is not None for file in self.files)

    @property
    def features(self) -> int:
        """Elements of one sample."""
        return prod(self.shape)

    @property
    def image(self) -> tuple[int, int] | None:
        """Rows × columns of a picture of one channel; None of other samples."""
        return (self.shape[0], self.shape[1]) if len(self.shape) == 3 and self.shape[2] == 1 else None

    @property
    def input_format(self) -> Format:
        """The narrowest format that holds 0 … ``top``."""
        return Format.of_range(0, self.top)
