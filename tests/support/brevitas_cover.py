"""A pairwise cover: any two choices for a Brevitas network, its quantizers and its export occur together in a file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations, product
from pathlib import Path

import numpy as np
import onnx
import torch
from brevitas.export import export_onnx_qcdq, export_qonnx
from torch import nn

from .brevitas_styles import ACTIVATIONS, ARCHITECTURES, BIASES, WEIGHTS, Style

EXPORTS = ("QONNX", "QCDQ", "QCDQ by dynamo")
FACTORS: dict[str, tuple[str | int, ...]] = {
    "architecture": tuple(ARCHITECTURES), "export": EXPORTS, "weights": tuple(WEIGHTS),
    "weight bits": tuple(range(2, 9)), "activations": tuple(ACTIVATIONS), "activation bits": tuple(range(2, 9)),
    "bias": tuple(BIASES)}

Row = tuple[str | int, ...]

LEAST = 160
"""Rows of the cover; what pairs do not need is drawn at random."""

TRIED = 60
"""Rows that are drawn for each that is taken."""


@cache
def cover(seed: int = 0) -> tuple[Row, ...]:
    """Rows with one choice for each of :data:`FACTORS`, greedily: each takes up the most pairs that are missing still.

    Brevitas does not export quantized biases and nearest neighbours by torch's newer exporter.
    """
    rng, choices = np.random.default_rng(seed), list(FACTORS.values())
    pairs = combinations(range(len(choices)), 2)
    missing = {(i, a, j, b) for i, j in pairs for a, b in product(choices[i], choices[j]) if exportable((a, b))}
    rows: list[Row] = []
    while missing or len(rows) < LEAST:
        drawn = []
        for _ in range(TRIED):
            row = [c[int(rng.integers(len(c)))] for c in choices]
            if missing:
                i, a, j, b = sorted(missing, key=str)[int(rng.integers(len(missing)))]
                row[i], row[j] = a, b
            if exportable(row):
                drawn.append(tuple(row))
        best = max(drawn, key=lambda row: len(missing & _pairs(row)))
        missing -= _pairs(best)
        rows.append(best)
    return tuple(rows)


def exportable(choices: Sequence[str | int]) -> bool:
    """Whether Brevitas exports what is chosen."""
    return EXPORTS[2] not in choices or not {"8", "16", "32", "upscaling"}.intersection(choices)


def _pairs(row: Row) -> set[tuple[int, str | int, int, str | int]]:
    return {(i, row[i], j, row[j]) for i, j in combinations(range(len(row)), 2)}


def exported(row: Row, folder: Path) -> onnx.ModelProto:
    """The file that a row asks for: random weights, statistics of random data."""
    name, export, weights, weight_bits, activations, activation_bits, bias = row
    style = Style(str(weights), int(weight_bits), str(activations), int(activation_bits), str(bias))
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(sum(map(ord, str(row))))
        network, shape = ARCHITECTURES[str(name)](style)
        for part in network.modules():
            if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
                part.weight.data = torch.randn(part.num_features)
                part.bias.data = 0.3 * torch.randn(part.num_features)
        network.train()
        for _ in range(3):
            network(torch.randn(8, *shape[1:]))
        network.eval()
        path = folder / "network.onnx"
        make = export_qonnx if export == "QONNX" else export_onnx_qcdq
        make(network, args=torch.randn(shape), export_path=str(path), dynamo=export == "QCDQ by dynamo")
    return onnx.load(path)
