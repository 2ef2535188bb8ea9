"""Augmentation: moved and noisy copies of images of raw integers."""

from __future__ import annotations

import torch


def augment(
    x: torch.Tensor, image: tuple[int, int], top: int, moved: float, noise: int, generator: torch.Generator
) -> torch.Tensor:
    """About the fraction ``moved`` of the images shifted by one pixel (zeros come in), each pixel ± up to ``noise``.

    A moved image goes by −1, 0 or 1 pixel down and across, each with equal chance.

    :param x: float32 integers 0 … ``top`` of shape (samples, rows × columns); the same is returned.
    """
    rows, columns = image
    y = x.reshape(-1, rows, columns)
    if moved:
        padded = torch.nn.functional.pad(y, (1, 1, 1, 1))
        chosen = torch.rand(len(y), generator=generator) < moved
        down, across = torch.where(chosen, torch.randint(0, 3, (2, len(y)), generator=generator), 1)
        row = down[:, None, None] + torch.arange(rows)[:, None]
        column = across[:, None, None] + torch.arange(columns)
        y = padded[torch.arange(len(y))[:, None, None], row, column]
    if noise:
        y = y + torch.randint(-noise, noise + 1, y.shape, generator=generator)
    return y.clamp(0, top).reshape(len(y), -1)
