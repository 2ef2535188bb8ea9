"""Every operator against plain loops over its formula, on the nodes of random graphs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product

import numpy as np
import pytest
from support.graphs import random_dag

from bitloom.codegen.passes import lower
from bitloom.quant import OPERATORS, Conv, Format, Graph, Lookup, Multiply, Node, Tensor
from bitloom.quant.operators import conv as conv_module
from bitloom.quant.operators.matmul import product as matrix_product

MOST = 40
"""Nodes of each operator that are compared."""


def add(node, i, a, b):  # type: ignore[no-untyped-def]
    return node.multipliers[0] * a[i] + node.multipliers[1] * b[i]


def argmax(node, i, x):  # type: ignore[no-untyped-def]
    row = [int(v) for v in x[i[:-1]]]
    return row.index(max(row))


def concat(node, i, *operands):  # type: ignore[no-untyped-def]
    channel = i[-1]
    for x in operands:
        if channel < x.shape[-1]:
            return x[(*i[:-1], channel)]
        channel -= x.shape[-1]


def conv(node, i, x):  # type: ignore[no-untyped-def]
    *p, o = i
    inputs = node.weights.shape[-1]
    group = o // (len(node.weights) // node.groups)
    total = 0 if node.bias is None else int(node.bias[o])
    for k in product(*map(range, node.kernel)):
        at = [s * q + d * j for s, q, d, j in zip(node.stride, p, node.dilation, k)]
        for c in range(inputs):
            total += int(node.weights[(o, *k, c)]) * int(x[(*at, group * inputs + c)])
    return total


def depth_to_space(node, i, x):  # type: ignore[no-untyped-def]
    (y, z, c), b = i, node.block
    h, w, row, column = y // b, z // b, y % b, z % b
    channels = x.shape[-1] // b**2
    return x[h, w, (row * b + column) * channels + c if node.mode == "DCR" else (c * b + row) * b + column]


def lookup(node, i, x):  # type: ignore[no-untyped-def]
    token, column = divmod(i[-1], node.table.shape[1])
    return node.table[min(int(x[(*i[:-1], token)]), len(node.table) - 1), column]


def multiply(node, i, a, b):  # type: ignore[no-untyped-def]
    at = tuple(0 if n == 1 else k for n, k in zip(b.shape, i))
    return (int(a[i]) + node.offsets[0]) * (int(b[at]) + node.offsets[1])


def matmul(node, i, x):  # type: ignore[no-untyped-def]
    *p, o = i
    inputs = node.weights.shape[1]
    first = o // (len(node.weights) // node.groups) * inputs
    total = sum(int(node.weights[o, k]) * int(x[(*p, first + k)]) for k in range(inputs))
    return total + (0 if node.bias is None else int(node.bias[o]))


def pad(node, i, x):  # type: ignore[no-untyped-def]
    at = [q - before for q, (before, _) in zip(i, node.padding)]
    inside = all(0 <= q < n for q, n in zip(at, x.shape))
    return x[(*at, i[-1])] if inside else node.value


def pool(node, i, x):  # type: ignore[no-untyped-def]
    *p, c = i
    seen = [int(x[(*(s * q + j for s, q, j in zip(node.stride, p, k)), c)]) for k in product(*map(range, node.kernel))]
    return max(seen) if node.kind == "max" else sum(seen)


def requantize(node, i, x):  # type: ignore[no-untyped-def]
    m, b = (int(v[i[-1] % len(v)]) for v in (node.multiplier, node.offset))
    y = (int(x[i]) * m + b) // 2**node.shift
    if node.late is not None and node.y_min < y <= node.y_max:
        begin = -((b - y * 2**node.shift) // m)
        y -= int(x[i]) < begin + int(node.late[i[-1] % len(node.late), y - node.y_min - 1])
    return min(max(y, node.y_min), node.y_max)


def reshape(node, i, x):  # type: ignore[no-untyped-def]
    flat = 0
    for n, index in zip(node.output.shape, i):
        flat = flat * n + index
    return x.flat[flat]


def table(node, i, x):  # type: ignore[no-untyped-def]
    return node.table[i[-1] % len(node.table)][int(x[i]) - node.x_min]


def threshold(node, i, x):  # type: ignore[no-untyped-def]
    return node.y_min + node.y_step * sum(int(x[i]) >= int(t) for t in node.thresholds[i[-1] % len(node.thresholds)])


def upsample(node, i, x):  # type: ignore[no-untyped-def]
    return x[(*(q // f for q, f in zip(i, node.factors)), i[-1])]


def window(node, i, x):  # type: ignore[no-untyped-def]
    *p, e = i
    inputs = x.shape[-1] // node.groups
    c, rest = e % inputs, e // inputs
    k = []
    for n in reversed(node.kernel):
        k.insert(0, rest % n)
        rest //= n
    at = [s * q + d * j for s, q, d, j in zip(node.stride, p, node.dilation, k)]
    return x[(*at, rest * inputs + c)]


FORMULAS = {"Add": add, "ArgMax": argmax, "Concat": concat, "Conv": conv, "DepthToSpace": depth_to_space,
            "Lookup": lookup, "MatMul": matmul, "Multiply": multiply, "Pad": pad, "Pool": pool,
            "Requantize": requantize, "Reshape": reshape, "Table": table,
            "Threshold": threshold, "Upsample": upsample, "Window": window}


def random_lookup(rng: np.random.Generator) -> tuple[Node, list[np.ndarray]]:
    """A lookup of tokens, some of them beyond its table."""
    table = rng.integers(-9, 10, rng.integers(1, 6, 2))
    shape = tuple(int(n) for n in rng.integers(1, 4, rng.integers(1, 4)))
    output = Tensor((*shape[:-1], shape[-1] * table.shape[1]), Format(5, signed=True))
    node = Lookup("y", ("x",), output, table)
    node.check(Tensor(shape, Format(3)))
    return node, [rng.integers(0, 8, shape)]


def random_product(rng: np.random.Generator) -> tuple[Node, list[np.ndarray]]:
    """A product, a gate of channels or one of positions."""
    shape = tuple(int(n) for n in rng.integers(1, 4, rng.integers(1, 4)))
    gates = [shape, (*(1,) * (len(shape) - 1), shape[-1]), (*shape[:-1], 1)]
    gate = gates[int(rng.integers(3))]
    offsets = tuple(int(n) for n in rng.integers(-5, 6, 2))
    node = Multiply("y", ("a", "b"), Tensor(shape, Format(20, signed=True)), (offsets[0], offsets[1]))
    node.check(Tensor(shape, Format(4)), Tensor(gate, Format(5, signed=True)))
    return node, [rng.integers(0, 16, shape), rng.integers(-16, 16, gate)]


OWN = {"Lookup": random_lookup, "Multiply": random_product}
"""Operators that random graphs, which are built as circuits too, do not contain."""


@cache
def dag(seed: int) -> Graph:
    """A random graph."""
    return random_dag(seed)


def instances(op: str) -> Iterator[tuple[Node, list[np.ndarray]]]:
    """Nodes of an operator in random graphs, with a sample of each operand within its format."""
    found = 0
    for seed in range(MOST if op in OWN else 0):
        yield OWN[op](np.random.default_rng(seed))
    for seed in range(0 if op in OWN else 400):
        graph = dag(seed)
        graph = lower(graph) if op == "Window" else graph
        rng = np.random.default_rng(seed)
        for node in graph:
            if node.op == op and found < MOST:
                found += 1
                operands = [graph[name].output for name in node.inputs]
                yield node, [rng.choice([-1, 1], x.shape) if x.format.bipolar
                             else rng.integers(x.format.lo, x.format.hi + 1, x.shape) for x in operands]
        if found == MOST:
            return


@pytest.mark.parametrize("op", [cls.__name__ for cls in OPERATORS])
def test_against_loops(op: str) -> None:
    count = 0
    for node, operands in instances(op):
        y = node.evaluate(*(x[None].repeat(2, axis=0) for x in operands))
        assert y.shape == (2, *node.output.shape) and np.issubdtype(y.dtype, np.integer)
        assert np.array_equal(y[0], y[1])
        for i in np.ndindex(node.output.shape):
            assert int(y[(0, *i)]) == int(FORMULAS[op](node, i, *operands)), (node, i)
        count += 1
    assert count == MOST


def test_large_products_are_exact() -> None:
    """Sums beyond what float64 holds exactly are computed in integers."""
    rng = np.random.default_rng(2)
    for bits in (20, 26, 30):
        x, w = rng.integers(-(1 << bits), 1 << bits, (3, 5)), rng.integers(-(1 << 28), 1 << 28, (4, 5))
        expected = [[sum(int(a) * int(b) for a, b in zip(row, weights)) for weights in w] for row in x]
        assert matrix_product(x, w).tolist() == expected


def test_convolutions_in_blocks_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patches of a large map are laid out a few rows at a time, or a sample at a time."""
    rng = np.random.default_rng(0)
    node = Conv("conv", ("x",), Tensor((5, 7, 4), Format(16, True)), rng.integers(-4, 4, (4, 2, 3, 1)), Format(4, True),
                groups=2)
    x = rng.integers(-8, 8, (3, 6, 9, 2))
    whole = node.evaluate(x)
    for block in (1, 7 * 12, 20 * 12, 80 * 12):
        monkeypatch.setattr(conv_module, "BLOCK", block)
        assert np.array_equal(node.evaluate(x), whole)
    assert node.evaluate(x[:0]).shape == (0, 5, 7, 4)
