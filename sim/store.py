"""What was compiled once is kept under a name that stands for its content."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bitloom import WorkError

from .children import last_words


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Only one process at a time builds what ``path`` stands for; the others wait and find it built."""
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def kept(target: Path, executable: str, what: str, make: Callable[[Path], tuple[Path | None, Path]]) -> None:
    """Make sure that ``target`` holds ``executable`` and its ``build.log``, both or neither.

    :param what: what is compiled, in words, for the error.
    :param make: compiles in the folder that it is given (without spaces in its path, over which make stumbles) and
        returns the executable, None if there is none, and the log.
    :raises WorkError: it does not compile; the log stays beside ``target``.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.with_suffix(".lock")):
        if (target / executable).exists():
            return
        with tempfile.TemporaryDirectory(prefix="bitloom-") as scratch:
            made, log = make(Path(scratch))
            partial = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
            try:
                if made is None or not made.exists():
                    remains = target.with_name(f"{target.name}.log")
                    shutil.copy(log, remains)
                    raise WorkError(f"{what} does not compile: {last_words(log)}; its log is {remains}")
                shutil.copy(log, partial / "build.log")
                shutil.copy2(made, partial / executable)
                partial.chmod(0o755)
                shutil.rmtree(target, ignore_errors=True)
                os.replace(partial, target)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
