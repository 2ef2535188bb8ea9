"""MNIST: 70,000 handwritten digits of 28×28 pixels."""

from __future__ import annotations

import hashlib
import zipfile
from functools import cache

import numpy as np

from .files import DataUnavailable, RemoteFile, obtain
from .source import Dataset, Source

FILE = RemoteFile(
    "mnist.npz",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
)
CONTENTS = "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16"
"""SHA-256 of the bytes of the arrays, in the order of :data:`KEYS`."""
KEYS = ("x_train", "y_train", "x_test", "y_test")


@cache
def _mnist() -> Dataset:
    """60,000 images to train on and the 10,000 test images, pixels 0–255.

    Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits". However a file was packed, its
    arrays must be those of the original.
    """
    path = obtain(FILE)
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in KEYS}
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise DataUnavailable(f"{path}: must be MNIST as a NumPy archive of {', '.join(KEYS)} ({reason})") from None
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(arrays[key]).tobytes() for key in KEYS)).hexdigest()
    if digest != CONTENTS:
        raise DataUnavailable(f"{path}: its images and labels must be those of MNIST, and are not; fetch {FILE.url}")
    x_train, y_train, x_test, y_test = (arrays[key] for key in KEYS)
    return Dataset(x_train.reshape(60000, 784), y_train.astype(np.int64), x_test.reshape(10000, 784).astype(np.int64),
                   y_test.astype(np.int64), MNIST.classes, MNIST.input_format)


MNIST = Source((28, 28, 1), tuple("0123456789"), 255, _mnist, (FILE,))
