"""A cache for the objects of Verilator's own run-time library, called by make in front of the compiler.

Half of the time that a small model takes to compile goes into files that are the same for every model
(``verilated.cpp``, ``verilated_vpi.cpp``, …). This script stands where ccache would: it keeps those few objects by a
hash of the compiler, its arguments and the library's headers, and passes everything else on unchanged. It imports
nothing of bitloom, so that it starts quickly.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile


def main(command: list[str]) -> int:
    """Run ``command`` (a compiler call), or copy the object that it made before; the exit status."""
    source, output = command[-1], _after(command, "-o")
    if not os.path.basename(source).startswith("verilated") or output is None or "-c" not in command:
        os.execvp(command[0], command)
    try:
        kept = os.path.join(_folder(), _key(command, source) + ".o")
        if os.path.exists(kept):
            shutil.copyfile(kept, output)
            return 0
    except OSError:
        os.execvp(command[0], command)
    status = subprocess.call(command)
    if status == 0:
        _keep(output, kept)
    return status


def _after(command: list[str], option: str) -> "str | None":
    return command[command.index(option) + 1] if option in command[:-1] else None


def _folder() -> str:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = os.path.join(base, "bitloom", "verilated")
    os.makedirs(folder, exist_ok=True)
    return folder


def _key(command: list[str], source: str) -> str:
    compiler = os.path.realpath(shutil.which(command[0]) or command[0])
    content = hashlib.sha256(repr([arg for arg in command[1:] if arg != source]).encode())
    folder = os.path.dirname(os.path.realpath(source))
    names = sorted(n for n in os.listdir(folder) if n.endswith((".h", ".cpp")))
    for path in [compiler, *(os.path.join(folder, name) for name in names)]:
        status = os.stat(path)
        content.update(repr((path, status.st_size, status.st_mtime_ns)).encode())
    content.update(os.path.basename(source).encode())
    return content.hexdigest()


def _keep(output: str, kept: str) -> None:
    try:
        handle, partial = tempfile.mkstemp(dir=os.path.dirname(kept))
        os.close(handle)
        shutil.copyfile(output, partial)
        os.replace(partial, kept)
    except OSError:
        pass  # a cache that cannot be written costs time, nothing else


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
