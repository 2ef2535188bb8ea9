"""One point of a study: its design built as far as is asked, and what came of it, good or not."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from bitloom import BitloomError, RequestError
from bitloom.boards import board as boards
from bitloom.boards.build import build, compile_design, synthesize_build
from bitloom.boards.compiled import Compiled
from bitloom.boards.design import Design, resolve_model
from bitloom.boards.files import make_folder, write_text
from bitloom.boards.fingerprint import digest, of_request
from bitloom.boards.flow import TimingError, TooLargeError
from bitloom.boards.progress import SILENT, Progress
from bitloom.boards.report import read
from bitloom.boards.report.figures import STAGES, number
from bitloom.boards.report.record import Figures, check
from bitloom.boards.tools import suite
from bitloom.codegen import FitError
from bitloom.codegen.engines import ENGINES
from bitloom.files.json_file import read_sealed, sealed

MEMORY = "outcome.json"
"""Where a point's folder remembers that nothing better can be built from the same inputs."""

FIGURES = tuple(Figures.model_fields)

Status = Literal["good", "misses timing", "does not fit", "impossible", "failed", "not run"]
"""``impossible``: the request contradicts itself, the board or the network; ``failed``: a tool is missing or fails."""

LASTING = ("misses timing", "does not fit")


@dataclass(frozen=True)
class Outcome:
    """What came of ``design`` in ``folder``: a status, the reason where it is not good, and what is known by then.

    ``resources_stage`` is where resources and Fmax come from (estimated, synthesized or routed), ``cycles_stage`` where
    interval, latency and throughput do: the plan's closed forms at the board's clock (estimated), or the same found
    equal in simulation (simulated). ``foldings`` has PE and SIMD of each matrix–vector unit.
    """

    design: Design
    folder: Path
    status: Status = "not run"
    reason: str = ""
    resources_stage: str = ""
    cycles_stage: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    foldings: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether the design fits and, where it was routed, meets its clock."""
        return self.status == "good"

    @property
    def folding(self) -> str:
        """PE×SIMD of each matrix–vector unit, in the order of the data."""
        return " ".join(f"{pe}×{simd}" for pe, simd in self.foldings.values())

    def __str__(self) -> str:
        if not self.good:
            return self.status
        return (f"{number(self.figures['throughput_fps'])} samples/s, {number(self.figures['lut'])} LUTs "
                f"{self.resources_stage}")


def run_point(design: Design, folder: Path, stage: str, progress: Progress = SILENT) -> Outcome:
    """Build ``design`` in ``folder`` up to ``stage`` (``estimate``, ``synthesis`` or ``route``).

    What was built there from the same inputs is not built again, and what is known not to fit, or to miss its clock, is
    not tried again. No error is raised: what goes wrong is the outcome's status and reason.
    """
    try:
        key = _key(design, stage)
        outcome = _remembered(Outcome(design, folder), key) or _built(design, folder, stage, progress)
        if outcome.status in LASTING:
            known = {name: value for name, value in asdict(outcome).items() if name not in ("design", "folder")}
            write_text(make_folder(folder) / MEMORY, sealed({"key": key, "outcome": known}))
        return outcome
    except BitloomError as error:
        return Outcome(design, folder, "failed", str(error))
    except Exception as error:
        reason = f"an error inside bitloom, {type(error).__name__}: {error}{_logged(error, folder)}"
        return Outcome(design, folder, "failed", reason)


def _built(design: Design, folder: Path, stage: str, progress: Progress) -> Outcome:
    outcome = Outcome(design, folder)
    try:
        compiled = compile_design(design, folder, progress)
    except BitloomError as error:
        return _ended(outcome, error)
    try:
        if stage == "synthesis":
            used = synthesize_build(compiled, progress).used.rounded()
            outcome = _known(outcome, compiled, stage)
            # The folder's report may be of a routed design by now: the figures are those of the stage asked for.
            figures = {**outcome.figures, "fmax_mhz": None, **used}
            return replace(outcome, status="good", resources_stage=STAGES[stage], figures=figures)
        if stage == "route":
            build(design, folder, progress)
    except BitloomError as error:
        return _ended(_known(outcome, compiled, stage), error)
    return replace(_known(outcome, compiled, stage), status="good")


def _known(outcome: Outcome, compiled: Compiled, stage: str) -> Outcome:
    """``outcome`` with the figures of the folder's report: estimates only, or the best there are."""
    report = check(read(compiled.out), str(compiled.out))
    values, reached = (report.predicted, stage) if stage == "estimate" else (report, str(report.stage))
    rtl = report.levels.get("rtl")
    return replace(
        outcome, figures={name: getattr(values, name) for name in FIGURES} | {"accuracy": report.accuracy},
        resources_stage=STAGES[reached],
        cycles_stage="simulated" if rtl and rtl.status == "passed" else STAGES["estimate"],
        foldings={layer.name: (layer.pe, layer.simd) for layer in report.layers if layer.template in ENGINES},
    )


def _ended(outcome: Outcome, error: BitloomError) -> Outcome:
    """``outcome`` with what ``error`` means for it."""
    status: Status = "failed"
    if isinstance(error, TimingError):
        status = "misses timing"
    elif isinstance(error, FitError | TooLargeError):
        status = "does not fit"
    elif isinstance(error, RequestError):
        status = "impossible"
    return replace(outcome, status=status, reason=str(error))


def _key(design: Design, stage: str) -> str:
    """What an outcome depends on: the request, the network, the stage, and the tools that it takes."""
    board, (_, graph) = boards.load(design.board), resolve_model(design.model)
    tools = None if stage == "estimate" else suite(board.family)
    return digest([of_request(design, board, graph), stage, tools])


def _remembered(outcome: Outcome, key: str) -> Outcome | None:
    """The outcome that the folder remembers for ``key``, if there is one."""
    memory = read_sealed(outcome.folder / MEMORY)
    return replace(outcome, **memory["outcome"]) if memory.get("key") == key else None


def _logged(error: Exception, folder: Path) -> str:
    """Save the traceback of ``error`` among the folder's logs, and say where."""
    path = folder / "logs" / "error.log"
    try:
        write_text(make_folder(path.parent) / path.name, "".join(traceback.format_exception(error)))
    except (BitloomError, OSError):
        return ""
    return f"; the traceback is in {path}"
