"""A build folder holds one request: the same is not done again, an edited top is kept, another clears the folder."""

import json
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from support.graphs import graph_of, random_graph, random_samples

from bitloom import RequestError, WorkError, boards, codegen
from bitloom.boards import build as builds
from bitloom.boards.build import build, compile_design, load_build, synthesize_build
from bitloom.boards.design import load_design, make_design
from bitloom.boards.flow import TimingError, TooLargeError
from bitloom.boards.report import read
from bitloom.quant import Format, Table, Tensor, run, save

ICEBREAKER = (Path(boards.__file__).parent / "icebreaker.yaml").read_text()

HOLLOW = """
module top(input clk, rx, output reg tx, output [1:0] led);
  always @(posedge clk) tx <= rx;
  assign led = 0;
endmodule
"""


class Notes:
    """A progress that remembers: step → its last note."""

    def __init__(self):
        self.notes: dict[str, str] = {}

    @contextmanager
    def step(self, name):
        self.name, self.notes[name] = name, ""
        yield self

    def note(self, text):
        self.notes[self.name] = text


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small network, as a graph on disk."""
    path = tmp_path_factory.mktemp("model") / "tiny.npz"
    save(random_graph(3, (8, 6, 4)), path)
    return str(path)


@pytest.fixture
def design(model):
    return make_design(model, target="area")


def emissions(monkeypatch):
    """How often RTL was emitted, as a list that grows."""
    seen: list[str] = []
    emit = codegen.emit_verilog
    monkeypatch.setattr(codegen, "emit_verilog", lambda *args: seen.append("emitted") or emit(*args))
    return seen


def test_what_a_compiled_folder_holds(design, tmp_path):
    compiled = compile_design(design, tmp_path / "out")
    text = compiled.top.read_text()
    assert "module accelerator(" in text and "module top(" in text
    assert compiled.constraints.read_text().startswith("set_frequency clk 12\n")
    assert {"design.yaml", "graph.npz", "manifest.json", "report.json"} <= {p.name for p in compiled.out.iterdir()}
    values = read(tmp_path / "out")
    assert (values["design"], values["board"], values["part"]) == (
        "tiny-icebreaker-area", "icebreaker", "iCE40UP5K-SG48")
    assert values["stage"] == "estimate" and values["lut"] == values["predicted"]["lut"] > 400
    assert values["interval_cycles"] == compiled.plan.interval and values["seconds"]["compile"] > 0
    face = compiled.interface
    samples = compiled.graph.input.output
    assert (face.elements, face.element) == (samples.shape[0], samples.format)
    assert face.design_id == compiled.design_id
    assert f"{compiled.design_id & 0xFF:02x}" in text


def test_the_same_request_is_not_compiled_again(design, tmp_path, monkeypatch):
    seen = emissions(monkeypatch)
    first = compile_design(design, tmp_path)
    notes = Notes()
    again = compile_design(design, tmp_path, notes)
    assert seen == ["emitted"] and notes.notes == {"compile": "unchanged"}
    assert again.plan.foldings == first.plan.foldings and again.plan.interval == first.plan.interval
    assert (again.design_id, again.edited) == (first.design_id, False)


def test_what_was_compiled_can_be_loaded(design, tmp_path, monkeypatch):
    compiled = compile_design(design, tmp_path / "out")
    (tmp_path / "out").rename(tmp_path / "elsewhere")
    monkeypatch.setattr(codegen, "compile", None)
    loaded = load_build(tmp_path / "elsewhere")
    assert loaded.plan.stages == compiled.plan.stages and loaded.interface == compiled.interface
    x = random_samples(compiled.graph, 5)
    assert np.array_equal(run(loaded.graph, x), run(compiled.graph, x))
    assert load_design(tmp_path / "elsewhere" / "design.yaml").target == "area"


def test_the_resolved_design_compiles_to_the_same(design, tmp_path, monkeypatch):
    first = compile_design(design, tmp_path)
    seen = emissions(monkeypatch)
    again = compile_design(load_design(tmp_path / "design.yaml"), tmp_path)
    assert again.design_id == first.design_id and seen == []


@pytest.mark.parametrize("change", [{"target": "latency"}, {"fps": 100.0}, {"board": "ulx3s-25f"}])
def test_another_request_clears_the_folder(design, tmp_path, change):
    first = compile_design(design, tmp_path)
    old = [first.bitstream, tmp_path / "netlist.json", tmp_path / "report.html", tmp_path / "routed.asc"]
    for path in old:
        path.write_text("old")
    second = compile_design(design.model_copy(update=change), tmp_path)
    assert second.design_id != first.design_id
    assert not any(path.exists() for path in old)
    assert len(list(tmp_path.glob("constraints.*"))) == 1
    assert read(tmp_path)["board"] == second.board.name


def test_another_network_is_another_request(design, tmp_path):
    first = compile_design(design, tmp_path)
    save(random_graph(4, (8, 6, 4)), tmp_path / "other.npz")
    second = compile_design(design.model_copy(update={"model": str(tmp_path / "other.npz")}), tmp_path)
    assert second.design_id != first.design_id


def test_what_asks_for_no_other_rtl_does_not_change_it(design, tmp_path):
    first = compile_design(design, tmp_path)
    second = compile_design(design.model_copy(update={"allow_timing_failure": True}), tmp_path)
    assert second.design_id == first.design_id
    assert load_design(tmp_path / "design.yaml").allow_timing_failure


def test_an_edited_top_is_kept(design, tmp_path):
    compiled = compile_design(design, tmp_path)
    edited = compiled.top.read_text() + "// mine\n"
    compiled.top.write_text(edited)
    notes = Notes()
    assert compile_design(design, tmp_path, notes).edited
    assert "edited and is kept" in notes.notes["compile"]
    assert compiled.top.read_text() == edited and load_build(tmp_path).edited

    # Another request needs another top: the edited one stays beside it.
    other = compile_design(design.model_copy(update={"fps": 100.0}), tmp_path)
    assert not other.edited and other.top.read_text() != edited
    assert (tmp_path / "rtl" / "top.edited.v").read_text() == edited


@pytest.mark.parametrize("loss", ["rtl/top.v", "manifest.json", "graph.npz"])
def test_what_was_lost_is_made_again(design, tmp_path, loss):
    first = compile_design(design, tmp_path)
    text = first.top.read_text()
    (tmp_path / loss).unlink()
    assert compile_design(design, tmp_path).top.read_text() == text


def test_an_interrupt_while_emitting_leaves_no_manifest(design, tmp_path, monkeypatch):
    def interrupt(path, text):
        if path.name == "top.v":
            raise KeyboardInterrupt
        write(path, text)

    write = builds.write_text
    monkeypatch.setattr(builds, "write_text", interrupt)
    with pytest.raises(KeyboardInterrupt):
        compile_design(design, tmp_path)
    with pytest.raises(RequestError, match=r"holds no compiled design, or .* run `bitloom compile`"):
        load_build(tmp_path)
    monkeypatch.undo()
    assert compile_design(design, tmp_path).top.exists()


INTERRUPTED = """
import os, signal, sys, time
from bitloom.boards.build import compile_design
from bitloom.boards.design import make_design
try:
    compile_design(make_design(sys.argv[1], target="area"), sys.argv[2])
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(10)
except KeyboardInterrupt:
    print("heard")
"""


def test_interrupts_are_heard_after_the_solver_has_run(model, tmp_path):
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, model, str(tmp_path)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "heard\n")


def test_what_no_quick_build_holds_is_built_as_small_as_it_can_be(model, tmp_path, monkeypatch):
    design = make_design(model)
    assert design.quick and compile_design(design, tmp_path / "quick").plan.target == "throughput"
    monkeypatch.setattr(builds, "QUICK_LUTS", 400)
    compiled = compile_design(design, tmp_path / "small")
    assert compiled.plan.target == "area" and compiled.plan.predicted.lut < 2000
    smallest = compile_design(make_design(model, target="area"), tmp_path / "area")
    assert compiled.plan.foldings == smallest.plan.foldings


def test_a_board_of_the_users_own_is_kept_with_the_build(model, tmp_path):
    text = ICEBREAKER.replace("name: icebreaker", "name: mine")
    (tmp_path / "mine.yaml").write_text(text)
    compile_design(make_design(model, str(tmp_path / "mine.yaml")), tmp_path / "out")
    (tmp_path / "mine.yaml").unlink()
    assert load_build(tmp_path / "out").board.name == "mine"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clock_mhz": 48.0}, "clock_mhz must be 12, the oscillator of icebreaker .*, not 48"),
        ({"board": "icebraker"}, r"no board is called 'icebraker'; did you mean 'icebreaker'\?"),
        ({"layers": {"fc9": {"pe": 1}}}, "layers.fc9: the network has no such layer"),
        ({"layers": {"fc1": {"pe": 4}}}, "layers.fc1.pe must divide the 6 outputs, not 4"),
        ({"fps": 1e9}, "fps"),
        ({"model": "nothing"}, "no model is called 'nothing'"),
        ({"utilization": 0.01}, "fit|budget"),
    ],
)
def test_what_cannot_be(design, tmp_path, change, message):
    wrong = make_design(**{**design.model_dump(exclude={"design"}), **change})
    with pytest.raises(RequestError, match=message):
        compile_design(wrong, tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_baud_rate_that_the_clock_cannot_make(model, tmp_path):
    text = ICEBREAKER.replace("1000000", "9000000")
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(RequestError, match=r"board icebreaker: baud must be at most .* not 9e"):
        compile_design(make_design(model, str(tmp_path / "mine.yaml")), tmp_path / "out")


def test_a_whole_build_and_what_comes_after(design, tmp_path, monkeypatch):
    notes = Notes()
    values = build(design, tmp_path, notes)
    assert list(notes.notes) == ["compile", "synthesize", "route", "pack", "report"]
    assert values["stage"] == "route" and values["fmax_mhz"] > values["clock_mhz"] == 12
    assert set(values["seconds"]) >= {"compile", "synthesize", "route", "pack"}
    assert set(values["tools"]) == {"bitloom", "amaranth", "yosys", "nextpnr-ice40", "icepack"}
    assert values["utilization"]["ICESTORM_LC"]["used"] == values["lut"]
    assert (tmp_path / "tiny-icebreaker-area.bin").stat().st_size > 100_000
    assert "<svg" in (tmp_path / "report.html").read_text()

    # Again: nothing to do, nothing lost. A synthesis alone does not take back what was routed.
    assert build(design, tmp_path, notes) == values
    assert notes.notes == {"compile": "unchanged", "synthesize": "unchanged", "route": "unchanged", "pack": "unchanged",
                           "report": ""}  # fmt: skip
    synthesis = synthesize_build(load_build(tmp_path))
    assert read(tmp_path) == values and synthesis.netlist_v.is_file()

    # A top without the accelerator's constants is not the design that was planned: refused, and no bitstream is left.
    compiled = load_build(tmp_path)
    compiled.top.write_text(HOLLOW)
    with pytest.raises(WorkError, match=r"the netlist is implausibly small: .*rtl/top.v was edited"):
        build(design, tmp_path)
    assert not compiled.bitstream.exists()
    assert read(tmp_path)["stage"] == "synthesis" and "fmax_mhz" not in read(tmp_path)


def test_a_build_that_misses_its_clock(design, tmp_path, monkeypatch):
    place_and_route = builds.place_and_route
    monkeypatch.setattr(builds, "place_and_route", lambda *args, **options: place_and_route(*args[:3], 400, **options))
    with pytest.raises(TimingError, match="the clock is 400 MHz"):
        build(design, tmp_path)
    values = read(tmp_path)
    assert values["stage"] == "route" and values["fmax_mhz"] < 400 and values["critical_path"]
    assert not (tmp_path / "tiny-icebreaker-area.bin").exists()
    build(design.model_copy(update={"allow_timing_failure": True}), tmp_path)
    assert (tmp_path / "tiny-icebreaker-area.bin").exists()


def test_a_damaged_manifest_is_no_manifest(design, tmp_path):
    compile_design(design, tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps([1]))
    with pytest.raises(RequestError, match="holds no compiled design"):
        load_build(tmp_path)
    assert compile_design(design, tmp_path).top.exists()


@pytest.fixture
def vast(tmp_path):
    """A design of a network that gives 90,000 results of as many elements: more than an iCE40 can keep for a link."""
    shape = (300, 300, 1)
    table = Table("y", ("x",), Tensor(shape, Format(5)), np.array([[9, 30, 2, 5, 0, 1, 7, 3]]), 0)
    save(graph_of(Tensor(shape, Format(3)), table), tmp_path / "vast.npz")
    return make_design(str(tmp_path / "vast.npz"))


def test_more_results_than_a_link_can_keep_compile_and_are_not_built(vast, tmp_path):
    notes = Notes()
    compiled = compile_design(vast, tmp_path / "out", notes)
    face = compiled.interface
    assert (face.elements, face.results) == (90_000, 90_000) and compiled.top.is_file()
    reason = (r"the host link keeps two samples of 90,000 elements in 132 block memories, and board icebreaker has 30; "
              r"take a board with as many \(.*ulx3s-85f.*\), or make the samples smaller")
    assert re.search(reason, notes.notes["compile"])
    with pytest.raises(TooLargeError, match=reason):
        synthesize_build(compiled)


def test_a_link_that_does_not_fit_takes_no_room_from_what_is_only_simulated(vast, tmp_path):
    board = boards.board.load(vast.board)
    _, graph = builds.resolve_model(vast.model)
    assert builds._budget(vast.model_copy(update={"target": "area"}), board, graph) == board.resources.scaled(0.75)
