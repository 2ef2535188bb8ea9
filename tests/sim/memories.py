"""Small designs that yosys infers the vendors' cells from: memories of all kinds, multipliers, registers, logic."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Part:
    """One small design: Verilog statements over input bits ``x`` that drive ``q``, how many of each, what they
    declare.
    """

    name: str
    inputs: int
    outputs: int
    body: str
    initial: int = 0


def contents(depth: int, width: int, seed: int) -> str:
    """A statement that fills memory ``m`` with random words, from a file that :func:`design` writes."""
    return f'  initial $readmemh("@FOLDER@/words_{depth}_{width}_{seed}.hex", m);'


def write_contents(text: str, folder: Path) -> str:
    """``text`` with the files that it names written to ``folder``."""
    for depth, width, seed in re.findall(r"@FOLDER@/words_(\d+)_(\d+)_(\d+)", text):
        generator = random.Random(int(seed))
        words = [f"{generator.getrandbits(int(width)):x}" for _ in range(int(depth))]
        (folder / f"words_{depth}_{width}_{seed}.hex").write_text("\n".join(words))
    return text.replace("@FOLDER@", str(folder))


def rom(depth: int, width: int, style: str = "block", seed: int = 1) -> Part:
    """A ROM with synchronous, enabled read."""
    bits = (depth - 1).bit_length()
    return Part(f"rom_{style}_{depth}x{width}", bits + 1, width, f"""
  (* rom_style = "{style}" *) reg [{width - 1}:0] m [0:{depth - 1}];
{contents(depth, width, seed)}
  wire [{bits - 1}:0] a = x[{bits}:1];
  always @(posedge clk) if (x[0]) q <= m[a >= {depth} ? a - {depth} : a];
""")


def simple(depth: int, width: int, seed: int = 2) -> Part:
    """One port writes, one reads; a read of what is written at the same edge gives the old word."""
    bits = (depth - 1).bit_length()
    return Part(f"simple_{depth}x{width}", 2 * bits + width + 2, width, f"""
  (* ram_style = "block" *) reg [{width - 1}:0] m [0:{depth - 1}];
{contents(depth, width, seed)}
  wire [{bits - 1}:0] ra = x[2 +: {bits}], wa = x[2 + {bits} +: {bits}];
  always @(posedge clk) begin
    if (x[0]) m[wa] <= x[2 + {2 * bits} +: {width}];
    if (x[1]) q <= m[ra];
  end
""")


def widened(depth: int, width: int, factor: int, seed: int = 6) -> Part:
    """One port writes ``factor`` words at once, one reads a word."""
    bits, low = (depth - 1).bit_length(), (factor - 1).bit_length()
    writes = "\n".join(f"      m[{{wa, {low}'d{k}}}] <= d[{k * width} +: {width}];" for k in range(factor))
    return Part(f"widened_{depth}x{width}x{factor}", 2 + 2 * bits - low + factor * width, width, f"""
  (* ram_style = "block" *) reg [{width - 1}:0] m [0:{depth - 1}];
{contents(depth, width, seed)}
  wire [{bits - 1}:0] ra = x[2 +: {bits}];
  wire [{bits - low - 1}:0] wa = x[2 + {bits} +: {bits - low}];
  wire [{width * factor - 1}:0] d = x[2 + {2 * bits - low} +: {width * factor}];
  always @(posedge clk) begin
    if (x[0]) begin
{writes}
    end
    if (x[1]) q <= m[ra];
  end
""")


def masked(depth: int, units: int, unit: int, seed: int = 3) -> Part:
    """One port writes single bytes, one reads."""
    bits, width = (depth - 1).bit_length(), units * unit
    slices = [f"[{k * unit} +: {unit}]" for k in range(units)]
    writes = "\n".join(f"    if (x[1 + {k}]) m[wa]{part} <= d{part};" for k, part in enumerate(slices))
    return Part(f"masked_{depth}x{units}x{unit}", 1 + units + 2 * bits + width, width, f"""
  (* ram_style = "block" *) reg [{width - 1}:0] m [0:{depth - 1}];
{contents(depth, width, seed)}
  wire [{bits - 1}:0] ra = x[1 + {units} +: {bits}], wa = x[1 + {units + bits} +: {bits}];
  wire [{width - 1}:0] d = x[1 + {units + 2 * bits} +: {width}];
  always @(posedge clk) begin
{writes}
    if (x[0]) q <= m[ra];
  end
""")


def single(depth: int, width: int, mode: str, seed: int = 4) -> Part:
    """One port that reads and writes; while it writes, it shows the ``old`` or the ``new`` word or does ``not``
    change.
    """
    bits = (depth - 1).bit_length()
    shown = {"old": "m[a]", "new": "x[0] ? d : m[a]", "not": "x[0] ? q : m[a]"}[mode]
    return Part(f"single_{mode}_{depth}x{width}", 2 + bits + width, width, f"""
  (* ram_style = "block" *) reg [{width - 1}:0] m [0:{depth - 1}];
{contents(depth, width, seed)}
  wire [{bits - 1}:0] a = x[2 +: {bits}];
  wire [{width - 1}:0] d = x[2 + {bits} +: {width}];
  always @(posedge clk) begin
    if (x[0] & x[1]) m[a] <= d;
    if (x[1]) q <= {shown};
  end
""")


def dual(depth: int, width: int, seed: int = 5) -> Part:
    """Two ports that both read and write, never the same half of the memory."""
    bits = (depth - 1).bit_length()
    ports = "\n".join(f"""
  wire [{bits - 1}:0] a{p} = {{x[{8 + p}] ^ {p}'d{p}, x[{10 + p * (bits - 1 + width)} +: {bits - 1}]}};
  wire [{width - 1}:0] d{p} = x[{10 + p * (bits - 1 + width) + bits - 1} +: {width}];
  always @(posedge clk) begin
    if (x[{2 * p}] & x[{2 * p + 1}]) m[a{p}] <= d{p};
    else if (x[{2 * p + 1}]) q[{p * width} +: {width}] <= m[a{p}];
  end""" for p in (0, 1)).replace("x[8] ^ 0'd0", "x[8]").replace("x[9] ^ 1'd1", "~x[8]")
    return Part(f"dual_{depth}x{width}", 10 + 2 * (bits - 1 + width), 2 * width, f"""
  (* ram_style = "block" *) reg [{width - 1}:0] m [0:{depth - 1}];
{contents(depth, width, seed)}{ports}
""")


def distributed(depth: int, width: int) -> Part:
    """A small memory with asynchronous read."""
    bits = (depth - 1).bit_length()
    return Part(f"distributed_{depth}x{width}", 1 + 2 * bits + width, width, f"""
  reg [{width - 1}:0] m [0:{depth - 1}];
  integer k;
  initial for (k = 0; k < {depth}; k = k + 1) m[k] = 0;
  always @(posedge clk) begin
    if (x[0]) m[x[1 +: {bits}]] <= x[{1 + 2 * bits} +: {width}];
    q <= m[x[{1 + bits} +: {bits}]];
  end
""")


def multiplier(a: int, b: int, signed: bool) -> Part:
    """A product, registered."""
    cast = "$signed" if signed else ""
    return Part(f"multiply_{'s' if signed else 'u'}{a}x{b}", a + b, a + b, f"""
  always @(posedge clk) q <= {cast}(x[{a - 1}:0]) * {cast}(x[{a + b - 1}:{a}]);
""")


def registers(initial: int | None = None) -> Part:
    """Every kind of flip-flop: enables, synchronous and asynchronous resets to both values, initial values of 0 and
    1.
    """
    cases = []
    for k in range(12):
        asynchronous, value, enabled = k % 3 == 2, k // 3 % 2, k >= 6
        edge = "posedge clk or posedge x[1]" if asynchronous else "posedge clk"
        reset = f"if (x[1]) q[{k}] <= {value}; else " if k % 3 else ""
        enable = f"if (x[{2 + k % 4}]) " if enabled else ""
        cases.append(f"  always @({edge}) {reset}{enable}q[{k}] <= x[{6 + k}] ^ q[{(k + 5) % 12}];")
    reset_values = sum(1 << k for k in range(12) if k // 3 % 2)
    body = "\n".join(cases) + "\n"
    return Part(f"registers_{initial}", 18, 12, body, reset_values if initial is None else initial)


def gates() -> Part:
    """Sums, comparisons, wide multiplexers and parity: tables, carry chains and the multiplexers between them."""
    return Part("gates", 40, 16, """
  wire [12:0] sum = x[11:0] + x[23:12];
  wire [12:0] difference = x[11:0] - x[23:12];
  wire [31:0] wide = x[39:8];
  always @(posedge clk) begin
    q[12:0] <= x[39] ? sum + q[12:0] : difference ^ q[12:0];
    q[13] <= x[39:0] > {x[19:0], x[39:20]};
    q[14] <= wide[x[4:0]];
    q[15] <= ^x ^ q[15];
  end
""")


def design(parts: list[Part], name: str, folder: Path) -> str:
    """All parts side by side in module ``name``, each in a module of its own; what memories hold lies in ``folder``."""
    text, offset_in, offset_out, instances = "", 0, 0, ""
    for part in parts:
        text += (f"module {name}_{part.name} (input clk, input [{part.inputs - 1}:0] x, "
                 f"output reg [{part.outputs - 1}:0] q);\n  initial q = {part.initial};\n{part.body}endmodule\n")
        instances += (f"  {name}_{part.name} {part.name} (.clk(clk), .x(x[{offset_in} +: {part.inputs}]), "
                      f".q(q[{offset_out} +: {part.outputs}]));\n")
        offset_in, offset_out = offset_in + part.inputs, offset_out + part.outputs
    head = f"module {name} (input clk, input [{offset_in - 1}:0] x, output [{offset_out - 1}:0] q);\n"
    return write_contents(text, folder) + head + instances + "endmodule\n"


def comparison(parts: list[Part], golden: str, others: list[str]) -> str:
    """Module ``compare``: random inputs for all designs; ``bad_<other>[k]`` once part k differed from ``golden``'s."""
    inputs, outputs = sum(p.inputs for p in parts), sum(p.outputs for p in parts)
    chunks = -(-inputs // 32)
    lines = [f"module compare (input clk, output reg [{len(parts) - 1}:0] active);", "  initial active = 0;",
             f"  reg [{chunks * 32 - 1}:0] x = 0;", f"  wire [{outputs - 1}:0] good;",
             f"  {golden} golden (.clk(clk), .x(x[{inputs - 1}:0]), .q(good));",
             "  always @(negedge clk) x <= {" + ", ".join(["$urandom"] * chunks) + "};", "  reg settled = 0;",
             "  always @(posedge clk) settled <= 1;"]
    for other in others:
        lines += [f"  wire [{outputs - 1}:0] q_{other};", f"  reg [{len(parts) - 1}:0] bad_{other} = 0;",
                  f"  {other} i_{other} (.clk(clk), .x(x[{inputs - 1}:0]), .q(q_{other}));"]
    offset = 0
    lines += ["  always @(negedge clk) if (settled) begin"]
    for k, part in enumerate(parts):
        bits = f"[{offset} +: {part.outputs}]"
        lines.append(f"    if (good{bits} != 0) active[{k}] <= 1;")
        lines += [f"    if (good{bits} != q_{other}{bits}) bad_{other}[{k}] <= 1;" for other in others]
        offset += part.outputs
    return "\n".join([*lines, "  end", "endmodule", ""])
