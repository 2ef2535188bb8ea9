"""scikit-learn's digits, which come with that package."""

from __future__ import annotations

from functools import cache

import numpy as np

from .source import Dataset, Source


@cache
def _digits() -> Dataset:
    """1,797 scans of handwriting, 8×8 pixels 0–16; 450 held out, stratified by class.

    Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI repository (the test part).
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    x, y = digits.data.astype(np.int64), digits.target.astype(np.int64)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=450, stratify=y, random_state=0)
    return Dataset(x_train, y_train, x_test, y_test, DIGITS.classes, DIGITS.input_format)


DIGITS = Source((8, 8, 1), tuple("0123456789"), 16, _digits)
