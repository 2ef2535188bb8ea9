"""A user's own samples: what ``batch`` and ``run`` make of floats, layouts, labels, and of the network itself.

| testpoint | stage | test |
| --- | --- | --- |
| a Brevitas network, channels-first floats: torch's accuracy | smoke | test_the_graph_has_torch_s_accuracy |
| … through the RTL | full | test_the_circuit_has_torch_s_accuracy |
| … through the board's top | full | test_the_board_s_top_has_torch_s_accuracy |
| what a batch leaves: JSON, files, the comparison with the network | full | test_what_a_batch_tells |
| files and options that do not fit are one line | smoke | test_a_wrong_request_is_one_line |
| labels are numbers or names | smoke | test_labels_are_read_as_people_write_them |
| an input that nothing says is said aloud | smoke | test_an_assumed_input_is_said_aloud |
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from support.onnx_models import CASES, GENERAL, Net

pytest.importorskip("qonnx")
import onnx

from bitloom import RequestError, quant
from bitloom.cli.arrays import read_array, read_labels
from bitloom.cli.main import main

Run = Callable[..., Result]
HELD_OUT = 450


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``bitloom`` with the given arguments in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module", params=[1, 3], ids=["grey", "colour"])
def digits(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a network of one's own, trained for a moment on digits of one or three planes, channels first:
    own.onnx, its held-out samples x.npy and labels y.npy, and torch's scores.npy."""
    torch, _ = pytest.importorskip("torch"), pytest.importorskip("brevitas")
    from brevitas.export import export_qonnx
    from support.digits import samples, trained

    folder = tmp_path_factory.mktemp("digits")
    x, y, x_test, y_test = samples(request.param)
    net = trained(request.param, x, y)
    with torch.no_grad():
        scores = net(torch.tensor(x_test))
        export_qonnx(net, args=torch.tensor(x_test[:1]), export_path=str(folder / "own.onnx"), dynamo=False)
    np.save(folder / "x.npy", x_test)
    np.save(folder / "y.npy", y_test)
    np.save(folder / "scores.npy", getattr(scores, "value", scores).numpy())
    return folder


def right(digits: Path) -> int:
    """How many of the held-out samples torch classifies rightly."""
    return int((np.load(digits / "scores.npy").argmax(axis=1) == np.load(digits / "y.npy")).sum())


def test_the_graph_has_torch_s_accuracy(digits: Path, run: Run) -> None:
    assert run("import", digits / "own.onnx").exit_code == 0
    graph, x, y = quant.load("own/graph.npz"), np.load(digits / "x.npy"), np.load(digits / "y.npy")
    theirs = np.load(digits / "scores.npy")
    assert len(x) == HELD_OUT and 300 < right(digits) < HELD_OUT and x.shape[1] in (1, 3)
    for given in (x, x.astype(np.float64), x.reshape(HELD_OUT, -1), np.moveaxis(x, 1, -1)):
        results = quant.run(graph, quant.take(graph, given).integers)
        assert np.array_equal(quant.classes(graph, results), theirs.argmax(axis=1))  # type: ignore[arg-type]
        assert int((quant.classes(graph, results) == y).sum()) == right(digits)
        assert quant.scores(graph, results) == pytest.approx(theirs, abs=1e-4)


@pytest.mark.slow
def test_the_circuit_has_torch_s_accuracy(digits: Path, run: Run) -> None:
    assert run("import", digits / "own.onnx").exit_code == 0
    done = run("batch", "own", "--input", digits / "x.npy", "--labels", digits / "y.npy", "--json")
    assert done.exit_code == 0, done.output
    values = json.loads(done.stdout)
    assert values["samples"] == HELD_OUT and values["mismatches"] == 0
    assert values["accuracy"] == right(digits) / HELD_OUT
    assert values["classes"] == np.load(digits / "scores.npy").argmax(axis=1).tolist()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_board_s_top_has_torch_s_accuracy(digits: Path, run: Run) -> None:
    """All samples of the small network; a few of the other, which takes three times as long."""
    assert run("import", digits / "own.onnx").exit_code == 0
    count = HELD_OUT if np.load(digits / "x.npy").shape[1] == 1 else 40
    own = ("--input", digits / "x.npy", "--labels", digits / "y.npy", "--samples", count)
    done = run("run", "own", "--simulate", *own)
    assert done.exit_code == 0, done.output
    classes = np.load(digits / "scores.npy").argmax(axis=1)[:count]
    expected = int((classes == np.load(digits / "y.npy")[:count]).sum())
    assert " ".join(map(str, classes)) in done.stdout.splitlines()
    assert f"{expected} of {count} right ({expected / count:.2%})" in done.stdout.splitlines()


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """A file of one layer on pictures of three channels, quick to compile: ``net.onnx``."""
    net = Net(0, (3, 3, 4))
    x = net.quant("x", 0.125, 4)
    x = net.add("Conv", x, net.weights((4, 3, 3, 4)), kernel_shape=[3, 4])
    onnx.save(net.model(net.add("Flatten", x)), tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def test_what_a_batch_tells(run: Run, layer: Path) -> None:
    assert run("import", layer, "--classes", "north,east,south,west").exit_code == 0
    graph, rng = quant.load("net/graph.npz"), np.random.default_rng(0)
    x = rng.normal(0, 0.5, (70, 3, 3, 4)).astype(np.float32)
    np.savez("data.npz", x=x, y=np.zeros(70, int))
    results = quant.run(graph, quant.take(graph, x).integers)
    classes, scores = quant.classes(graph, results), quant.scores(graph, results)
    assert classes is not None and scores is not None
    Path("labels.csv").write_text("\n".join(graph.classes[k] for k in classes[:50]) + "\n" + "west\n" * 20)
    hits = 50 + int((classes[50:] == 3).sum())
    done = run("batch", "net", "--input", "data.npz", "--labels", "labels.csv", "--against", "net.onnx", "--agree", 100,
               "--output", "out/all.npz")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert f"{hits} of 70 right ({hits / 70:.2%})" in lines
    assert any("data.npz: 70 real samples of 3×3×4, quantized to i4" in line for line in lines)
    assert any("against net.onnx: 70 of 70 samples agree (100.00%)" in line for line in lines)
    kept = np.load("out/all.npz")
    assert np.array_equal(kept["classes"], classes) and np.array_equal(kept["scores"], scores)
    few = run("batch", "net", "--input", "data.npz", "--samples", 9, "--json", "--output", "s.npy")
    values = json.loads(few.stdout)
    assert values["classes"] == classes[:9].tolist() and values["accuracy"] is None and values["samples"] == 9
    assert np.allclose(values["scores"], scores[:9]) and np.array_equal(np.load("s.npy"), scores[:9])
    other = Net(1, (3, 3, 4))
    y = other.add("Conv", other.quant("x", 0.125, 4), other.weights((4, 3, 3, 4)), kernel_shape=[3, 4])
    onnx.save(other.model(other.add("Flatten", y)), "other.onnx")
    differs = run("batch", "net", "--input", "data.npz", "--against", "other.onnx")
    assert differs.exit_code == 0 and "samples agree" in differs.stdout
    asked = run("batch", "net", "--input", "data.npz", "--against", "other.onnx", "--agree", 99)
    assert asked.exit_code == 1 and "less than the 99 % of --agree" in asked.stderr


@pytest.mark.parametrize(("arguments", "words"), [
    (["--labels", "y.npy"], ["--labels is about --input"]),
    (["--as", "real"], ["--as is about --input"]),
    (["--agree", "99"], ["--agree is about --against"]),
    (["--input", "wrong.npy"], ["(n, 3, 3, 4), or the circuit's own (n, 3, 4, 3)", "(2, 4, 3, 3)"]),
    (["--input", "x.npy", "--as", "integers"], ["integers", "i4 of -8 to 7"]),
    (["--input", "x.npy", "--labels", "few.npy"], ["a label for each of the 2 samples", "(1,)"]),
    (["--input", "x.npy", "--labels", "far.npy"], ["0 to 3, and 4 occurs"]),
    (["--input", "x.npy", "--labels", "hot.npy"], ["argmax"]),
    (["--input", "x.npy", "--labels", "words.csv"], ["'cat' is no class", "have no names"]),
    (["--input", "two.npz"], ["one array, or one called 'x'", "'a', 'b'"]),
    (["--input", "x.npy", "--output", "here.txt"], [".npy or .npz", "here.txt"]),
    (["--input", "x.npy", "--against", "nowhere.onnx"], ["nowhere.onnx"]),
])
def test_a_wrong_request_is_one_line(run: Run, layer: Path, arguments: list[str], words: list[str]) -> None:
    np.save("x.npy", np.full((2, 3, 3, 4), 0.3))
    np.save("wrong.npy", np.zeros((2, 4, 3, 3)))
    for name, labels in (("few", [1]), ("far", [0, 4]), ("hot", np.eye(2)), ("y", [0, 1])):
        np.save(f"{name}.npy", np.array(labels))
    np.savez("two.npz", a=np.zeros(3), b=np.zeros(3))
    Path("words.csv").write_text("cat\ndog\n")
    done = run("batch", layer, *arguments)
    lines = done.stderr.splitlines()
    assert done.exit_code in (1, 2) and "Traceback" not in done.output and lines[-1].startswith("bitloom: ")
    for word in words:
        assert word in lines[-1]


def test_labels_are_read_as_people_write_them(tmp_path: Path) -> None:
    names = ("cat", "dog")
    for text in ("1\n0\n1\n", "1,0,1\n", "dog\ncat\ndog\n", "dog, cat, dog\n", "1.0\n0.0\n1.0\n"):
        (tmp_path / "y.csv").write_text(text)
        assert read_labels(tmp_path / "y.csv", names, 2, (3,)).tolist() == [1, 0, 1]
    np.save(tmp_path / "y.npy", np.array(["dog", "cat", "dog"])[:, None])
    assert read_labels(tmp_path / "y.npy", names, 2, (3,)).tolist() == [1, 0, 1]
    np.save(tmp_path / "y.npy", np.array([0, -1, 0]))
    with pytest.raises(RequestError, match="0 to 1, and -1 occurs"):
        read_labels(tmp_path / "y.npy", names, 2, (3,))


def test_text_is_integers_unless_it_is_not(tmp_path: Path) -> None:
    for text, kind in (("1,2\n3,4\n", "i"), ("1,2\n3,4.0\n", "f"), ("1e0,2\n3,4\n", "f")):
        (tmp_path / "x.csv").write_text(text)
        values = read_array(tmp_path / "x.csv", "x")
        assert values.tolist() == [[1, 2], [3, 4]] and values.dtype.kind == kind


def test_an_archive_that_unfolds_too_far_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros(100_000))
    assert read_array(tmp_path / "x.npz", "x").shape == (100_000,)
    monkeypatch.setattr("bitloom.cli.arrays.PLENTY", 30000)
    with pytest.raises(RequestError, match="would become 800,128 bytes, more than 400 times"):
        read_array(tmp_path / "x.npz", "x")


def test_an_assumed_input_is_said_aloud(run: Run, tmp_path: Path) -> None:
    onnx.save(CASES["pixels"](GENERAL).model, tmp_path / "raw.onnx")
    done = run("import", "raw.onnx", "--check", "0")
    assert any(line.startswith("warning: ") and "assumed" in line for line in done.stderr.splitlines())
    np.save("x.npy", np.linspace(-2, 2, 80).reshape(5, 1, 4, 4))
    done = run("batch", "raw", "--input", "x.npy", "--json")
    warned = next(line for line in done.stderr.splitlines() if line.startswith("warning: "))
    assert "75.00% of the values lie outside 0 to 1" in warned and "assumed" in warned
