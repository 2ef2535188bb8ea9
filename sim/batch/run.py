"""Running a data set through the compiled driver, on every core, and comparing it with the integer graph."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from bitloom import RequestError, WorkError, quant
from bitloom.boards.build import Compiled

from ..children import last_words, started
from ..toolchain import toolchain
from ..verilator import Note
from .beats import beat_bytes, from_bytes, to_bytes
from .simulator import simulator

LEAST = 64
"""Samples that are worth a process of their own."""


@dataclass(frozen=True)
class BatchResult:
    """What a batch run found.

    ``outputs`` int64 (samples, results) as the RTL gave them; ``mismatches`` samples whose results differ from the
    integer graph's; ``latency`` and ``interval`` the least and the greatest measured cycles (latency of each process's
    first sample from idle, interval between the later half of its samples); ``cycles`` simulated in all; ``seconds`` of
    simulation.
    """

    outputs: np.ndarray
    mismatches: int
    latency: tuple[int, int]
    interval: tuple[int, int]
    cycles: int
    seconds: float
    processes: int

    @property
    def samples(self) -> int:
        """How many samples went through."""
        return len(self.outputs)


def run_batch(
    compiled: Compiled,
    samples: np.ndarray,
    *,
    processes: int | None = None,
    note: Note | None = None,
    advance: Callable[[int, int], None] | None = None,
) -> BatchResult:
    """Push all ``samples`` through module ``accelerator`` of the compiled design, back to back.

    :param samples: integers (n, *shape of the graph's input), or rows of as many elements in that order; of real
        samples, and of other layouts, :func:`bitloom.quant.take` makes them: ``take(compiled.graph, x).integers``.
    :param processes: how many simulators side by side; None is one per core.
    :param note: told that the driver is being compiled.
    :param advance: told how many samples of how many are through.
    :raises RequestError: the samples do not fit the input.
    :raises ToolMissing: the simulator cannot be compiled here.
    :raises WorkError: the design does not compile, or gives no output for too long.
    """
    graph = compiled.graph
    given, shape = np.asarray(samples), graph.input.output.shape
    if not given.size or given.shape[1:] not in (shape, (prod(shape),)):
        raise RequestError(f"samples must have {prod(shape)} elements each, shape (n, {', '.join(map(str, shape))}) or "
                           f"rows in that order, not {given.shape}; bitloom.quant.take puts others in order")
    if given.dtype.kind == "f" and not np.array_equal(given, np.round(given)):
        raise RequestError("samples must be the graph's integers; bitloom.quant.take makes them of real numbers")
    flat = given.reshape(len(given), -1)
    if not graph.input.output.format.holds(flat):
        raise RequestError(f"samples must lie in {graph.input.output.format}, and {flat.min()} to {flat.max()} occur")
    executable = simulator(compiled, note)
    workers = max(1, min(processes or os.cpu_count() or 1, len(flat) // LEAST or 1))
    parts = np.array_split(flat, workers)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bitloom-batch-") as scratch:
        folders = [Path(scratch) / str(k) for k in range(workers)]
        _simulate(compiled, executable, parts, folders, len(flat), advance)
        seconds = time.monotonic() - start
        outputs = np.vstack([_outputs(compiled, folder) for folder in folders])
        timings = [np.loadtxt(folder / "timing", dtype=np.int64, ndmin=2) for folder in folders]
    expected = quant.run(graph, flat).reshape(len(flat), -1)
    steps = np.concatenate([np.diff(timing[len(timing) // 2 :, 1]) for timing in timings])
    latencies = [int(timing[0, 1] - timing[0, 0]) for timing in timings]
    return BatchResult(
        outputs, int((outputs != expected).any(axis=1).sum()), (min(latencies), max(latencies)),
        (int(steps.min()), int(steps.max())) if len(steps) else (0, 0),
        int(sum(timing[-1, 1] + 1 for timing in timings)), seconds, workers)


def _simulate(compiled: Compiled, executable: Path, parts: list[np.ndarray], folders: list[Path], total: int,
              advance: Callable[[int, int], None] | None) -> None:
    """Run one driver per part, each in its folder, until all have ended."""
    env = toolchain().environment()
    with ExitStack() as stack:
        running = [stack.enter_context(started(_command(compiled, executable, part, folder), folder, env,
                                               folder / "driver.log")) for part, folder in zip(parts, folders)]
        while any(process.poll() is None for process in running):
            time.sleep(0.1)
            if advance is not None:
                advance(sum(_done(folder) for folder in folders), total)
    for process, folder in zip(running, folders):
        if process.returncode == 3:
            raise WorkError("the RTL gave no output for longer than its interval and latency allow: it is stuck")
        if process.returncode != 0:
            raise WorkError(f"the batch driver ended with status {process.returncode}: "
                            f"{last_words(folder / 'driver.log')}")
    if advance is not None:
        advance(total, total)


def _command(compiled: Compiled, executable: Path, part: np.ndarray, folder: Path) -> list[str]:
    plan = compiled.plan
    source, result = plan.input, plan.output
    folder.mkdir()
    (folder / "inputs").write_bytes(to_bytes(part, source.format, plan.input_lanes))
    numbers = (beat_bytes(source.format, plan.input_lanes), beat_bytes(result.format, plan.output_lanes),
               prod(source.shape) // plan.input_lanes, prod(result.shape) // plan.output_lanes, len(part),
               4 * (plan.interval + plan.latency) + 1000)
    return [str(executable), "inputs", "outputs", "timing", "progress", *map(str, numbers)]


def _done(folder: Path) -> int:
    try:
        return int((folder / "progress").read_text())
    except (OSError, ValueError):
        return 0


def _outputs(compiled: Compiled, folder: Path) -> np.ndarray:
    result = compiled.plan.output
    data = (folder / "outputs").read_bytes()
    return from_bytes(data, result.format, compiled.plan.output_lanes, prod(result.shape))
