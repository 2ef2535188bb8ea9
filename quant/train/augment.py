"""Augmentation: moved and noisy copies of images of raw integers."""

from __future__ import annotations

import torch


def augment(
    x: torch.Tensor, image: tuple[int, int] | None, top: int, moved: float, noise: int, generator: torch.Generator
) -> torch.Tensor:
    """About the fraction ``moved`` of the images shifted by one pixel (zeros come in), each element ± up to ``noise``.

    A moved image goes by −1, 0 or 1 pixel down and across, each with equal chance.

    :param x: float32 integers 0 … ``top`` of shape (samples, rows × columns); the same is returned.
    :param image: rows × columns; None where the samples are no images, which are not moved.
    """
    if image is not None and moved:
        x = _moved(x.reshape(-1, *image), moved, generator).reshape(len(x), -1)
    if noise:
        x = (x + torch.randint(-noise, noise + 1, x.shape, generator=generator)).clamp(0, top)
    return x


def _moved(y: torch.Tensor, fraction: float, generator: torch.Generator) -> torch.Tensor:
    padded = torch.nn.functional.pad(y, (1, 1, 1, 1))
    chosen = torch.rand(len(y), generator=generator) < fraction
    down, across = torch.where(chosen, torch.randint(0, 3, (2, len(y)), generator=generator), 1)
    row = down[:, None, None] + torch.arange(y.shape[1])[:, None]
    column = across[:, None, None] + torch.arange(y.shape[2])
    return padded[torch.arange(len(y))[:, None, None], row, column]
