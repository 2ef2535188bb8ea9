"""Training: deterministic, quiet about the caller's state, and all or nothing on disk."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import bitloom.quant.train.example as example
from bitloom import RequestError, WorkError, quant
from bitloom.quant import Graph, load, run
from bitloom.quant.train import NetworkSpec, compare, export, load_checkpoint, load_spec, train, train_example
from bitloom.quant.train import load as load_data

TEXT = """
name: tiny
dataset: digits
seed: 3
input: {bits: 3}
layers:
  - {units: 16, weight_bits: 3, activation_bits: 2}
output: {weight_bits: ternary}
training: {epochs: 2, moved: 0.3, noise: 1, label_smoothing: 0.1, weight_decay: 0.01}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "network.yaml").write_text(TEXT)
    return tmp_path


def constants(graph: Graph) -> list[np.ndarray]:
    return [getattr(node, part) for node in graph for part in ("weights", "thresholds", "bias")
            if getattr(node, part, None) is not None]


def test_the_same_seed_gives_the_same_integers(folder: Path) -> None:
    train_example(folder, progress=False)
    first = {name: (folder / name).read_bytes() for name in example.PRODUCTS}
    torch.rand(5)
    train_example(folder, progress=False)
    assert {name: (folder / name).read_bytes() for name in example.PRODUCTS} == first
    (folder / "network.yaml").write_text(TEXT.replace("seed: 3", "seed: 4"))
    train_example(folder, progress=False)
    assert (folder / "graph.npz").read_bytes() != first["graph.npz"]


def test_what_train_example_leaves(folder: Path) -> None:
    made = train_example(folder, progress=False)
    assert sorted(p.name for p in folder.iterdir()) == ["checkpoint.npz", "curve.svg", "graph.npz", "network.yaml"]
    graph, data = load(folder / "graph.npz"), load_data("digits")
    errors = int(np.sum(run(graph, data.x_test)[:, 0] != data.y_test))
    facts = {"dataset": "digits", "samples": 450, "errors": errors, "accuracy": (450 - errors) / 450}
    assert {key: graph.metadata[key] for key in facts} == facts
    pixels = quant.take(graph, data.x_test.reshape(-1, 8, 8).astype(np.float32))
    assert np.array_equal(pixels.integers.reshape(450, 64), data.x_test) and not pixels.warning
    assert quant.classes(graph, run(graph, pixels.integers)).shape == (450,)  # type: ignore[union-attr]
    assert graph.classes == tuple("0123456789")
    assert made.trained.accuracy == pytest.approx(graph.metadata["accuracy"])
    assert len(made.trained.history) == 2 and made.seconds > 0
    spec = load_spec(folder)
    again = export(load_checkpoint(folder / "checkpoint.npz", spec), spec)
    assert all(np.array_equal(a, b) for a, b in zip(constants(again), constants(graph)))
    curve = (folder / "curve.svg").read_text()
    assert "<svg" in curve and "held out" in curve and f"{made.graph.metadata['accuracy']:.2%}" in curve


def test_it_learns(spec_of: Callable[..., NetworkSpec]) -> None:
    trained = train(spec_of([(24, 3, 3)], epochs=8), progress=False)
    assert trained.accuracy > 0.8 and not trained.module.training
    assert trained.history[-1].loss < trained.history[0].loss / 2


@pytest.mark.parametrize(("weight", "activation", "bits"), [("binary", "binary", 2), ("ternary", "ternary", "ternary"),
                                                            (2, 8, "binary"), (8, 2, 8)])
def test_trained_for_a_moment_and_exported_exactly(
    spec_of: Callable[..., NetworkSpec], weight: object, activation: object, bits: object
) -> None:
    spec = spec_of([(16, weight, activation), (12, weight, activation)], output=weight, bits=bits, epochs=2)
    module = train(spec, progress=False).module
    rows = compare(module, spec, export(module, spec), load_data("digits").x_test)
    assert [row for row in rows if row.mismatches] == []


def test_the_callers_state_is_left_alone(spec_of: Callable[..., NetworkSpec]) -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    train(spec_of([(4, 2, 2)]), progress=False)
    assert torch.get_num_threads() == threads and torch.equal(torch.get_rng_state(), state)


def test_progress_is_drawn_on_standard_error(
    spec_of: Callable[..., NetworkSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    train(spec_of([(4, 2, 2)]), progress=True)
    shown = capsys.readouterr()
    assert shown.out == "" and "training tiny" in shown.err and "1/1" in shown.err
    train(spec_of([(4, 2, 2)]), progress=False)
    assert capsys.readouterr().err == ""


def test_a_batch_beyond_the_data_set_is_the_whole_data_set(spec_of: Callable[..., NetworkSpec]) -> None:
    assert len(train(spec_of([(4, 2, 2)], batch=5000), progress=False).history) == 1


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), WorkError("no")])
@pytest.mark.parametrize("step", ["train", "export", "save_checkpoint", "save", "draw_curve"])
def test_nothing_is_replaced_on_an_interrupt(
    folder: Path, monkeypatch: pytest.MonkeyPatch, step: str, failure: BaseException
) -> None:
    for name in example.PRODUCTS:
        (folder / name).write_text("old")

    def fail(*_: object, **__: object) -> None:
        raise failure

    if step != "train":
        trained = train(load_spec(folder).model_copy(update={"layers": ()}), progress=False)
        monkeypatch.setattr(example, "train", lambda *_: trained)
        monkeypatch.setattr(example, "load_spec", lambda _: load_spec(folder).model_copy(update={"layers": ()}))
    monkeypatch.setattr(example, step, fail)
    with pytest.raises(type(failure)):
        train_example(folder, progress=False)
    assert sorted(p.name for p in folder.iterdir()) == ["checkpoint.npz", "curve.svg", "graph.npz", "network.yaml"]
    assert all((folder / name).read_text() == "old" for name in example.PRODUCTS)


def test_a_graph_that_differs_is_never_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(module: object, spec: NetworkSpec) -> Graph:
        graph = export(module, spec)
        node = graph["fc2"]
        return graph.with_nodes([type(n)(**{**vars(n), "weights": -n.weights}) if n is node else n for n in graph])

    monkeypatch.setattr(example, "export", damaged)
    with pytest.raises(WorkError, match=r"graph and trained network .* at fc2.weight_quant \d+ of 160 differ"):
        train_example(folder, progress=False)
    assert [p.name for p in folder.iterdir()] == ["network.yaml"]


def test_divergence_is_an_error_that_says_what_to_do(
    spec_of: Callable[..., NetworkSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = torch.tensor(float("nan"), requires_grad=True)
    monkeypatch.setattr(torch.nn.CrossEntropyLoss, "forward", lambda *_: loss)
    with pytest.raises(WorkError, match=r"diverged \(the loss became nan\); lower training.learning_rate, which is 0"):
        train(spec_of([(4, 2, 2)]), progress=False)


def test_a_folder_without_a_network(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"network.yaml: there is no such file"):
        train_example(tmp_path, progress=False)
