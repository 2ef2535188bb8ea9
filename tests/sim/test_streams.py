"""The bench at the streams notices every way to break the contract; the patterns of stalls are what they say."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from bitloom import WorkError
from bitloom.quant import BIPOLAR, Format, Graph, Input, Tensor
from bitloom.sim.bench.stalls import PATTERNS, pauses
from bitloom.sim.ports import STREAMS, ports_of
from bitloom.sim.vectors import beats, directed, samples_for
from bitloom.sim.verilator import Public, build, run

# Passes beats on through one register. Some payloads make it misbehave.
FAULTY = """
module accelerator(clk, rst, i__payload, i__valid, i__ready, \\o__payload$4 , o__valid, o__ready);
  input clk, rst, i__valid, o__ready;
  input [7:0] i__payload;
  output i__ready, o__valid;
  output [7:0] \\o__payload$4 ;
  reg [7:0] data = 0;
  reg full = 0, again = 0;
  reg [15:0] rom [0:3];
  initial begin rom[0] = 16'hbeef; rom[1] = 16'h1; rom[2] = 16'h2; rom[3] = 16'h3; end
  assign i__ready = ~full & (data != 8'hd0);
  assign \\o__payload$4 = data;
  assign o__valid = full & ((data != 8'hf0) | o__ready);
  always @(posedge clk)
    if (rst) begin full <= 0; data <= 0; again <= 0; end
    else if (i__valid & i__ready) begin full <= 1; data <= i__payload; again <= 0; end
    else if (o__valid & o__ready) begin full <= (data == 8'h22) & ~again; again <= 1; end
    else if (o__valid & (data == 8'hc0)) data <= 8'hc1;
endmodule
"""


@pytest.fixture(scope="module")
def faulty(shared):
    (shared / "faulty.v").write_text(FAULTY)
    ports = ports_of(FAULTY, "accelerator", ("clk", "rst", *STREAMS))
    assert ports["o__payload"] == "o__payload$4"
    public = [*(Public("accelerator", name, True) for name in ports.values()), Public("*", "rom")]
    simulator = build([shared / "faulty.v"], "accelerator", shared, level="faulty", public=public)

    def push(payloads: list[str], source: str = "none", sink: str = "none", expected: list[str] | None = None, roms=()):
        phase = {"name": "test", "vectors": [0, len(payloads)], "source": source, "sink": sink, "seed": 3}
        return run(simulator, "streams", {
            "ports": ports, "inputs": [[p] for p in payloads], "expected": [[p] for p in expected or payloads],
            "beats_in": 1, "beats_out": 1, "phases": [phase], "roms": dict(roms), "patience": 500})  # fmt: skip

    return push


def test_a_good_stream_passes_whatever_the_stalls(faulty):
    payloads = [f"{k % 16:x}" for k in range(200)]
    for pattern in PATTERNS:
        [phase] = faulty(payloads, source=pattern, sink=pattern)["phases"]
        assert (phase["mismatches"], phase["broken"], phase["surplus"]) == (0, [], 0)
        assert len(phase["starts_in"]) == len(phase["starts_out"]) == 200
    [phase] = faulty(payloads)["phases"]
    assert {b - a for a, b in zip(phase["starts_out"], phase["starts_out"][1:])} == {2}
    assert phase["starts_out"][0] - phase["starts_in"][0] == 1


def test_offers_that_do_not_hold_are_noticed(faulty):
    [phase] = faulty(["1", "c0", "2", "c0"], sink="reluctant")["phases"]
    assert any("o.payload changed before the transfer" in rule for rule in phase["broken"]) and phase["mismatches"]
    [phase] = faulty(["5", "f0"] * 40, sink="random")["phases"]
    assert phase["broken"] == [] and phase["mismatches"] == 0, "valid that waits for ready is a deadlock, not a drop"


def test_wrong_swapped_repeated_and_missing_beats_are_noticed(faulty):
    [phase] = faulty(["1", "2", "3"], expected=["1", "3", "2"])["phases"]
    assert phase["wrong"] == [1, 2] and phase["detail"] == "sample 1, output beat 0: 0x3 expected, 0x2 came"
    [phase] = faulty(["1", "22", "3"])["phases"]
    assert phase["wrong"] == [2] and phase["surplus"] == 0
    [phase] = faulty(["1", "3", "22"])["phases"]
    assert phase["wrong"] == [] and phase["surplus"] == 1
    with pytest.raises(WorkError, match=r"nothing moved for \d+ cycles after 3 input and 3 output beats: a deadlock"):
        faulty(["1", "2", "d0", "4"], expected=["1", "2", "d0", "4"])


def test_a_valid_that_waits_for_ready_is_a_deadlock(faulty):
    with pytest.raises(WorkError, match="a deadlock"):
        faulty(["1", "f0", "2"], sink="reluctant")


def test_constants_are_read_back_word_for_word(faulty):
    good = {"words": ["beef", "1", "2", "3"], "width": 16}
    roms = {"rom": good, "other.rom": good}
    wrong = {"rom": {**good, "words": ["beef", "1", "6", "3"]}}
    assert faulty(["1"], roms=roms)["roms"] == {
        "rom": {"differ": 0, "words": 4, "detail": ""},
        "other.rom": {"differ": 4, "words": 4, "detail": "it is not in the design"},
    }
    found = faulty(["1"], roms=wrong)["roms"]["rom"]
    assert found == {"differ": 1, "words": 4, "detail": "word 2 of 4: bits 0x4 differ"}
    narrow = {"rom": {"words": ["1", "2"], "width": 8}}
    assert "2 words of 8 bits expected, 4 of 16 are there" in faulty(["1"], roms=narrow)["roms"]["rom"]["detail"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_stalls_are_reproducible_and_of_their_kind(pattern):
    first, second = (list(islice(pauses(pattern, seed=4), 4000)) for _ in range(2))
    assert first == second and min(first) >= 0
    share = np.mean([pause > 0 for pause in first])
    assert {"none": share == 0, "random": 0.4 < share < 0.6, "rare": 0.02 < share < 0.1, "bursts": max(first) > 150,
            "reluctant": share == 1}[pattern]  # fmt: skip


def test_an_unknown_pattern_is_refused():
    with pytest.raises(ValueError, match="pattern must be one of none, random, rare, bursts, reluctant, not 'some'"):
        next(pauses("some", 0))


@pytest.mark.parametrize(("fmt", "values", "words"), [
    (Format(3), [[1, 2, 7, 0]], [["11", "7"]]),
    (Format(3, signed=True), [[-1, -4, 3, 0]], [["27", "3"]]),
    (BIPOLAR, [[-1, 1, 1, 1]], [["2", "3"]]),
])  # fmt: skip
def test_vectors_become_beats_lane_0_lowest(fmt, values, words):
    assert beats(np.array(values), fmt, 2) == words


@pytest.mark.parametrize("fmt", [Format(4), Format(5, signed=True), BIPOLAR])
def test_directed_vectors_reach_each_element_and_both_extremes(fmt):
    graph = Graph("g", (Input("x", (), Tensor((2, 3), fmt)),), "x")
    found = directed(graph, seed=1)
    assert fmt.holds(found) and found.shape[1] == 6
    for element in range(6):
        alone = np.full(6, fmt.lo)
        alone[element] = fmt.hi
        assert (found == alone).all(axis=1).any()
    assert (found == fmt.lo).all(axis=1).any() and (found == fmt.hi).all(axis=1).any()
    assert np.array_equal(found, directed(graph, seed=1)) and not np.array_equal(found, directed(graph, seed=2))


def test_samples_are_the_held_out_ones_or_say_why_not():
    digits = Graph("g", (Input("x", (), Tensor((64,), Format(5))),), "x", metadata={"dataset": "digits"})
    found = samples_for(digits, None, 0)
    assert found.inputs.shape == (450, 64) and found.source == "450 held-out samples of digits"
    assert np.array_equal(samples_for(digits, 7, 0).inputs, found.inputs[:7])
    other = Graph("g", (Input("x", (), Tensor((4,), Format(2))),), "x", metadata={"dataset": "elsewhere"})
    assert samples_for(other, 5, 0).source == "5 random samples (data set 'elsewhere' is not known here)"
    small = Graph("g", (Input("x", (), Tensor((4,), Format(2))),), "x", metadata={"dataset": "digits"})
    assert samples_for(small, 5, 0).inputs.shape == (5, 4)


def test_large_samples_are_few_and_their_directed_vectors_are_picked():
    large = Graph("g", (Input("x", (), Tensor((600, 700, 3), Format(8))),), "x")
    assert len(samples_for(large, None, 0).inputs) == 8 and len(samples_for(large, 2, 0).inputs) == 2
    found = directed(large, 0, most=6)
    assert found.shape == (6, 1_260_000) and not found[0].any()
    assert all(np.count_nonzero(row) == 1 for row in found[1:5])  # one element alone
    small = Graph("g", (Input("x", (), Tensor((9,), Format(3))),), "x")
    assert len(samples_for(small, None, 0).inputs) == 450
    assert np.array_equal(directed(small, 0, most=15), directed(small, 0)[::3])
