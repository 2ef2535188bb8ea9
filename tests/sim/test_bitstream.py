"""Gates decoded back from a bitstream; most of it needs Project IceStorm's `icebox_vlog`."""

from __future__ import annotations

import re
import shutil
from types import SimpleNamespace

import pytest

from bitloom import WorkError, sim
from bitloom.boards.build import build as build_design
from bitloom.boards.build import load_build
from bitloom.boards.design import load_design
from bitloom.sim.levels import Findings, Unavailable
from bitloom.sim.rungs import bitstream, pins, rtl
from bitloom.sim.vectors import samples_for

needs_icebox = pytest.mark.skipif(shutil.which("icebox_vlog") is None, reason="icebox_vlog is not installed")


@pytest.mark.parametrize(("family", "reason"), [("gowin", "gowin_unpack"), ("ecp5", "ecpunpack")])
def test_families_whose_bitstreams_cannot_be_decoded_say_so(family, reason):
    compiled = SimpleNamespace(board=SimpleNamespace(family=family), bitstream=None)
    with pytest.raises(Unavailable, match=reason):
        bitstream.verify_bitstream(compiled, None, 0, print)


def test_without_the_decoder_the_level_is_unavailable(build, monkeypatch):
    compiled = build()
    monkeypatch.setattr(shutil, "which", lambda name, **_: None)
    with pytest.raises(Unavailable, match="apt install fpga-icestorm"):
        bitstream.verify_bitstream(compiled, None, 0, print)


def test_cells_that_did_not_come_back_are_noticed(build):
    compiled = build()
    with pytest.raises(WorkError, match=r"0 cells SB_RAM40\* were decoded from the bitstream, and the netlist has"):
        bitstream._check(compiled, "module top (input clk);\nendmodule\n")


def test_ports_are_declared_once():
    text = "module top (input clk, output \\led[0] , output tx);\nwire clk, \\led[0] , tx;\nendmodule\n"
    assert bitstream._plain_head(text) == (
        "module top (clk , \\led[0] , tx );\ninput clk ;\noutput \\led[0] ;\noutput tx ;\n\n"
        "wire clk, \\led[0] , tx;\nendmodule\n")
    with pytest.raises(WorkError, match="gave back no module"):
        bitstream._plain_head("")


@needs_icebox
def test_the_bitstream_computes_what_the_graph_says_and_a_flipped_bit_in_it_does_not(pristine, tmp_path, monkeypatch):
    folder = tmp_path / "small"
    shutil.copytree(pristine, folder, ignore=shutil.ignore_patterns("sim"), copy_function=shutil.copy2)
    build_design(load_design(folder / "design.yaml"), folder)
    for module, name in ((rtl, "verify_rtl"), (pins, "verify_netlist"), (pins, "verify_top")):
        monkeypatch.setattr(module, name, lambda *args: Findings(1, 0, "not looked at"))
    *_, result = sim.verify(folder, level="bitstream", samples=15)
    assert (result.level, result.status, result.samples) == ("bitstream", "passed", 15), result.reason
    assert "decoded from small.bin" in result.reason

    compiled = load_build(folder)
    decode = bitstream._decode

    def decode_damaged(*args) -> None:
        decode(*args)
        text = args[2].read_text()
        word = re.search(r"\.INIT_0\(256'h([0-9a-f]*[1-9a-f][0-9a-f]*)\)", text)
        assert word is not None
        flipped = word[1][:-1] + f"{int(word[1][-1], 16) ^ 1:x}"
        args[2].write_text(text.replace(word[1], flipped, 1))

    monkeypatch.setattr(bitstream, "_decode", decode_damaged)
    findings = bitstream.verify_bitstream(compiled, samples_for(compiled.graph, 30, 1), 0, lambda text: None)
    assert findings.mismatches > 0 and "samples differ" in findings.wrong[0]
