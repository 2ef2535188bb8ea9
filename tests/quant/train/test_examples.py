"""The shipped examples: what they reach, and that each file follows from the one before it."""

from pathlib import Path

import numpy as np
import pytest

from bitloom.quant import Graph, load, run
from bitloom.quant.train import compare, export, load_checkpoint, load_spec, train_example
from bitloom.quant.train import load as load_data

ACCURACY = {"digits": 0.965, "digits-ternary": 0.965, "digits-binary": 0.90}


@pytest.fixture(params=sorted(ACCURACY))
def folder(request: pytest.FixtureRequest, examples: Path) -> Path:
    return examples / request.param


def same(a: Graph, b: Graph) -> bool:
    """Equal node for node: operators, names, types and every constant."""
    if [(type(n), n.name, n.inputs, n.output) for n in a] != [(type(n), n.name, n.inputs, n.output) for n in b]:
        return False
    parts = ("weights", "weight_format", "bias", "thresholds", "y_min", "y_step")
    return a.output == b.output and a.classes == b.classes and all(
        np.array_equal(getattr(x, part, None), getattr(y, part, None)) for x, y in zip(a, b) for part in parts
    )


def test_accuracy_of_the_integer_graph(folder: Path) -> None:
    graph, data = load(folder / "graph.npz"), load_data(load_spec(folder).dataset)
    right = run(graph, data.x_test)[:, 0] == data.y_test
    assert len(right) == 450
    assert right.mean() == graph.metadata["accuracy"] >= ACCURACY[folder.name]
    assert graph.metadata["errors"] == np.sum(~right)


def test_every_quantizer_on_every_sample(folder: Path) -> None:
    spec, graph = load_spec(folder), load(folder / "graph.npz")
    data = load_data(spec.dataset)
    module = load_checkpoint(folder / "checkpoint.npz", spec)
    for samples in (data.x_test, data.x_train):
        rows = compare(module, spec, graph, samples)
        assert {row.node for row in rows} == {node.name for node in graph} - {"input"}
        assert [row for row in rows if row.mismatches] == []


def test_the_checkpoint_gives_the_graph(folder: Path) -> None:
    spec, graph = load_spec(folder), load(folder / "graph.npz")
    assert same(export(load_checkpoint(folder / "checkpoint.npz", spec), spec), graph)


def test_files_are_small_and_complete(folder: Path) -> None:
    assert {p.name for p in folder.iterdir()} == {"network.yaml", "checkpoint.npz", "graph.npz", "curve.svg"}
    assert all(p.stat().st_size < 200_000 for p in folder.iterdir())
    assert load(folder / "graph.npz").name == load_spec(folder).name == folder.name


def test_the_default_network_is_narrow(examples: Path) -> None:
    for node in load(examples / "digits" / "graph.npz"):
        if hasattr(node, "weight_format"):
            assert node.weight_format.bits <= 3
        elif hasattr(node, "thresholds"):
            assert node.output.format.bits <= 3


@pytest.mark.slow
def test_training_again_reaches_the_same(folder: Path, tmp_path: Path) -> None:
    """Twice on this machine: the same bytes; torch's sums may differ on another kind of machine, accuracy hardly."""
    files = []
    for name in ("once", "twice"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "network.yaml").write_bytes((folder / "network.yaml").read_bytes())
        made = train_example(tmp_path / name, progress=False)
        files.append((tmp_path / name / "graph.npz").read_bytes())
        assert made.graph.metadata["accuracy"] >= ACCURACY[folder.name] - 0.01
    assert files[0] == files[1]
