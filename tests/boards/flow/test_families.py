"""The whole flow, once per family, with a small design and the tools that users have."""

import os
import re
import shutil
from collections import Counter

import pytest
from support.echo import echo_verilog

from bitloom.boards.board import load, names
from bitloom.boards.flow import FLOWS, Workbench, check_fit, pack, place_and_route, synthesize
from bitloom.boards.pins import constraints, pins_of

MARKS = {".bin": b"\x7e\xaa\x99\x7e", ".bit": b"\xff\xff\xbd\xb3", ".fs": b"1010010111000011"}
"""What every bitstream of a family holds: the preamble by which the device knows it."""


def flow(name, folder):
    """Synthesis, route and bitstream of the echo for the board ``name``, and the bench that made them."""
    board = load(name)
    pins = pins_of(board)
    (folder / "top.v").write_text(echo_verilog(board))
    bench = Workbench(board, folder / "out")
    synthesis = synthesize(bench, folder / "top.v")
    check_fit(board, synthesis.used)
    routed = place_and_route(bench, synthesis, constraints(board, pins), pins.clock_hz / 1e6)
    return bench, synthesis, routed, pack(bench, routed, "echo")


def check_products(bench, synthesis, routed, bitstream):
    assert MARKS[bitstream.suffix] in bitstream.read_bytes()
    assert routed.meets_timing and routed.fmax_mhz > routed.clock_mhz
    assert synthesis.bram == routed.bram == 1
    assert synthesis.ff == routed.ff > 20
    assert 0.75 * routed.lut <= synthesis.lut <= 1.1 * routed.lut
    assert sum(hop["delay_ns"] for hop in routed.critical_path) == pytest.approx(1e3 / routed.fmax_mhz, rel=0.02)
    drawing = routed.floorplan.read_text()
    columns, rows = bench.board.grid
    assert drawing.startswith(f'<svg viewBox="0 0 {50 * columns} {50 * rows}"')
    assert drawing.count("<rect") > 50 and len(drawing) < 100_000
    for x, y in re.findall(r'<rect x="([\d.]+)" y="([\d.]+)"', drawing):
        assert float(x) < 50 * columns and float(y) < 50 * rows
    left = {p.name for p in bench.out.iterdir()}
    assert not [name for name in left if name.startswith(".")]
    assert {"synthesize.log", "route.log", "pack.log"} <= {p.name for p in (bench.out / "logs").iterdir()}


@pytest.mark.parametrize("name", ["icebreaker", "ulx3s-25f", "tang-nano-9k"])
def test_from_verilog_to_bitstream_and_again(name, tmp_path):
    bench, synthesis, routed, bitstream = flow(name, tmp_path)
    check_products(bench, synthesis, routed, bitstream)
    assert bench.fresh == set(bench.seconds) == {"synthesize", "route", "pack"}

    # Both netlists are the same design: the cells of one, counted, are those of the other.
    instances = re.findall(r"^  (\w+) (?:#\(|\\?\S+ +\(|\\?\S+\()", synthesis.netlist_v.read_text(), flags=re.MULTILINE)
    kinds = Counter(word for word in instances if word not in {"module", "input", "output", "wire", "assign", "reg"})
    assert kinds == synthesis.cells

    # The same again takes nothing; in a folder of another name, the bitstream is the same to the bit.
    before = os.stat(bitstream).st_mtime_ns
    again, same, *_ = flow(name, tmp_path)
    assert again.fresh == set() and again.seconds == bench.seconds and same == synthesis
    assert os.stat(bitstream).st_mtime_ns == before
    first = bitstream.read_bytes()

    # Other constraints are routed and packed again, and synthesis is reused.
    shutil.copy(bench.out / "cache.json", tmp_path)
    other = Workbench(bench.board, tmp_path / "out")
    text = constraints(bench.board, pins_of(bench.board))
    routed = place_and_route(other, same, text + "\n", routed.clock_mhz)
    assert other.fresh == {"route"}
    assert pack(other, routed, "echo").read_bytes() == first


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_every_shipped_board_gets_a_bitstream(name, tmp_path):
    bench, synthesis, routed, bitstream = flow(name, tmp_path)
    check_products(bench, synthesis, routed, bitstream)
    offers = {kind: use["available"] for kind, use in routed.utilization.items()}
    lut, ff, bram = (bench.board.resources.lut, bench.board.resources.ff, bench.board.resources.bram)
    kinds = {"ice40": ("ICESTORM_LC", "ICESTORM_LC", "ICESTORM_RAM"), "ecp5": ("TRELLIS_COMB", "TRELLIS_FF", "DP16KD"),
             "gowin": ("LUT4", "DFF", "BSRAM")}[bench.board.family]  # fmt: skip
    if name == "ulx3s-12f":  # the die of the 25F, of which its maker promises half
        assert (lut, ff, bram) < tuple(offers[kind] for kind in kinds)
    else:
        assert (lut, ff, bram) == tuple(offers[kind] for kind in kinds)


def test_ecp5_counts_what_packing_adds_to_carry_chains():
    def carry(cin, cout):
        return {"type": "CCU2C", "connections": {"CIN": [cin], "COUT": [cout], "S0": [9]}}

    cells = {"a0": carry("0", 1), "a1": carry(1, 2), "b0": carry("0", 3), "memory": {"type": "TRELLIS_DPR16X4"},
             "lut": {"type": "LUT4", "connections": {}}, "ff": {"type": "TRELLIS_FF", "connections": {}}}
    used = FLOWS["ecp5"].count(cells)
    assert (used.lut, used.ff) == (1 + 3 * 2 + 2 * 4 + 6, 1)


CHAIN = f"""
module top(input clk, input rx, output reg tx, output [{{leds}}:0] led);
  reg [16:0] a = 1;
  wire t0 = a[16];
  {"".join(f"wire t{k + 1}; LUT2 #(.INIT(4'h7)) u{k} (.F(t{k + 1}), .I0(t{k}), .I1(a[{k}])); " for k in range(16))}
  always @(posedge clk) begin a <= {{{{a[15:0], rx}}}}; tx <= t16; end
  assign led = 0;
endmodule
"""
"""Sixteen LUTs of two inputs between registers."""
PRODUCT = """
module top(input clk, input rx, output reg tx, output [{leds}:0] led);
  reg [8:0] a = 1, b = 1;
  reg [17:0] p = 0;
  always @(posedge clk) begin a <= {{a[7:0], rx}}; b <= a; p <= a * b; tx <= ^p; end
  assign led = 0;
endmodule
"""


def routed_alone(name, verilog, folder, dsp=False):
    board = load(name)
    pins = pins_of(board)
    (folder / "top.v").write_text(verilog.format(leds=len(pins.leds) - 1))
    bench = Workbench(board, folder / "out")
    synthesis = synthesize(bench, folder / "top.v", dsp=dsp)
    return synthesis, place_and_route(bench, synthesis, constraints(board, pins), pins.clock_hz / 1e6)


def test_gowin_times_every_lut_of_a_path(tmp_path):
    """However few inputs it has: place and route knows the delays of LUTs of four inputs alone."""
    synthesis, routed = routed_alone("tang-nano-9k", CHAIN, tmp_path)
    assert not {"LUT1", "LUT2", "LUT3"} & set(synthesis.cells)
    assert sum(hop["kind"] == "logic" for hop in routed.critical_path) == 16, routed.critical_path


@pytest.mark.parametrize(("name", "kind", "untimed"), [
    ("icebreaker", "SB_MAC16", 1), ("ulx3s-25f", "MULT18X18D", 0), ("tang-nano-9k", "MULT9X9", 1)])
def test_multipliers_that_are_not_timed_are_counted(name, kind, untimed, tmp_path):
    synthesis, routed = routed_alone(name, PRODUCT, tmp_path, dsp=True)
    assert synthesis.cells[kind] == 1 and routed.untimed == untimed
