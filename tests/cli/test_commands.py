"""The commands: what they print, where their products are, and one line for each mistake a user can make."""

from __future__ import annotations

import errno
import gc
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from bitloom import quant
from bitloom.boards import build, files, tools
from bitloom.cli.main import main

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``bitloom`` with the given arguments in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


def network(inputs: int, outputs: int, bits: int = 3) -> quant.Graph:
    """One layer of random weights and the index of its greatest score."""
    fmt = quant.Format(bits, signed=True)
    weights = np.random.default_rng(0).integers(fmt.lo, fmt.hi + 1, (outputs, inputs))
    reach = int(np.abs(weights).sum(axis=1).max()) * 15
    return quant.Graph("tiny", (
        quant.Input("input", (), quant.Tensor((inputs,), quant.Format(4))),
        quant.MatMul("fc1", ("input",), quant.Tensor((outputs,), quant.Format.of_range(-reach, reach)), weights, fmt),
        quant.ArgMax("argmax", ("fc1",), quant.Tensor((1,), quant.Format.of_range(0, outputs - 1))),
    ), "argmax")


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """The graph of a tiny network."""
    quant.save(network(8, 4), tmp_path / "tiny.npz")
    return tmp_path / "tiny.npz"


def assert_line(result: Result, code: int, *words: str) -> None:
    """The command ended with ``code`` and, beside progress, one line with all of ``words``."""
    lines = result.stderr.splitlines()
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output and lines[-1].startswith("bitloom: ")
    assert all(not line.startswith("bitloom: ") for line in lines[:-1])
    for word in words:
        assert word in lines[-1]


def test_the_command_line_tells_what_it_can_do(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    for command in ("train", "import", "compile", "build", "verify", "program", "run", "sweep", "report",
                    "boards", "models"):
        assert f"\n  {command} " in result.stdout
        assert run(command, "--help").exit_code == 0


def test_boards_are_listed_with_what_they_offer(run: Run) -> None:
    listed = {each["name"]: each for each in json.loads(run("boards", "--json").stdout)["boards"]}
    assert listed["icebreaker"]["lut"] == 5280 and listed["icebreaker"]["clock_mhz"] == 12
    assert any(line.startswith("icebreaker ") and " 5,280 " in line for line in run("boards").stdout.splitlines())
    assert json.loads(run("boards", "ulx3s-85f", "--json").stdout)["family"] == "ecp5"


def test_models_are_listed_with_their_accuracy(run: Run) -> None:
    listed = {each["name"]: each for each in json.loads(run("models", "--json").stdout)["models"]}
    assert listed["digits"]["trained"] and listed["digits"]["accuracy"] > 0.9
    assert listed["digits"]["layers"].startswith("64 → ") and listed["digits"]["layers"].endswith(" → 10")
    assert "digits " in run("models").stdout


def test_compile_prints_the_layers_and_leaves_rtl(run: Run, tiny: Path) -> None:
    result = run("compile", tiny)
    assert result.exit_code == 0, result.output
    table = [line.split() for line in result.stdout.splitlines()]
    assert table[0][:4] == ["layer", "template", "shape", "PE"]
    assert table[1][:5] == ["fc1", "MatVec", "8", "→", "4"] and table[3][0] == "pipeline"
    folder = Path("build/tiny-icebreaker")
    assert result.stdout.rstrip().endswith(str(folder / "rtl" / "top.v"))
    assert "module accelerator" in (folder / "rtl" / "top.v").read_text() and (folder / "report.html").is_file()
    assert "compile" in result.stderr


def test_json_is_one_object_and_nothing_else(run: Run, tiny: Path) -> None:
    result = run("compile", tiny, "--target", "area", "--board", "icestick", "--out", "here", "--json")
    values = json.loads(result.stdout)
    assert (values["target"], values["board"], values["folder"]) == ("area", "icestick", "here")
    assert [layer["name"] for layer in values["layers"]] == ["fc1", "argmax"]
    assert values["stage"] == "estimate" and Path(values["rtl"]).is_file()


def test_a_design_file_says_it_all(run: Run, tiny: Path) -> None:
    Path("mine.yaml").write_text(f"model: {tiny}\nboard: icestick\nlayers: {{fc1: {{pe: 2, simd: 4}}}}\n")
    values = json.loads(run("compile", "mine.yaml", "--json").stdout)
    assert values["design"] == "mine" and values["folder"] == "build/mine"
    assert (values["layers"][0]["pe"], values["layers"][0]["simd"]) == (2, 4)


@pytest.mark.parametrize(("arguments", "words"), [
    (["build", "digts"], ["digts", "did you mean 'digits'"]),
    (["build", "digits", "--board", "icebraker"], ["icebraker", "did you mean 'icebreaker'"]),
    (["compile", "nowhere/graph.npz"], ["nowhere/graph.npz", "there is no such file"]),
    (["compile", "nowhere.yaml"], ["nowhere.yaml: there is no such file"]),
    (["compile"], ["DESIGN is missing", "digits"]),
    (["compile", "tiny.npz", "--target", "speed"], ["'speed'", "'throughput'"]),
    (["compile", "tiny.npz", "--fps", "0"], ["0", "x>0"]),
    (["compile", "tiny.npz", "--fps", "1e12"], ["fps"]),
    (["verify", "tiny.npz", "--level", "rlt"], ["'rlt'", "'rtl'"]),
    (["run", "tiny.npz"], ["--port", "--simulate"]),
    (["run", "tiny.npz", "--port", "x", "--simulate"], ["--port", "--simulate"]),
    (["program", "tiny.npz"], ["build/tiny-icebreaker", "bitloom build"]),
    (["report", "tiny.npz"], ["build/tiny-icebreaker", "no report.json", "bitloom build"]),
    (["boards", "ulx3s"], ["ulx3s", "did you mean"]),
    (["train", "digts"], ["digts", "did you mean 'digits'"]),
    (["train", "."], ["network.yaml: there is no such file"]),
])
def test_a_wrong_request_is_one_line_and_2(run: Run, tiny: Path, arguments: list[str], words: list[str]) -> None:
    result = run(*arguments)
    assert_line(result, 2, *words)
    assert result.stdout == ""


@pytest.mark.parametrize(("text", "words"), [
    ("model: [", ["bad.yaml", "not valid YAML"]),
    ("- model", ["bad.yaml", "key: value"]),
    ("model: tiny.npz\ntraget: area", ["bad.yaml", "traget", "target"]),
    ("model: tiny.npz\ntarget: speed", ["target", "speed", "latency"]),
    ("model: tiny.npz\nlayers: {fc1: {pe: 3}}", ["fc1", "3", "divide"]),
    ("model: tiny.npz\nlayers: {fc2: {pe: 2}}", ["fc2", "fc1"]),
    ("model: tiny.npz\nclock_mhz: 100", ["clock_mhz", "12", "100"]),
    ("board: icebreaker", ["model"]),
])
def test_a_wrong_design_file_is_one_line_and_2(run: Run, tiny: Path, text: str, words: list[str]) -> None:
    Path("bad.yaml").write_text(text)
    assert_line(run("compile", "bad.yaml"), 2, *words)


def test_a_network_that_does_not_fit_says_so(run: Run) -> None:
    quant.save(network(128, 96, bits=8), "large.npz")
    assert_line(run("compile", "large.npz", "--board", "icestick"), 2, "fit")


@pytest.mark.parametrize("damage", ["cut", "noise", "nan"])
def test_a_damaged_graph_is_one_line(run: Run, tiny: Path, damage: str) -> None:
    data = tiny.read_bytes()
    if damage == "nan":
        with np.load(tiny) as archive:
            arrays = dict(archive)
        arrays["fc1.weights"] = arrays["fc1.weights"] * np.nan
        np.savez(tiny, **arrays)
    else:
        tiny.write_bytes(data[: len(data) // 2] if damage == "cut" else b"PK" + data[:-2])
    assert_line(run("compile", tiny), 2, "NaN" if damage == "nan" else "tiny.npz")


@pytest.mark.parametrize("damage", ["cut", "nan"])
def test_a_damaged_checkpoint_is_one_line(run: Run, damage: str) -> None:
    example = Path(quant.__file__).resolve().parent.parent / "examples" / "digits"
    Path("network.yaml").write_text((example / "network.yaml").read_text())
    if damage == "nan":
        with np.load(example / "checkpoint.npz") as archive:
            arrays = dict(archive)
        name = next(name for name in arrays if name.endswith("weight"))
        arrays[name] = arrays[name] * np.float32(np.nan)
        np.savez("checkpoint.npz", **arrays)
    else:
        Path("checkpoint.npz").write_bytes((example / "checkpoint.npz").read_bytes()[:999])
    assert_line(run("import", "checkpoint.npz"), 2, "checkpoint.npz", "NaN" if damage == "nan" else "damaged")
    assert not Path("graph.npz").exists()


def test_import_gives_the_graph_that_training_gave(run: Run) -> None:
    example = Path(quant.__file__).resolve().parent.parent / "examples" / "digits"
    result = run("import", example / "checkpoint.npz", "--out", "graph.npz", "--json")
    assert json.loads(result.stdout)["accuracy"] > 0.9
    assert str(quant.load("graph.npz")) == str(quant.load(example / "graph.npz"))


def test_a_missing_tool_is_one_line_with_how_to_get_it(
    run: Run, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setenv(tools.CHOICE, "pip")
    monkeypatch.setattr(tools, "version", gone)
    assert_line(run("build", tiny), 1, "yosys is missing", "pip install pyosys")


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(
    run: Run, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    assert_line(run("compile", tiny), 1, "no space left on the disk")
    left = [path for path in Path("build").rglob("*") if path.is_file() and path.suffix in (".v", ".json", ".yaml")]
    assert left == []


def test_an_interrupt_is_one_line_and_leaves_nothing_half_written(
    run: Run, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(build.codegen, "emit_verilog", interrupted)
    assert_line(run("compile", tiny), 130, "interrupted; nothing half-written")
    assert not list(Path("build").rglob("*.v"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()  # the circuit that was never emitted


def test_after_folding_an_interrupt_is_still_an_interrupt(run: Run, tiny: Path) -> None:
    program = "import os, signal\n" \
              "from click.testing import CliRunner\n" \
              "from bitloom.cli.main import main\n" \
              f"assert CliRunner().invoke(main, ['compile', {str(tiny)!r}]).exit_code == 0\n" \
              "try:\n    os.kill(os.getpid(), signal.SIGINT)\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.returncode) == ("interrupted\n", 0), done.stderr


@pytest.mark.parametrize(("name", "content", "words"), [
    ("x.csv", "1,2,3,4,5,6,7", ["8 elements"]),
    ("x.csv", "1,2,3,4,5,6,7,16", ["0 to 15"]),
    ("x.csv", "1,2,3,4,5,6,7,0.5", ["does not say how real numbers become its integers"]),
    ("x.csv", "one,two", ["numbers and commas"]),
    ("x.csv", "", ["x.csv"]),
    ("x.npy", "no array", ["x.npy"]),
    ("y.csv", None, ["y.csv: there is no such file"]),
])
def test_samples_of_the_users_own_are_checked_first(
    run: Run, tiny: Path, name: str, content: str | None, words: list[str]
) -> None:
    if content is not None:
        Path(name).write_text(content)
    assert_line(run("run", tiny, "--simulate", "--input", name), 2, *words)


