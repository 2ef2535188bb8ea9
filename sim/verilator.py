"""Building simulators with Verilator and running cocotb benches in them.

A simulator is built once per content: :func:`build` hashes the sources, the top, the options and the versions, and
finds what it built before. :func:`run` starts a bench from :mod:`bitloom.sim.bench` in it; parameters go in and
results come back as JSON files. Both run in a process group of their own, which ends with the call whatever ends the
call.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
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

from .toolchain import toolchain

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
        return f'{kind} -module "{self.module}" -var "{self.variable}"'


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
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.with_suffix(".lock")):
        if not (target / top).exists():
            env = tools.environment()
            env["MAKEFLAGS"] += f" OPT_FAST={optimize} OPT_GLOBAL=-O1"
            _compile(sources, top, target, control, options, env, level, note)
    return Simulator(target, top)


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
    folder = Path(tempfile.mkdtemp(prefix=f"{bench}-", dir=simulator.folder))
    files = {"results": str(folder / "results.json"), "progress": str(folder / "progress.json")}
    (folder / "bench.json").write_text(json.dumps({**parameters, **files}))
    env = toolchain().environment()
    env["BITLOOM_BENCH"] = str(folder / "bench.json")
    job = {
        "call": "test", "test_module": f"bitloom.sim.bench.{bench}", "hdl_toplevel": simulator.top,
        "hdl_toplevel_lang": "verilog", "build_dir": str(simulator.folder), "test_dir": str(folder), "seed": seed,
        "results_xml": str(folder / "results.xml"),
        "plusargs": [f"+verilator+seed+{seed % 0x7FFFFFFF + 1}", "+verilator+rand+reset+2"],
    }  # fmt: skip
    log = folder / "bench.log"
    status = _contained(job, folder, env, log, timeout, lambda: _report(Path(files["progress"]), note))
    try:
        results = json.loads(Path(files["results"]).read_text())
    except FileNotFoundError:
        how = "hung" if status is None else f"ended with status {status} and without a result"
        raise WorkError(f"the simulation ({bench}) {how}: {_last_words(log)}; its log is {log}") from None
    if "error" in results:
        raise WorkError(f"{results['error']} (log: {log})")
    os.replace(log, simulator.folder / f"{bench}.log")
    shutil.rmtree(folder)
    return dict(results)


def _compile(sources: Sequence[str | Path], top: str, target: Path, control: str, options: list[str],
             env: dict[str, str], level: str, note: Note | None) -> None:
    """Verilate and compile in a temporary folder (make stumbles over spaces in paths), keep executable and log."""
    with tempfile.TemporaryDirectory(prefix="bitloom-") as scratch:
        folder = Path(scratch)
        (folder / "public.vlt").write_text(control)
        log = folder / "build.log"
        job = {
            "call": "build", "hdl_toplevel": top, "build_dir": str(folder / "build"), "always": True,
            "sources": [str(folder / "public.vlt"), *(str(Path(s).resolve()) for s in sources)],
            "build_args": options, "timescale": ["1ns", "1ps"], "log_file": str(log),
        }  # fmt: skip
        start = time.monotonic()
        status = _contained(job, folder, env, folder / "job.log", 7200.0, lambda: note and note(
            f"compiling the simulator ({time.monotonic() - start:.0f} s)"))
        executable = folder / "build" / top
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            if log.exists():
                shutil.copy(log, partial / "build.log")
            if status != 0 or not executable.exists():
                kept = target.with_name(f"{target.name}.log")
                words = _last_words(log if log.exists() else folder / "job.log")
                shutil.copy(log if log.exists() else folder / "job.log", kept)
                raise WorkError(f"the {level} simulator of {top} does not compile: {words}; its log is {kept}")
            shutil.copy2(executable, partial / top)
            shutil.rmtree(target, ignore_errors=True)
            os.replace(partial, target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _contained(job: dict[str, Any], folder: Path, env: dict[str, str], log: Path, timeout: float,
               tick: Callable[[], object]) -> int | None:
    """Run ``job`` in :mod:`bitloom.sim.process`, call ``tick`` now and then; its exit status, or None after
    ``timeout``.
    """
    file = folder / "job.json"
    file.write_text(json.dumps(job))
    with open(log, "wb") as output, spawned([sys.executable, "-m", "bitloom.sim.process", str(file)], cwd=folder,
                                            env=env, stdout=output, stderr=subprocess.STDOUT) as child:
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return child.wait(timeout=0.2)
            tick()
        return None


@contextlib.contextmanager
def spawned(command: list[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A child in a process group of its own, which is gone, with all its children, when the context ends."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **options)
    try:
        yield child
    finally:
        for kind in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, kind)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=2.0)
        child.wait()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Only one process at a time builds what ``path`` stands for; the others wait and find it built."""
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _report(file: Path, note: Note | None) -> None:
    if note is not None:
        with contextlib.suppress(OSError, ValueError):
            note(file.read_text())


def _last_words(log: Path) -> str:
    """The line of ``log`` that says best what went wrong."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    for pattern in (r"%Error", r"%Fatal|\$fatal", r"\berror:", r"\bError\b", r"\S"):
        found = [line.strip() for line in lines if re.search(pattern, line)]
        if found:
            return found[0 if pattern != r"\S" else -1][:300]
    return "it left no message"
