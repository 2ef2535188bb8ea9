"""Real samples become the integers that the file's own quantizer makes, results its numbers: the executor says so.

| testpoint | stage | test |
| --- | --- | --- |
| every quantizer at the input, ties and both ends included | full | test_the_input_is_quantized_as_the_executor_does |
| the record in the graph says what the import says | smoke | test_the_graph_alone_says_as_much |
| results in the file's units, shape and order | full | test_results_are_the_file_s_numbers |
| a missing quantizer is said aloud | smoke | test_an_assumed_input_is_said |
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("qonnx")
from onnx import ModelProto
from support.imports import imported_from
from support.onnx_models import CASES, DIALECTS, GENERAL, Net

from bitloom import quant
from bitloom.quant.qonnx.reference import execute
from bitloom.quant.reals import entry_of

MODES = ("ROUND", "HALF_EVEN", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")
Entry = tuple[Net, Any, tuple[float, ...]]


def _picture(quantizer: Any) -> ModelProto:
    """A convolution of a picture of three channels, first axis, behind what ``quantizer`` adds."""
    net = Net(0, (3, 4, 5))
    x = quantizer(net)
    return net.model(net.quant(net.add("Conv", x, net.weights((2, 3, 3, 3)), kernel_shape=[3, 3]), 0.3, 6))


def _linear(net: Net, x: object, scale: object, zero: object, **attributes: int) -> Any:
    y = net.add("QuantizeLinear", x, scale, zero, **attributes)
    return net.add("DequantizeLinear", y, scale, zero, **attributes)


def _per_channel(net: Net) -> Any:
    return net.quant("x", np.array([0.1, 0.125, 0.7]).reshape(1, 3, 1, 1), 5)


def _per_channel_linear(net: Net) -> Any:
    scales, zeros = np.array([0.1, 0.125, 0.7], np.float32), np.array([3, -20, 100], np.int8)
    return _linear(net, "x", scales, zeros, axis=1)


def _channels_last(net: Net) -> Any:
    net.shape = (4, 5, 3)
    return net.quant(net.add("Transpose", "x", perm=[0, 3, 1, 2]), 0.125, 4)


ENTRIES: dict[str, Any] = {
    **{f"rounds {mode}": lambda net, mode=mode: net.quant("x", 0.1, 5, mode=mode) for mode in MODES},
    "narrow": lambda net: net.quant("x", 0.125, 4, narrow=1),
    "unsigned": lambda net: net.quant("x", 0.3, 3, signed=0),
    "zero point": lambda net: net.quant("x", 0.125, 6, signed=0, zero=13.0),
    "zero point between integers": lambda net: net.quant("x", 0.125, 6, zero=2.5),
    "one signed bit": lambda net: net.quant("x", 0.5, 1, signed=1),
    "bipolar": lambda net: net.bipolar("x", 0.5),
    "per channel": _per_channel,
    "linear": lambda net: _linear(net, "x", 0.04, np.uint8(120)),
    "linear, signed": lambda net: _linear(net, "x", 0.03125, np.int8(-3)),
    "linear, per channel": _per_channel_linear,
    "behind a transposition": _channels_last,
}


def _samples(imported: Any, seed: int = 0) -> np.ndarray:
    """Real samples: noise far beyond the range, every tie, every integer, both zeros."""
    entry = entry_of(imported.graph)
    assert entry is not None
    scale = np.unique(entry.meaning.scale)
    rng = np.random.default_rng(seed)
    zero = np.unique(entry.meaning.zero)
    steps = np.concatenate([np.arange(-70, 71) / 2, rng.normal(0, 30, 400), [0.0, -0.0]])
    values = np.concatenate([s * (steps - z) for s in scale for z in zero]).astype(np.float32)
    near = np.concatenate([values, np.nextafter(values, np.float32(np.inf)), np.nextafter(values, -np.float32(np.inf))])
    size = int(np.prod(imported.input_shape))
    return rng.permutation(np.resize(near, -(-len(near) // size) * size)).reshape(-1, *imported.input_shape)


@pytest.mark.parametrize("name", ENTRIES)
def test_the_input_is_quantized_as_the_executor_does(name: str) -> None:
    model = _picture(ENTRIES[name])
    imported = imported_from(model)
    x = _samples(imported)
    q = imported.quantize(x)
    ours = imported.real("input", q)
    theirs = np.concatenate([context[imported.quantizers["input"]] for _, context in execute(model, x)])
    assert theirs.shape == ours.shape and np.array_equal(theirs.astype(np.float32), ours)
    form = imported.graph.input.output.format
    assert form.holds(q) and len(np.unique(q)) > 1
    taken = quant.take(imported.graph, x)
    assert np.array_equal(taken.integers, q) and np.array_equal(taken.real, x)  # type: ignore[arg-type]
    again = quant.take(imported.graph, q).real
    assert again is not None and np.array_equal(imported.quantize(again), q)


def test_the_graph_alone_says_as_much(tmp_path: Path) -> None:
    imported = imported_from(_picture(_per_channel))
    quant.save(imported.graph, tmp_path / "graph.npz")
    graph, x = quant.load(tmp_path / "graph.npz"), _samples(imported)
    assert np.array_equal(quant.take(graph, x).integers, imported.quantize(x))
    results = quant.run(graph, imported.quantize(x))
    assert np.array_equal(quant.scores(graph, results), imported.real(graph.output, results))  # type: ignore[arg-type]


@pytest.mark.parametrize("dialect", DIALECTS[:1])
@pytest.mark.parametrize("name", ["perceptron", "pixels", "integer_operators", "gemm"])
def test_results_are_the_file_s_numbers(name: str, dialect: str) -> None:
    """Off by float32's own rounding at most where the end is no quantizer, as its sums are float32."""
    case = CASES[name](dialect)
    imported = imported_from(case)
    graph, rng = imported.graph, np.random.default_rng(1)
    entry = entry_of(graph)
    assert entry is not None
    q = rng.integers(*sorted((entry.rule.low, entry.rule.high)), (40, *graph.input.output.shape), endpoint=True)
    x = entry.meaning.real(q, graph.input.output.shape)
    ours = quant.scores(graph, quant.run(graph, q))
    facts: Any = graph.metadata["output"]
    theirs = np.concatenate([context[facts["tensor"]] for _, context in execute(case.model, x)])
    assert ours is not None and ours.shape == theirs.shape
    step = np.abs(np.asarray(facts["scale"])).max()
    assert np.mean(np.abs(ours - theirs) < 0.01 * step + 1e-5) > 0.98
    found = quant.classes(graph, quant.run(graph, q))
    assert found is not None and np.mean(found == theirs.argmax(axis=1)) > 0.95


def test_maps_come_back_channels_first() -> None:
    model = _picture(lambda net: net.quant("x", 0.125, 5))
    imported = imported_from(model)
    x = _samples(imported)[:8]
    results = quant.run(imported.graph, imported.quantize(x))
    theirs = np.concatenate([context[model.graph.output[0].name] for _, context in execute(model, x)])
    assert results.shape == (8, 2, 3, 2) and theirs.shape == (8, 2, 2, 3)
    assert np.array_equal(quant.scores(imported.graph, results), theirs)  # type: ignore[arg-type]


def test_an_assumed_input_is_said() -> None:
    imported = imported_from(CASES["pixels"](GENERAL).model)
    assert any("1/255 assumed" in note and "--input i8" in note for note in imported.notes)
    taken = quant.take(imported.graph, np.full((2, 1, 4, 4), 2.0))
    assert "100.00% of the values lie outside 0 to 1" in taken.warning and "assumed" in taken.warning
