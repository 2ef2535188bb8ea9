"""``network.yaml``: what is accepted, and that every mistake is one line naming the key, the rule and the value."""

from pathlib import Path
from typing import Any

import pytest

from bitloom import RequestError
from bitloom.quant.train import load_spec, parse_spec

TEXT = """
name: tiny
dataset: digits
seed: 3
input: {bits: 3}
layers:
  - {units: 16, weight_bits: ternary, activation_bits: 2}
  - {units: 8, weight_bits: 4, activation_bits: binary}
output: {weight_bits: binary}
training: {epochs: 2, learning_rate: 1e-3, moved: 0.25, noise: 1}
"""


def write(tmp_path: Path, text: str) -> Path:
    (tmp_path / "network.yaml").write_text(text)
    return tmp_path / "network.yaml"


def test_a_file_or_its_folder(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, TEXT))
    assert spec == load_spec(tmp_path)
    assert [(a.units, a.weight_bits, a.activation_bits) for a in spec.layers] == [(16, "ternary", 2), (8, 4, "binary")]
    assert (spec.name, spec.seed, spec.input.bits, spec.output.weight_bits) == ("tiny", 3, 3, "binary")
    assert (spec.training.learning_rate, spec.training.batch, spec.training.noise) == (0.001, 64, 1)


def test_no_hidden_layers_is_a_linear_classifier(tmp_path: Path) -> None:
    text = "name: a\ndataset: digits\ninput: {bits: 2}\noutput: {weight_bits: 2}\ntraining: {epochs: 1}\n"
    assert load_spec(write(tmp_path, text)).layers == ()


MISTAKES = [
    ("seed: 3", "colour: red", "colour: no such key (its value is 'red'); the keys here are name, dataset, seed"),
    ("epochs: 2", "epocs: 2", "training.epocs: no such key (its value is 2); the keys here are epochs, batch"),
    ("noise: 1", "nose: 1", "training.nose: no such key (its value is 1); the keys here are epochs, batch"),
    ("units: 16,", "units: 16, bias: 1,", "layers.0.bias: no such key (its value is 1); the keys here are units"),
    ("dataset: digits", "dataset: letters", "dataset: must be one of digits, mnist"),
    ("name: tiny", "name: 'Two Words'", "name: must match pattern"),
    ("name: tiny\n", "", "name: must be given"),
    ("epochs: 2, ", "", "training.epochs: must be given"),
    ("weight_bits: ternary", "weight_bits: 9",
     "layers.0.weight_bits: must be binary, ternary or an integer from 2 to 8, not 9"),
    ("weight_bits: ternary", "weight_bits: 1", "must be binary, ternary or an integer from 2 to 8, not 1"),
    ("weight_bits: ternary", "weight_bits: 2.5", "not 2.5"),
    ("weight_bits: ternary", "weight_bits: true", "not True"),
    ("weight_bits: ternary", "weight_bits: quaternary", "not 'quaternary'"),
    ("activation_bits: binary", "activation_bits: [2]", "layers.1.activation_bits: must be binary, ternary or"),
    ("{bits: 3}", "{bits: 0}", "input.bits: must be binary, ternary or an integer from 2 to 8, not 0"),
    ("{bits: 3}", "3", "input: must be a valid dictionary or instance of InputSpec, not 3"),
    ("units: 16", "units: 0", "layers.0.units: must be greater than or equal to 1, not 0"),
    ("units: 16", "units: 5000", "layers.0.units: must be less than or equal to 4096, not 5000"),
    ("units: 16", "units: '16'", "layers.0.units: must be a valid integer, not '16'"),
    ("units: 16", "units: true", "layers.0.units: must be a valid integer, not True"),
    ("seed: 3", "seed: -1", "seed: must be greater than or equal to 0, not -1"),
    ("1e-3", "0", "training.learning_rate: must be greater than 0, not 0"),
    ("1e-3", ".nan", "training.learning_rate: must be a finite number, not nan"),
    ("1e-3", "true", "training.learning_rate: must be a number, not True"),
    ("1e-3", "fast", "training.learning_rate: must be a valid number, unable to parse string as a number, not 'fast'"),
    ("0.25", "1.5", "training.moved: must be less than or equal to 1, not 1.5"),
    ("epochs: 2", "epochs: 0", "training.epochs: must be greater than or equal to 1, not 0"),
    ("seed: 3", "seed: 3\nseed: 4", "key 'seed' is given twice"),
    ("{bits: 3}", "{bits: 3", "not valid YAML"),
]


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES)
def test_a_mistake_is_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TEXT
    path = write(tmp_path, TEXT.replace(old, new, 1))
    with pytest.raises(RequestError) as caught:
        load_spec(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


IMAGES = """
name: tiny
dataset: digits
input: {bits: 3}
layers:
  - {kind: conv, channels: 8, kernel: 3, padding: 1, pool: 2, weight_bits: 3, activation_bits: 2}
  - {kind: residual, channels: 12, stride: 2, weight_bits: 3, activation_bits: 2, branch_bits: 4}
  - {kind: average, activation_bits: 4}
  - {units: 8, weight_bits: 3, activation_bits: 2}
output: {weight_bits: binary}
training: {epochs: 1, moved: 0.5}
"""


def test_layers_over_images(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, IMAGES))
    assert [layer.kind for layer in spec.layers] == ["conv", "residual", "average", "dense"]
    assert spec.shapes == [(8, 8, 1), (4, 4, 8), (2, 2, 12), (12,), (8,)]
    assert (spec.layers[0].stride, spec.layers[1].kernel) == (1, 3)
    assert "kind" not in spec.layers[3].model_dump() and spec.layers[0].model_dump()["kind"] == "conv"
    assert load_spec(write(tmp_path, IMAGES.replace("{units", "{kind: dense, units"))) == spec


KIND = "must be a mapping whose kind is dense (also where there is none), conv, residual or average, not"
MISFITS = [
    ("kind: conv", "kind: dilated", f"layers.0: {KIND} {{'kind': 'dilated'"),
    ("kind: conv", "kind: [conv]", f"layers.0: {KIND} {{'kind': ['conv']"),
    ("{units: 8, weight_bits: 3, activation_bits: 2}", "dense", f"layers.3: {KIND} 'dense'"),
    ("pool: 2", "pull: 2", "layers.0.pull: no such key (its value is 2); the keys here are kind, channels, kernel"),
    ("branch_bits: 4", "branch_bits: 9", "layers.1.branch_bits: must be less than or equal to 8, not 9"),
    (", branch_bits: 4", "", "layers.1.branch_bits: must be given"),
    ("activation_bits: 4}", "activation_bits: binary}",
     "layers.2.activation_bits: must be a valid integer, not 'binary'"),
    ("kernel: 3", "kernel: 11", "layers.0.kernel: must be at most 10, the size of the padded input, not 11"),
    ("kernel: 3", "kernel: 0", "layers.0.kernel: must be greater than or equal to 1, not 0"),
    ("padding: 1", "padding: 3", "layers.0.padding: must be less than the kernel, 3, not 3"),
    ("pool: 2", "pool: 9", "layers.0.pool: must be at most 8, the size of what is pooled, not 9"),
    ("stride: 2", "stride: 2, kernel: 2", "layers.1.kernel: must be odd, so that both branches have one size, not 2"),
    ("{kind: average, activation_bits: 4}", "{units: 3, weight_bits: 2, activation_bits: 2}\n"
     "  - {kind: average, activation_bits: 4}",
     "layers.3.kind: an average needs rows and columns, and what goes in has shape (3,)"),
    ("dataset: digits", "dataset: nsl-kdd",
     "layers.0.kind: a convolution needs rows and columns, and what goes in has shape (72,)"),
]


@pytest.mark.parametrize(("old", "new", "message"), MISFITS)
def test_a_layer_that_does_not_fit_is_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in IMAGES
    path = write(tmp_path, IMAGES.replace(old, new, 1))
    with pytest.raises(RequestError) as caught:
        load_spec(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_no_image_is_not_moved(tmp_path: Path) -> None:
    text = TEXT.replace("digits", "nsl-kdd")
    with pytest.raises(RequestError, match=r"training.moved: must be 0, as samples of nsl-kdd are no images, not 0.25"):
        load_spec(write(tmp_path, text))
    assert load_spec(write(tmp_path, text.replace("moved: 0.25, ", ""))).shapes[0] == (72,)


@pytest.mark.parametrize("text", ["", "[1, 2]", "just words", "42"])
def test_not_a_mapping(tmp_path: Path, text: str) -> None:
    with pytest.raises(RequestError, match="must hold keys and values"):
        load_spec(write(tmp_path, text))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="there is no such file"):
        load_spec(tmp_path / "network.yaml")
    (tmp_path / "network.yaml").write_bytes(b"\xff\xfe\x00bad")
    with pytest.raises(RequestError, match=r"cannot be read|not YAML"):
        load_spec(tmp_path)


def test_no_object_is_built_from_yaml(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"tag .*python/object.* is not known"):
        load_spec(write(tmp_path, "name: !!python/object/apply:os.getcwd []\n"))


@pytest.mark.parametrize("bits", ["binary", "ternary", 2, 3, 4, 5, 6, 7, 8])
def test_every_width(bits: Any) -> None:
    spec = parse_spec({"name": "a", "dataset": "digits", "input": {"bits": bits}, "output": {"weight_bits": bits},
                       "layers": [{"units": 4, "weight_bits": bits, "activation_bits": bits}],
                       "training": {"epochs": 1}})
    assert spec.layers[0].weight_bits == spec.layers[0].activation_bits == spec.input.bits == bits
