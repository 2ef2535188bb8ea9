"""Timing that fails, seeds that help, designs that are too big: each ends in one line that says what to do."""

import pytest
from support.echo import echo_verilog

from bitloom import WorkError
from bitloom.boards.board import load
from bitloom.boards.flow import TimingError, Workbench, place_and_route, route, synthesize
from bitloom.boards.pins import constraints, pins_of

CROWD = """
module top(input clk, input rx, output tx, output [2:0] led);
  reg [1799:0] chain = 0;
  always @(posedge clk) chain <= {chain[1798:0], rx} ^ (chain >> 7);
  assign tx = chain[1799];
  assign led = chain[2:0];
endmodule
"""

UNCLOCKED = "module top(input clk, rx, output tx, output [1:0] led); assign tx = rx & clk; assign led = 0; endmodule"


@pytest.fixture
def echo(tmp_path):
    """The echo synthesized for the iCEBreaker, and its constraints."""
    board = load("icebreaker")
    (tmp_path / "top.v").write_text(echo_verilog(board))
    bench = Workbench(board, tmp_path / "out")
    return bench, synthesize(bench, tmp_path / "top.v"), constraints(board, pins_of(board))


def test_hopeless_timing_is_tried_once(echo):
    bench, synthesis, pins = echo
    with pytest.raises(TimingError, match=r"reaches [\d.]+ MHz and the clock is 400 MHz; .*smaller folding") as caught:
        place_and_route(bench, synthesis, pins, 400)
    routed = caught.value.routed
    assert routed.seed == 1 and 30 < routed.fmax_mhz < 300 and routed.critical_path
    assert "\n" not in str(caught.value)
    assert not list((bench.out / "logs").glob("route-seed*"))

    # What was routed is kept: the same again fails at once, and is taken where that is allowed.
    again = Workbench(bench.board, bench.out)
    with pytest.raises(TimingError):
        place_and_route(again, synthesis, pins, 400)
    assert again.fresh == set()
    allowed = place_and_route(again, synthesis, pins, 400, allow_fail=True)
    assert allowed == routed and not allowed.meets_timing and again.fresh == set()


def test_other_seeds_are_tried_and_the_best_is_taken(echo, monkeypatch):
    bench, synthesis, pins = echo
    monkeypatch.setattr(route, "SEEDS", (1, 2, 3))
    monkeypatch.setattr(route, "HOPELESS", 0.0)
    reached: list[float] = []
    timing = route._timing

    def spy(report, flow, cells):
        values = timing(report, flow, cells)
        reached.append(values["fmax_mhz"])
        return values

    monkeypatch.setattr(route, "_timing", spy)
    with pytest.raises(TimingError) as caught:
        place_and_route(bench, synthesis, pins, 400)
    routed = caught.value.routed
    assert len(reached) == 3 and len(set(reached)) > 1
    assert routed.fmax_mhz == max(reached)
    assert routed.seed == 1 + reached.index(max(reached))
    assert {"route.log", "route-seed2.log", "route-seed3.log"} <= {p.name for p in (bench.out / "logs").iterdir()}

    # A clock that the first seed meets needs no other.
    other = Workbench(bench.board, bench.out)
    met = place_and_route(other, synthesis, pins, 1.0)
    assert met.seed == 1 and met.meets_timing


def test_a_packed_design_that_is_too_big(tmp_path):
    board = load("icestick")
    (tmp_path / "top.v").write_text(CROWD)
    bench = Workbench(board, tmp_path / "out")
    synthesis = synthesize(bench, tmp_path / "top.v")
    assert synthesis.ff == 1800
    with pytest.raises(WorkError, match=r"the packed design does not fit Lattice iCEstick: it needs [\d,]+ ICESTORM_LC "
                                        r"of 1,280 \([\d,]+ too many\); take target: area"):  # fmt: skip
        place_and_route(bench, synthesis, constraints(board, pins_of(board)), 12)


def test_a_design_without_a_clock(tmp_path):
    board = load("icebreaker")
    (tmp_path / "top.v").write_text(UNCLOCKED)
    bench = Workbench(board, tmp_path / "out")
    synthesis = synthesize(bench, tmp_path / "top.v")
    with pytest.raises(WorkError, match="found no clock"):
        place_and_route(bench, synthesis, constraints(board, pins_of(board)), 12)


@pytest.mark.parametrize(
    ("verilog", "message"),
    [
        ("module tip(); endmodule", "yosys failed .*Module `top' not found"),
        ("module top(", "yosys failed .*syntax error"),
        ("module top(input clk, rx, output tx); assign tx = clk; assign tx = rx; endmodule",
         "yosys failed .*Found .* problems"),
        ("module top(output tx); none x(tx); endmodule", "yosys failed .*none"),
    ],
)
def test_verilog_that_is_no_design(tmp_path, verilog, message):
    (tmp_path / "top.v").write_text(verilog)
    with pytest.raises(WorkError, match=message + r".*synthesize\.log"):
        synthesize(Workbench(load("icebreaker"), tmp_path / "out"), tmp_path / "top.v")


def test_verilog_that_is_not_there(tmp_path):
    with pytest.raises(WorkError, match=r"top\.v cannot be read .*compile the design first"):
        synthesize(Workbench(load("icebreaker"), tmp_path / "out"), tmp_path / "top.v")
