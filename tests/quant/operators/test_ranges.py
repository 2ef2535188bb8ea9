"""The ranges of each operator are exact: the extremes over every combination of operand values, element by element."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from bitloom.quant import (
    BIPOLAR,
    OPERATORS,
    Add,
    ArgMax,
    Concat,
    Conv,
    DepthToSpace,
    Format,
    Lookup,
    MatMul,
    Multiply,
    Node,
    Pad,
    Pool,
    Requantize,
    Reshape,
    Table,
    Tensor,
    Threshold,
    Upsample,
    Window,
)

FAT = Format(20, True)
FALLING = np.array([[5, 1, 3, 0, 2, 7, 4, 6]])


def t(*shape: int) -> Tensor:
    return Tensor(shape, FAT)


CASES: dict[str, tuple[Node, list[tuple[int, ...]]]] = {
    "add": (Add("y", ("a", "b"), t(2, 2), (3, -2)), [(2, 2), (2, 2)]),
    "concat": (Concat("y", ("a", "b"), t(2, 3)), [(2, 1), (2, 2)]),
    "conv": (Conv("y", ("a",), t(2, 1, 2), np.array([[[[2], [-1]], [[0], [3]]], [[[-2], [-1]], [[1], [1]]]]),
                  Format(3, True), np.array([4, -7])), [(3, 2, 1)]),
    "conv in groups": (Conv("y", ("a",), t(2, 2), np.array([[[2], [-3]], [[-1], [4]]]), Format(4, True), None, (1,),
                            (1,), 2), [(3, 2)]),
    "depth to space": (DepthToSpace("y", ("a",), t(2, 2, 1), 2, "CRD"), [(1, 1, 4)]),
    "lookup": (Lookup("y", ("a",), t(2, 4), np.array([[5, -1], [1, 3], [0, -7]])), [(2, 2)]),
    "matmul": (MatMul("y", ("a",), t(2, 2), np.array([[1, -2, 3], [0, 0, -1]]), Format(3, True), np.array([5, -5])),
               [(2, 3)]),
    "matmul in groups": (MatMul("y", ("a",), t(2), np.array([[1, -2], [3, -1]]), Format(3, True), None, 2), [(4,)]),
    "multiply": (Multiply("y", ("a", "b"), t(2, 2), (1, -2)), [(2, 2), (2, 2)]),
    "multiply by a gate of channels": (Multiply("y", ("a", "b"), t(2, 2)), [(2, 2), (1, 2)]),
    "multiply by a gate of positions": (Multiply("y", ("a", "b"), t(2, 2)), [(2, 2), (2, 1)]),
    "pad": (Pad("y", ("a",), t(3, 2), ((1, 0),), -9), [(2, 2)]),
    "maximum": (Pool("y", ("a",), t(2, 2), "max", (2,), (1,)), [(3, 2)]),
    "sum": (Pool("y", ("a",), t(1, 1, 1), "sum", (2, 3), (1, 1)), [(2, 3, 1)]),
    "requantize": (Requantize("y", ("a",), t(2, 2), np.array([3, 5]), np.array([2]), 1, -4, 9), [(2, 2)]),
    "reshape": (Reshape("y", ("a",), t(6)), [(3, 2)]),
    "table": (Table("y", ("a",), t(2, 2), FALLING, -4), [(2, 2)]),
    "table of each channel": (Table("y", ("a",), t(2, 2), np.concatenate([FALLING, FALLING[:, ::-1]]), -4), [(2, 2)]),
    "threshold": (Threshold("y", ("a",), t(2, 2), np.array([[-2, 0, 1], [-3, 2, 3]]), -1, 2), [(2, 2)]),
    "upsample": (Upsample("y", ("a",), t(4, 2), (2,)), [(2, 2)]),
    "window": (Window("y", ("a",), t(2, 4), (2,), (1,), (1,), 2), [(3, 2)]),
}


def random_bounds(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Bounds within −4 … 3 of up to three values, some of one."""
    lo = rng.integers(-4, 2, shape)
    return lo, lo + rng.integers(0, 3, shape)


def extremes(node: Node, bounds: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest of each element over every combination of the operands' elements."""
    spans = [range(int(a), int(b) + 1) for lo, hi in bounds for a, b in zip(lo.flat, hi.flat)]
    values = np.array(list(product(*spans)))
    sizes = np.cumsum([lo.size for lo, _ in bounds])[:-1]
    operands = [part.reshape(-1, *lo.shape) for part, (lo, _) in zip(np.split(values, sizes, axis=1), bounds)]
    y = node.evaluate(*operands)
    return y.min(axis=0), y.max(axis=0)


@pytest.mark.parametrize("name", CASES)
def test_exact(name: str) -> None:
    node, shapes = CASES[name]
    given = Format(3, True) if isinstance(node, Table) else Format(2) if isinstance(node, Lookup) else FAT
    node.check(*(Tensor(shape, given) for shape in shapes))
    for seed in range(6):
        rng = np.random.default_rng(seed)
        bounds = [random_bounds(rng, shape) for shape in shapes]
        lo, hi = node.ranges(*bounds)
        least, greatest = extremes(node, bounds)
        assert np.array_equal(lo, least) and np.array_equal(hi, greatest), bounds


def test_every_operator_is_here() -> None:
    assert {type(node) for node, _ in CASES.values()} | {ArgMax} == set(OPERATORS)


def test_an_index_is_any() -> None:
    lo, hi = ArgMax("y", ("a",), Tensor((3, 1), Format(2))).ranges((np.zeros((3, 4)), np.ones((3, 4))))
    assert (lo.tolist(), hi.tolist()) == ([[0]] * 3, [[3]] * 3)


@pytest.mark.parametrize(("lo", "hi", "expected"), [(-1, 1, (2, 7)), (-1, -1, (7, 7)), (1, 1, (2, 2))])
def test_a_bipolar_operand_never_reads_the_entry_of_0(lo: int, hi: int, expected: tuple[int, int]) -> None:
    table = Table("y", ("a",), Tensor((1,), Format(6)), np.array([[7, 50, 2]]), -1)
    table.check(Tensor((1,), BIPOLAR))
    bounds = table.ranges((np.array([lo]), np.array([hi])))
    assert tuple(int(bound[0]) for bound in bounds) == expected
