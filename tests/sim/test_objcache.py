"""The cache for Verilator's own objects: the compiler is called once, and always for everything else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bitloom.sim import objcache


def call(folder: Path, *command: str, cache: Path) -> int:
    """Run the cache as make does."""
    env = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    return subprocess.run([sys.executable, "-S", "-E", objcache.__file__, *command], cwd=folder, env=env).returncode


def test_an_object_of_the_library_is_compiled_once(tmp_path):
    compiler = tmp_path / "cc"
    compiler.write_text('#!/bin/sh\necho call >> calls\nfor last; do :; done\n'
                        'while [ "$1" != -o ]; do shift; done\ncp "$last" "$2"\n')
    compiler.chmod(0o755)
    (tmp_path / "verilated.cpp").write_text("library")
    (tmp_path / "model.cpp").write_text("model")

    def calls() -> int:
        return len((tmp_path / "calls").read_text().splitlines())

    library = [str(compiler), "-O1", "-c", "-o", "verilated.o", str(tmp_path / "verilated.cpp")]
    assert call(tmp_path, *library, cache=tmp_path / "cache") == 0 and calls() == 1
    (tmp_path / "verilated.o").unlink()
    assert call(tmp_path, *library, cache=tmp_path / "cache") == 0 and calls() == 1
    assert (tmp_path / "verilated.o").read_text() == "library"
    assert call(tmp_path, *[a.replace("-O1", "-O2") for a in library], cache=tmp_path / "cache") == 0 and calls() == 2
    (tmp_path / "verilated.h").write_text("a new header")
    assert call(tmp_path, *library, cache=tmp_path / "cache") == 0 and calls() == 3
    model = [str(compiler), "-c", "-o", "model.o", str(tmp_path / "model.cpp")]
    for expected in (4, 5):
        assert call(tmp_path, *model, cache=tmp_path / "cache") == 0 and calls() == expected


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "verilated.cpp").write_text("int answer() { return 42; }\n")
    command = ["c++", "-c", "-o", "verilated.o", str(tmp_path / "verilated.cpp")]
    assert call(tmp_path, *command, cache=tmp_path / "file") == 0 and (tmp_path / "verilated.o").is_file()
    (tmp_path / "verilated.cpp").write_text("nonsense\n")
    assert call(tmp_path, *command, cache=tmp_path / "cache") != 0
