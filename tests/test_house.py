"""The directions in which the parts may import each other, and what stays out of a plain installation."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PARTS = {
    "files": {"files"},
    "quant": {"quant", "files"},
    "hw": {"hw"},
    "codegen": {"codegen", "quant", "hw"},
    "boards": {"boards", "codegen", "quant", "hw", "files"},
    "sim": {"sim", "boards", "codegen", "quant", "hw", "files"},
    "sweep": {"sweep", "sim", "boards", "codegen", "quant", "hw", "files"},
    "cli": {"cli", "sweep", "sim", "boards", "codegen", "quant", "hw", "files"},
}
"""Which parts each part may import."""

TRAINING = {"torch", "brevitas", "sklearn", "onnx", "qonnx", "onnxruntime"}
FORBIDDEN = {
    "files": {"amaranth", "cocotb", "serial", "pydantic", "click"},
    "quant": {"amaranth", "cocotb", "serial"},
    "hw": {"cocotb", "serial", "pydantic", "click", "ortools", "pyosys"},
    "codegen": {"cocotb", "serial", "click"},
    "boards": {"cocotb", "click"},
    "sweep": {"cocotb", "click"},
}
"""Packages that have no business in a part, beside those of training."""

BELOW = {"memory", "arithmetic"}
ROOMS = {
    "": {"memory"},
    "memory": set(),
    "fabric": {"memory"},
    "arithmetic": {"memory"},
    "matvec": BELOW,
    "packed": {"matvec"} | BELOW,
    "planes": {"matvec"} | BELOW,
    "lookup": {"matvec"} | BELOW,
    "spatial": BELOW,
    "elements": {"fabric"} | BELOW,
}
"""Which rooms each room of ``hw`` may import, beside itself and the top, whose name is empty."""

PACKAGE = ROOT / "src" / "bitloom"
FILES = sorted(path.relative_to(PACKAGE) for part in PARTS for path in (PACKAGE / part).rglob("*.py"))


def imports(source: str, module: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything that ``source``, the text of ``module`` in its package, imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = list(module[: len(module) - node.level]) if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{stem}.{alias.name}"


def violations(source: str, module: tuple[str, ...]) -> list[str]:
    """What ``module`` (``("bitloom", "hw", "rom", …)``) imports and may not, one line each."""
    part = module[1]
    trains = module[1:3] == ("quant", "train") or module[1:3] == ("quant", "qonnx")
    found = []
    for line, name in imports(source, module):
        first, *rest = name.split(".")
        if first in PARTS:
            found.append(f"line {line}: bare import of {name}; say bitloom.{name}")
        elif first == "bitloom" and rest and rest[0] in PARTS and rest[0] not in PARTS[part]:
            found.append(f"line {line}: {part} must not import {name}")
        elif part == "hw" and module[-1] != "__init__" and first == "bitloom" and rest[:1] == ["hw"]:
            here, there = module[2] if len(module) > 3 else "", rest[1] if len(rest) > 1 and rest[1] in ROOMS else ""
            if there not in {here, ""} | ROOMS[here]:
                found.append(f"line {line}: hw/{here} must not import {name}")
        elif first in FORBIDDEN.get(part, set()) or (first in TRAINING and not trains):
            found.append(f"line {line}: {part} must not import {first}")
    return found


def module_of(path: Path) -> tuple[str, ...]:
    return ("bitloom", *path.with_suffix("").parts)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_point_one_way(path: Path) -> None:
    assert violations((PACKAGE / path).read_text(encoding="utf-8"), module_of(path)) == []


@pytest.mark.parametrize(("module", "source", "found"), [
    (("bitloom", "hw", "rom"), "from bitloom.quant import Graph", "hw must not import bitloom.quant"),
    (("bitloom", "hw", "rom"), "from ..codegen import cost", "hw must not import bitloom.codegen.cost"),
    (("bitloom", "hw", "__init__"), "from .. import sim", "hw must not import bitloom.sim"),
    (("bitloom", "hw", "memory", "rom"), "from ..matvec import matvec", "hw/memory must not import bitloom.hw.matvec"),
    (("bitloom", "hw", "packed", "x"), "from ..planes.pairs import P", "hw/packed must not import bitloom.hw.planes"),
    (("bitloom", "hw", "counters"), "from .fabric.fork import Fork", "hw/ must not import bitloom.hw.fabric.fork"),
    (("bitloom", "files", "arrays"), "from bitloom.quant import Graph", "files must not import bitloom.quant"),
    (("bitloom", "codegen", "plan"), "def f():\n import bitloom.boards.flow", "codegen must not import bitloom.boards"),
    (("bitloom", "boards", "top"), "from hw import MatVec", "bare import of hw.MatVec"),
    (("bitloom", "boards", "top"), "import sim.bench", "bare import of sim.bench"),
    (("bitloom", "sim", "ladder"), "from bitloom import sweep", "sim must not import bitloom.sweep"),
    (("bitloom", "sweep", "run"), "from bitloom.cli.console import Screen", "sweep must not import bitloom.cli"),
    (("bitloom", "sweep", "run"), "import click", "sweep must not import click"),
    (("bitloom", "cli", "main"), "import torch.nn", "cli must not import torch"),
    (("bitloom", "quant", "graph"), "from sklearn import datasets", "quant must not import sklearn"),
    (("bitloom", "quant", "graph"), "from amaranth.hdl import Shape", "quant must not import amaranth"),
])
def test_what_is_forbidden_is_found(module: tuple[str, ...], source: str, found: str) -> None:
    assert found in violations(source, module)[0]


def test_what_is_allowed_is_not_found() -> None:
    assert violations("import torch\nfrom ..graph import Graph", ("bitloom", "quant", "train", "loop")) == []
    assert violations("from ..memory.rom import Rom\nfrom .. import stream", ("bitloom", "hw", "packed", "x")) == []
    assert violations("from bitloom.hw import Rom\nfrom . import cost", ("bitloom", "codegen", "plan")) == []


def test_the_subpackages_are_the_folders() -> None:
    for part in PARTS:
        if (ROOT / part).is_dir():
            assert (ROOT / "src" / "bitloom" / part).resolve() == ROOT / part


def test_nothing_but_training_needs_torch() -> None:
    parts = ("codegen", "boards", "hw", "quant", "sweep", "cli.main")
    program = f"import sys, {', '.join(f'bitloom.{part}' for part in parts)}\n" \
              f"print(*sorted({TRAINING!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert (done.stdout.strip(), done.returncode) == ("", 0), done.stderr
