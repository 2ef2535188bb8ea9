"""Each rule of each operator, broken once: the message says which, and what the value was."""

from __future__ import annotations

import re

import numpy as np
import pytest

from bitloom.quant import (
    BIPOLAR,
    Add,
    ArgMax,
    Concat,
    Conv,
    DepthToSpace,
    Format,
    GraphError,
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

U4, I9 = Format(4), Format(9, True)
X = Tensor((4, 5, 6), U4)
X1 = Tensor((6,), U4)
BITS = Tensor((2,), BIPOLAR)


def t(*shape: int, fmt: Format = I9) -> Tensor:
    return Tensor(shape, fmt)


def conv(shape: tuple[int, ...], weights: tuple[int, ...], groups: int = 1, stride: tuple[int, ...] = (1, 1),
         bias: np.ndarray | None = None, value: int = 1) -> Conv:
    return Conv("y", ("x",), t(*shape), np.full(weights, value), Format(2, True), bias, stride, (1, 1), groups)


def threshold(rows: object, y: Tensor, y_min: int = 0, y_step: int = 1) -> Threshold:
    return Threshold("y", ("x",), y, np.array(rows), y_min, y_step)


def requantize(
    y: Tensor, multiplier: object = (3,), offset: object = (1,), shift: int = 2, y_max: int = 5,
    late: np.ndarray | None = None,
) -> Requantize:
    return Requantize("y", ("x",), y, np.array(multiplier), np.array(offset), shift, 0, y_max, late)


AB = ("a", "b")
GOOD: list[tuple[Node, tuple[Tensor, ...]]] = [
    (Lookup("y", ("x",), t(4, 5, 12), np.ones((3, 2))), (X,)),
    (Multiply("y", ("a", "b"), t(4, 5, 6), (3, -1)), (X, t(4, 5, 1))),
    (Add("y", AB, t(4, 5, 6), (3, -2)), (X, X)),
    (ArgMax("y", ("x",), t(4, 5, 1, fmt=Format(3))), (X,)),
    (Concat("y", AB, t(4, 5, 7)), (X, t(4, 5, 1))),
    (conv((3, 4, 2), (2, 2, 2, 6)), (X,)),
    (conv((2, 2, 4), (4, 2, 2, 3), 2, (2, 3)), (X,)),
    (DepthToSpace("y", ("x",), t(4, 4, 3), 2), (t(2, 2, 12),)),
    (MatMul("y", ("x",), t(4, 5, 2), np.ones((2, 3)), Format(1), None, 2), (X,)),
    (Pad("y", ("x",), t(5, 8, 6, fmt=U4), ((1, 0), (2, 1)), 15), (X,)),
    (Pool("y", ("x",), t(1, 1, 6, fmt=U4), "max", (4, 5), (1, 1)), (X,)),
    (requantize(t(4, 5, 6, fmt=U4), [3] * 6, [1]), (X,)),
    (Reshape("y", ("x",), t(20, 6, fmt=U4)), (X,)),
    (Table("y", ("x",), t(6), np.zeros((6, 16)), 0), (X1,)),
    (threshold([[1, 1, 4]], t(6, fmt=Format(2))), (X1,)),
    (Upsample("y", ("x",), t(8, 5, 6, fmt=U4), (2, 1)), (X,)),
    (Window("y", ("x",), t(3, 4, 24, fmt=U4), (2, 2), (1, 1), (1, 1), 3), (X,)),
]

BAD: dict[str, tuple[Node, tuple[Tensor, ...], str]] = {
    "table of rows": (Lookup("y", ("x",), t(6), np.ones(6)), (X1,), "must have shape (rows, columns), not (6,)"),
    "signed tokens": (Lookup("y", ("x",), t(6), np.ones((6, 1))), (t(6),), "tokens must be unsigned, not i9"),
    "columns": (Lookup("y", ("x",), t(6), np.ones((6, 2))), (X1,), "the output's shape must be (12,), not (6,)"),
    "rows": (Lookup("y", ("x",), t(6), np.full((6, 1), 256)), (X1,), "entries 256 to 256 do not fit i9"),
    "gate": (Multiply("y", ("a", "b"), t(6)), (X1, t(2)), "must have the shape (6,), or 1 in place of some of it"),
    "gate's axes": (Multiply("y", ("a", "b"), t(4, 5, 6)), (X, X1), "must have the shape (4, 5, 6)"),
    "product": (Multiply("y", ("a", "b"), t(5)), (X1, X1), "the output's shape must be (6,), not (5,)"),
    "offsets of a product": (Multiply("y", ("a", "b"), t(6), (1,)), (X1, X1), "offsets must be two integers"),
    "wide product": (Multiply("y", ("a", "b"), t(6)), (t(6, fmt=Format(40)), t(6, fmt=Format(40))), "below 2^62"),
    "shapes added": (Add("y", AB, t(4, 5, 6)), (X, t(4, 5, 1)), "must have one shape, not (4, 5, 6), (4, 5, 1) and"),
    "multiplier 0": (Add("y", AB, t(4, 5, 6), (0, 1)), (X, X), "two integers other than 0, not (0, 1)"),
    "three multipliers": (Add("y", AB, t(4, 5, 6), (1, 1, 1)), (X, X), "two integers other than 0, not (1, 1, 1)"),
    "index": (ArgMax("y", ("x",), t(4, 5, 1)), (X,), "the index of 6 scores is u3[4×5×1], not i9[4×5×1]"),
    "positions joined": (Concat("y", AB, t(4, 5, 7)), (X, t(4, 4, 1)), "in channels alone, not (4, 5, 6), (4, 4, 1)"),
    "channels joined": (Concat("y", AB, t(4, 5, 8)), (X, t(4, 5, 1)), "must be (4, 5, 7), not (4, 5, 8)"),
    "format joined": (Concat("y", AB, t(4, 5, 7, fmt=U4)), (X, t(4, 5, 1)), "format u4 must hold the values of i9"),
    "signs joined": (Concat("y", AB, t(4, fmt=BIPOLAR)), (BITS, t(2, fmt=Format(1))),
                     "bipolar must hold the values of u1"),
    "weights": (conv((3, 4, 2), (2, 6)), (X,), "must have shape (outputs, *kernel, inputs per group), not (2, 6)"),
    "axes": (conv((3, 4, 2), (2, 2, 6)), (X,), "kernel must be 2 numbers of at least 1, not (2,)"),
    "stride": (conv((3, 4, 2), (2, 2, 2, 6), stride=(0, 1)), (X,),
               "stride must be 2 numbers of at least 1, not (0, 1)"),
    "window": (conv((1, 1, 2), (2, 5, 2, 6)), (X,), "a window spans 5 positions, and the input has 4; pad it"),
    "groups": (conv((3, 4, 2), (2, 2, 2, 3)), (X,), "1 groups of 3 input channels and 2 outputs do not fit the 6"),
    "no positions": (conv((2,), (2, 1, 1, 6)), (X1,),
                     "works on (width, channels) or (height, width, channels), not (6,)"),
    "positions": (conv((3, 5, 2), (2, 2, 2, 6)), (X,), "the output's shape must be (3, 4, 2), not (3, 5, 2)"),
    "weight format": (conv((3, 4, 2), (2, 2, 2, 6), value=5), (X,), "weights must lie in i2, and 5 to 5 occur"),
    "bias": (conv((3, 4, 2), (2, 2, 2, 6), bias=np.zeros(3)), (X,), "bias must have shape (2,), not (3,)"),
    "mode": (DepthToSpace("y", ("x",), t(4, 4, 3), 2, "RCD"), (t(2, 2, 12),), "mode must be DCR or CRD, not 'RCD'"),
    "block": (DepthToSpace("y", ("x",), t(4, 4, 3), 2), (t(2, 2, 6),), "a multiple of 2² channels, not (2, 2, 6)"),
    "larger": (DepthToSpace("y", ("x",), t(4, 4, 2), 2), (t(2, 2, 12),), "must be i9[4×4×3], not i9[4×4×2]"),
    "groups of outputs": (MatMul("y", ("x",), t(3), np.ones((3, 3)), Format(1), None, 2), (X1,),
                          "divide the 3 outputs, not 2"),
    "inputs": (MatMul("y", ("x",), t(3), np.ones((3, 5)), Format(1)), (X1,), "(3, 5) do not map (6,) to (3,)"),
    "padding": (Pad("y", ("x",), t(5, 5, 6), ((1, 0),)), (X,),
                "one pair for each spatial axis of (4, 5, 6), not ((1, 0),)"),
    "less padding": (Pad("y", ("x",), t(3, 5, 6), ((-1, 0), (0, 0))), (X,),
                     "must be at least 0, not ((-1, 0), (0, 0))"),
    "padded": (Pad("y", ("x",), t(5, 5, 6), ((1, 1), (0, 0))), (X,), "must be (6, 5, 6), not (5, 5, 6)"),
    "border": (Pad("y", ("x",), t(5, 5, 6, fmt=U4), ((1, 0), (0, 0)), -1), (X,),
               "value -1 must lie in the output format u4"),
    "padded format": (Pad("y", ("x",), t(5, 5, 6, fmt=Format(3)), ((1, 0), (0, 0))), (X,),
                      "u3 must hold the values of u4"),
    "kind": (Pool("y", ("x",), t(1, 1, 6), "mean", (4, 5), (1, 1)), (X,), "kind must be max or sum, not 'mean'"),
    "pooled": (Pool("y", ("x",), t(2, 1, 6), "sum", (4, 5), (1, 1)), (X,), "must be (1, 1, 6), not (2, 1, 6)"),
    "maximum": (Pool("y", ("x",), t(1, 1, 6), "max", (4, 5), (1, 1)), (X,), "a maximum keeps the format u4, not i9"),
    "multipliers": (requantize(t(6), [1, 2]), (X1,), "multiplier must have shape (6,) or (1,), not (2,)"),
    "offsets": (requantize(t(6), [1], [1, 2]), (X1,), "offset must have shape (6,) or (1,), not (2,)"),
    "small multiplier": (requantize(t(6), [0]), (X1,), "multipliers must be at least 1, the shift 0 to 61, not 0, 2"),
    "large shift": (requantize(t(6), shift=62), (X1,), "the shift 0 to 61, not 3, 62"),
    "large product": (requantize(t(6), [1 << 60]), (X1,), "products must stay below 2^62"),
    "requantized": (requantize(t(6), y_max=300), (X1,), "outputs 0 to 300 do not fit i9"),
    "signs requantized": (requantize(t(6, fmt=BIPOLAR), y_max=1), (X1,), "outputs 0 to 1 do not fit bipolar"),
    "late rows": (requantize(t(6), late=np.zeros((2, 5))), (X1,), "late must have shape (6 or 1, 5)"),
    "late outputs": (requantize(t(6), late=np.zeros((1, 4))), (X1,), "late must have shape (6 or 1, 5)"),
    "late beyond the next": (requantize(t(6), late=np.full((1, 5), 2)), (X1,), "late must be 0 to 2^shift"),
    "requantized shape": (requantize(t(5)), (X1,), "a requantization keeps the shape, (6,) is not (5,)"),
    "reshaped": (Reshape("y", ("x",), t(20, 5, fmt=U4)), (X,), "u4[4×5×6] cannot be reshaped to u4[20×5]"),
    "reshaped format": (Reshape("y", ("x",), t(20, 6)), (X,), "u4[4×5×6] cannot be reshaped to i9[20×6]"),
    "entries": (Table("y", ("x",), t(6), np.zeros((1, 15)), 0), (X1,),
                "shape (6 or 1, 16) from 0 on, not (1, 15) from 0"),
    "first entry": (Table("y", ("x",), t(6), np.zeros((1, 16)), 1), (X1,), "from 0 on, not (1, 16) from 1 on"),
    "looked up": (Table("y", ("x",), t(6), np.full((1, 16), 300), 0), (X1,), "entries 300 to 300 do not fit i9"),
    "looked up shape": (Table("y", ("x",), t(5), np.zeros((1, 16)), 0), (X1,),
                        "a table keeps the shape, (6,) is not (5,)"),
    "half a sign": (threshold([[0, 0]], t(6, fmt=BIPOLAR), -1), (X1,), "-1 to 1 in steps of 1 do not fit bipolar"),
    "factors": (Upsample("y", ("x",), t(8, 5, 6), (2,)), (X,), "for each spatial axis of (4, 5, 6), not (2,)"),
    "upsampled": (Upsample("y", ("x",), t(8, 6, 6, fmt=U4), (2, 1)), (X,), "must be u4[8×5×6], not u4[8×6×6]"),
    "window groups": (Window("y", ("x",), t(3, 4, 24, fmt=U4), (2, 2), (1, 1), (1, 1), 4), (X,),
                      "divide the 6 channels, not 4"),
    "windows": (Window("y", ("x",), t(3, 4, 20, fmt=U4), (2, 2), (1, 1), (1, 1)), (X,),
                "must be u4[3×4×24], not u4[3×4×20]"),
}


@pytest.mark.parametrize("at", range(len(GOOD)), ids=[f"{node.op}" for node, _ in GOOD])
def test_good(at: int) -> None:
    node, operands = GOOD[at]
    node.check(*operands)
    assert node.evaluate(*(np.zeros((1, *x.shape), np.int64) for x in operands)).shape == (1, *node.output.shape)


@pytest.mark.parametrize("rule", BAD)
def test_a_broken_rule_is_named(rule: str) -> None:
    node, operands, message = BAD[rule]
    with pytest.raises(GraphError, match="node 'y': .*" + re.escape(message)):
        node.check(*operands)
