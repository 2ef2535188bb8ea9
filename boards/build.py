"""A build: from a design to the files of ``build/<design>/``, and the bitstream last."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, replace
from importlib.metadata import version
from math import prod
from pathlib import Path
from typing import Any

from bitloom import RequestError, __version__, codegen
from bitloom.codegen import Plan, Resources
from bitloom.files.text import read_text
from bitloom.files.yaml_file import BYTES
from bitloom.quant import Graph, load, save
from bitloom.quant.provenance import uncompared, warning

from . import board as boards
from .board import Board
from .compiled import (
    DESIGN,
    MANIFEST,
    TOP,
    Compiled,
    clock_of,
    known,
    load_build,
    manifest_of,
    original,
    write_manifest,
)
from .design import GRAPH, QUICK_LUTS, Design, resolve_model, write_design
from .files import locked, make_folder, write_text
from .fingerprint import digest, of_request
from .flow import (
    FLOWS,
    Routed,
    Synthesis,
    TimingError,
    TooLargeError,
    Workbench,
    check_fit,
    check_plausible,
    pack,
    place_and_route,
    synthesize,
)
from .link import baud_divisor
from .link_cost import holds, link_cost, too_large
from .pins import Pins, constraints, pins_of
from .progress import SILENT, Progress, Step
from .report import read, render, update
from .report.record import FILE as REPORT
from .report.record import of_plan
from .top import Top

__all__ = ["DESIGN", "Compiled", "build", "compile_design", "load_build", "synthesize_build"]

BOARD = "board.yaml"
"""Where a board of the user's own is kept with the build."""

PLANNED_LANES = 16
"""Lanes of the input for which the host link's share is kept free, before the plan says how many there are."""


def compile_design(design: Design, out_dir: str | Path | None = None, progress: Progress = SILENT,
                   strict: bool = False) -> Compiled:
    """Compile ``design`` into the folder ``out_dir`` (``build/<design>``): graph, plan, ``rtl/top.v``, constraints.

    Where the folder holds the same request already, what lies there is used: its foldings, and ``rtl/top.v`` as it is,
    edited or not.

    :param strict: refuse a network that was imported without a comparison with its file.
    :raises RequestError: the design asks for what cannot be; the message says what.
    :raises WorkError: a network that is imported here differs from its graph, or, with ``strict``, was not compared.
    """
    out = _folder(design, out_dir)
    with locked(out):
        return _compile(design, out, progress, strict)


def synthesize_build(compiled: Compiled, progress: Progress = SILENT) -> Synthesis:
    """Synthesize what was compiled, check the netlist against plan and board, and note it in the report.

    :raises WorkError: synthesis fails, the netlist is implausibly small, or it does not fit.
    """
    with locked(compiled.out):
        return _synthesize(_bench(compiled, progress), compiled)


def build(design: Design, out_dir: str | Path | None = None, progress: Progress = SILENT,
          strict: bool = False) -> dict[str, Any]:
    """Build ``design`` in ``out_dir`` (``build/<design>``), down to the bitstream and the report.

    :param strict: see :func:`compile_design`.
    :returns: the report's values.
    :raises RequestError: the design asks for what cannot be.
    :raises WorkError: a tool is missing or fails, the design does not fit or misses its clock; the report then holds
        what was learned until there.
    """
    out = _folder(design, out_dir)
    with locked(out):
        compiled = _compile(design, out, progress, strict)
        bench = _bench(compiled, progress)
        synthesis = _synthesize(bench, compiled)
        try:
            routed = place_and_route(bench, synthesis, compiled.constraints.read_text(encoding="utf-8"),
                                     compiled.plan.clock_hz / 1e6, allow_fail=design.allow_timing_failure)
        except TimingError as error:
            _note_routed(bench, error.routed)
            raise
        _note_routed(bench, routed)
        pack(bench, routed, design.design)
        with progress.step("report"):
            values = update(out, {"seconds": bench.seconds})
            render(out)
        return values


def _compile(design: Design, out: Path, progress: Progress, strict: bool) -> Compiled:
    board = boards.load(design.board)
    _, graph = resolve_model(design.model)
    clock_hz, pins = clock_of(design, board), pins_of(board)
    _check_baud(board, clock_hz)
    fingerprint = of_request(design, board, graph)
    manifest = manifest_of(out)
    unchanged = manifest.get("fingerprint") == fingerprint and (out / TOP).is_file() and (out / GRAPH).is_file()
    graph = _compared(design, graph, out if unchanged else None, progress)
    warning(graph, strict)
    with progress.step("compile") as step:
        if unchanged:
            _write_request(design, board, out)
            os.utime(out / MANIFEST)
            kept = load(out / GRAPH)
            if (kept.classes, kept.metadata) != (graph.classes, graph.metadata):  # the circuit is the same all the same
                save(graph, out / GRAPH)
            compiled = known(design, board, graph, out, manifest)
            step.note("unchanged; rtl/top.v was edited and is kept" if compiled.edited else "unchanged")
            return compiled
        start = time.monotonic()
        try:
            plan = _planned(design, board, graph, clock_hz)
        except codegen.FitError as error:
            ways = _boards_for(error.needed, design, graph)
            raise codegen.FitError(f"{error} ({ways})", error.needed, error.excess) from None
        step.note("emitting")
        compiled = Compiled(design, board, graph, plan, out, int(fingerprint[:8], 16))
        text = codegen.emit_verilog(_top(compiled, pins), "top")
        _clear(compiled, manifest, step)
        save(graph, out / GRAPH)
        _write_request(design, board, out)
        write_text(make_folder(compiled.top.parent) / compiled.top.name, text)
        write_text(compiled.constraints, constraints(board, pins))
        _begin_report(compiled, time.monotonic() - start)
        write_manifest(out, {
            "bitloom": __version__, "fingerprint": fingerprint, "model": original(design.model, out),
            "top": digest([text.encode()]),
            "foldings": {name: asdict(folding) for name, folding in plan.foldings.items()},
        })
        if plan.unproven:
            step.note(plan.unproven)
        if why := too_large(board, compiled.interface.elements, compiled.interface.element.bits):
            step.note(f"not to be built: {why}")
    return compiled


def _compared(design: Design, graph: Graph, out: Path | None, progress: Progress) -> Graph:
    """``graph``, compared with the file that it was imported from just now, or as when ``out`` was made of it."""
    if Path(design.model).suffix != ".onnx":
        return graph
    made = None if out is None else load(out / GRAPH)
    if made is not None and not uncompared(made):
        return replace(graph, metadata={**graph.metadata, "compared": made.metadata["compared"]})
    with progress.step("compare") as step:
        return resolve_model(design.model, None, step.note)[1]


def _check_baud(board: Board, clock_hz: float) -> None:
    """Refuse a clock that the board's baud rate cannot be made from, before anything is built for it."""
    try:
        baud_divisor(clock_hz, board.baud)
    except ValueError as error:
        raise RequestError(f"board {board.name}: {error}") from None


def _top(compiled: Compiled, pins: Pins) -> Top:
    face = compiled.interface
    return Top(
        codegen.Accelerator(compiled.plan), clock_hz=compiled.plan.clock_hz, baud=compiled.board.baud,
        elements=face.elements, results=face.results, design_id=compiled.design_id,
        element_bipolar=face.element.bipolar, result_bipolar=face.result.bipolar,
        leds=len(pins.leds), leds_inverted=pins.leds_inverted,
    )


def _synthesize(bench: Workbench, compiled: Compiled) -> Synthesis:
    plan, sample = compiled.plan, compiled.interface
    if why := too_large(compiled.board, sample.elements, sample.element.bits):
        raise TooLargeError(f"model {compiled.graph.name}: {why}")
    synthesis = synthesize(bench, compiled.top, dsp=plan.predicted.dsp > 0)
    stage = read(compiled.out).get("stage")
    if "synthesize" in bench.fresh and stage == "route":
        _begin_report(compiled, None)
    if "synthesize" in bench.fresh or stage != "route":
        update(compiled.out, {"stage": "synthesis", **synthesis.used.rounded(), "seconds": bench.seconds,
                              "tools": bench.tools})
    check_plausible(synthesis.used, plan.predicted)
    check_fit(compiled.board, synthesis.used)
    return synthesis


def _note_routed(bench: Workbench, routed: Routed) -> None:
    update(bench.out, {
        "stage": "route", "fmax_mhz": routed.fmax_mhz, "untimed": routed.untimed, **routed.used.rounded(),
        "utilization": routed.utilization, "critical_path": routed.critical_path,
        "seconds": bench.seconds, "tools": bench.tools,
    })


def _begin_report(compiled: Compiled, seconds: float | None) -> None:
    """A new report of what is known before any tool has run; the old one, about another design, goes."""
    (compiled.out / REPORT).unlink(missing_ok=True)
    values = of_plan(compiled.plan)
    face, plan = compiled.interface, compiled.plan
    link = link_cost(compiled.board.family, face.elements, face.element.bits, plan.input_lanes)
    total = (plan.predicted + link).rounded()
    values["predicted"] = {**values["predicted"], **total}
    values |= {"design": compiled.design.design, "model": compiled.graph.name, "board": compiled.board.name,
               "part": compiled.board.part, "stage": "estimate", **total,
               "tools": {"bitloom": __version__, "amaranth": version("amaranth")}}
    if isinstance(accuracy := compiled.graph.metadata.get("accuracy"), float):
        values["accuracy"] = accuracy
    if note := compiled.graph.metadata.get("note"):
        values["data_note"] = str(note)
    if seconds is not None:
        values["seconds"] = {"compile": round(seconds, 3)}
    update(compiled.out, values)


def _clear(compiled: Compiled, manifest: dict[str, Any], step: Step) -> None:
    """Remove what belongs to the design that was here before; a top that was edited by hand is kept beside."""
    if manifest and compiled.top.is_file() and digest([compiled.top.read_bytes()]) != manifest.get("top"):
        kept = compiled.top.with_name("top.edited.v")
        compiled.top.replace(kept)
        step.note(f"the edited top.v is kept as {kept.name}")
    names = [MANIFEST, REPORT, "report.html", "samples.npz", "netlist.json", "netlist.v", "placement.json",
             "floorplan.svg", *(flow.routed for flow in FLOWS.values()), "constraints.*"]  # fmt: skip
    names += [f"*{flow.suffix}" for flow in FLOWS.values()]
    for name in names:
        for path in compiled.out.glob(name):
            path.unlink()


def _write_request(design: Design, board: Board, out: Path) -> None:
    """The design as it was resolved, with the graph and a board of the user's own beside it."""
    if board.name in boards.names() and board == boards.load(board.name):
        name = board.name
    else:
        name = BOARD
        source = Path(design.board)
        if source.resolve() != (out / BOARD).resolve():
            write_text(out / BOARD, read_text(source, BYTES))
    write_design(design.model_copy(update={"model": GRAPH, "board": name}), out / DESIGN)


def _bench(compiled: Compiled, progress: Progress) -> Workbench:
    return Workbench(compiled.board, compiled.out, progress, obsolete=[compiled.bitstream])


def _folder(design: Design, out_dir: str | Path | None) -> Path:
    return Path("build") / design.design if out_dir is None else Path(out_dir)


def _planned(design: Design, board: Board, graph: Graph, clock_hz: float) -> Plan:
    """The plan that is asked for; where nothing is, and no quick build holds the network, the smallest there is."""
    wanted: dict[str, Any] = {"family": board.family, "clock_hz": clock_hz, "overrides": design.overrides()}
    budget = _budget(design, board, graph)
    try:
        return codegen.compile(graph, budget=budget, target=design.goal, fps=design.fps, **wanted)
    except codegen.FitError:
        if not design.quick:
            raise
    whole = design.model_copy(update={"target": "area"})
    return codegen.compile(graph, budget=_budget(whole, board, graph), target="area", **wanted)


def _boards_for(needed: Resources, design: Design, graph: Graph) -> str:
    """In words, which boards would hold what is ``needed``."""
    whole = design.model_copy(update={"target": design.goal})
    fit = [name for name in boards.names() if not needed.excess(_budget(whole, boards.load(name), graph))]
    return f"those that hold it: {', '.join(fit)}" if fit else "no board that comes with bitloom holds it"


def _budget(design: Design, board: Board, graph: Graph) -> Resources:
    """What the accelerator may take: the share of the device that may be planned for, less the host link."""
    share, sample = board.resources.scaled(design.utilization), graph.input.output
    if design.quick:
        share = replace(share, lut=min(share.lut, QUICK_LUTS))
    elements, bits = prod(sample.shape), sample.format.bits
    if not holds(board, elements, bits):
        return share  # such a design is simulated and not built
    link = link_cost(board.family, elements, bits, min(elements, PLANNED_LANES))
    return Resources(*(max(0.0, getattr(share, kind) - getattr(link, kind)) for kind in ("lut", "ff", "bram", "dsp")))
