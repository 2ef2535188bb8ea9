"""Training that starts from a trained network of other bit widths: what is taken over, what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bitloom import RequestError
from bitloom.quant.train import compare, export, load, load_spec, parse_spec, save_checkpoint, train, train_example
from bitloom.quant.train.integers import integers_of
from bitloom.quant.train.network import Network, build
from bitloom.quant.train.start import starting_point, take_over

TEXT = """
name: {name}
dataset: digits
seed: 3
{more}
input: {{bits: 3}}
layers:
  - {{units: 24, weight_bits: {bits}, activation_bits: 3{scaling}}}
  - {{units: 16, weight_bits: {bits}, activation_bits: 3{scaling}}}
output: {{weight_bits: {bits}}}
training: {{epochs: {epochs}}}
"""


def write(
    folder: Path, bits: object, epochs: int, more: str = "", scaling: str = "", old: str = "", new: str = ""
) -> Path:
    folder.mkdir(exist_ok=True)
    scaling = f", weight_scaling: {scaling}" if scaling else ""
    text = TEXT.format(name=folder.name, bits=bits, epochs=epochs, more=more, scaling=scaling)
    assert old in text
    (folder / "network.yaml").write_text(text.replace(old, new) if old else text)
    return folder


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of eight-bit weights, trained."""
    folder = write(tmp_path_factory.mktemp("nets") / "wide", 8, 10)
    train_example(folder, progress=False)
    return folder


@pytest.mark.parametrize("scaling", ["absmean", "absmean-per-channel", "power-of-two"])
def test_ternarization_in_one_command(wide: Path, scaling: str) -> None:
    folder = write(wide.parent / f"narrow-{scaling}", "ternary", 4, "start_from: ../wide", scaling)
    made = train_example(folder, progress=False)
    spec = load_spec(folder)
    rows = compare(made.trained.module, spec, made.graph, load("digits").x_test)
    assert [row for row in rows if row.mismatches] == []
    assert {p.name for p in folder.iterdir()} == {"network.yaml", "checkpoint.npz", "graph.npz", "curve.svg"}
    scratch = train(spec, progress=False)
    assert made.trained.history[0].train_accuracy > scratch.history[0].train_accuracy + 0.1, "it starts from something"
    assert made.graph.metadata["accuracy"] > 0.9


@pytest.mark.parametrize("bits", ["ternary", "binary"])
def test_a_constant_scale_sees_the_codes_of_the_absolute_mean(wide: Path, bits: Any) -> None:
    """Weights are brought to the scale, so that the first ternary weights are those that their mean would give."""
    start = starting_point(load_spec(write(wide.parent / "any", bits, 1, "start_from: ../wide")), wide.parent / "any")
    assert isinstance(start, Network)
    codes = []
    for scaling in ("power-of-two", "absmean"):
        spec = load_spec(write(wide.parent / "any", bits, 1, "start_from: ../wide", scaling))
        module = build(spec)
        take_over(module, start)
        assert torch.equal(module.norm("bn1").running_mean, start.norm("bn1").running_mean)
        codes.append(integers_of("w", module.weighted("fc1").quant_weight(), spec.layers[0].weight_scaling))
    assert np.mean(codes[0] != codes[1]) < 0.001, "but for rounding next to one half"


def test_the_same_widths_are_taken_as_they_are(wide: Path) -> None:
    folder = write(wide.parent / "same", 8, 1, "start_from: ../wide")
    start = starting_point(load_spec(folder), folder)
    module = build(load_spec(folder))
    assert start is not None
    take_over(module, start)
    assert all(torch.equal(value, start.state_dict()[name]) for name, value in module.state_dict().items())


def test_ternary_weights_of_a_constant_scale_are_not_moved(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path / "a", "ternary", 1))
    first, second = build(spec), build(spec)
    take_over(second, first)
    assert torch.equal(first.weighted("fc1").weight, second.weighted("fc1").weight)


def test_an_example_by_its_name(examples: Path) -> None:
    values = load_spec(examples / "digits").model_dump(mode="json")
    spec = parse_spec({**values, "start_from": "digits"})
    start = starting_point(spec, "nowhere")
    assert isinstance(start, Network) and not start.training
    assert starting_point(load_spec(examples / "digits"), "nowhere") is None


def refused(folder: Path, *words: str) -> None:
    with pytest.raises(RequestError) as caught:
        train_example(folder, progress=False)
    message = str(caught.value)
    assert message.startswith("start_from: ") and "\n" not in message
    assert all(word in message for word in words), message
    assert [p.name for p in folder.iterdir()] == ["network.yaml"]


def test_nothing_to_start_from(wide: Path) -> None:
    refused(write(wide.parent / "bad1", "ternary", 1, "start_from: ../none"),
            "must be an example or a folder with a network.yaml, not '../none'; a path starts at", "bad1")
    write(wide.parent / "untrained", 8, 1)
    refused(write(wide.parent / "bad2", "ternary", 1, "start_from: ../untrained"), "../untrained has no checkpoint.npz",
            "bitloom train", "makes it")


def test_other_layers(wide: Path) -> None:
    refused(write(wide.parent / "bad3", "ternary", 1, "start_from: ../wide", old="units: 16", new="units: 12"),
            "layers must be the same but for their bits, and bn2.bias is (12,) in this network and (16,) in that")
    layer = "  - {units: 16, weight_bits: ternary, activation_bits: 3}\n"
    refused(write(wide.parent / "bad4", "ternary", 1, "start_from: ../wide", old=layer), "is missing in this network")


def test_another_data_set(wide: Path) -> None:
    refused(write(wide.parent / "bad5", "ternary", 1, "start_from: ../wide", old="dataset: digits",
                  new="dataset: mnist"), "must be a network of the data set mnist, and ../wide is one of digits")


def test_a_damaged_checkpoint(wide: Path, tmp_path: Path) -> None:
    write(tmp_path / "broken", 8, 1)
    (tmp_path / "broken" / "checkpoint.npz").write_bytes((wide / "checkpoint.npz").read_bytes()[:500])
    folder = write(tmp_path / "net", "ternary", 1, "start_from: ../broken")
    with pytest.raises(RequestError, match="not a checkpoint, or damaged"):
        train_example(folder, progress=False)
    save_checkpoint(build(load_spec(wide)), load_spec(wide), tmp_path / "broken" / "checkpoint.npz")
    assert export(train(load_spec(folder), False, None, starting_point(load_spec(folder), folder)).module,
                  load_spec(folder)).name == "net"


@pytest.mark.parametrize("value", ["''", "3", "[a]"])
def test_no_name(tmp_path: Path, value: str) -> None:
    with pytest.raises(RequestError, match=r"network\.yaml: start_from: must"):
        load_spec(write(tmp_path / "a", 3, 1, f"start_from: {value}"))
