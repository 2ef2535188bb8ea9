# amaranth: UnusedElaboratable=no
"""Multiplier blocks: the cells in emitted RTL, with their models, against the same component described.

| testpoint | stage | test |
| --- | --- | --- |
| cell and description agree in every cycle, enables at random; a wrong parameter shows | full | test_as_described |
| inference of other multipliers leaves the cells in the RTL as they are | full | test_inference_leaves_cells_alone |
| what a model does not do ends the simulation | full | test_refused |
| RTL of one family is given its models; of two, it is refused | smoke | test_modelled |
"""

import re

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned

from bitloom import WorkError
from bitloom.boards.board import load
from bitloom.boards.flow.families import FLOWS
from bitloom.codegen import emit
from bitloom.hw import PackedMatVec
from bitloom.hw.packed.multiplier import Multiplier
from bitloom.sim import cells, netlist
from bitloom.sim.verilator import Public, build, run

from .conftest import yosys

MULTIPLIERS = {
    "ecp5_signed": Multiplier(signed(18), signed(18), device="ecp5"),
    "ecp5_mixed": Multiplier(signed(17), unsigned(18), device="ecp5"),
    "ecp5_small": Multiplier(signed(5), unsigned(3), device="ecp5"),
    "ice40_signed": Multiplier(signed(16), signed(16), device="ice40"),
    "ice40_mixed": Multiplier(signed(16), unsigned(16), device="ice40"),
    "ice40_small": Multiplier(signed(9), unsigned(11), device="ice40"),
    "ice40_split": Multiplier(signed(8), signed(8), device="ice40", unit=1),
    "ice40_split_mixed": Multiplier(signed(8), unsigned(8), device="ice40", unit=1),
    "ice40_split_small": Multiplier(signed(3), unsigned(7), device="ice40", unit=1),
    "gowin_signed": Multiplier(signed(18), signed(18), device="gowin"),
    "gowin_mixed": Multiplier(signed(18), unsigned(18), device="gowin"),
    "gowin_half": Multiplier(signed(9), unsigned(9), device="gowin", unit=1),
    "gowin_half_small": Multiplier(signed(4), signed(6), device="gowin", unit=1),
}
DAMAGE = {
    "ecp5": ('.REG_PIPELINE_CLK("CLK0")', '.REG_PIPELINE_CLK("NONE")'),
    "ice40": (".A_SIGNED(1'h1)", ".A_SIGNED(1'h0)"),
    "gowin": (".OUT_REG(1'h1)", ".OUT_REG(1'h0)"),
}
"""Per family, a wrong parameter."""


def unit(device):
    """A small folded unit with overlapping lanes (two products in each half of iCE40's)."""
    weights = np.random.default_rng(0).choice([-1, 1, 0], (6, 6))
    return PackedMatVec(weights, pe=3, simd=3, activation=unsigned(8 if device != "ice40" else 2),
                        accumulator=signed(14), device=device)  # fmt: skip


def emitted(monkeypatch, component, name, cell):
    """The RTL of module ``name``, with cells or described."""
    with monkeypatch.context() as patch:
        if not cell:
            patch.setattr(emit, "Primitives", lambda: None)
        return emit.emit_verilog(component, name)


def apart(text, name):
    """The RTL of module ``name`` with its name before those of its parts, so that several can stand together."""
    for inner in re.findall(r"^module (\w+)\(", text, re.MULTILINE):
        if inner != name:
            text = re.sub(rf"^(module |  ){inner}(?=\(| \S+ \($)", rf"\g<1>{name}_{inner}", text, flags=re.MULTILINE)
    return text


def ports(text, name):
    """(direction, width) of the ports of module ``name``."""
    body = re.search(rf"^module {name}\(.*?^endmodule", text, re.MULTILINE | re.DOTALL)[0]
    found = re.findall(r"^ +(input|output) (?:\[(\d+):0\] )?\\?(\S+?) ?;", body, re.MULTILINE)
    return {port: (direction, int(high or 0) + 1) for direction, high, port in found}


def module(name, text):
    """The text of one module."""
    return re.search(rf"^module {name}\b.*?^endmodule\n", text, re.MULTILINE | re.DOTALL)[0]


def models():
    """The models of the cells alone: families share names of other cells."""
    text = (cells.library("ecp5").sources[2].parent / "dsp_register.v").read_text()
    for cell, family in cells.PRIMITIVES.items():
        library = cells.library(family)
        texts = [source.read_text() for source in library.sources]
        name = library.modules[cell]
        text += module(name, next(one for one in texts if re.search(rf"^module {name}\b", one, re.MULTILINE)))
    return text


def part(name, described):
    """Random inputs for one component in three versions; ``bad_…`` counts differences while its output counts."""
    found = ports(described, f"{name}_described")
    lines, wires = [], {}
    for port, (direction, width) in found.items():
        if direction == "input" and port not in ("clk", "rst"):
            lines.append(f"  reg [{width - 1}:0] {name}_{port} = 0;")
            words = ", ".join(["$urandom"] * -(-width // 32))
            extremes = f"$urandom % 4 ? {{{words}}} : {{{width}{{1'b1}}}} << ($urandom % {width + 1})"
            value = "$urandom % 4 != 0" if width == 1 else extremes
            lines.append(f"  always @(negedge clk) {name}_{port} <= {value};")
        wires[port] = {"clk": "clk", "rst": "rst"}.get(port, f"{name}_{port}")
    outputs = {port: width for port, (direction, width) in found.items() if direction == "output"}
    for version in ("described", "cell", "damaged"):
        lines += [f"  wire [{width - 1}:0] {name}_{port}_{version};" for port, width in outputs.items()]
        pins = ", ".join(f".{port}({wire}{f'_{version}' if port in outputs else ''})" for port, wire in wires.items())
        lines.append(f"  {name}_{version} i_{name}_{version} ({pins});")
    counts = f"{name}_o__valid_described" if "o__valid" in outputs else "1'b1"
    payload = "o__payload" if "o__valid" in outputs else "o"
    both = {version: f"{{{', '.join(f'{name}_{port}_{version}' for port in outputs if port != payload)}}}"
            for version in ("described", "cell", "damaged")} if len(outputs) > 1 else {}  # fmt: skip
    lines.append(f"  reg {name}_active = 0, {name}_bad_cell = 0, {name}_bad_damaged = 0;")
    lines.append("  always @(negedge clk) if (cycles > 60) begin")
    lines.append(f"    if ({counts} && {name}_{payload}_described != 0) {name}_active <= 1;")
    for version in ("cell", "damaged"):
        differ = f"{counts} && {name}_{payload}_described != {name}_{payload}_{version}"
        if both:
            differ += f" || {both['described']} != {both[version]}"
        lines.append(f"    if ({differ}) {name}_bad_{version} <= 1;")
    return "\n".join([*lines, "  end", ""])


def test_as_described(monkeypatch, tmp_path, shared):
    components = MULTIPLIERS | {f"{device}_unit": unit(device) for device in ("ecp5", "ice40", "gowin")}
    text, bench, names = models(), "", list(components)
    for name, component in components.items():
        described = emitted(monkeypatch, component, f"{name}_described", False)
        assert not any(cell in described for cell in cells.PRIMITIVES)
        rtl = cells.modelled(emitted(monkeypatch, component, f"{name}_cell", True)).text
        before, after = DAMAGE[name.split("_")[0]]
        damaged = rtl.replace(before, after).replace(f"{name}_cell", f"{name}_damaged")
        assert before in rtl
        text += "".join(apart(version, f"{name}_{what}") for version, what in
                        ((described, "described"), (rtl, "cell"), (damaged, "damaged")))  # fmt: skip
        bench += part(name, described)
    watch = [f"{name}_{what}" for name in names for what in ("active", "bad_cell", "bad_damaged")]
    text += ("module compare (input clk);\n  integer cycles = 0;\n  always @(posedge clk) cycles <= cycles + 1;\n"
             "  wire rst = cycles < 3;\n" + bench + "endmodule\n")  # fmt: skip
    (tmp_path / "compare.v").write_text(text)
    simulator = build([tmp_path / "compare.v"], "compare", shared, level="multipliers", optimize="-O0",
                      public=[Public("compare", name, True) for name in ("clk", *watch)])  # fmt: skip
    values = run(simulator, "clock", {"cycles": 20_000, "watch": watch}, seed=3)["values"]
    assert [name for name in names if not values[f"{name}_active"]] == []
    assert [name for name in names if values[f"{name}_bad_cell"]] == []
    assert [name for name in names if not values[f"{name}_bad_damaged"]] == []


def test_inference_leaves_cells_alone(monkeypatch, tmp_path):
    """Beside a product of wires, for which a multiplier of its own is found."""
    text = emitted(monkeypatch, MULTIPLIERS["ice40_split"], "inner", True)
    (tmp_path / "rtl.v").write_text(text + """
module top(input clk, input en, input [15:0] a, input [15:0] b, output [31:0] o, output reg [31:0] q);
  inner inner(.clk(clk), .en(en), .a(a), .b(b), .o(o), .rst(1'b0));
  always @(posedge clk) q <= a * b;
endmodule
""")
    command = FLOWS["ice40"].synthesis(load("icebreaker"), True)
    yosys(f"read_verilog rtl.v\n{command}\ncheck -assert\nwrite_json netlist.json\n", tmp_path)
    found = netlist.read(tmp_path / "netlist.json").cells.values()
    blocks = [cell for cell in found if cell["type"] == "SB_MAC16"]
    assert len(blocks) == 2
    (cell,) = (cell["parameters"] for cell in blocks if int(cell["parameters"]["MODE_8x8"], 2))
    values = {name: int(cell[name], 2) for name in ("A_REG", "B_REG", "TOP_8x8_MULT_REG", "TOPOUTPUT_SELECT")}
    assert values == {"A_REG": 1, "B_REG": 1, "TOP_8x8_MULT_REG": 1, "TOPOUTPUT_SELECT": 2}


def test_refused(monkeypatch, tmp_path, shared):
    rtl = cells.modelled(emitted(monkeypatch, MULTIPLIERS["ecp5_small"], "top", True)).text
    wrong = rtl.replace(".RST2(1'h0)", ".RST2(1'h1)")
    assert wrong != rtl
    (tmp_path / "top.v").write_text(models() + wrong)
    simulator = build([tmp_path / "top.v"], "top", shared, level="refused", optimize="-O0",
                      public=[Public("top", name, True) for name in ("clk", "o")])  # fmt: skip
    with pytest.raises(WorkError):
        run(simulator, "clock", {"cycles": 100, "watch": ["o"]})
    log = max(simulator.folder.glob("clock-*/bench.log"), key=lambda path: path.stat().st_mtime)
    assert "MULT18X18D: resets are not modelled" in log.read_text()


def test_modelled(monkeypatch):
    texts = {device: emitted(monkeypatch, unit(device), "top", True) for device in ("ecp5", "ice40")}
    rtl = cells.modelled(texts["ecp5"])
    assert len(re.findall(r"^ *model_MULT18X18D #\(", rtl.text, re.MULTILINE)) == unit("ecp5").multipliers
    assert rtl.sources == cells.library("ecp5").sources
    with pytest.raises(WorkError, match="cells of ecp5 and ice40: compile the design for one of them"):
        cells.modelled("".join(texts.values()))
    plain = cells.modelled("module top; endmodule\n")
    assert (plain.text, plain.sources) == ("module top; endmodule\n", ())
