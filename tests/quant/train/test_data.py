"""The data sets: real samples, and a held-out part that never changes."""

import hashlib

import numpy as np
import pytest
import torch

from bitloom import RequestError
from bitloom.quant.train import load
from bitloom.quant.train.augment import augment


def test_digits() -> None:
    data = load("digits")
    assert data.x_train.shape == (1347, 64) and data.x_test.shape == (450, 64)
    assert data.x_train.dtype == data.y_test.dtype == np.int64
    assert str(data.input_format) == "u5" and data.classes == tuple("0123456789")
    for x in (data.x_train, data.x_test):
        assert x.min() == 0 and x.max() == 16
    counts = np.bincount(data.y_test, minlength=10)
    everything = np.bincount(np.concatenate([data.y_train, data.y_test]))
    assert np.all(np.abs(counts - everything * 450 / 1797) < 1)


def test_held_out_samples_are_fixed_and_not_trained_on() -> None:
    data = load("digits")
    digest = hashlib.sha256(data.x_test.astype("<i8").tobytes() + data.y_test.astype("<i8").tobytes()).hexdigest()
    assert digest == "dcfb24da5ac96007baedbbe32d771d71b06382a7fc62f6e6e2a4864708d825a3"
    train = {row.tobytes() for row in data.x_train}
    assert not any(row.tobytes() in train for row in data.x_test)


def test_an_unknown_data_set() -> None:
    with pytest.raises(RequestError, match=r"dataset: must be one of digits, .*, not 'letters'"):
        load("letters")


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(5)


def test_augmentation_moves_whole_images_by_a_pixel() -> None:
    image = torch.zeros(8, 8)
    image[2:5, 3:6] = torch.arange(1, 10).reshape(3, 3)
    moved = augment(image.reshape(1, 64).repeat(400, 1), (8, 8), 16, 1.0, 0, generator()).reshape(-1, 8, 8)
    wanted = {tuple(torch.roll(image, (r, c), (0, 1)).flatten().tolist()) for r in (-1, 0, 1) for c in (-1, 0, 1)}
    assert {tuple(m.flatten().tolist()) for m in moved} == wanted


def test_what_leaves_the_image_is_gone() -> None:
    moved = augment(torch.full((400, 64), 7.0), (8, 8), 16, 1.0, 0, generator())
    assert set(moved.sum(dim=1).tolist()) == {7.0 * 64, 7.0 * 56, 7.0 * 49}


def test_the_fraction_moved_and_the_noise() -> None:
    x = torch.tensor(load("digits").x_train, dtype=torch.float32)
    still = augment(x, (8, 8), 16, 0.0, 0, generator())
    assert torch.equal(still, x)
    changed = (augment(x, (8, 8), 16, 0.3, 0, generator()) != x).any(dim=1).float().mean()
    assert 0.2 < changed < 0.33
    noisy = augment(x, (8, 8), 16, 0.0, 2, generator())
    assert noisy.min() == 0 and noisy.max() == 16 and torch.equal(noisy, noisy.round())
    assert (noisy - x).abs().max() == 2
