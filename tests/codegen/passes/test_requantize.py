"""Thresholds that are shifts and multiplications: exact over every operand, the least shift by trying all smaller."""

from __future__ import annotations

import numpy as np
import pytest
from support.graphs import every_sample, graph_of

from bitloom.codegen.passes import requantize, value_ranges
from bitloom.codegen.passes.requantize import MULTIPLIER_BITS, WIDE_MULTIPLIER_BITS
from bitloom.quant import BIPOLAR, Format, Graph, Node, Requantize, Table, Tensor, Threshold, run


def one(node_of, bits: int = 10, signed: bool = False, channels: int = 1):  # type: ignore[no-untyped-def]
    """A graph of one function of the input."""
    x = Tensor((1, channels), Format(bits, signed))
    return graph_of(x, node_of(x))


def threshold(rows: np.ndarray, bits: int = 8, y_min: int = 0):  # type: ignore[no-untyped-def]
    return lambda x: Threshold("y", ("x",), Tensor(x.shape, Format(bits, y_min < 0)), rows, y_min)


def samples(graph: Graph) -> np.ndarray:
    """Every value in every channel."""
    f = graph.input.output.format
    return np.broadcast_to(np.arange(f.lo, f.hi + 1)[:, None, None], (f.hi - f.lo + 1, *graph.input.output.shape))


def steps(slopes: np.ndarray, offsets: np.ndarray, levels: int) -> np.ndarray:
    """Thresholds of y = floor(x · slope + offset) from level 1 on."""
    return np.ceil((np.arange(1, levels + 1) - offsets[:, None]) / slopes[:, None])


def least_shift(rows: np.ndarray, lo: int, hi: int, y_min: int, most: int) -> int | None:
    """The least shift with which some multiplier and offset in each row give its levels, by trying all of them."""
    x = np.arange(lo, hi + 1)
    for shift in range(most + 1):
        if all(any(serves(m, shift, row, x, y_min) for m in range(1, (2 << shift) + 1)) for row in rows):
            return shift
    return None


def serves(m: int, shift: int, row: np.ndarray, x: np.ndarray, y_min: int) -> bool:
    """Whether an offset exists: each level bounds it from below at its threshold and from above just before."""
    levels = (y_min + 1 + np.arange(len(row))) << shift
    reached, missed = x[:, None] >= row, x[:, None] < row
    bounds = levels - m * x[:, None]
    least = bounds[reached].max(initial=-1 << 40)
    most = (bounds[missed] - 1).min(initial=1 << 40)
    return bool(least <= most)


def fewest_digits(rows: np.ndarray, most: int) -> int:
    """Of all multipliers that serve every row, with shifts up to ``most``."""
    x = np.arange(-256, 256)
    return min(signed_digits(m) for shift in range(most + 1) for m in range(1, (2 << shift) + 1)
               if all(serves(m, shift, row, x, -3) for row in rows))


def signed_digits(number: int) -> int:
    """Non-zero digits of the non-adjacent form, from its definition."""
    count = 0
    while number:
        if number % 2:
            number -= 2 - number % 4
            count += 1
        number //= 2
    return count


@pytest.mark.parametrize("shift", [0, 1, 2, 5])
@pytest.mark.parametrize("y_min", [0, -8])
def test_an_exact_shift(shift: int, y_min: int) -> None:
    offsets = np.array([0.25, 0.75, -3.5])
    rows = steps(np.full(3, 2.0**-shift), offsets - y_min, 15 if shift else 40)
    graph = one(threshold(rows, 8, y_min), channels=3)
    node = requantize(graph)["y"]
    assert isinstance(node, Requantize) and node.shift == shift and node.multiplier.tolist() == [1]
    assert np.array_equal(run(requantize(graph), samples(graph)), run(graph, samples(graph)))


@pytest.mark.parametrize("seed", range(30))
def test_dyadic_multipliers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    channels, levels = int(rng.integers(1, 4)), int(rng.integers(8, 20))
    slopes = rng.uniform(0.02, 1.2, channels)
    rows = steps(slopes if seed % 2 else slopes[:1].repeat(channels), rng.uniform(-3, 1, channels), levels)
    graph = one(threshold(rows, 8, -3), bits=9, signed=True, channels=channels)
    result = requantize(graph)
    node = result["y"]
    assert isinstance(node, Requantize)
    assert np.array_equal(run(result, samples(graph)), run(graph, samples(graph)))
    assert node.multiplier.max() < 1 << MULTIPLIER_BITS
    if len(node.multiplier) > 1:
        assert node.shift == least_shift(rows, -256, 255, -3, node.shift)
    else:
        assert signed_digits(int(node.multiplier[0])) == fewest_digits(rows, node.shift)
    assert np.array_equal(requantize(result)["y"].multiplier, node.multiplier)  # type: ignore[attr-defined]


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("shift", [1, 2, 6])
@pytest.mark.parametrize("signed", [False, True])
def test_half_to_even_is_a_shift(bits: int, shift: int, signed: bool) -> None:
    """Whatever is absorbed into each channel's thresholds, and where some of them lie outside the channel's range."""
    lo, hi = Format(bits, signed).lo, Format(bits, signed).hi
    x = np.arange(-4096, 4096)
    rows = np.stack([np.searchsorted(np.clip(np.round((x + b) / 2**shift), lo, hi), np.arange(lo + 1, hi + 1)) + x[0]
                     for b in (0, 1, -77, 300)])
    graph = one(lambda x: Threshold("y", ("x",), Tensor(x.shape, Format(bits, signed)), rows, lo), 12, True, 4)
    result = requantize(graph)
    node = result["y"]
    assert isinstance(node, Requantize) and (node.multiplier.tolist(), node.shift) == ([1], shift)
    assert node.late is not None and np.array_equal(node.late, np.arange(lo + 1, hi + 1)[None] & 1)
    assert np.array_equal(run(result, samples(graph)), run(graph, samples(graph)))
    assert requantize(result)["y"] is node


@pytest.mark.parametrize("seed", range(8))
def test_corrected_lines(seed: int) -> None:
    """Thresholds that stray from a line by an integer or three; some channels need no correction, some never move."""
    rng = np.random.default_rng(seed)
    levels, slack = int(rng.choice([40, 63, 255])), int(rng.choice([1, 3]))
    slopes = rng.uniform(0.02, 0.24, 3)
    rows = steps(slopes, rng.uniform(-90, 1, 3), levels) + rng.integers(0, slack + 1, (3, levels))
    rows[0] = 5000 if seed % 2 else rows[0]
    graph = one(threshold(rows, 9, -3), bits=12, signed=True, channels=3)
    result = requantize(graph)
    node = result["y"]
    assert isinstance(node, Requantize) and node.late is not None and node.late.max() <= slack
    assert node.multiplier.max() < 1 << MULTIPLIER_BITS
    assert np.array_equal(run(result, samples(graph)), run(graph, samples(graph)))
    assert requantize(result)["y"] is node


def test_wide_multipliers_rather_than_corrections() -> None:
    slopes = np.array([0.000412345678, 0.000393337777])
    rows = steps(slopes, np.array([-7.1234567, 3.7654321]), 255)
    graph = one(threshold(rows, 8), bits=20, signed=True, channels=2)
    node = requantize(graph)["y"]
    assert isinstance(node, Requantize) and node.late is None
    assert 1 << MULTIPLIER_BITS <= node.multiplier.max() < 1 << WIDE_MULTIPLIER_BITS
    assert np.array_equal(run(requantize(graph), samples(graph)), run(graph, samples(graph)))


def test_random_thresholds_stay() -> None:
    rng = np.random.default_rng(1)
    graph = one(threshold(np.sort(rng.integers(0, 1024, (2, 40)), axis=1)), channels=2)
    assert isinstance(requantize(graph)["y"], Threshold)


def test_one_threshold_off_the_line_stays() -> None:
    rows = np.arange(1, 33)[None] * 8
    assert isinstance(requantize(one(threshold(rows)))["y"], Requantize)
    rows[0, 17] += 1
    line = requantize(one(threshold(rows)))["y"]
    assert isinstance(line, Requantize) and line.late is not None and np.flatnonzero(line.late).tolist() == [17]
    rows[0, 17] += 3
    assert isinstance(requantize(one(threshold(rows)))["y"], Threshold)


def test_clipped_thresholds_are_free() -> None:
    """Levels that are always reached need not lie on the line, and a channel that never moves has a line of its own."""
    rows = np.array([[-900, -800, *range(8, 120, 8)], [-1] * 5 + [2000] * 11])
    graph = one(threshold(rows), channels=2)
    result = requantize(graph)
    assert isinstance(result["y"], Requantize)
    assert np.array_equal(run(result, samples(graph)), run(graph, samples(graph)))


@pytest.mark.parametrize("rows", [np.arange(1, 8)[None] * 8, np.array([[5]])])
def test_few_levels_are_compared(rows: np.ndarray) -> None:
    assert isinstance(requantize(one(threshold(rows)))["y"], Threshold)


def test_jumps_take_a_multiplier_above_one() -> None:
    rows = np.repeat(np.arange(1, 9), 3)[None]
    graph = one(threshold(rows), bits=4)
    node = requantize(graph)["y"]
    assert isinstance(node, Requantize) and (node.multiplier.tolist(), node.shift) == ([3], 0)
    assert np.array_equal(run(requantize(graph), samples(graph)), run(graph, samples(graph)))


def test_a_requantization_takes_the_least_shift() -> None:
    graph = one(lambda x: Requantize("y", ("x",), Tensor(x.shape, Format(6)), np.array([3 << 9]), np.array([5 << 9]),
                                     14, 0, 40))
    node = requantize(graph)["y"]
    assert isinstance(node, Requantize) and (node.multiplier.tolist(), node.shift) == ([3], 5)
    assert np.array_equal(run(requantize(graph), samples(graph)), run(graph, samples(graph)))


@pytest.mark.parametrize(("entries", "kind"), [
    (np.arange(256) // 4, Requantize), (np.arange(256) * 2 // 7, Table), (np.arange(256)[::-1] // 4, Table),
])
def test_a_table_becomes_a_shift_alone(entries: np.ndarray, kind: type[Node]) -> None:
    graph = one(lambda x: Table("y", ("x",), Tensor(x.shape, Format(7)), entries[None], 0), bits=8)
    result = requantize(graph)
    assert type(result["y"]) is kind
    assert np.array_equal(run(result, samples(graph)), run(graph, samples(graph)))


def test_bipolar_and_single_bits_stay() -> None:
    graph = graph_of(Tensor((2,), BIPOLAR), Threshold("y", ("x",), Tensor((2,), Format(4)), np.zeros((1, 12))))
    assert isinstance(requantize(graph)["y"], Threshold)
    assert len(every_sample(graph)) == 4 and value_ranges(graph)["y"][1].tolist() == [12, 12]
