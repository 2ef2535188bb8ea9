"""A network of one's own, as users make them: Brevitas, scikit-learn's digits, channels-first floats around 0."""

from __future__ import annotations

from collections.abc import Callable

import brevitas.nn as qnn
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

Q = {"return_quant_tensor": True}


def samples(planes: int) -> tuple[np.ndarray, ...]:
    """(x, y, x_test, y_test): float32 (n, planes, 8, 8), −1 to 1; 450 held out. Further planes are the first, moved."""
    images, classes = load_digits(return_X_y=True)
    x = (images / 8 - 1).astype(np.float32).reshape(-1, 1, 8, 8)
    x = np.concatenate([x, 0.5 * np.roll(x, 1, 2), -np.roll(x, 1, 3)][:planes], axis=1).astype(np.float32)
    x, x_test, y, y_test = train_test_split(x, classes, test_size=450, stratify=classes, random_state=0)
    return x, y, x_test, y_test


def trained(planes: int, x: np.ndarray, y: np.ndarray, epochs: int = 3) -> Callable[[torch.Tensor], torch.Tensor]:
    """A small convolutional network of 4 bits, trained for a moment, in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(
            qnn.QuantIdentity(bit_width=4, **Q), qnn.QuantConv2d(planes, 4, 3, bias=False, weight_bit_width=4),
            nn.BatchNorm2d(4), qnn.QuantReLU(bit_width=4, **Q), nn.MaxPool2d(2), nn.Flatten(),
            qnn.QuantLinear(36, 10, bias=True, weight_bit_width=4))
        steps = torch.optim.Adam(net.parameters(), 2e-2)
        inputs, classes = torch.tensor(x), torch.tensor(y)
        for _ in range(epochs):
            for part in torch.randperm(len(x)).split(64):
                steps.zero_grad()
                scores = net(inputs[part])
                nn.functional.cross_entropy(getattr(scores, "value", scores), classes[part]).backward()
                steps.step()
    return net.eval()
