"""Building simulators with Verilator and running cocotb benches in them.

A simulator is built once per content: :func:`build` hashes the sources, the top, the options and the versions, and
finds what it built before. :func:`run` starts a bench from :mod:`bitloom.sim.bench` in it; parameters go in and
results come back as JSON files. Both run in a process group of their own, which ends with the call whatever ends the
call.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bitloom import WorkError
from bitloom.boards.files import make_folder, write_text

from .cells import modelled
from .children import last_words, started, wait
from .store import kept
from .toolchain import toolchain

RESULTS, PROGRESS, READY = "results.json", "progress.txt", "ready.txt"

Note = Callable[[str], None]
"""Told in a few words what is going on."""

OPTIONS = ("-O3", "--x-assign", "unique", "--x-initial", "unique", "--no-timing", "--no-public-flat-rw",
           "-Wno-fatal", "-Wno-lint", "-Wno-style")  # fmt: skip
"""Verilator's options: two-state, unknown values differ from run to run, warnings about generated code left out."""


@dataclass(frozen=True)
class Public:
    """Signals that the bench reaches by name: ``variable`` of every instance of ``module`` (both may hold ``*``).

    All else stays private, so that Verilator can optimize it: making everything public costs twice the compile time.
    """

    module: str
    variable: str
    writable: bool = False

    def __str__(self) -> str:
        kind = "public_flat_rw" if self.writable else "public_flat_rd"
        # Verilator knows a name with other characters than letters, digits and _ by an encoding of its own.
        return f'{kind} -module "{self.module}" -var "{re.sub("[^A-Za-z0-9_*]", "*", self.variable)}"'


@dataclass(frozen=True)
class Simulator:
    """A compiled model: ``folder`` holds the executable, named ``top``, and ``build.log``."""

    folder: Path
    top: str


def build(
    sources: Sequence[str | Path],
    top: str,
    folder: str | Path,
    *,
    level: str,
    public: Iterable[Public],
    include: Sequence[str | Path] = (),
    optimize: str = "-O1",
    note: Note | None = None,
) -> Simulator:
    """The simulator of module ``top`` of the Verilog ``sources``, in ``folder``/``level``-<hash>.

    :param public: the signals that the bench uses, ports included.
    :param include: folders of files that the sources include; they belong to a tool and do not count as content.
    :param optimize: the C++ compiler's option for the model (``-O1`` simulates twice as fast as ``-O0`` and compiles in
        twice the time).
    :raises ToolMissing: Verilator, perl, make or a compiler is missing. :raises WorkError: the sources do not compile.
    """
    tools = toolchain()
    control = "\n".join(["`verilator_config", *sorted(map(str, public))]) + "\n"
    options = [*OPTIONS, *(f"-I{folder}" for folder in include)]
    texts = [Path(source).read_bytes() for source in sources]
    what = repr([top, control, options, optimize, tools.version, tools.compiler, version("cocotb")])
    content = hashlib.sha256(what.encode() + b"".join(hashlib.sha256(text).digest() for text in texts)).hexdigest()
    target = Path(folder).resolve() / f"{level}-{content[:12]}"

    def make(scratch: Path) -> tuple[Path | None, Path]:
        env = tools.environment()
        env["MAKEFLAGS"] += f" OPT_FAST={optimize} OPT_GLOBAL=-O1"
        return _compile(sources, top, scratch, control, options, env, note)

    kept(target, top, f"the {level} simulator of {top}", make)
    return Simulator(target, top)


def build_rtl(top: Path, module: str, folder: Path, *, level: str, public: Iterable[Public], optimize: str = "-O1",
              note: Note | None = None) -> Simulator:
    """The simulator of ``module`` of the emitted Verilog ``top``, with the models of the cells that it holds."""
    rtl, source = modelled(top.read_text()), top
    if rtl.sources:
        source = make_folder(folder) / "modelled.v"
        write_text(source, rtl.text)
    return build([*rtl.sources, source], module, folder, level=level, public=public, include=rtl.include,
                 optimize=optimize, note=note)


def run(
    simulator: Simulator,
    bench: str,
    parameters: Mapping[str, Any],
    *,
    seed: int = 0,
    timeout: float = 7200.0,
    note: Note | None = None,
) -> dict[str, Any]:
    """What ``bitloom.sim.bench.<bench>`` found out in ``simulator``, given ``parameters`` (both JSON objects).

    :param seed: seeds the unknown values of the model.
    :param timeout: seconds after which the run counts as hanging.
    :raises WorkError: the simulator crashed, the bench raised (its message), or the time ran out; the log stays.
    """
    with launched(simulator, bench, parameters, seed=seed) as running:
        status = wait(running.process, timeout, lambda: _report(running.folder / PROGRESS, note))
    results = running.results(status)
    os.replace(running.log, simulator.folder / f"{bench}.log")
    shutil.rmtree(running.folder)
    return results


@dataclass(frozen=True)
class Running:
    """A bench that was started: its process, and the folder of its files."""

    bench: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> Path:
        """What simulator and bench print."""
        return self.folder / "bench.log"

    def results(self, status: int | None) -> dict[str, Any]:
        """The results of a bench that ended with ``status``, None if it did not; :class:`WorkError` without any."""
        try:
            results = json.loads((self.folder / RESULTS).read_text())
        except FileNotFoundError:
            how = "hung" if status is None else f"ended with status {status} and without a result"
            raise WorkError(f"the simulation ({self.bench}) {how}: {last_words(self.log)} (log: {self.log})") from None
        if "error" in results:
            raise WorkError(f"{results['error']} (log: {self.log})")
        return dict(results)

    def ready(self, timeout: float = 60.0) -> str:
        """What the bench publishes once it is ready; :class:`WorkError` if that takes over ``timeout`` seconds."""
        end = time.monotonic() + timeout
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(FileNotFoundError):
                return (self.folder / READY).read_text()
            time.sleep(0.02)
        self.results(self.process.poll())
        raise WorkError(f"the simulation ({self.bench}) ended too early; its log is {self.log}")


@contextlib.contextmanager
def launched(simulator: Simulator, bench: str, parameters: Mapping[str, Any], *, seed: int = 0) -> Iterator[Running]:
    """Start ``bitloom.sim.bench.<bench>`` in ``simulator``; it is gone when the context ends. See :func:`run`."""
    folder = Path(tempfile.mkdtemp(prefix=f"{bench}-", dir=simulator.folder))
    files = {"results": str(folder / RESULTS), "progress": str(folder / PROGRESS), "ready": str(folder / READY)}
    (folder / "bench.json").write_text(json.dumps({**parameters, **files}))
    env = {**toolchain().environment(), "BITLOOM_BENCH": str(folder / "bench.json")}
    job = {
        "call": "test", "test_module": f"bitloom.sim.bench.{bench}", "hdl_toplevel": simulator.top,
        "hdl_toplevel_lang": "verilog", "build_dir": str(simulator.folder), "test_dir": str(folder), "seed": seed,
        "results_xml": str(folder / "results.xml"),
        "plusargs": [f"+verilator+seed+{seed % 0x7FFFFFFF + 1}", "+verilator+rand+reset+2"],
    }  # fmt: skip
    with _job(job, folder, env, folder / "bench.log") as process:
        yield Running(bench, folder, process)


def _compile(sources: Sequence[str | Path], top: str, folder: Path, control: str, options: list[str],
             env: dict[str, str], note: Note | None) -> tuple[Path | None, Path]:
    """Verilate and compile in ``folder``: the executable, None if there is none, and the log."""
    (folder / "public.vlt").write_text(control)
    log = folder / "build.log"
    job = {
        "call": "build", "hdl_toplevel": top, "build_dir": str(folder / "build"), "always": True,
        "sources": [str(folder / "public.vlt"), *(str(Path(s).resolve()) for s in sources)],
        "build_args": options, "timescale": ["1ns", "1ps"], "log_file": str(log),
    }  # fmt: skip
    start = time.monotonic()
    with _job(job, folder, env, folder / "job.log") as process:
        status = wait(process, 7200.0, lambda: note and note(
            f"compiling the simulator ({time.monotonic() - start:.0f} s)"))
    return folder / "build" / top if status == 0 else None, log if log.exists() else folder / "job.log"


def _job(job: dict[str, Any], folder: Path, env: dict[str, str],
         log: Path) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    """``job`` running in :mod:`bitloom.sim.process`; gone when the context ends."""
    file = folder / "job.json"
    file.write_text(json.dumps(job))
    return started([sys.executable, "-m", "bitloom.sim.process", str(file)], folder, env, log)


def _report(file: Path, note: Note | None) -> None:
    if note is not None:
        with contextlib.suppress(OSError, ValueError):
            note(file.read_text())
