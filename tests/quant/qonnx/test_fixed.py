"""Quantizers in fixed point: what rational arithmetic gives, where float32 rounds the sums or where it is asked for."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

pytest.importorskip("qonnx")
from support.imports import agree, imported_from
from support.onnx_models import Net

from bitloom.codegen.passes import value_ranges
from bitloom.quant import Graph, Requantize, run
from bitloom.quant.qonnx import ImportFailure
from bitloom.quant.qonnx.fixed import rounded
from bitloom.quant.qonnx.samples import random_integers
from bitloom.quant.rules import ROUNDING

MODES = sorted(ROUNDING)


def layer(mode: str = "ROUND", *, bits: int = 16, scale: float = 2.0**-10, relu: bool = True, gains: bool = False,
          deviation: float = 0.4, inputs: int = 6, zero: float = 0.0) -> Net:
    """One layer of ``bits`` bits throughout, its scales alike; with ``gains`` a batch norm of powers of two."""
    net = Net(3, (inputs,))
    x = net.quant("x", 2.0**-10, bits)
    weights = net.rng.normal(0, deviation, (inputs, 4))
    x = net.add("MatMul", x, net.quant(weights, 2.0**-10, bits))
    x = net.add("Add", x, net.quant(net.rng.normal(0, 0.3, 4), 2.0**-12, bits))
    if gains:
        x = net.add("Mul", x, np.array([0.5, -2.0, 0.25, -1.0]))
    x = net.add("Relu", x) if relu else x
    net.x = net.quant(x, scale, bits, mode=mode, zero=zero)
    return net


def activation(graph: Graph) -> Requantize:
    """The quantizer's node."""
    node = graph[graph.output]
    assert isinstance(node, Requantize)
    return node


def means(net: Net, mode: str, scale: float, inputs: np.ndarray, *, relu: bool, zero: float = 0.0) -> np.ndarray:
    """What the layer means, in rational arithmetic, from its constants in the file."""
    from onnx import numpy_helper

    constants = [numpy_helper.to_array(c).astype(np.float64) for c in net.constants]
    floats = [c for c in constants if c.ndim]
    grid = [2.0**-10, 2.0**-12]
    weights, bias = (np.round(c / g) for c, g in zip(floats, grid))
    gain = floats[2] if len(floats) > 2 else np.ones(4)
    sums = inputs.astype(np.int64) @ weights.astype(np.int64)
    found = np.empty(sums.shape, np.int64)
    for at, total in np.ndenumerate(sums):
        real = (Fraction(int(total), 1 << 20) + Fraction(int(bias[at[1]]), 1 << 12)) * Fraction(gain[at[1]])
        real = max(real, Fraction(0)) if relu else real
        found[at] = min(max(rounded(mode, real / Fraction(np.float32(scale).item()) + Fraction(zero)), -32768), 32767)
    return found


def samples(graph: Graph, count: int = 300) -> np.ndarray:
    """Random integers of the input, many of them large, some small."""
    form, rng = graph.input.output.format, np.random.default_rng(1)
    x = rng.integers(form.lo, form.hi + 1, (count, *graph.input.output.shape))
    x[::3] >>= rng.integers(0, 12, (len(x[::3]), 1))
    x[:2] = [[form.lo], [form.hi]]
    return x


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("relu", [False, True])
def test_sixteen_bits_are_shifts(mode: str, relu: bool) -> None:
    """Sums of more than 24 bits, which float32 rounds: what scales and mode mean, and a note of the distance."""
    net = layer(mode, relu=relu)
    imported = imported_from(net.model(net.x))
    if mode in ("UP", "DOWN") and not relu:  # 0 is twice as wide as the others, or the others begin a step early
        assert not isinstance(imported.graph[imported.graph.output], Requantize)
        return
    node = activation(imported.graph)
    assert node.multiplier.tolist() == [1] and node.shift == 10
    x = samples(imported.graph)
    y = run(imported.graph, x)
    assert np.array_equal(y, means(net, mode, 2.0**-10, x, relu=relu))
    assert y.min() < y.max() and len(np.unique(y)) > 100
    (note,) = imported.notes
    assert f"(a shift of 10, rounding {mode})" in note
    assert "float32 would round their sums of more than 24 bits" in note and ", 1 at most" in note


@pytest.mark.parametrize("mode", ["FLOOR", "ROUND", "HALF_UP"])
@pytest.mark.parametrize("options", [{"gains": True}, {"scale": 0.0123}, {"scale": 3 * 2.0**-11}, {"zero": 3.0}])
def test_other_scales(mode: str, options: dict[str, object]) -> None:
    """Negative gains turn the weights round; scales that are no powers of two take multipliers, near but not exact."""
    net = layer(mode, relu=False, **options)  # type: ignore[arg-type]
    imported = imported_from(net.model(net.x))
    x = samples(imported.graph)
    scale = float(options.get("scale", 2.0**-10))  # type: ignore[arg-type]
    meant = means(net, mode, scale, x, relu=False, zero=float(options.get("zero", 0)))  # type: ignore[arg-type]
    away = np.abs(run(imported.graph, x) - meant)
    assert away.max() <= ("scale" in options) and np.mean(away) < 0.01
    assert activation(imported.graph).multiplier.max() < 1 << 27


@pytest.mark.parametrize("mode", ["FLOOR", "ROUND", "CEIL", "HALF_DOWN"])
def test_small_sums_are_exact_and_silent(mode: str) -> None:
    """What float32 computes exactly is a shift at once, and the same as its thresholds."""
    net = layer(mode, bits=12, deviation=0.1, inputs=3, relu=False)
    found = {meaning: imported_from(net.model(net.x), requantize=meaning) for meaning in ("auto", "exact", "fixed")}
    for imported in found.values():
        assert isinstance(imported.graph[imported.graph.output], Requantize) and not imported.notes
    x = samples(found["auto"].graph)
    assert all(np.array_equal(run(other.graph, x), run(found["auto"].graph, x)) for other in found.values())
    assert all(row.mismatches == row.ties == 0 for row in agree(found["auto"], net.model(net.x), 64))


def test_exact_is_what_float32_gives() -> None:
    net = layer("FLOOR")
    imported = imported_from(net.model(net.x), requantize="exact")
    assert not imported.notes
    assert all(row.mismatches == 0 for row in agree(imported, net.model(net.x), 16))
    y = imported_from(net.model(net.x))
    big = np.full((1, 6), 32767)
    assert imported.graph[imported.graph.output].op == "Threshold" and y.graph[y.graph.output].op == "Requantize"
    assert run(imported.graph, big).shape == run(y.graph, big).shape


@pytest.mark.parametrize("mode", ["FLOOR", "ROUND"])
def test_the_comparison_takes_the_exact_value(mode: str) -> None:
    """Where float32's rounding shows, the rational number decides; nothing is a mismatch."""
    for options in ({}, {"scale": 0.0123}):
        net = layer(mode, relu=False, **options)
        rows = agree(imported_from(net.model(net.x)), net.model(net.x), 200)
        assert [row.mismatches for row in rows] == [0] * len(rows)


def test_eight_bits_where_asked_for() -> None:
    net = layer(bits=8, scale=0.0371, deviation=0.05)
    exact, fixed = (imported_from(net.model(net.x), requantize=meaning) for meaning in ("exact", "fixed"))
    assert exact.graph[exact.graph.output].op == "Threshold" and activation(fixed.graph).late is None
    assert fixed.graph.metadata["requantize"] == "fixed" and "requantize" not in imported_from(
        net.model(net.x)).graph.metadata
    x = samples(exact.graph)
    assert np.abs(run(exact.graph, x) - run(fixed.graph, x)).max() <= 1
    assert all("as asked for" in note for note in fixed.notes)


def test_the_distance_is_counted() -> None:
    """A narrow range is measured at each of its sums. Steps of 6 are tied at 3, 9, …: exact numbers, which a
    multiplier near 1 / 6 cannot tell from those beside them; the comparison knows how near it is."""
    net = Net(0, (2,))
    x = net.quant("x", 1.0, 6)
    x = net.add("MatMul", x, net.quant(np.array([[3.0, 5.0, 7.0], [-2.0, 1.0, 3.0]]), 1.0, 4))
    net.x = net.quant(x, 6.0, 8)
    exact, fixed = (imported_from(net.model(net.x), requantize=meaning) for meaning in ("exact", "fixed"))
    assert activation(fixed.graph).multiplier.max() > 1 << 24
    lo, hi = value_ranges(exact.graph)["fc1"]
    sums = np.arange(lo.min(), hi.max() + 1)[:, None]
    steps, line = (i.graph[i.graph.output].evaluate(sums) for i in (exact, fixed))
    differ = int((steps != line).sum())
    assert differ > 20 and f"Of {len(sums)} sums within their channels' ranges {differ} (" in fixed.notes[0]
    assert "as asked for" in fixed.notes[0] and ", 1 at most" in fixed.notes[0]
    rows = agree(fixed, net.model(net.x), 300)
    assert sum(row.ties for row in rows) > 0
    fixed.rough.clear()
    with pytest.raises(AssertionError):
        agree(fixed, net.model(net.x), 300)


def test_functions_that_are_no_lines() -> None:
    net = Net(0, (4,))
    x = net.quant("x", 2.0**-6, 8)
    x = net.add("MatMul", x, net.quant(net.rng.normal(0, 0.4, (4, 3)), 2.0**-6, 8))
    net.x = net.quant(net.add("Sigmoid", x), 2.0**-8, 8, signed=0)
    imported = imported_from(net.model(net.x), requantize="fixed")
    assert imported.graph[imported.graph.output].op == "Threshold"
    assert any("no line of rising slope" in note for note in imported.notes)


def test_errors() -> None:
    net = layer()
    with pytest.raises(ImportFailure, match="requantize must be one of auto, exact, fixed, not 'float'"):
        imported_from(net.model(net.x), requantize="float")


@pytest.mark.parametrize("mode", MODES)
def test_rounding(mode: str) -> None:
    halves = np.arange(-9, 10) / 2
    thirds = np.arange(-9, 10) / 4 + 0.125
    for number in (*halves, *thirds):
        assert rounded(mode, Fraction(number)) == int(ROUNDING[mode](np.float32(number)))


def test_sums_of_branches_of_unrelated_scales_give_next_to_no_other_level() -> None:
    """Their multipliers make sums of over 30 bits; the factor behind these has as many bits as its outputs need."""
    net = Net(5, (3, 6, 6))
    x = net.quant("x", 0.0270607, 8)
    y = net.quant(net.add("Conv", x, net.weights((3, 3, 1, 1))), 0.04299441, 8)
    model = net.model(net.quant(net.add("Add", x, y), 0.04704405, 8))
    exact, fixed = (imported_from(model, requantize=way).graph for way in ("exact", "auto"))
    assert [node.op for node in fixed][-2:] == ["Add", "Requantize"]
    integers = random_integers(fixed, 200)
    assert np.mean(run(exact, integers) != run(fixed, integers)) < 1e-3
