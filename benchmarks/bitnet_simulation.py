"""One template in Verilator: vectors back to back through the compiled driver of bitloom.sim.batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bitloom import WorkError
from bitloom.codegen import emit_verilog
from bitloom.hw import TableMatVec
from bitloom.quant import Format
from bitloom.sim.batch.beats import beat_bytes, from_bytes, to_bytes
from bitloom.sim.batch.simulator import DRIVER
from bitloom.sim.children import last_words, started, wait
from bitloom.sim.toolchain import toolchain
from bitloom.sim.verilator import OPTIONS

WRAPPER = """module batch(input clk, input rst, input [{i}:0] in_payload, input in_valid, output in_ready,
             output [{o}:0] out_payload, output out_valid, input out_ready);
  top dut (.clk(clk), .rst(rst), .i__payload(in_payload), .i__valid(in_valid), .i__ready(in_ready),
           .o__payload(out_payload), .o__valid(out_valid), .o__ready(out_ready));
endmodule
"""


@dataclass(frozen=True)
class Simulated:
    """Outputs (vectors, lanes · beats); the cycle of each vector's first output beat; cycles from first to first."""

    outputs: np.ndarray
    ends: np.ndarray
    latency: int


def simulate(unit: TableMatVec, x: np.ndarray, folder: Path) -> Simulated:
    """Send the vectors ``x`` through ``unit``, a beat offered and one taken in each cycle.

    :raises WorkError: Verilator or the driver failed, or no output came.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source, result = (Format(shape.width, shape.signed) for shape in (unit.activation, unit.accumulator))
    (folder / "top.v").write_text(emit_verilog(unit, "top"))
    widths = {"i": source.bits * unit.simd - 1, "o": result.bits * unit.pe - 1}
    (folder / "wrapper.v").write_text(WRAPPER.format(**widths))
    (folder / "driver.cpp").write_bytes(DRIVER.read_bytes())
    (folder / "inputs").write_bytes(to_bytes(x, source, unit.simd))
    env = toolchain().environment()
    env["MAKEFLAGS"] += " OPT_FAST=-O2 OPT_GLOBAL=-O1"
    command = ["verilator", "--cc", "--exe", "--build", *OPTIONS, "--top-module", "batch", "--Mdir", "build", "-o",
               "driver", "driver.cpp", "wrapper.v", "top.v"]  # fmt: skip
    _run("verilator", command, folder, env)
    numbers = (beat_bytes(source, unit.simd), beat_bytes(result, unit.pe), x.shape[1] // unit.simd, unit.neuron_fold,
               len(x), 4 * (unit.interval + unit.latency))  # fmt: skip
    driver = [str((folder / "build" / "driver").resolve()), "inputs", "outputs", "timing", "progress"]
    _run("driver", [*driver, *map(str, numbers)], folder, env)
    timing = np.loadtxt(folder / "timing", dtype=np.int64, ndmin=2)
    data = (folder / "outputs").read_bytes()
    if len(timing) != len(x):
        raise WorkError(f"{len(timing)} of {len(x)} vectors came out of the simulation")
    outputs = from_bytes(data, result, unit.pe, unit.neuron_fold * unit.pe)
    return Simulated(outputs, timing[:, 1], int(timing[0, 1] - timing[0, 0]))


def _run(name: str, command: list[str], folder: Path, env: dict[str, str]) -> None:
    log = folder / f"{name}.log"
    with started(command, folder, env, log) as process:
        status = wait(process, 3600.0, lambda: None)
    if status:
        raise WorkError(f"{name} ended with status {status}: {last_words(log)} (log: {log})")
