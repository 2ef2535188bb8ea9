"""Design files: what they mean, and how their mistakes are told."""

from pathlib import Path

import pytest
from support.graphs import random_graph

from bitloom import RequestError
from bitloom.boards.design import (
    Design,
    Layer,
    design_names,
    find_design,
    load_design,
    make_design,
    model_folder,
    model_names,
    resolve_model,
    write_design,
)
from bitloom.quant import save

FULL = """
design: fast
model: digits
board: ulx3s-85f
target: latency
fps: 1000
clock_mhz: 25
utilization: 0.5
allow_timing_failure: true
layers:
  fc1: {pe: 4, simd: 8, memory: block}
  fc2: {simd: 2}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "fast.yaml"
    path.write_text(text)
    return path


def test_every_key(tmp_path):
    design = load_design(write(tmp_path, FULL))
    assert design == Design(
        design="fast", model="digits", board="ulx3s-85f", target="latency", fps=1000, clock_mhz=25, utilization=0.5,
        allow_timing_failure=True, layers={"fc1": Layer(pe=4, simd=8, memory="block"), "fc2": Layer(simd=2)},
    )  # fmt: skip
    assert design.overrides() == {"fc1": {"pe": 4, "simd": 8, "memory": "block"}, "fc2": {"simd": 2}}


def test_defaults(tmp_path):
    design = load_design(write(tmp_path, "model: digits\n"))
    assert (design.design, design.board, design.target, design.fps) == ("fast", "icebreaker", None, None)
    assert (design.utilization, design.allow_timing_failure, design.layers) == (0.75, False, {})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("target: latency", "tagret: latency", r"unknown key tagret; did you mean 'target'\?"),
        ("target: latency", "target: fastest", "target: must be 'throughput', 'latency' or 'area', not 'fastest'"),
        ("model: digits\n", "", "model is missing"),
        ("fps: 1000", "fps: 0", "fps: must be greater than 0, not 0"),
        ("fps: 1000", "fps: many", "fps: must be a valid number.*, not 'many'"),
        ("fps: 1000", "fps: .inf", "fps: must be a finite number, not inf"),
        ("utilization: 0.5", "utilization: 75", "utilization: must be less than or equal to 1, not 75"),
        ("clock_mhz: 25", "clock_mhz: -1", "clock_mhz: must be greater than 0, not -1"),
        ("allow_timing_failure: true", "allow_timing_failure: 3", "failure: must be a valid boolean, not 3"),
        ("pe: 4", "ep: 4", r"unknown key layers\.fc1\.ep \(known: pe, simd, lanes, memory, template, group, tables\)"),
        ("fc1:", "1:", "key '1' must be text: put it in quotes"),
        ("pe: 4", "pe: 0", r"layers\.fc1\.pe: must be greater than or equal to 1, not 0"),
        ("pe: 4", "pe: 2.5", r"layers\.fc1\.pe: must be a valid integer.*, not 2\.5"),
        ("memory: block", "memory: lut", r"layers\.fc1\.memory: must be 'block' or 'distributed', not 'lut'"),
        ("design: fast", "design: ../fast", "design: must be a folder's name of letters, digits.*, not '../fast'"),
        ("fc2: {simd: 2}", "fc2: 7", r"layers\.fc2: must be .*, not 7"),
        ("target: latency", "target: latency\ntarget: area", "key 'target' is given twice"),
    ],
)
def test_mistakes(tmp_path, old, new, message):
    assert old in FULL
    with pytest.raises(RequestError, match=rf"fast\.yaml.*{message}") as caught:
        load_design(write(tmp_path, FULL.replace(old, new)))
    assert "\n" not in str(caught.value)


def test_paths_are_relative_to_the_file(tmp_path):
    graph = random_graph(1)
    (tmp_path / "nets" / "mine").mkdir(parents=True)
    save(graph, tmp_path / "nets" / "mine" / "graph.npz")
    for model in ("nets/mine", "nets/mine/graph.npz", "nets/mine/network.yaml"):
        design = load_design(write(tmp_path, f"model: {model}\nboard: boards/own.yaml\n"))
        assert resolve_model(design.model)[1].output == graph.output
        assert design.board == str(tmp_path / "boards" / "own.yaml")


def test_what_is_written_reads_the_same(tmp_path):
    design = load_design(write(tmp_path, FULL))
    write_design(design, tmp_path / "again.yaml")
    assert load_design(tmp_path / "again.yaml") == design


def test_designs_without_a_file_are_named_after_what_is_asked_for(tmp_path):
    assert make_design("digits").design == "digits-icebreaker"
    assert make_design("digits", "ulx3s-85f", target="area", fps=None).design == "digits-ulx3s-85f-area"
    assert make_design("digits", fps=20000).design == "digits-icebreaker-20000fps"
    assert make_design("digits", target="latency", fps=0.5).design == "digits-icebreaker-latency-0.5fps"
    assert make_design("/nets/My net/graph.npz", "/boards/own.yaml").design == "My-net-own"
    assert make_design("digits", design="other").design == "other"
    with pytest.raises(RequestError, match="design: target: must be"):
        make_design("digits", target="fast")


def test_a_request_is_a_file_a_design_or_a_model(tmp_path):
    path = write(tmp_path, FULL)
    assert find_design(str(path)) == load_design(path)
    assert find_design("digits") == make_design("digits")
    assert find_design("digits", board="ulx3s-85f", target="area") == make_design("digits", "ulx3s-85f", target="area")
    for name in design_names():
        assert find_design(name).design == name


def test_options_replace_what_the_file_says(tmp_path):
    path = str(write(tmp_path, FULL))
    changed = find_design(path, target="area", fps=None)
    assert changed == find_design(path).model_copy(update={"target": "area", "design": "fast-area"})
    assert find_design(path, fps=7).design == "fast-7fps"
    assert find_design(path, target=find_design(path).target).design == "fast"
    other = find_design(path, board="icebreaker")
    assert (other.board, other.design) == ("icebreaker", "digits-icebreaker")
    assert find_design(path, board="ulx3s-85f").design == "fast"
    with pytest.raises(RequestError, match="design: fps: must be greater than 0, not -3"):
        find_design(path, fps=-3)


def test_unknown_requests_name_the_nearest():
    with pytest.raises(RequestError, match=r"no model or design is called 'digtis'; did you mean 'digits'\?"):
        find_design("digtis")
    with pytest.raises(RequestError, match=r"no model is called 'digtis'; did you mean 'digits'\? \(models: .*digits"):
        resolve_model("digtis")


def test_models():
    assert "digits" in model_names()
    folder, graph = resolve_model("digits")
    assert folder == model_folder("digits") and graph.name == "digits"
    for name in model_names():
        assert (model_folder(name) / "network.yaml").is_file()


def test_models_that_are_not_there(tmp_path):
    with pytest.raises(RequestError, match=r"model .*/none: there is no such folder"):
        resolve_model(str(tmp_path / "none"))
    with pytest.raises(RequestError, match=r"holds no graph\.npz; train the network first: bitloom train"):
        resolve_model(str(tmp_path))
    with pytest.raises(RequestError, match=r"none\.npz: there is no such file"):
        resolve_model(str(tmp_path / "none.npz"))
    (tmp_path / "bad.npz").write_bytes(b"not a graph")
    with pytest.raises(RequestError, match=r"bad\.npz: not an integer graph, or damaged"):
        resolve_model(str(tmp_path / "bad.npz"))
