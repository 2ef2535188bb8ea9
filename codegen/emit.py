"""Emission: an Amaranth component as one self-contained Verilog text."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from amaranth.back import rtlil
from amaranth.lib.wiring import Component

from bitloom import WorkError
from bitloom.hw.memory.storage import UNKNOWN_AT_FIRST
from bitloom.hw.packed.multiplier import Primitives

# As Amaranth's own Verilog back end does, with the netlist library instead of a yosys executable; in a process of its
# own, because the library prints to the standard output and holds global state.
_CONVERT = """
from pyosys import libyosys as ys
design = ys.Design()
for command in ("read_rtlil in.il", "proc -nomux -norom", "memory_collect", "write_verilog -norename out.v"):
    ys.run_pass(command, design)
"""


def emit_rtlil(component: Component, name: str) -> str:
    """``component`` as RTLIL: its module is called ``name``, the ones below it by their path of instance names.

    Multipliers for a device are its primitives, cells without a module; see
    :class:`~bitloom.hw.packed.multiplier.Multiplier`. Parts below the top are named without the top's own name, so that
    ``top``'s accelerator is module ``accelerator``.
    """
    text = rtlil.convert(component, name=name, platform=Primitives(), emit_src=False)

    below = rf"\\{re.escape(name)}\.(\S+)"
    flat = _flattened(re.findall(rf"^module {below}", text, flags=re.MULTILINE), name)
    text = re.sub(rf"^(\s*(?:module|cell) ){below}", lambda match: f"{match[1]}\\{flat[match[2]]}", text,
                  flags=re.MULTILINE)
    # A register that declares its first value unknown may move into a block memory, whose output has none.
    text = re.sub(r"((?:^ *attribute \\.*\n)+)(?=^ *wire )", _without_init, text, flags=re.MULTILINE)
    text = _without_words(text)
    # Amaranth calls a signal that it finds no name for ``$signal``; abc9 takes public names with a $ for its own.
    text = re.sub(r"(?<=\s)\\\$(?=[a-z])", r"\\_", text)
    # A lane is a wire called ``payload[0]``; abc9 takes that for bit 0 of ``payload`` and yosys fails.
    return re.sub(r"(\\\w+)\[(\d+)\]", r"\1__\2", text)


def _flattened(paths: list[str], top: str) -> dict[str, str]:
    """For each path of instance names the name of its module: joined by underscores, those that are higher up first.

    Where ``a.b_c`` and ``a_b.c`` would be one, the later of the two gets a number.
    """
    names: dict[str, str] = {}
    taken = {top}
    for path in sorted(paths, key=lambda path: path.count(".")):
        base = name = path.replace(".", "_")
        number = 2
        while name in taken:
            name, number = f"{base}_{number}", number + 1
        taken.add(name)
        names[path] = name
    return names


def _without_init(match: re.Match[str]) -> str:
    """The attributes of a wire without its initial value, if the first is declared unknown."""
    lines = match.group(1).splitlines(keepends=True)
    if not any(f"\\{UNKNOWN_AT_FIRST} " in line for line in lines):
        return match.group(1)
    return "".join(line for line in lines if f"\\{UNKNOWN_AT_FIRST} " not in line and "\\init " not in line)


def _without_words(text: str) -> str:
    """``text`` without the first words of memories that are declared unknown."""
    declared = re.compile(rf" *attribute \\{UNKNOWN_AT_FIRST} .*\n(?: *attribute .*\n)* *memory .* \\(\S+)\n")
    kept, done = [], 0
    for memory in declared.finditer(text):
        words = re.compile(rf' *cell \$meminit_v2 \S+\n *parameter \\MEMID "\\\\{re.escape(memory[1])}"\n')
        cell = words.search(text, memory.end())
        assert cell is not None  # Amaranth gives every memory first words
        kept.append(text[done : cell.start()])
        done = text.index("\n  end\n", cell.end()) + len("\n  end\n")
    return "".join([*kept, text[done:]])


def emit_verilog(component: Component, name: str) -> str:
    """``component`` as Verilog-2005 text, constants embedded: no other file belongs to it. See :func:`emit_rtlil`."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "in.il").write_text(emit_rtlil(component, name))
        done = subprocess.run([sys.executable, "-c", _CONVERT], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise WorkError(f"yosys could not emit {name}: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
        return (Path(folder) / "out.v").read_text()
