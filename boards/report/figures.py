"""What the report's page says, drawn from ``report.json``: every figure with the stage that it comes from."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .record import Layer, Report

STAGES = {"estimate": "estimated", "synthesis": "synthesized", "route": "routed"}
PALETTE = 8
"""How many colours the style sheet has for layers."""


@dataclass(frozen=True)
class Figure:
    """One headline figure: what it is, its value with unit, the stage it comes from, and a line of context."""

    title: str
    value: str
    unit: str
    stage: str
    note: str


@dataclass(frozen=True)
class Bar:
    """One bar of a picture: its label, its text, its length as a share of the longest (0 to 1), its colour class."""

    label: str
    text: str
    share: float
    tone: str = ""
    note: str = ""


@dataclass(frozen=True)
class Rung:
    """One level of the ladder as the page shows it."""

    level: str
    compares: str
    status: str
    samples: int = 0
    mismatches: int = 0
    seconds: float = 0
    reason: str = ""


@dataclass(frozen=True)
class Comparison:
    """A figure as predicted and as measured; ``ratio`` is measured over predicted."""

    title: str
    predicted: str
    measured: str
    ratio: float
    stage: str


@dataclass(frozen=True)
class Hop:
    """One hop of a timing path: along ``net`` for ``wire_ns``, through ``cell`` for ``cell_ns``, done at ``at_ns``."""

    net: str
    cell: str
    wire_ns: float
    cell_ns: float
    at_ns: float


@dataclass(frozen=True)
class Path:
    """The critical path: its total, what of it is in cells and in wires, and its hops."""

    total_ns: float
    cells_ns: float
    wires_ns: float
    hops: list[Hop]


COMPARES = {
    "model": "trained network ↔ integer graph",
    "rtl": "integer graph ↔ RTL, with and without stalls",
    "netlist": "… ↔ synthesized netlist of the top, through its serial pins",
    "top": "… ↔ board top, through its serial pins",
    "bitstream": "… ↔ gates decoded from the bitstream",
}


_APPENDED = re.compile(r"_(?:SB|LUT\d|TRELLIS|CCU2C|L6MUX21|PFUMX|DFF|DFFE?[SRC]*E?|ALU|MUX\d|MULT\d|DP16KD)_\w*")


def number(value: float | None, digits: int = 3) -> str:
    """``value`` with thousands separators and about ``digits`` significant digits (never fewer than whole ones)."""
    if value is None:
        return "–"
    if value == int(value) or abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    return f"{value:,.{max(0, digits - whole)}f}"


def headline(report: Report) -> list[Figure]:
    """The figures at the top of the page; those that are not known are left out."""
    stage = STAGES.get(report.stage or "", "")
    simulated = "rtl" in report.levels and report.levels["rtl"].status == "passed"
    cycles = "simulated" if simulated else "estimated"
    lut, fmax, clock = report.lut, report.fmax_mhz, report.clock_mhz
    figures = []
    if report.accuracy is not None:
        agrees = f"; the RTL agrees on {report.levels['rtl'].samples:,} simulated" if simulated else ""
        figures.append(Figure("Accuracy", f"{report.accuracy * 100:.1f}", "%", "integer graph",
                              f"of the held-out samples{f' ({report.data_note})' if report.data_note else ''}{agrees}"))
    if report.throughput_fps is not None:
        figures.append(Figure("Throughput", number(report.throughput_fps), "/s", cycles,
                              f"one sample per {number(report.interval_cycles)} cycles at {number(clock)} MHz"))
    if report.latency_us is not None:
        figures.append(Figure("Latency", number(report.latency_us), "µs", cycles,
                              f"{number(report.latency_cycles)} cycles"))
    if lut is not None:
        figures.append(Figure("Logic", number(lut), "LUTs", stage, _share_of_device(report)))
    if fmax is not None and clock:
        margin = f"{fmax / clock:.1f}× the clock of {number(clock)} MHz"
        if report.untimed:
            margin += f"; no path through {report.untimed} multipliers was timed (place and route has no delays)"
        figures.append(Figure("Fmax", number(fmax), "MHz", stage, margin))
    return figures


def tones(layers: list[Layer]) -> dict[str, str]:
    """A colour class for each layer, the same on the whole page; repeats after :data:`PALETTE` layers."""
    return {layer.name: f"c{index % PALETTE}" for index, layer in enumerate(layers)}


def pipeline(report: Report) -> list[Bar]:
    """One bar per layer: its cycles per sample beside those of the whole pipeline."""
    if not report.layers:
        return []
    longest = max([layer.interval for layer in report.layers] + [report.interval_cycles or 0, 1])
    tone = tones(report.layers)
    slowest = max(layer.interval for layer in report.layers)
    return [
        Bar(layer.name, f"{layer.interval:,}", layer.interval / longest, tone[layer.name],
            "sets the pace" if layer.interval == slowest else f"busy {layer.interval / longest * 100:.0f} %")
        for layer in report.layers
    ]


def ladder(report: Report) -> list[Rung]:
    """Every level, lowest first; what has not been run says so."""
    rungs = []
    for level, compares in COMPARES.items():
        result = report.levels.get(level)  # type: ignore[call-overload]
        if result is None:
            rungs.append(Rung(level, compares, "not run"))
        else:
            rungs.append(Rung(level, compares, result.status, result.samples, result.mismatches, result.seconds,
                              result.reason))
    while rungs and rungs[-1].level == "bitstream" and rungs[-1].status == "not run":
        rungs.pop()
    return rungs


def comparisons(report: Report) -> list[Comparison]:
    """Predicted beside measured, for each figure that has both and was not merely estimated."""
    rows = []
    simulated = "rtl" in report.levels and report.levels["rtl"].status == "passed"
    stage = STAGES.get(report.stage or "", "")
    kinds = [("interval_cycles", "Interval, cycles"), ("latency_cycles", "Latency, cycles"), ("lut", "LUTs"),
             ("ff", "Flip-flops"), ("bram", "Block memories"), ("dsp", "Multipliers"), ("fmax_mhz", "Fmax, MHz")]
    for key, title in kinds:
        predicted, measured = getattr(report.predicted, key), getattr(report, key)
        cycles = key.endswith("_cycles")
        if predicted is None or measured is None or (not simulated if cycles else report.stage in (None, "estimate")):
            continue
        if predicted or measured:
            ratio = measured / predicted if predicted else float("inf")
            rows.append(Comparison(title, number(predicted), number(measured), ratio, "simulated" if cycles else stage))
    return rows


def utilization(report: Report) -> list[Bar]:
    """How much of the device is taken, the fullest kind first; unused kinds and lone cells (GND, GSR) are left out."""
    used = [(name, use) for name, use in report.utilization.items() if use.used and use.available > 1]
    used.sort(key=lambda item: -item[1].used / item[1].available)
    return [
        Bar(name, f"{use.used:,} of {use.available:,}", min(1.0, use.used / use.available),
            "full" if use.used > 0.9 * use.available else "", f"{use.used / use.available * 100:.0f} %")
        for name, use in used
    ]


def shortened(name: str) -> str:
    """``name`` without what synthesis appends to names of the source: ``link.crc_SB_DFF_Q[3]`` is ``link.crc…[3]``."""
    return _APPENDED.sub("…", name)


def critical_path(report: Report) -> Path | None:
    """The slowest path from register to register, hop by hop: each wire together with the cell at its end."""
    hops: list[Hop] = []
    net, wire, now = "", 0.0, 0.0
    for piece in report.critical_path:
        now += piece.delay_ns
        if piece.kind == "routing":
            net, wire = piece.net, wire + piece.delay_ns
        else:
            hops.append(Hop(net, piece.cell, wire, piece.delay_ns, now))
            net, wire = "", 0.0
    if not hops:
        return None
    wires = sum(hop.wire_ns for hop in hops)
    return Path(now, now - wires, wires, hops)


def steps(report: Report) -> list[Bar]:
    """Seconds per step of the flow, in the order in which they ran."""
    longest = max(report.seconds.values(), default=0)
    return [Bar(name, f"{value:.1f} s", value / longest if longest else 0) for name, value in report.seconds.items()]


def _share_of_device(report: Report) -> str:
    logic = [use for name, use in report.utilization.items() if name in ("ICESTORM_LC", "TRELLIS_COMB", "LUT4")]
    parts = [f"{logic[0].used / logic[0].available * 100:.0f} % of the device"] if logic and logic[0].available else []
    parts += [f"{report.ff:,} FF"] if report.ff else []
    parts += [f"{report.bram:,} memories"] if report.bram else []
    return " · ".join(parts)
