# amaranth: UnusedElaboratable=no
"""Level ``rtl``: module ``accelerator`` of ``top.v`` against the integer graph, at its streams."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from bitloom import quant
from bitloom.boards.build import Compiled
from bitloom.codegen import Accelerator, Plan

from ..batch import run_batch
from ..levels import Findings
from ..ports import STREAMS, ports_of
from ..vectors import Samples, beats, directed
from ..verilator import Public, Simulator, build_rtl, run

PHASES = (("without stalls", "none", "none"), ("random stalls", "random", "random"),
          ("source in bursts", "bursts", "rare"), ("sink in bursts", "rare", "bursts"),
          ("late sink", "none", "reluctant"))  # fmt: skip
"""Name, and how source and sink stall. The first phase measures the timing; it and the second take all vectors."""

CYCLES = 150_000
"""About how many cycles a phase may take for samples, and for directed vectors; a slow design takes fewer of them."""
SOME, MOST, FEWEST = 40, 300_000, 3
"""So many samples a phase takes however slow the design is, as long as they take :data:`MOST` cycles; then fewer."""
GAUGED = 3
"""Samples that go through while the queues are watched."""
WATCHED = 1_000_000
"""Cycles for which queues are watched at most: the bench looks at each of them, and so does the plan."""
LARGE = 1_000_000
"""Bytes of Verilog above which the simulator is compiled without optimization: few cycles, and much to compile."""


def verify_rtl(compiled: Compiled, samples: Samples, seed: int, note: Callable[[str], None]) -> Findings:
    """Push ``samples`` and directed vectors through the RTL, with and without stalls, and read its constants back.

    Interval and latency are measured in the phase without stalls and must equal the plan's closed forms. Where all the
    samples would take the bench too long, it takes the first ones, and the compiled driver takes them all.
    """
    some = _some(compiled)
    vectors = np.vstack([samples.inputs[:some], directed(compiled.graph, seed, some)])
    parameters = _parameters(compiled, vectors, seed)
    simulator = simulate(compiled, note)
    results = run(simulator, "streams", parameters, seed=seed, note=note)
    plain = results["phases"][0]
    latency = plain["starts_out"][0] - plain["starts_in"][0]
    interval, timing = _interval(plain, compiled.plan)
    wrong = [*_data(results["phases"]), *_constants(results["roms"]), *timing, *_peaks(compiled, results["peaks"])]
    if latency != compiled.plan.latency:
        wrong.append(f"the latency is {latency} cycles, and the plan says {compiled.plan.latency}")
    mismatched = {k for phase in results["phases"] for k in phase["wrong"]}
    if mismatched:
        wrong += _first_layer(compiled, vectors, parameters, results["phases"], note)
    words = sum(rom["words"] for rom in results["roms"].values())
    first = min(some, len(samples.inputs))
    compared = (f"{samples.source} and {len(vectors) - first} directed vectors, without stalls and with "
                f"{len(PHASES) - 1} patterns of stalls; {words:,} words of {len(results['roms'])} constant memories")
    if results["peaks"]:
        compared += f"; {len(results['peaks'])} queues as full as planned"
    mismatches = len(mismatched)
    if len(samples.inputs) > some:
        differ, more = _all(compiled, samples, note)
        mismatches, wrong = max(mismatches, differ), [*wrong, *more]
        compared += f"; stalls with the first {some} samples"
    return Findings(len(samples.inputs), mismatches, compared, tuple(wrong), interval, latency)


def _some(compiled: Compiled) -> int:
    """How many samples, and how many directed vectors, a phase takes at most."""
    interval = compiled.plan.interval
    return max(CYCLES // interval, min(SOME, MOST // interval), FEWEST)


def _all(compiled: Compiled, samples: Samples, note: Callable[[str], None]) -> tuple[int, list[str]]:
    """Every sample through the compiled driver: how many differ, and what is wrong with the cycles."""
    plan = compiled.plan
    result = run_batch(compiled, samples.inputs, note=note,
                       advance=lambda done, total: note(f"{done:,} of {total:,} samples"))
    wrong = []
    if result.mismatches:
        wrong.append(f"without stalls: {result.mismatches:,} of {result.samples:,} samples differ")
    if not plan.paced(*result.interval) or result.latency != (plan.latency, plan.latency):
        wrong.append(f"interval {result.interval} and latency {result.latency} cycles over all samples, and the plan "
                     f"says {plan.interval} and {plan.latency}")
    return result.mismatches, wrong


def simulate(compiled: Compiled, note: Callable[[str], None], extra: tuple[Public, ...] = ()) -> Simulator:
    """The simulator of module ``accelerator``, constants and the handshakes of queues readable."""
    public = [*(Public("accelerator", port, writable=True) for port in _ports(compiled).values()), Public("*", "rom"),
              *(Public(f"accelerator_{gauge['path']}", port) for gauge in _gauges(compiled).values()
                for port in gauge["ports"].values()), *extra]
    optimize = "-O0" if compiled.top.stat().st_size > LARGE else "-O1"
    return build_rtl(compiled.top, "accelerator", compiled.out / "sim", level="rtl", public=public, optimize=optimize,
                     note=note)


def _ports(compiled: Compiled) -> dict[str, str]:
    return ports_of(compiled.top.read_text(), "accelerator", ("clk", "rst", *STREAMS))


def _gauges(compiled: Compiled) -> dict[str, dict[str, Any]]:
    """Where each queue of the pipeline is, and its handshakes; none where watching them would take too long."""
    if GAUGED * compiled.plan.interval > WATCHED:
        return {}
    text, handshake = compiled.top.read_text(), tuple(port for port in STREAMS if not port.endswith("payload"))
    return {name: {"path": name, "ports": ports_of(text, f"accelerator_{name}", handshake)}
            for name in compiled.plan.topology.queue_names}


def _peaks(compiled: Compiled, measured: dict[str, int]) -> list[str]:
    """Queues that held more or less than the plan says."""
    planned = compiled.plan.timeline(GAUGED, drain=True).peaks if measured else {}
    return [f"the queue {name} held up to {level} beats, and the plan says {planned[name]}"
            for name, level in measured.items() if level != planned[name]]


def _parameters(compiled: Compiled, vectors: np.ndarray, seed: int) -> dict[str, Any]:
    plan = compiled.plan
    expected = quant.run(compiled.graph, vectors).reshape(len(vectors), -1)
    inputs = beats(vectors, plan.input.format, plan.input_lanes)
    outputs = beats(expected, plan.output.format, plan.output_lanes)
    roms = {f"{path}.{rom.handle}": {"words": [f"{word:x}" for word in rom.words], "width": rom.width}
            for path, rom in Accelerator(plan).roms().items()}
    some = _some(compiled)
    phases = [{"name": name, "vectors": [0 if k < 2 else max(0, len(vectors) - some), len(vectors)],
               "source": source, "sink": sink, "seed": seed + 2 * k} for k, (name, source, sink) in enumerate(PHASES)]
    gauges = _gauges(compiled)
    if gauges:
        phases.append({"name": "queues", "vectors": [0, min(GAUGED, len(vectors))], "source": "none", "sink": "none",
                       "seed": seed, "gauged": True})
    return {"inputs": inputs, "expected": outputs, "beats_in": len(inputs[0]), "beats_out": len(outputs[0]),
            "phases": phases, "roms": roms, "gauges": gauges, "ports": _ports(compiled),
            "patience": 4 * (plan.interval + plan.latency) + 1000}


def _data(phases: list[dict[str, Any]]) -> list[str]:
    wrong = []
    for phase in phases:
        if phase["mismatches"]:
            wrong.append(f"{phase['name']}: {phase['mismatches']:,} of {phase['vectors']} vectors differ, first "
                         f"{phase['detail']}")
        if phase["surplus"]:
            wrong.append(f"{phase['name']}: {phase['surplus']} output beats too many")
        wrong += [f"{phase['name']}: {rule}" for rule in phase["broken"]]
    return wrong


def _constants(roms: dict[str, dict[str, Any]]) -> list[str]:
    return [f"constants of {path}: {rom['differ']} of {rom['words']} words differ, {rom['detail']}"
            for path, rom in roms.items() if rom["differ"]]


def _interval(phase: dict[str, Any], plan: Plan) -> tuple[int, list[str]]:
    """The measured interval, and what is wrong with it: the second half of the vectors must come as planned."""
    wrong = []
    measured = planned = plan.interval
    for end in ("in", "out"):
        starts = phase[f"starts_{end}"]
        steps = sorted({b - a for a, b in pairwise(starts[len(starts) // 2 :])})
        if steps != [planned] and not (end == "out" and plan.paced(steps[0], steps[-1])):
            measured = steps[-1]
            apart = "to".join(f" {step} " for step in (steps[0], steps[-1])[: len(steps)]).strip()
            wrong.append(f"vectors start {apart} cycles apart at the {end}put, and the plan says {planned}")
    return measured, wrong


def _first_layer(compiled: Compiled, vectors: np.ndarray, parameters: dict[str, Any], phases: list[dict[str, Any]],
                 note: Callable[[str], None]) -> list[str]:
    """Which unit's output differs first: the same vectors once more, up to the first that differs, with eyes inside."""
    plan = compiled.plan
    number, phase = next((k, phase) for k, phase in enumerate(phases) if phase["wrong"])
    end = phase["wrong"][0] + 1
    values = quant.trace(plan.graph, vectors[:end])
    text, parts = compiled.top.read_text(), plan.topology.instances.units
    ports = {stage.name: ports_of(text, f"accelerator_{parts[stage.name]}", STREAMS[3:]) for stage in plan.stages}
    taps = {
        stage.name: {"path": parts[stage.name], "ports": ports[stage.name], "beats": [
            beat for vector in beats(values[stage.name].reshape(end, -1), plan.graph[stage.name].output.format,
                                     stage.lanes_out) for beat in vector]}
        for stage in plan.stages
    }
    eyes = tuple(Public(f"accelerator_{parts[name]}", port) for name, found in ports.items() for port in found.values())
    again = {**parameters["phases"][number], "vectors": [0, end]}
    results = run(simulate(compiled, note, eyes), "streams", {**parameters, "phases": [again], "taps": taps}, note=note)
    for name, first in results["taps"].items():
        if first is not None:
            per_vector = len(taps[name]["beats"]) // end
            return [f"the first unit that differs is {name}, at sample {first['beat'] // per_vector}, beat "
                    f"{first['beat'] % per_vector}: {first['expected']} expected, {first['got']} came (hexadecimal)"]
    return []
