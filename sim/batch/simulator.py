"""Compiling the driver together with Verilator's model of the accelerator."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from bitloom.boards.build import Compiled
from bitloom.codegen.mapping import shape_of

from ..cells import modelled
from ..children import started, wait
from ..ports import STREAMS, ports_of
from ..store import kept
from ..toolchain import toolchain
from ..verilator import OPTIONS, Note

DRIVER = Path(__file__).with_name("driver.cpp")
EXECUTABLE = "driver"


def simulator(compiled: Compiled, note: Note | None = None) -> Path:
    """The executable that pushes beats through module ``accelerator`` of the compiled design; built once per content.

    :raises ToolMissing: Verilator, perl, make or a compiler is missing.
    :raises WorkError: the design does not compile.
    """
    tools = toolchain()
    wrapper = wrapper_of(compiled)
    rtl = modelled(compiled.top.read_text())
    models = [source.read_text() for source in rtl.sources]
    what = repr([wrapper, OPTIONS, tools.version, tools.compiler, DRIVER.read_text(), models, rtl.text])
    content = hashlib.sha256(what.encode()).hexdigest()
    target = compiled.out.resolve() / "sim" / f"batch-{content[:12]}"

    def make(folder: Path) -> tuple[Path | None, Path]:
        (folder / "wrapper.v").write_text(wrapper)
        (folder / "driver.cpp").write_bytes(DRIVER.read_bytes())
        (folder / "top.v").write_text(rtl.text)
        env = tools.environment()
        env["MAKEFLAGS"] += " OPT_FAST=-O2 OPT_GLOBAL=-O1"
        command = ["verilator", "--cc", "--exe", "--build", *OPTIONS, "--top-module", "batch", "--Mdir", "build",
                   "-o", EXECUTABLE, *(f"-I{folder}" for folder in rtl.include), "driver.cpp",
                   *map(str, rtl.sources), "wrapper.v", "top.v"]
        start = time.monotonic()
        with started(command, folder, env, folder / "build.log") as process:
            status = wait(process, 7200.0, lambda: note and note(
                f"compiling the driver ({time.monotonic() - start:.0f} s)"))
        return folder / "build" / EXECUTABLE if status == 0 else None, folder / "build.log"

    kept(target, EXECUTABLE, "the batch driver", make)
    return target / EXECUTABLE


def wrapper_of(compiled: Compiled) -> str:
    """Module ``batch``: the accelerator under port names that C++ can say."""
    plan = compiled.plan
    ports = ports_of(compiled.top.read_text(), "accelerator", ("clk", "rst", *STREAMS))
    wide_in = shape_of(plan.input.format).width * plan.input_lanes
    wide_out = shape_of(plan.output.format).width * plan.output_lanes
    inner = {"clk": "clk", "rst": "rst", "i__payload": "in_payload", "i__valid": "in_valid", "i__ready": "in_ready",
             "o__payload": "out_payload", "o__valid": "out_valid", "o__ready": "out_ready"}
    # An escaped name ends with a space.
    connections = ", ".join(f".\\{ports[port]} ({name})" for port, name in inner.items())
    return (f"module batch(input clk, input rst, input [{wide_in - 1}:0] in_payload, input in_valid, "
            f"output in_ready, output [{wide_out - 1}:0] out_payload, output out_valid, input out_ready);\n"
            f"  accelerator dut ({connections});\nendmodule\n")
