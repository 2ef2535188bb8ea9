"""The shipped examples: what they reach, and that each file follows from the one before it."""

from pathlib import Path

import numpy as np
import pytest

from bitloom.quant import ArgMax, Conv, Graph, MatMul, Threshold, load
from bitloom.quant.train import compare, graph_of, load_checkpoint, load_spec, train_example
from bitloom.quant.train import load as load_data
from bitloom.quant.train.data import SOURCES
from bitloom.quant.train.score import score

QUANTIZED = (MatMul, Conv, Threshold, ArgMax)
"""What a quantizer of the trained network stands behind."""

ACCURACY = {"digits": 0.965, "digits-ternary": 0.965, "digits-binary": 0.90, "mnist-conv": 0.985, "mnist-2bit": 0.97,
            "mnist-binary": 0.94, "mnist-residual": 0.98, "mnist-8bit": 0.98, "mnist-ternary": 0.98,
            "intrusion": 0.75, "can-intrusion": 0.94}
SAMPLES = {"digits": 450, "mnist": 10000, "nsl-kdd": 22544, "can-generated": 26652}
COMPARED = 1000
"""Samples of a large data set that each run of the tests compares at every quantizer; `bitloom train` compares all."""


@pytest.fixture(params=sorted(ACCURACY))
def folder(request: pytest.FixtureRequest, examples: Path) -> Path:
    folder = examples / request.param
    name = load_spec(folder).dataset
    if not SOURCES[name].at_hand:
        pytest.skip(f"the files of {name} are not at hand; name a folder that holds them in BITLOOM_DATA")
    return folder


def same(a: Graph, b: Graph) -> bool:
    """Equal node for node: operators, names, types and every constant."""
    if [(type(n), n.name, n.inputs, n.output) for n in a] != [(type(n), n.name, n.inputs, n.output) for n in b]:
        return False
    parts = ("weights", "weight_format", "bias", "thresholds", "y_min", "y_step", "stride", "kind", "kernel",
             "padding", "value", "multipliers")
    return a.output == b.output and a.classes == b.classes and all(
        np.array_equal(getattr(x, part, None), getattr(y, part, None)) for x, y in zip(a, b) for part in parts
    )


def test_accuracy_of_the_integer_graph(folder: Path) -> None:
    graph, name = load(folder / "graph.npz"), load_spec(folder).dataset
    data, facts = load_data(name), graph.metadata
    told = {key: facts[key] for key in ("samples", "errors", "accuracy")}
    assert told == score(graph, data.x_test, data.y_test) and told["samples"] == SAMPLES[name] == len(data.x_test)
    assert told["accuracy"] >= ACCURACY[folder.name]
    assert facts.get("more", {}) == {part: score(graph, *pair) for part, pair in data.more.items()}
    assert facts.get("note", "") == SOURCES[name].note


def test_every_quantizer_on_every_sample(folder: Path) -> None:
    spec, graph = load_spec(folder), load(folder / "graph.npz")
    data = load_data(spec.dataset)
    module = load_checkpoint(folder / "checkpoint.npz", spec)
    for samples in (data.x_test[:COMPARED], data.x_train[:COMPARED]):
        rows = compare(module, spec, graph, samples)
        assert {row.node for row in rows} == {node.name for node in graph if isinstance(node, QUANTIZED)}
        assert [row for row in rows if row.mismatches] == []


def test_the_checkpoint_gives_the_graph(folder: Path) -> None:
    spec, graph = load_spec(folder), load(folder / "graph.npz")
    assert same(graph_of(load_checkpoint(folder / "checkpoint.npz", spec), spec), graph)


def test_files_are_small_and_complete(folder: Path) -> None:
    assert {p.name for p in folder.iterdir()} == {"network.yaml", "checkpoint.npz", "graph.npz", "curve.svg"}
    assert all(p.stat().st_size < 1_000_000 for p in folder.iterdir())
    assert load(folder / "graph.npz").name == load_spec(folder).name == folder.name


def test_the_default_network_is_narrow(examples: Path) -> None:
    for node in load(examples / "digits" / "graph.npz"):
        if hasattr(node, "weight_format"):
            assert node.weight_format.bits <= 3
        elif hasattr(node, "thresholds"):
            assert node.output.format.bits <= 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "digits-ternary", "digits-binary"])
def test_training_again_reaches_the_same(examples: Path, name: str, tmp_path: Path) -> None:
    """Twice on this machine: the same bytes; torch's sums may differ on another kind of machine, accuracy hardly."""
    files = []
    for copy in ("once", "twice"):
        (tmp_path / copy).mkdir()
        (tmp_path / copy / "network.yaml").write_bytes((examples / name / "network.yaml").read_bytes())
        made = train_example(tmp_path / copy, progress=False)
        files.append((tmp_path / copy / "graph.npz").read_bytes())
        assert made.graph.metadata["accuracy"] >= ACCURACY[name] - 0.01
    assert files[0] == files[1]
