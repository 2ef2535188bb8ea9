"""Tables or comparisons: which function becomes which."""

from __future__ import annotations

import numpy as np
import pytest
from support.graphs import every_sample, graph_of

from bitloom.codegen.passes import choose_tables
from bitloom.quant import BIPOLAR, Format, Node, Requantize, Table, Tensor, Threshold, run

U3 = Format(3)


def graph(fmt: Format, node_of, channels: int = 2):  # type: ignore[no-untyped-def]
    x = Tensor((channels,), fmt)
    return graph_of(x, node_of(x))


def table(entries: object, out: Format = U3):  # type: ignore[no-untyped-def]
    return lambda x: Table("y", ("x",), Tensor(x.shape, out), np.array(entries), x.format.lo)


def threshold(rows: object, out: Format = U3, y_min: int = 0, y_step: int = 1):  # type: ignore[no-untyped-def]
    return lambda x: Threshold("y", ("x",), Tensor(x.shape, out), np.array(rows), y_min, y_step)


def requantize(multiplier: int, y_max: int):  # type: ignore[no-untyped-def]
    return lambda x: Requantize("y", ("x",), Tensor(x.shape, Format(6)), np.array([multiplier]), np.array([3, 9]), 4, 0,
                                y_max)


RISING = np.arange(32) // 5
CASES: dict[str, tuple[Format, object, type[Node]]] = {
    "threshold of a bit": (Format(1), threshold([[0, 1, 1], [1, 1, 1]]), Table),
    "threshold of a sign": (BIPOLAR, threshold([[-1, 0, 1], [-5, 1, 2]]), Table),
    "sign of a sign": (BIPOLAR, threshold([[2], [0]], BIPOLAR, -1, 2), Table),
    "requantization of a sign": (BIPOLAR, requantize(5, 7), Table),
    "threshold of two bits": (Format(2), threshold([[1, 2, 3]]), Threshold),
    "rising table": (Format(5), table([RISING]), Threshold),
    "rising table of each channel": (Format(4), table([np.arange(16) // 3, np.arange(16) // 2]), Threshold),
    "rising table to signs": (Format(5), table([np.where(RISING > 3, 1, -1)], BIPOLAR), Threshold),
    "rising table of four bits": (Format(4), table([np.arange(16) // 3]), Table),
    "rising table of many levels": (Format(5), table([np.arange(32) // 3], Format(4)), Table),
    "falling table": (Format(5), table([RISING[::-1]]), Table),
    "rising and falling": (Format(5), table([RISING, RISING[::-1]]), Table),
    "flat table": (Format(5), table([RISING * 0 + 3]), Table),
    "table of a bit": (Format(1), table([[0, 7]]), Table),
    "multiplication to few levels": (Format(5), requantize(3, 6), Threshold),
    "multiplication to many levels": (Format(5), requantize(3, 9), Requantize),
    "shift to few levels": (Format(5), requantize(1, 6), Requantize),
}


@pytest.mark.parametrize("name", CASES)
def test_choice(name: str) -> None:
    fmt, node_of, kind = CASES[name]
    before = graph(fmt, node_of)
    after = choose_tables(before)
    assert type(after["y"]) is kind and after["y"].output == before["y"].output
    assert np.array_equal(run(after, every_sample(before)), run(before, every_sample(before)))


def test_what_no_operand_reaches_may_fall() -> None:
    first = Threshold("a", ("x",), Tensor((2,), Format(5)), np.array([[3, 9, 12]]), 7)
    entries = np.concatenate([np.arange(7)[::-1], [1, 2, 2, 5], np.arange(21)[::-1] % 8])
    before = graph_of(Tensor((2,), Format(4)), first, Table("y", ("a",), Tensor((2,), Format(3)), entries[None], 0))
    after = choose_tables(before)
    assert isinstance(after["y"], Threshold) and after["y"].thresholds.shape == (1, 4)
    assert np.array_equal(run(after, every_sample(before)), run(before, every_sample(before)))
