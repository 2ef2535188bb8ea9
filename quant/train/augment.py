"""Augmentation: moved and noisy copies of images of raw integers."""

from __future__ import annotations

import torch


def augment(
    x: torch.Tensor, image: tuple[int, int], top: int, shift: int, noise: int, generator: torch.Generator
) -> torch.Tensor:
    """Each image moved by −shift … shift pixels either way (zeros come in), each pixel changed by −noise … noise.

    :param x: float32 integers 0 … ``top`` of shape (samples, rows × columns); the same is returned.
    """
    rows, columns = image
    y = x.reshape(-1, rows, columns)
    if shift:
        padded = torch.nn.functional.pad(y, (shift,) * 4)
        moves = torch.randint(0, 2 * shift + 1, (2, len(y)), generator=generator)
        row = moves[0][:, None, None] + torch.arange(rows)[None, :, None]
        column = moves[1][:, None, None] + torch.arange(columns)[None, None, :]
        y = padded[torch.arange(len(y))[:, None, None], row, column]
    if noise:
        y = y + torch.randint(-noise, noise + 1, y.shape, generator=generator)
    return y.clamp(0, top).reshape(len(y), -1)
