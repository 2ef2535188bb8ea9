"""Running a study: point by point, or several at a time, each in a folder of its own."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import warnings
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import FrameType

from bitloom import WorkError
from bitloom.boards.design import Design
from bitloom.boards.files import locked
from bitloom.boards.progress import SILENT, Progress, Step
from bitloom.boards.trust import trusted, trusting

from .plot import draw
from .point import Outcome, run_point
from .results import write_results
from .study import Study, points

OUT = Path("build") / "sweep"
"""Where studies are, each in a folder of its own."""

PATIENCE_SECONDS = 3.0
"""How long a process may take to end its tools and tidy up, before it is told again."""


def run_study(study: Study, out: str | Path, jobs: int = 1, progress: Progress = SILENT) -> list[Outcome]:
    """Build every point of ``study`` in a folder of its own below ``out``, with up to ``jobs`` processes.

    After each point ``study.json`` and ``study.csv`` are written anew, at the end ``pareto.svg``. A study that was
    interrupted, or is run again, goes on with what is there: nothing is built twice from the same inputs.

    :returns: one outcome per point, in the order of :func:`~bitloom.sweep.study.points`; those that failed, too.
    :raises RequestError: the study itself asks for what cannot be; nothing was built then.
    :raises WorkError: a process was killed, or another study is at work in ``out``.
    """
    out = Path(out)
    designs = points(study)
    outcomes = {design.design: Outcome(design, out / design.design) for design in designs}
    with locked(out), progress.step("sweep") as step:
        run = _in_turn(designs, out, study.stage, progress) if jobs == 1 else \
            _side_by_side(designs, out, study.stage, jobs, progress)
        with closing(run):
            for done, outcome in enumerate(run, start=1):
                outcomes[outcome.design.design] = outcome
                write_results(study, list(outcomes.values()), out)
                step.note(f"{done} of {len(designs)} points")
        draw(list(outcomes.values()), out)
    return list(outcomes.values())


def _in_turn(designs: Sequence[Design], out: Path, stage: str, progress: Progress) -> Generator[Outcome, None, None]:
    for design in designs:
        with progress.step(design.design) as step:
            outcome = run_point(design, out / design.design, stage, _Within(step))
            step.note(str(outcome))
        yield outcome


def _side_by_side(
    designs: Sequence[Design], out: Path, stage: str, jobs: int, progress: Progress
) -> Generator[Outcome, None, None]:
    """Outcomes as they come. No more points are handed out than there are processes, so that none is left to do when
    the study is interrupted."""
    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")  # threads and locks of this process are nothing to inherit
    todo, running = deque(designs), dict[Future[Outcome], tuple[Step, ExitStack]]()
    with ProcessPoolExecutor(min(jobs, len(designs)), context, _prepare, (trusted(),)) as pool, ExitStack() as shown:
        try:
            while todo or running:
                while todo and len(running) < jobs:
                    design = todo.popleft()
                    ends = shown.enter_context(ExitStack())
                    step = ends.enter_context(progress.step(design.design))
                    running[pool.submit(_work, design, out / design.design, stage)] = step, ends
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    step, ends = running.pop(future)
                    outcome = future.result()
                    step.note(str(outcome))
                    ends.close()
                    yield outcome
        except BrokenProcessPool:
            raise WorkError("a process of the study was killed (out of memory?): take fewer --jobs and run the same "
                            "again; what is built is kept") from None
        except BaseException:
            while wait(running, timeout=0).not_done:
                for process in set(multiprocessing.active_children()) - others:
                    process.terminate()
                wait(running, timeout=PATIENCE_SECONDS)
            raise


class _Within:
    """Progress of the steps within a point: notes beside the point's own step."""

    def __init__(self, step: Step) -> None:
        self._step, self._name = step, ""

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Note that ``name`` has begun."""
        self._name = name
        self._step.note(name)
        yield self

    def note(self, text: str) -> None:
        """Note where the step is."""
        self._step.note(f"{self._name}: {text}")


_busy = False


def _prepare(trust: bool) -> None:
    """In a new process: the one that started it decides what an interrupt means, and whether boards are believed."""
    trusting(trust).__enter__()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    if _busy:
        warnings.simplefilter("ignore")  # what is cut short has nothing to add
        sys.unraisablehook = lambda _: None
        raise SystemExit(128 + number)


def _work(design: Design, folder: Path, stage: str) -> Outcome:
    global _busy
    _busy = True
    try:
        return run_point(design, folder, stage)
    finally:
        _busy = False
