"""Data sets: the raw integers that the hardware gets, with a fixed held-out part. One file per source."""

from __future__ import annotations

from bitloom import RequestError

from .can import CAN
from .digits import DIGITS
from .files import DataUnavailable
from .mnist import MNIST
from .nsl_kdd import NSL_KDD
from .source import Dataset, Source

SOURCES: dict[str, Source] = {"digits": DIGITS, "mnist": MNIST, "nsl-kdd": NSL_KDD, "can-generated": CAN}
"""Every data set that a ``network.yaml`` can name."""


def load(name: str) -> Dataset:
    """The data set ``name``; its held-out part (``x_test``) is always the same and never trained on.

    :raises DataUnavailable: its files are not at hand and cannot be downloaded.
    """
    return source(name).loader()


def source(name: str) -> Source:
    """What is known of the data set ``name``."""
    if name not in SOURCES:
        raise RequestError(f"dataset: must be one of {', '.join(SOURCES)}, not {name!r}")
    return SOURCES[name]


__all__ = ["SOURCES", "DataUnavailable", "Dataset", "Source", "load", "source"]
