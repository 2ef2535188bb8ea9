"""Random graphs are what they promise: verified, varied, small."""

from __future__ import annotations

from collections import Counter
from math import prod

import numpy as np

from bitloom.quant import OPERATORS, ArgMax, Conv, Lookup, MatMul, Multiply, Window, run
from bitloom.quant.graph import Graph
from support.graphs import random_dag, random_samples

GRAPHS = [random_dag(seed) for seed in range(300)]


def products(graph: Graph) -> int:
    """Multiplications of one sample."""
    return sum(prod(n.output.shape) * prod(n.weights.shape[1:]) for n in graph if isinstance(n, MatMul | Conv))


def test_every_operator_occurs_often() -> None:
    counts = Counter(op for graph in GRAPHS for op in {node.op for node in graph})
    absent = {Window, Lookup, Multiply}  # what lowering alone makes, what it takes away, what no unit computes so far
    assert {op.__name__: counts[op.__name__] for op in OPERATORS if op not in absent and counts[op.__name__] < 50} == {}


def test_the_features_of_operators_occur() -> None:
    nodes = [node for graph in GRAPHS for node in graph]
    kinds = Counter(f"{node.op} {value}" for node in nodes for field in ("kind", "mode")
                    if (value := getattr(node, field, None)))
    kinds["depthwise"] = sum(isinstance(n, Conv) and n.depthwise and n.groups > 1 for n in nodes)
    kinds["groups"] = sum(getattr(n, "groups", 1) > 1 for n in nodes)
    kinds["dilated"] = sum(isinstance(n, Conv) and max(n.dilation) > 1 for n in nodes)
    kinds["strided"] = sum(isinstance(n, Conv) and max(n.stride) > 1 for n in nodes)
    kinds["1-D"] = sum(isinstance(n, Conv) and len(n.kernel) == 1 for n in nodes)
    kinds["positions"] = sum(isinstance(n, MatMul) and len(n.output.shape) > 1 for n in nodes)
    kinds["unequal"] = sum(max(map(abs, getattr(n, "multipliers", (0,)))) > 8 for n in nodes)
    formats = Counter(str(node.output.format) for node in nodes)
    formats = Counter({f: formats[f] for f in ("bipolar", *(f"u{b}" for b in range(1, 9)), "i2", "i3", "i8")})
    assert {name: count for name, count in (kinds + formats).items() if count < 15} == {}
    assert len(kinds) == 11 and len(formats) == 12


def test_they_are_small_and_run() -> None:
    for graph in GRAPHS[:100]:
        assert products(graph) <= 4000
        assert max(prod(node.output.shape) for node in graph) <= 180
        result = run(graph, random_samples(graph, 3))
        assert result.dtype == np.int64 and len(result) == 3


def test_sizes() -> None:
    sizes = ("tiny", "large")
    tiny, large = (np.mean([len(random_dag(seed, size=size).nodes) for seed in range(30)]) for size in sizes)
    assert tiny < 0.6 * large
    assert str(random_dag(3)) == str(random_dag(3)) != str(random_dag(4))
    assert any(isinstance(graph[graph.output], ArgMax) for graph in GRAPHS)
