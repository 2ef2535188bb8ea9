"""Graphs of every operator come back from an archive as they went in."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
from support.graphs import random_dag

from bitloom.codegen.passes import lower
from bitloom.quant import OPERATORS, Format, Graph, Input, Lookup, Multiply, Tensor, load, save


def gated() -> Graph:
    """What random graphs do not contain."""
    rows = np.arange(6).reshape(3, 2)
    return Graph("gated", (Input("x", (), Tensor((2,), Format(2))), Lookup("y", ("x",), Tensor((4,), Format(3)), rows),
                           Multiply("z", ("y", "y"), Tensor((4,), Format(7, True)), (-3, 1))), "z")


def test_round_trips(tmp_path: Path) -> None:
    seen = set()
    for graph in (*(random_dag(seed) if seed % 2 else lower(random_dag(seed)) for seed in range(25)), gated()):
        save(graph, tmp_path / "graph.npz")
        again = load(tmp_path / "graph.npz")
        assert str(again) == str(graph)
        for before, after in zip(graph, again):
            seen.add(type(after))
            for field in fields(before):
                a, b = getattr(before, field.name), getattr(after, field.name)
                assert type(a) is type(b)
                assert np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b, (before.name, field.name)
    assert seen >= set(OPERATORS)
