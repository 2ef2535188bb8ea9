"""Place and route with nextpnr: one seed where that is enough, a few more where timing asks for them."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitloom import WorkError
from bitloom.codegen.families import Resources

from ..pins import SUFFIX
from ..progress import Step
from . import floorplan
from .checks import WAY_OUT, TooLargeError
from .families import FLOWS
from .family import Cells, FamilyFlow, Use
from .synthesize import NETLIST, Synthesis, cells_of
from .workbench import Workbench

SEEDS = (1, 2, 3, 4)
"""The seeds that are tried, in this order, until one is routed and meets the clock."""

HOPELESS = 0.8
"""Below this share of the wanted clock no other seed is tried: seeds differ by some percent."""

PLACED = "placed.json"
REPORT = "timing.json"
PLACEMENT = "placement.json"
FLOORPLAN = "floorplan.svg"

_PHASES = (
    (re.compile(r"Info: Packing"), "packing"),
    (re.compile(r"Info:\s+at iteration #(\d+), type ALL"), "placing, iteration {}"),
    (re.compile(r"Info:\s+at iteration #(\d+): temp"), "refining, iteration {}"),
    (re.compile(r"Info: Routing"), "routing"),
    (re.compile(r"Info:\s+\d+ \|.*\|\s+(\d+)\|"), "routing, {} connections to go"),
)
_UNROUTABLE = ("Routing design failed", "Failed to route")
_USE = re.compile(r"Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+(\d+)%")


@dataclass(frozen=True)
class Routed:
    """A placed and routed design: the clock it reaches and the clock it needs, what it takes, its slowest path.

    ``utilization`` is nextpnr's count by cell type, ``critical_path`` one entry per hop (kind, delay_ns, cell, net).
    ``untimed`` cells have no delays in place and route's data: no path through them counts for the clock.
    ``routed`` is for the packer; ``placement`` (cell → place) and ``floorplan`` (its drawing) are for the report.
    """

    fmax_mhz: float
    clock_mhz: float
    seed: int
    lut: int
    ff: int
    bram: int
    dsp: int
    utilization: dict[str, dict[str, int]]
    critical_path: list[dict[str, Any]]
    routed: Path
    placement: Path
    floorplan: Path
    untimed: int

    @property
    def used(self) -> Resources:
        """The counts as resources."""
        return Resources(self.lut, self.ff, self.bram, self.dsp)

    @property
    def meets_timing(self) -> bool:
        """Whether the design reaches the clock that it needs."""
        return self.fmax_mhz >= self.clock_mhz


class UnroutableError(WorkError):
    """The router found no way with this seed; another one may."""


class TimingError(WorkError):
    """The design was placed and routed and is too slow for its clock; ``routed`` is the best that was found."""

    def __init__(self, routed: Routed):
        self.routed = routed
        super().__init__(
            f"timing failed: the best of the seeds reaches {routed.fmax_mhz:.1f} MHz and the clock is "
            f"{routed.clock_mhz:g} MHz; the slowest path ends in {_end(routed.critical_path)}. Take a smaller folding "
            "(simd, pe) or memory: block for the layer on that path, a faster board, or set allow_timing_failure: true "
            "to get a bitstream that may compute wrongly"
        )


def place_and_route(
    bench: Workbench, synthesis: Synthesis, constraints: str, clock_mhz: float, *, allow_fail: bool = False
) -> Routed:
    """Place and route ``synthesis`` for the bench's board.

    :param constraints: the text of the constraint file (see :func:`bitloom.boards.pins.constraints`).
    :param clock_mhz: the clock to meet.
    :param allow_fail: be content with the best seed even where none meets the clock.
    :raises TimingError: no seed reaches ``clock_mhz``.
    :raises TooLargeError: it does not fit.
    :raises UnroutableError: no seed routes it.
    :raises WorkError: place and route fails.
    """
    board, flow = bench.board, FLOWS[bench.board.family]
    pins = f"pins.{SUFFIX[board.family]}"
    placed = flow.routed if flow.routed.endswith(".json") else PLACED
    arguments = ["--json", NETLIST, *flow.placement(board), "--write", placed, "--report", REPORT,
                 "--freq", f"{clock_mhz:g}", "--timing-allow-fail", *board.nextpnr]  # fmt: skip
    products = [flow.routed, PLACEMENT, FLOORPLAN]

    def work(folder: Path, step: Step) -> dict[str, Any]:
        shutil.copyfile(synthesis.netlist_json, folder / NETLIST)
        (folder / pins).write_text(constraints)
        (folder / "best").mkdir()
        best: dict[str, Any] = {"fmax_mhz": -1.0}
        unroutable = WorkError("place and route was not tried")
        for seed in SEEDS:
            try:
                _run(bench, folder, [*arguments, "--seed", str(seed)], seed, step)
            except UnroutableError as error:
                unroutable = error
                continue
            cells = cells_of(folder / placed)
            values = {"seed": seed, **_timing(folder / REPORT, flow, cells)}
            if values["fmax_mhz"] > best["fmax_mhz"]:
                best = values
                placement = floorplan.places(cells)
                (folder / PLACEMENT).write_text(json.dumps(placement))
                (folder / FLOORPLAN).write_text(floorplan.draw(placement, board.grid))
                for name in products:
                    (folder / name).replace(folder / "best" / name)
            if best["fmax_mhz"] >= clock_mhz or best["fmax_mhz"] < HOPELESS * clock_mhz:
                break
        if best["fmax_mhz"] < 0:
            raise unroutable
        for name in products:
            (folder / "best" / name).replace(folder / name)
        step.note(f"{best['fmax_mhz']:.1f} MHz, and the clock is {clock_mhz:g} MHz")
        return best

    inputs = [synthesis.netlist_json.read_bytes(), constraints, *arguments, bench.tools[bench.suite.nextpnr.name],
              str(board.grid), " ".join(flow.untimed)]
    values = bench.step("route", inputs, products, work)
    routed = Routed(**values, clock_mhz=clock_mhz, routed=bench.out / flow.routed, placement=bench.out / PLACEMENT,
                    floorplan=bench.out / FLOORPLAN)  # fmt: skip
    if not routed.meets_timing and not allow_fail:
        raise TimingError(routed)
    return routed


def _run(bench: Workbench, folder: Path, arguments: list[str], seed: int, step: Step) -> None:
    """One run of nextpnr; a design too big for the device is told as such."""
    prefix = "" if seed == SEEDS[0] else f"seed {seed}: "
    over: dict[str, Use] = {}

    def listen(line: str) -> None:
        for pattern, words in _PHASES:
            match = pattern.match(line)
            if match:
                step.note(prefix + words.format(*match.groups()))
        use = _USE.match(line)
        if use and int(use[2]) > int(use[3]):
            over[use[1]] = Use(int(use[2]), int(use[3]))

    try:
        log = f"route-seed{seed}" if prefix else "route"
        bench.run("route", bench.suite.nextpnr, arguments, folder, listen, log)
    except WorkError as error:
        if not over and any(words in str(error) for words in _UNROUTABLE):
            raise UnroutableError(f"{error}; no seed of {', '.join(map(str, SEEDS))} routes it: {WAY_OUT}") from None
        if not over:
            raise
        needs = ", and ".join(f"{use.used:,} {kind} of {use.available:,} ({use.used - use.available:,} too many)"
                              for kind, use in over.items())  # fmt: skip
        raise TooLargeError(f"the packed design does not fit {bench.board.title}: it needs {needs}; {WAY_OUT}"
                            ) from None


def _timing(report: Path, flow: FamilyFlow, cells: Cells) -> dict[str, Any]:
    """What nextpnr's report says: clock, use, slowest path."""
    try:
        values = json.loads(report.read_bytes())
    except (OSError, ValueError) as error:
        raise WorkError(f"place and route left no whole report ({error}); is the disk full?") from None
    if not values["fmax"]:
        raise WorkError("place and route found no clock: nothing in the design is clocked")
    use = {kind: Use(**count) for kind, count in values["utilization"].items()}
    return {
        "fmax_mhz": round(min(clock["achieved"] for clock in values["fmax"].values()), 3),
        **flow.taken(use, cells).rounded(),
        "untimed": sum(cell["type"] in flow.untimed for cell in cells.values()),
        "utilization": {kind: {"used": u.used, "available": u.available} for kind, u in use.items() if u.used},
        "critical_path": _critical(values["critical_paths"]),
    }


def _critical(paths: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The slowest path between two registers of one clock, hop by hop."""
    inner = [path for path in paths if path["from"] == path["to"] and path["from"] != "<async>"]
    if not inner:
        return []
    slowest = max(inner, key=lambda path: sum(hop["delay"] for hop in path["path"]))
    return [
        {"kind": hop["type"], "delay_ns": round(hop["delay"], 3),
         "cell": f"{hop['to']['cell']}.{hop['to']['port']}", "net": hop.get("net", "")}
        for hop in slowest["path"]
    ]  # fmt: skip


def _end(path: list[dict[str, Any]]) -> str:
    return str(path[-1]["cell"]) if path else "an unknown register"
