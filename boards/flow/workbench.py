"""The workbench: one board's tools at work in one build folder, each step done once for the same inputs."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bitloom import WorkError
from bitloom.files.json_file import read_sealed, sealed

from ..board import Board
from ..files import disk_errors, make_folder, settle, write_text
from ..process import run
from ..progress import SILENT, Progress, Step
from ..tools import Suite, Tool, suite

CACHE = "cache.json"
"""What each step was made from and what came out, in the build folder."""

MARGIN_BYTES = 1 << 20
"""Free space below which a tool's products are not trusted: some tools do not notice a full disk."""

Work = Callable[[Path, Step], Mapping[str, Any]]


class Workbench:
    """A board's tools, a build folder, and who is told about progress.

    Each step works in a folder of its own inside ``out``; only whole products leave it, under their final names.
    ``seconds`` and ``tools`` collect what the report wants: how long each step took (when it was really done) and which
    version of which tool did it. ``fresh`` names the steps done now rather than reused; ``obsolete`` are files that go
    before any step is done anew, so that an old bitstream never outlives what it was made from.
    """

    def __init__(self, board: Board, out: Path, progress: Progress = SILENT, obsolete: Sequence[Path] = ()):
        self.board = board
        self.out = make_folder(out)
        self.fresh: set[str] = set()
        self.suite: Suite = suite(board.family)
        self.seconds: dict[str, float] = {}
        self.tools = {tool.name: str(tool) for tool in (self.suite.yosys, self.suite.nextpnr, self.suite.packer)}
        self._progress = progress
        self._obsolete = tuple(obsolete)

    def step(self, name: str, inputs: Iterable[object], products: Sequence[str], work: Work) -> dict[str, Any]:
        """Do ``work`` unless its ``inputs`` are those of the last time and its ``products`` are still there, unchanged.

        :param work: called with an empty folder, to leave ``products`` in, and the step to note progress to; returns
            what is known about them, as JSON.
        :returns: what ``work`` returned, now or then.
        """
        key = _digest(*inputs)
        known = self._cache().get(name, {})
        with self._progress.step(name) as step:
            if known.get("key") == key and known.get("products") == self._digests(products):
                step.note("unchanged")
                self.seconds[name] = known["seconds"]
                return dict(known["values"])
            self.fresh.add(name)
            for path in self._obsolete:
                path.unlink(missing_ok=True)
            with disk_errors(self.out):
                folder = Path(tempfile.mkdtemp(dir=self.out, prefix=f".{name}."))
            try:
                try:
                    with disk_errors(self.out):
                        values = dict(work(folder, step))
                except WorkError:
                    self._check_space()  # the first of all reasons why a tool fails
                    raise
                self._check_space()
                for product in products:
                    if not (folder / product).is_file() or not (folder / product).stat().st_size:
                        raise WorkError(f"{name}: {product} was not written (logs: {self.out / 'logs'})")
                for product in products:
                    settle(folder / product, self.out / product)
            finally:
                with suppress(OSError):
                    shutil.rmtree(folder)
        entry = {"key": key, "products": self._digests(products), "values": values, "seconds": self.seconds[name]}
        write_text(self.out / CACHE, sealed({**self._cache(), name: entry}))
        return values

    def run(self, step: str, tool: Tool, arguments: Sequence[str], folder: Path,
            listen: Callable[[str], None] | None = None, log: str = "") -> None:
        """Run ``tool`` in ``folder`` as (part of) ``step``; what it prints goes to ``logs/<log or step>.log``."""
        path = make_folder(self.out / "logs") / f"{log or step}.log"
        seconds = run(tool.name, [*tool.command, *arguments], folder=folder, log=path, listen=listen)
        self.seconds[step] = round(self.seconds.get(step, 0) + seconds, 3)

    def _cache(self) -> dict[str, Any]:
        return read_sealed(self.out / CACHE)

    def _digests(self, products: Sequence[str]) -> dict[str, str]:
        return {name: _digest((self.out / name).read_bytes()) for name in products if (self.out / name).is_file()}

    def _check_space(self) -> None:
        status = os.statvfs(self.out)
        if status.f_bavail * status.f_frsize < MARGIN_BYTES:
            raise WorkError(f"no space left on the disk at {self.out}: free some and run the same again")


def _digest(*parts: object) -> str:
    """SHA-256 of ``parts`` (bytes as they are, anything else as it is printed), each with its length before it."""
    total = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        total.update(len(data).to_bytes(8, "little") + data)
    return total.hexdigest()
