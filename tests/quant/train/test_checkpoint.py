"""A checkpoint gives the same module back; a damaged or foreign one is one clear line."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from bitloom import RequestError
from bitloom.quant.train import NetworkSpec, export, load_checkpoint, save_checkpoint
from bitloom.quant.train.network import Network


@pytest.fixture
def spec(spec_of: Callable[..., NetworkSpec]) -> NetworkSpec:
    return spec_of([(12, "ternary", 3), (8, 4, "binary")])


@pytest.fixture
def module(spec: NetworkSpec, random_module: Callable[[NetworkSpec, int], Network]) -> Network:
    return random_module(spec, 21)


@pytest.fixture
def file(module: Network, spec: NetworkSpec, tmp_path: Path) -> Path:
    save_checkpoint(module, spec, tmp_path / "checkpoint.npz")
    return tmp_path / "checkpoint.npz"


def test_round_trip(module: Network, spec: NetworkSpec, file: Path) -> None:
    loaded = load_checkpoint(file, spec)
    assert not loaded.training
    state = module.state_dict()
    assert state.keys() == loaded.state_dict().keys()
    assert all(torch.equal(value, state[name]) for name, value in loaded.state_dict().items())
    for a, b in zip(export(module, spec), export(loaded, spec)):
        for part in ("weights", "thresholds", "bias"):
            assert np.array_equal(getattr(a, part, None), getattr(b, part, None))


def test_loading_leaves_the_callers_random_state(spec: NetworkSpec, file: Path) -> None:
    before = torch.get_rng_state()
    load_checkpoint(file, spec)
    assert torch.equal(before, torch.get_rng_state())


def test_another_seed_and_recipe_are_the_same_network(
    spec_of: Callable[..., NetworkSpec], file: Path
) -> None:
    other = spec_of([(12, "ternary", 3), (8, 4, "binary")], epochs=99)
    load_checkpoint(file, other.model_copy(update={"seed": 5, "name": "other"}))


def refuse(path: Path, spec: NetworkSpec, *words: str) -> None:
    with pytest.raises(RequestError) as caught:
        load_checkpoint(path, spec)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message and "bitloom train" in message
    for word in words:
        assert word in message


def test_no_file(spec: NetworkSpec, tmp_path: Path) -> None:
    refuse(tmp_path / "none.npz", spec, "there is no such file")


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"PK\x03\x04", b"hello"])
def test_not_an_archive(spec: NetworkSpec, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c.npz").write_bytes(content)
    refuse(tmp_path / "c.npz", spec, "not a checkpoint, or damaged")


def test_truncated(spec: NetworkSpec, file: Path) -> None:
    whole = file.read_bytes()
    for size in range(0, len(whole), 997):
        file.write_bytes(whole[:size])
        refuse(file, spec, "not a checkpoint, or damaged")


def test_any_changed_byte_is_an_error_or_changes_nothing(module: Network, spec: NetworkSpec, file: Path) -> None:
    whole, state = file.read_bytes(), module.state_dict()
    for at in range(0, len(whole), 101):
        broken = bytearray(whole)
        broken[at] ^= 0x81
        file.write_bytes(bytes(broken))
        try:
            loaded = load_checkpoint(file, spec).state_dict()
        except RequestError as error:
            assert "\n" not in str(error)
        else:
            assert all(torch.equal(value, state[name]) for name, value in loaded.items())


def test_a_graph_is_not_a_checkpoint(module: Network, spec: NetworkSpec, tmp_path: Path) -> None:
    from bitloom.quant import save

    save(export(module, spec), tmp_path / "graph.npz")
    refuse(tmp_path / "graph.npz", spec, "not a checkpoint of format 1")


def rewrite(path: Path, **changes: np.ndarray | None) -> None:
    with np.load(path) as archive:
        members = {name: archive[name] for name in archive.files}
    members.update(changes)  # type: ignore[arg-type]
    np.savez_compressed(path, **{name: value for name, value in members.items() if value is not None})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("fc1.weight", np.full((12, 64), np.nan, np.float32), "fc1.weight holds NaN or infinite values"),
     ("bn2.bias", np.full(8, np.inf, np.float32), "bn2.bias holds NaN or infinite values"),
     ("fc1.weight", None, "the parameter fc1.weight is missing"),
     ("fc9.weight", np.zeros(3, np.float32), "the network has no parameter fc9.weight"),
     ("fc1.weight", np.zeros((12, 63), np.float32),
      "fc1.weight must be float32 of shape (12, 64), not float32 of shape (12, 63)"),
     ("fc1.weight", np.zeros((12, 64), np.float64), "not float64 of shape (12, 64)"),
     ("fc1.weight", np.array(["a"] * 3), "holds elements of type <U1, not numbers"),
     ("bn1.running_var", np.full(12, -0.5, np.float32), "bn1.running_var must not be negative, and -0.5 occurs"),
     ("header", None, "it has no header"),
     ("fc1.weight", np.array([io.StringIO] * 2, dtype=object), "holds elements of type object, not numbers")],
)
def test_parameters_that_do_not_belong(
    spec: NetworkSpec, file: Path, name: str, value: np.ndarray | None, words: str
) -> None:
    rewrite(file, **{name: value})
    refuse(file, spec, words)


def test_of_another_network(spec_of: Callable[..., NetworkSpec], file: Path) -> None:
    refuse(file, spec_of([(12, 2, 3), (8, 4, "binary")]), "of a network whose layers is", "and the specification says")
    refuse(file, spec_of([(12, "ternary", 3), (8, 4, "binary")], output=2), "of a network whose output is")
    refuse(file, spec_of([(12, "ternary", 3), (8, 4, "binary")], bits="binary"), "of a network whose input is")


def test_saving_replaces_only_when_whole(
    module: Network, spec: NetworkSpec, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file.read_bytes()

    def full(stream: io.IOBase, **_: object) -> None:
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(module, spec, file)
    assert file.read_bytes() == before and [p.name for p in file.parent.iterdir()] == ["checkpoint.npz"]
