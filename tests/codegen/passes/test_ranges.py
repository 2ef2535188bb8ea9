"""Formats follow: sums their ranges, functions their constants, moves their operands."""

from __future__ import annotations

import numpy as np
import pytest
from support.graphs import graph_of

from bitloom.codegen.passes import narrow_formats, value_ranges
from bitloom.codegen.passes.rewrite import unchanged
from bitloom.quant import (
    BIPOLAR,
    Add,
    Concat,
    Conv,
    DepthToSpace,
    Format,
    MatMul,
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

SHAPE = (2, 2, 4)
FAT = Format(30, True)


def step(name: str, bits: int, levels: int, y_min: int = 0, x: str = "x") -> Threshold:
    return Threshold(name, (x,), Tensor(SHAPE, Format(bits, y_min < 0)), np.arange(levels)[None], y_min)


def sign(name: str, fmt: Format = BIPOLAR) -> Threshold:
    return Threshold(name, ("x",), Tensor(SHAPE, fmt), np.array([[3]]), -1, 2)


def tensor(shape: tuple[int, ...] = SHAPE, fmt: Format = FAT) -> Tensor:
    return Tensor(shape, fmt)


WEIGHTS = np.array([[1, -2, 0, 3]])
CASES: dict[str, tuple[tuple[Node, ...], str]] = {
    "threshold": ((step("y", 8, 3),), "u2"),
    "threshold below 0": ((step("y", 8, 5, -3),), "i3"),
    "threshold from above": ((step("y", 8, 2, 4),), "u3"),
    "sign": ((sign("y", Format(5, True)),), "bipolar"),
    "requantization": ((Requantize("y", ("x",), tensor(), np.array([1]), np.array([0]), 1, -1, 6),), "i4"),
    "table": ((Table("y", ("x",), tensor(), np.arange(16)[None] % 6, 0),), "u3"),
    "product": ((step("a", 6, 3), MatMul("y", ("a",), tensor((2, 2, 1)), WEIGHTS, Format(7, True))), "i5"),
    "product of signs": ((sign("a"), MatMul("y", ("a",), tensor((2, 2, 1)), WEIGHTS, Format(7, True))), "i4"),
    "convolution": ((step("a", 6, 3), Conv("y", ("a",), tensor((1, 2, 1)), np.ones((1, 2, 1, 4)), Format(7, True))),
                    "u5"),
    "sum of branches": ((step("a", 6, 3), sign("b"), Add("y", ("a", "b"), tensor(), (2, -3))), "i5"),
    "sum of windows": ((step("a", 6, 3), Pool("y", ("a",), tensor((1, 1, 4)), "sum", (2, 2), (1, 1))), "u4"),
    "maximum": ((step("a", 6, 3), Pool("y", ("a",), tensor((1, 1, 4), Format(6)), "max", (2, 2), (1, 1))), "u2"),
    "windows": ((step("a", 6, 3), Window("y", ("a",), tensor((1, 1, 16), Format(6)), (2, 2), (1, 1), (1, 1))), "u2"),
    "reshape": ((step("a", 6, 3), Reshape("y", ("a",), tensor((16,), Format(6)))), "u2"),
    "upsample": ((step("a", 6, 3), Upsample("y", ("a",), tensor((4, 2, 4), Format(6)), (2, 1))), "u2"),
    "depth to space": ((step("a", 6, 3), DepthToSpace("y", ("a",), tensor((4, 4, 1), Format(6)), 2)), "u2"),
    "concat": ((step("a", 6, 3), step("b", 6, 2, -1), Concat("y", ("a", "b"), tensor((2, 2, 8)))), "i3"),
    "concat of signs": ((sign("a"), sign("b"), Concat("y", ("a", "b"), tensor((2, 2, 8)))), "bipolar"),
    "concat of a sign": ((sign("a"), step("b", 6, 3), Concat("y", ("a", "b"), tensor((2, 2, 8)))), "i3"),
    "border within": ((step("a", 6, 3), Pad("y", ("a",), tensor((3, 2, 4)), ((0, 1), (0, 0)), 2)), "u2"),
    "border of 1": ((step("a", 6, 3), Pad("y", ("a",), tensor((3, 2, 4)), ((0, 1), (0, 0)), 1)), "u2"),
    "border below": ((step("a", 6, 3), Pad("y", ("a",), tensor((3, 2, 4)), ((0, 1), (0, 0)), -1)), "i3"),
    "border of signs": ((sign("a"), Pad("y", ("a",), tensor((3, 2, 4)), ((0, 1), (0, 0)), -1)), "bipolar"),
    "border of 0 around signs": ((sign("a"), Pad("y", ("a",), tensor((3, 2, 4)), ((0, 1), (0, 0)), 0)), "i2"),
    "through several": ((step("a", 6, 3), Reshape("b", ("a",), tensor((4, 4), Format(6))),
                         Pool("c", ("b",), tensor((2, 4), Format(6)), "max", (2,), (2,)),
                         Concat("y", ("c", "c"), tensor((2, 8)))), "u2"),
}


@pytest.mark.parametrize("name", CASES)
def test_formats(name: str) -> None:
    nodes, expected = CASES[name]
    narrow = narrow_formats(graph_of(Tensor(SHAPE, Format(4)), *nodes))
    assert str(narrow["y"].output.format) == expected
    assert unchanged(narrow, narrow_formats(narrow))
    assert str(narrow.input.output.format) == "u4"


def test_tables_follow_their_operand() -> None:
    entries = np.arange(64)[None] + 100
    nodes = step("a", 6, 3, -2 + 2), Table("y", ("a",), tensor(), entries, 0)
    table = narrow_formats(graph_of(Tensor(SHAPE, Format(4)), *nodes))["y"]
    assert table.table.tolist() == [[100, 101, 102, 103]]  # type: ignore[attr-defined]
    signs = sign("a", Format(3, True)), Table("y", ("a",), tensor(), np.array([[9, 9, 9, 5, 9, 7, 9, 9]]), -4)
    table = narrow_formats(graph_of(Tensor(SHAPE, Format(4)), *signs))["y"]
    assert (table.table.tolist(), table.x_min) == ([[5, 5, 7]], -1)  # type: ignore[attr-defined]
    assert str(table.output.format) == "u3"


@pytest.mark.parametrize(("weights", "declared", "expected"), [
    ([[1, -1, 1, 1]], Format(4, True), "bipolar"), ([[1, -1, 1, 1]], BIPOLAR, "bipolar"),
    ([[1] * 4], BIPOLAR, "bipolar"), ([[1] * 4], Format(4, True), "u1"), ([[0, 1, 1, 0]], Format(4, True), "u1"),
    ([[-1, 0, 1, 1]], Format(4, True), "i2"), ([[-8, 0, 1, 1]], Format(6, True), "i4"),
])
def test_weights(weights: list[list[int]], declared: Format, expected: str) -> None:
    node = MatMul("y", ("x",), tensor((2, 2, 1)), np.array(weights), declared)
    narrow = narrow_formats(graph_of(Tensor(SHAPE, Format(4)), node))["y"]
    assert str(narrow.weight_format) == expected  # type: ignore[attr-defined]


def test_ranges_are_derived_once_for_each_node() -> None:
    graph = graph_of(Tensor(SHAPE, Format(4)), step("a", 6, 3), step("b", 6, 2, x="a"), step("c", 6, 2, x="a"))
    ranges = value_ranges(graph)
    other = graph.with_nodes([*graph.nodes[:3], step("c", 6, 1, x="b")])
    again = value_ranges(other)
    assert all(again[name] is ranges[name] for name in "xab")
    assert again["c"][1].max() == 1 and ranges["c"][1].max() == 2
