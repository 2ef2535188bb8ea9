"""``bitloom import`` of ONNX files, and what other commands make of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from support.data import data_file
from support.onnx_models import CASES, GENERAL, Net

pytest.importorskip("qonnx")
import onnx

from bitloom import quant
from bitloom.cli.main import main
from bitloom.quant import files
from bitloom.quant.qonnx import executors, reference

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``bitloom`` with the given arguments in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A small file, ``net.onnx``."""
    onnx.save(CASES["perceptron"](GENERAL).model, tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """A file of one layer, quick to compile: ``net.onnx``."""
    net = Net(0, (8,))
    onnx.save(net.model(net.dense(net.quant("x", 0.125, 4), 8, 4)), tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A file without a quantizer at its input."""
    onnx.save(CASES["pixels"](GENERAL).model, tmp_path / "raw.onnx")
    return tmp_path / "raw.onnx"


def assert_line(result: Result, code: int, *words: str) -> None:
    """The command ended with ``code`` and, beside progress, one line with all of ``words``."""
    lines = result.stderr.splitlines()
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output and lines[-1].startswith("bitloom: ")
    assert all(not line.startswith("bitloom: ") for line in lines[:-1])
    for word in words:
        assert word in lines[-1]


def test_a_folder_is_made_with_graph_and_network(run: Run, network: Path) -> None:
    result = run("import", network)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "graph net:" and "  input: i6[12] = Input()" in lines
    assert "input: i6[12], real = 0.125 · integer" in lines
    assert any(line.startswith("compared with QONNX's executor: ") and "0 mismatches" in line for line in lines)
    assert lines[-1] == "net/graph.npz"
    assert str(quant.load("net/graph.npz")) == "\n".join(lines[: len(quant.load("net/graph.npz").nodes) + 2])
    assert Path("net/network.onnx").read_bytes() == network.read_bytes()


def test_json_says_the_same(run: Run, network: Path) -> None:
    values = json.loads(run("import", network, "--json", "--name", "other", "--check", "5").stdout)
    assert values["model"] == "other" and values["graph"] == "other/graph.npz"
    assert (values["input"]["scale"], values["input"]["offset"], values["input"]["shape"]) == (0.125, 0.0, [12])
    assert [node["op"] for node in values["nodes"]][:3] == ["Input", "MatMul", "Threshold"]
    assert values["compared"] and all(row["mismatches"] == 0 for row in values["compared"])


def test_quantizers_in_fixed_point_where_asked_for(run: Run, tmp_path: Path) -> None:
    net = Net(0, (4,))
    x = net.dense(net.quant("x", 0.125, 8), 4, 4)
    onnx.save(net.model(net.quant(x, 0.375, 8)), tmp_path / "net.onnx")
    result = run("import", "net.onnx", "--requantize", "fixed", "--json", "--check", 8)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert any("in fixed point" in note and "as asked for" in note for note in found["notes"])
    assert found["requantize"] == "fixed" and [n["op"] for n in found["nodes"]] == ["Input", "MatMul", "Requantize"]
    assert_line(run("import", "net.onnx", "--requantize", "float"), 2, "--requantize")


def test_a_graph_alone(run: Run, network: Path) -> None:
    assert run("import", network, "--out", "here.npz", "--check", "0").exit_code == 0
    assert quant.load("here.npz").name == "net"
    assert sorted(path.name for path in Path().iterdir()) == ["here.npz", "net.onnx"]


def test_importing_a_folder_again_gives_the_same(run: Run, network: Path) -> None:
    assert run("import", network).exit_code == 0
    before = quant.load("net/graph.npz")
    result = run("import", "net", "--out", "net", "--check", "0")
    assert result.exit_code == 0 and "without a comparison" in result.stderr
    assert str(quant.load("net/graph.npz")) == str(before)


def test_what_is_assumed_of_the_input_is_said(run: Run, raw: Path) -> None:
    assumed, given = run("import", raw, "--check", "3"), run("import", raw, "--input", "u4", "--scale", "1/15")
    assert "note: " in assumed.stdout and "1/255 assumed" in assumed.stdout
    assert given.exit_code == 0 and "assumed" not in given.stdout
    assert "input: u4[4×4×1], real = 0.0666666667 · integer" in given.stdout.splitlines()
    shifted = run("import", raw, "--input", "i8", "--scale", "0.01", "--offset", "0.5")
    assert "input: i8[4×4×1], real = 0.01 · integer + 0.5" in shifted.stdout.splitlines()


def test_accuracy_on_a_data_set(run: Run) -> None:
    model = data_file("qonnx/TFC_2W2A.onnx")
    data_file("mnist.npz")
    result = run("import", model, "--input", "u8", "--scale", "1/255", "--dataset", "mnist", "--check", "4", "--json")
    values = json.loads(result.stdout)
    assert (values["errors"], values["samples"]) == (340, 10000)
    assert quant.load("TFC_2W2A/graph.npz").metadata["accuracy"] == 0.966


@pytest.mark.parametrize(("arguments", "words"), [
    (["nowhere.onnx"], ["nowhere.onnx", "o such file"]),
    (["net.onnx", "--input", "u99"], ["u99", "bipolar"]),
    (["net.onnx", "--scale", "much"], ["'much'", "1/255"]),
    (["net.onnx", "--scale", "0"], ["positive"]),
    (["net.onnx", "--check", "-1"], ["-1"]),
    (["net.onnx", "--network", "network.yaml"], ["--network", "checkpoints"]),
    (["net.onnx", "--dataset", "digts"], ["digts", "digits"]),
    (["net.onnx", "--dataset", "digits"], ["digits", "64", "12"]),
    (["net.onnx", "--out", "net.onnx"], ["net.onnx", "folder"]),
    (["net.onnx", "--out", "trained"], ["trained", "network.yaml"]),
    (["checkpoint.npz", "--scale", "1/255"], ["--scale", "checkpoint"]),
    (["text.onnx"], ["text.onnx"]),
])
def test_a_wrong_request_is_one_line_and_2(run: Run, network: Path, arguments: list[str], words: list[str]) -> None:
    Path("trained").mkdir()
    Path("trained/network.yaml").touch()
    Path("text.onnx").write_text("not a network\n")
    assert_line(run("import", *arguments), 2, *words)
    assert not Path("net").exists()


def test_a_graph_that_differs_is_not_written(run: Run, network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = onnx.load(network).graph.node
    relu = next(node.output[0] for node in nodes if node.op_type == "Relu")
    quantized = next(node.output[0] for node in nodes if relu in node.input)

    def wrong(*arguments: Any) -> Iterator[tuple[slice, reference.Context]]:
        for where, context in given(*arguments):
            yield where, {**context, quantized: np.roll(context[quantized], 1, axis=1)}

    given = reference.Reference.__iter__
    monkeypatch.setattr(reference.Reference, "__iter__", wrong)
    assert_line(run("import", network), 1, "net.onnx", "act1", "samples differ")
    assert not Path("net").exists()


def test_without_the_packages_it_says_what_to_install(
    run: Run, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "find_spec", lambda package: None)
    assert_line(run("import", network), 2, "onnx", "pip install 'bitloom[qonnx]'")
    assert_line(run("compile", network), 2, "onnx", "pip install 'bitloom[qonnx]'")


def test_without_the_executor_it_imports_and_says_so(
    run: Run, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "find_spec", lambda package: None)
    result = run("import", network)
    said = "imported without a comparison: nothing here can run the file: QONNX's executor needs"
    assert result.exit_code == 0 and said in result.stderr
    assert_line(run("import", network, "--check", "5"), 2, "--check", "pip install 'bitloom[qonnx]'")


@pytest.mark.parametrize("what", ["net.onnx", "net", "net/graph.npz"])
def test_later_commands_take_the_file_the_folder_and_the_graph(run: Run, layer: Path, what: str) -> None:
    assert run("import", layer, "--check", "0").exit_code == 0
    values = json.loads(run("compile", what, "--json").stdout)
    assert values["design"] == "net-icebreaker" and values["model"] == "net"
    result = run("verify", what, "--level", "model", "--json")
    level = json.loads(result.stdout)["levels"]["model"] if result.exit_code == 0 else {}
    if what.endswith(".npz"):
        assert_line(result, 1, "level model cannot run here")
    else:
        assert level["status"] == "passed" and level["samples"] > 200 and level["mismatches"] == 0
        assert "QONNX's executor" in level["reason"]


def test_another_file_is_not_the_one_that_was_built(run: Run, layer: Path) -> None:
    assert run("import", layer, "--check", "0").exit_code == 0
    assert run("compile", "net").exit_code == 0
    net = Net(5, (12,))
    onnx.save(net.model(net.dense(net.quant("x", 0.125, 4), 8, 4)), "net/network.onnx")
    assert_line(run("verify", "net", "--level", "model"), 1, "another graph")


def test_a_design_names_an_onnx_file(run: Run, layer: Path) -> None:
    Path("mine.yaml").write_text("model: net.onnx\nboard: ulx3s-85f\n")
    values = json.loads(run("compile", "mine.yaml", "--json").stdout)
    assert (values["design"], values["board"]) == ("mine", "ulx3s-85f")


def test_strict_refuses_what_was_not_compared(run: Run, layer: Path) -> None:
    assert_line(run("import", layer, "--check", "0", "--strict"), 1, "without a comparison", "--strict")
    assert not Path("net").exists()
    assert run("import", layer, "--check", "0").exit_code == 0
    said = "this network was imported without a comparison: no samples were asked for"
    for command in (["compile", "net"], ["verify", "net", "--level", "model"]):
        result = run(*command)
        assert result.exit_code == 0 and f"warning: {said}" in result.stderr.splitlines()
        assert_line(run(*command, "--strict"), 1, said)
    assert_line(run("build", "net", "--strict"), 1, said)
    assert run("import", layer, "--strict").exit_code == 0
    for command in (["compile", "net", "--strict"], ["verify", "net", "--level", "model", "--strict"]):
        result = run(*command)
        assert result.exit_code == 0 and "without a comparison" not in result.output


def test_an_onnx_file_is_compared_where_it_is_compiled(run: Run, layer: Path) -> None:
    result = run("compile", layer, "--strict", "--json")
    assert result.exit_code == 0 and "compare …" in result.stderr.splitlines()
    assert json.loads(result.stdout)["compared"]["reference"] == "QONNX's executor"
    result = run("verify", layer, "--level", "model", "--strict")
    assert result.exit_code == 0 and "compare …" not in result.stderr.splitlines()  # it is the same network still


def test_what_nothing_can_run_is_written_and_verified_further(
    run: Run, layer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "EXECUTORS", ())
    monkeypatch.setattr(reference, "EXECUTORS", executors.EXECUTORS[:0])
    result = run("import", layer)
    assert result.exit_code == 0 and "without a comparison: nothing here can run the file" in result.stderr
    assert Path("net/graph.npz").is_file()
    assert_line(run("import", layer, "--strict"), 1, "without a comparison")
    assert run("compile", "net").exit_code == 0
    from bitloom import sim

    results = sim.verify("build/net-icebreaker", level="model", model="net")
    assert results[0].status == "unavailable" and "nothing here can run network.onnx" in results[0].reason
    assert_line(run("verify", "net", "--level", "model"), 1, "level model cannot run here", "nothing here can run")


def test_the_comparison_says_how_far_it_reached(run: Run, network: Path) -> None:
    result = run("import", network)
    assert any(line.startswith("  least reached: ") and " levels, " in line for line in result.stdout.splitlines())
    values = json.loads(run("import", network, "--json").stdout)
    rows = values["compared"]
    assert rows[0]["kind"] == "quantizer" and rows[0]["levels"] == 64 and rows[0]["least"] == -32
    assert all({"seen", "levels", "least", "greatest", "elements", "exact"} <= row.keys() for row in rows)
    assert values["comparison"]["least_reached"]["node"] in {row["node"] for row in rows}
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) < 200
