"""Random valid graphs: chains as a trained perceptron would give them, and with :func:`random_dag` every operator."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np

from bitloom.quant import BIPOLAR, ArgMax, Format, Graph, Input, Lookup, MatMul, Node, Tensor, Threshold, verify

from .dags import random_dag

__all__ = ["declaring", "every_sample", "graph_of", "random_dag", "random_embedding", "random_graph", "random_samples",
           "random_weights"]

WEIGHTS = {"binary": BIPOLAR, "ternary": Format(2, True), "3": Format(3, True), "5": Format(5, True)}
ACTIVATIONS = {"bipolar": BIPOLAR, "ternary": Format(2, True), "u1": Format(1), "u2": Format(2), "u3": Format(3)}


def random_weights(rng: np.random.Generator, kind: str, shape: tuple[int, int]) -> np.ndarray:
    """Weights of ``kind``, narrow range as the trained ones are."""
    if kind == "binary":
        return rng.choice([-1, 1], shape)
    limit = 1 if kind == "ternary" else WEIGHTS[kind].hi
    return rng.integers(-limit, limit + 1, shape)


def random_embedding(seed: int) -> Graph:
    """Tokens, the rows of a table that they choose, a product of these."""
    rng = np.random.default_rng(seed)
    tokens, columns, rows = (int(n) for n in rng.integers(1, [4, 5, 12]))
    table = rng.integers(-5, 6, (rows, columns))
    weights = rng.integers(-3, 4, (3, tokens * columns))
    return verify(Graph("tokens", (
        Input("x", (), Tensor((tokens,), Format(int(rng.integers(1, 5))))),
        Lookup("rows", ("x",), Tensor((tokens * columns,), Format(4, True)), table),
        MatMul("fc", ("rows",), Tensor((3,), Format(12, True)), weights, Format(3, True)),
    ), "fc"))


def random_graph(seed: int, widths: tuple[int, ...] = (), *, argmax: bool = True, bias: bool = False) -> Graph:
    """A chain of matrix products and thresholds over ``widths`` (random ones if empty), all kinds of numbers."""
    rng = np.random.default_rng(seed)
    widths = widths or tuple(int(rng.choice([4, 6, 8, 9, 12])) for _ in range(int(rng.integers(2, 5))))
    x = Tensor((widths[0],), Format(int(rng.integers(2, 6)), bool(rng.integers(2))))
    nodes: list[Node] = [Input("x", (), x)]
    value, fmt = "x", x.format
    if rng.integers(2):
        fmt = Format(3)
        rows = np.sort(rng.integers(x.format.lo, x.format.hi + 1, (1, 7)), axis=1)
        nodes.append(Threshold("quantize", ("x",), Tensor(x.shape, fmt), rows))
        value = "quantize"
    for index, outputs in enumerate(widths[1:], start=1):
        kind = str(rng.choice(list(WEIGHTS)))
        weights = random_weights(rng, kind, (outputs, widths[index - 1]))
        offsets = rng.integers(-9, 10, outputs) if bias else None
        lo = int((np.minimum(weights * fmt.lo, weights * fmt.hi)).sum(1).min()) - 9
        hi = int((np.maximum(weights * fmt.lo, weights * fmt.hi)).sum(1).max()) + 9
        nodes.append(MatMul(f"fc{index}", (value,), Tensor((outputs,), Format.of_range(lo, hi)), weights,
                            WEIGHTS[kind], offsets))
        value = f"fc{index}"
        if index < len(widths) - 1:
            name = str(rng.choice(list(ACTIVATIONS)))
            fmt = ACTIVATIONS[name]
            y_min, step = (-1, 2) if fmt.bipolar else (-1 if fmt.signed else 0, 1)
            levels = 1 if fmt.bipolar else (fmt.hi - y_min)
            rows = np.sort(rng.integers(lo // 3 - 2, hi // 3 + 3, (outputs, levels)), axis=1)
            nodes.append(Threshold(f"act{index}", (value,), Tensor((outputs,), fmt), rows, y_min, step))
            value = f"act{index}"
    if argmax:
        nodes.append(ArgMax("class", (value,), Tensor((1,), Format.of_range(0, widths[-1] - 1))))
        value = "class"
    return verify(Graph(f"random{seed}", tuple(nodes), value))


def random_samples(graph: Graph, count: int, seed: int = 0) -> np.ndarray:
    """``count`` samples over the whole range of the input, the two extremes first."""
    f = graph.input.output.format
    rng = np.random.default_rng(seed)
    shape = (count, *graph.input.output.shape)
    samples = rng.choice([-1, 1], shape) if f.bipolar else rng.integers(f.lo, f.hi + 1, shape)
    samples[:1], samples[1:2] = f.lo, f.hi
    return samples


def graph_of(x: Tensor, *nodes: Node, output: str = "") -> Graph:
    """A verified graph by hand: ``nodes`` over an input named x, the last one its output unless another is named."""
    return verify(Graph("hand", (Input("x", (), x), *nodes), output or nodes[-1].name))


def declaring(graph: Graph, bits: int) -> Graph:
    """``graph``, its output declared as signed with so many ``bits``."""
    *others, last = graph.nodes
    assert last.name == graph.output
    return verify(graph.with_nodes([*others, replace(last, output=replace(last.output, format=Format(bits, True)))]))


def every_sample(graph: Graph) -> np.ndarray:
    """Every input that there is, for inputs of few values."""
    f, shape = graph.input.output.format, graph.input.output.shape
    values = [-1, 1] if f.bipolar else range(f.lo, f.hi + 1)
    assert len(values) ** int(np.prod(shape)) <= 1 << 16
    return np.array(list(product(values, repeat=int(np.prod(shape))))).reshape(-1, *shape)
