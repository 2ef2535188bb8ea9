"""Arrays that users bring in files: samples and labels in .npy, .npz and .csv."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np

from bitloom import RequestError
from bitloom.files.arrays import FAULTS, PLENTY, RATIO

KINDS = ".npy, .npz or .csv"


def read_array(path: Path, name: str) -> np.ndarray:
    """The array in ``path``; of an archive the only one, or that called ``name`` (x of samples, y of labels).

    Text is lines of numbers and commas (integers, unless a point or an exponent occurs); of labels, words as well.
    """
    try:
        if path.suffix == ".npy":
            return np.load(path, mmap_mode="r", allow_pickle=False)
        if path.suffix == ".npz":
            return _member(path, name)
        return _text(path.read_text(encoding="utf-8"), name)
    except FileNotFoundError:
        raise RequestError(f"{path}: there is no such file") from None
    except RequestError:
        raise
    except FAULTS as error:
        raise RequestError(f"{path}: must be a .npy or .npz array, or lines of numbers and commas "
                           f"({' '.join(str(error).split())})") from None


def _member(path: Path, name: str) -> np.ndarray:
    """The array ``name`` of an archive, or the only one that it holds."""
    with zipfile.ZipFile(path) as archive:
        held = {info.filename.removesuffix(".npy"): info.file_size for info in archive.infolist()}
    wanted = next(iter(held)) if len(held) == 1 else name
    if wanted not in held:
        raise RequestError(f"{path}: must hold one array, or one called {name!r}, and holds "
                           f"{', '.join(map(repr, held)) or 'none'}")
    if held[wanted] > max(PLENTY, RATIO * path.stat().st_size):
        raise RequestError(f"{path}: array {wanted!r} would become {held[wanted]:,} bytes, more than {RATIO} times the "
                           "file; use .npy")
    with np.load(path, allow_pickle=False) as archive:
        return np.asarray(archive[wanted])


def _text(text: str, name: str) -> np.ndarray:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise ValueError("it is empty")
    try:
        values = np.loadtxt(lines, delimiter=",", dtype=np.float64, ndmin=2)
    except ValueError as error:
        words = [[word.strip() for word in line.split(",")] for line in lines]
        if name == "x" or (any(len(row) > 1 for row in words) and len(words) > 1):
            raise error from None
        return np.array([word for row in words for word in row])
    whole = not re.search(r"[.eEnN]", text) and np.array_equal(values, np.round(values))
    return values.astype(np.int64) if whole else values


def read_labels(path: Path, classes: tuple[str, ...], count: int | None, shape: tuple[int, ...]) -> np.ndarray:
    """Class indices from a file: int64 of ``shape``, the samples first.

    :param classes: the classes' names, by which a file of words may call them.
    :param count: how many classes there are, where it is known.
    """
    labels = read_array(path, "y")
    if labels.dtype.kind in "US":
        known = {name: number for number, name in enumerate(classes)}
        unknown = sorted({str(word) for word in labels.ravel()} - set(known))
        if unknown:
            named = f"they are called {', '.join(classes)}" if classes else "the network's classes have no names"
            raise RequestError(f"{path}: {unknown[0]!r} is no class of the network: {named}; give numbers from 0 on")
        labels = np.array([known[str(word)] for word in labels.ravel()]).reshape(labels.shape)
    if labels.dtype.kind not in "iubf" or not np.array_equal(labels, np.round(labels)):
        raise RequestError(f"{path}: labels must be the classes' numbers, from 0 on, or their names")
    if [size for size in labels.shape if size != 1] != [size for size in shape if size != 1]:
        onehot = "; of one-hot labels give y.argmax(axis=1)" if labels.ndim == 2 and labels.shape[0] == shape[0] else ""
        raise RequestError(f"{path}: there must be a label for each of the {shape[0]} samples, shape "
                           f"({', '.join(map(str, shape))}), and the shape is {labels.shape}{onehot}")
    if labels.min() < 0 or (count is not None and labels.max() >= count):
        bad = labels.min() if labels.min() < 0 else labels.max()
        raise RequestError(f"{path}: labels must be 0 to {'…' if count is None else count - 1}, and {bad:g} occurs")
    return np.asarray(labels, dtype=np.int64).reshape(shape)
