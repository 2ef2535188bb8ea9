"""How a bench inside the simulator talks to the process that started it: JSON files, named in ``BITLOOM_BENCH``."""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

ENVIRONMENT = "BITLOOM_BENCH"


class BenchError(Exception):
    """The design did what no design may do (a deadlock, say); its message goes to the user as it is."""


class Exchange:
    """The parameters of this run (``parameters``), and where its progress and results go."""

    def __init__(self) -> None:
        with open(os.environ[ENVIRONMENT]) as file:
            self.parameters: dict[str, Any] = json.load(file)
        self._last = 0.0

    def progress(self, what: str, done: int, total: int) -> None:
        """Say how far the bench is; written at most five times a second."""
        now = time.monotonic()
        if now - self._last > 0.2:
            self._last = now
            self._write(self.parameters["progress"], f"{what}: {done:,} of {total:,}")

    def ready(self, what: str) -> None:
        """Publish ``what``, once, for whoever waits until the bench is ready."""
        self._write(self.parameters["ready"], what)

    async def run(self, bench: Callable[[Exchange], Awaitable[dict[str, Any]]]) -> None:
        """Await ``bench`` and write its results; of an exception its message."""
        try:
            results = await bench(self)
        except BenchError as error:
            results = {"error": str(error)}
        except Exception as error:
            traceback.print_exc()
            results = {"error": f"the bench failed: {type(error).__name__}: {error}"}
        self._write(self.parameters["results"], json.dumps(results))

    @staticmethod
    def _write(path: str, content: str) -> None:
        partial = f"{path}.partial"
        with open(partial, "w") as file:
            file.write(content)
        os.replace(partial, path)
