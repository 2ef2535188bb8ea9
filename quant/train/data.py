"""Data sets: the raw integers that the hardware gets, with a fixed held-out part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from bitloom import RequestError

from ..formats import Format


@dataclass(frozen=True)
class Dataset:
    """Samples as the hardware gets them: ``x_*`` int64 (samples, features), ``y_*`` int64 (samples,) class indices.

    The arrays are read-only: a data set is loaded once and shared.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: tuple[str, ...]
    input_format: Format


@dataclass(frozen=True)
class Source:
    """What is known of a data set without loading it: features (an ``image`` of rows × columns), greatest value."""

    image: tuple[int, int]
    classes: tuple[str, ...]
    top: int
    loader: Callable[[], Dataset]

    @property
    def features(self) -> int:
        """Elements of one sample."""
        return self.image[0] * self.image[1]

    @property
    def input_format(self) -> Format:
        """The narrowest format that holds 0 … ``top``."""
        return Format.of_range(0, self.top)


def load(name: str) -> Dataset:
    """The data set ``name``; its held-out part (``x_test``) is always the same and never trained on."""
    return source(name).loader()


def source(name: str) -> Source:
    """What is known of the data set ``name``."""
    if name not in SOURCES:
        raise RequestError(f"dataset: must be one of {', '.join(SOURCES)}, not {name!r}")
    return SOURCES[name]


@cache
def _digits() -> Dataset:
    """scikit-learn's digits: 1,797 scans of handwriting, 8×8 pixels 0–16; 450 held out, stratified by class.

    Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI repository (the test part).
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    x, y = digits.data.astype(np.int64), digits.target.astype(np.int64)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=450, stratify=y, random_state=0)
    for array in (x_train, x_test, y_train, y_test):
        array.setflags(write=False)
    known = SOURCES["digits"]
    return Dataset(x_train, y_train, x_test, y_test, known.classes, known.input_format)


SOURCES: dict[str, Source] = {
    "digits": Source((8, 8), tuple("0123456789"), 16, _digits),
}
