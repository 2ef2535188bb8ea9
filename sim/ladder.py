"""Climbing the verification ladder: the same samples at every level, and a result for each."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from bitloom import BitloomError, RequestError
from bitloom.boards.build import Compiled, load_build
from bitloom.boards.progress import SILENT, Progress
from bitloom.boards.protocol import value_bytes
from bitloom.boards.report.record import update

from .levels import LEVELS, Findings, LevelResult, Unavailable
from .toolchain import ToolMissing
from .vectors import samples_for

DEFAULT_SAMPLES: dict[str, int | None] = {"model": None, "rtl": None, "netlist": 100, "top": 20, "bitstream": 100}
"""How many samples each level takes where nobody says; None is all of them."""

LINE_BYTES, FEWEST = 1 << 18, 2
"""Bytes that travel through the pins at a level where nobody says how many samples; and the fewest samples."""

Rung = Callable[[Compiled, int | None, int, Callable[[str], None]], Findings]


def verify(
    build_dir: str | Path,
    level: str = "rtl",
    samples: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    *,
    model: str | Path | None = None,
) -> list[LevelResult]:
    """Climb the ladder to ``level`` in the build folder ``build_dir``; one result per rung, lowest first.

    A rung that fails ends the climb; one that cannot run here is ``unavailable`` and does not. What was found is merged
    into ``report.json``.

    :param samples: samples per rung; None is each rung's own number (:data:`DEFAULT_SAMPLES`).
    :param seed: of the stalls, of the random vectors and of the simulators' unknown values.
    :param progress: told about the steps.
    :param model: the folder (or the name) of the network, or its ONNX file; None is the example of the graph's name.
    :raises RequestError: there is no such level, or nothing was compiled into ``build_dir``.
    """
    if level not in LEVELS:
        raise RequestError(f"level must be one of {', '.join(LEVELS)}, not {level!r}")
    if samples is not None and samples < 1:
        raise RequestError(f"samples must be 1 or more, not {samples}")
    compiled = load_build(build_dir)
    results: list[LevelResult] = []
    for name in LEVELS[: LEVELS.index(level) + 1]:
        count = _count(name, compiled) if samples is None else samples
        with (progress or SILENT).step(name) as step:
            result = _climb(name, compiled, count, seed, model, step.note)
            step.note(f"{result.status}, {result.samples} samples, {result.mismatches} mismatches")
        results.append(result)
        _record(compiled.out, result)
        if result.status == "failed":
            break
    return results


def _count(level: str, compiled: Compiled) -> int | None:
    """Samples of ``level`` where nobody says: fewer than :data:`DEFAULT_SAMPLES` where one takes long on the line."""
    count = DEFAULT_SAMPLES[level]
    if count is None:
        return None
    face = compiled.interface
    travels = max(face.elements * value_bytes(face.element), face.results * value_bytes(face.result))
    return min(count, max(FEWEST, LINE_BYTES // travels))


def _climb(level: str, compiled: Compiled, count: int | None, seed: int, model: str | Path | None,
           note: Callable[[str], None]) -> LevelResult:
    start = time.monotonic()
    try:
        findings = _findings(level, compiled, count, seed, model, note)
    except (Unavailable, ToolMissing) as error:
        return LevelResult(level, 0, 0, _since(start), "unavailable", str(error))
    except BitloomError as error:
        return LevelResult(level, 0, 0, _since(start), "failed", str(error))
    return findings.result(level, _since(start))


def _findings(level: str, compiled: Compiled, count: int | None, seed: int, model: str | Path | None,
              note: Callable[[str], None]) -> Findings:
    """Run one rung; what it needs is imported only then."""
    if level == "model":
        from .rungs.model import verify_model

        return verify_model(compiled, count, model, note)
    samples = samples_for(compiled.graph, count, seed)
    if level == "rtl":
        from .rungs.rtl import verify_rtl

        return verify_rtl(compiled, samples, seed, note)
    if level == "top":
        from .rungs.pins import verify_top

        return verify_top(compiled, samples, seed, note)
    if level == "netlist":
        from .rungs.pins import verify_netlist

        return verify_netlist(compiled, samples, seed, note)
    from .rungs.bitstream import verify_bitstream

    return verify_bitstream(compiled, samples, seed, note)


def _record(folder: Path, result: LevelResult) -> None:
    values: dict[str, object] = {"levels": {result.level: {
        "samples": result.samples, "mismatches": result.mismatches, "seconds": result.seconds, "status": result.status,
        "reason": result.reason}}}  # fmt: skip
    if result.status != "unavailable":
        values |= {"samples": result.samples, "mismatches": result.mismatches}
    if result.interval is not None and result.latency is not None:
        values |= {"interval_cycles": result.interval, "latency_cycles": result.latency}
    update(folder, values)


def _since(start: float) -> float:
    return round(time.monotonic() - start, 3)
