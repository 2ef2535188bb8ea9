"""A board that is not there: its top in the simulator, behind a pseudo-terminal that a host's client can open."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from bitloom import WorkError
from bitloom.boards.build import load_build
from bitloom.boards.client import Client, Throughput
from bitloom.boards.protocol import value_bytes

from .rungs.pins import parameters_for, simulate_top
from .verilator import launched

ANSWER_SECONDS, BYTE_SECONDS = 60.0, 0.02
"""How long an answer may take, and how much longer for each byte that travels: the simulation is slower than the board
by some orders of magnitude."""


class SimulatedBoard:
    """The board of the build in ``build_dir``, simulated: a context manager.

    Inside the context ``port`` is the name of a serial port that answers as the board does, at any baud rate;
    :meth:`infer` runs samples through it with the same client that talks to real boards. The simulator is compiled if
    it was not before, and gone with all its processes when the context ends.

    Errors: :class:`bitloom.RequestError` if nothing was compiled into ``build_dir``, :class:`bitloom.WorkError` if a
    tool is missing or the simulation fails.
    """

    def __init__(self, build_dir: str | Path, *, seed: int = 0, note: Callable[[str], None] | None = None) -> None:
        self._compiled = load_build(build_dir)
        self._seed, self._note = seed, note or (lambda text: None)
        self._stack = ExitStack()
        self.port = ""
        self.throughput: Throughput | None = None
        self.interface = self._compiled.interface

    def __enter__(self) -> SimulatedBoard:
        simulator = simulate_top(self._compiled, self._note)
        with ExitStack() as stack:
            self._running = stack.enter_context(
                launched(simulator, "bridge", parameters_for(self._compiled), seed=self._seed))
            self.port = self._running.ready()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self.port = ""
        self._stack.close()
        shutil.rmtree(self._running.folder, ignore_errors=True)

    def infer(self, samples: np.ndarray, progress: Callable[[int, int], None] | None = None) -> np.ndarray:
        """The board's results for ``samples``; see :meth:`bitloom.boards.client.Client.infer`."""
        if not self.port:
            raise WorkError("the simulated board is off: use it as a context manager")
        face = self.interface
        travels = face.elements * value_bytes(face.element) + face.results * value_bytes(face.result)
        try:
            with Client(self.port, face, baud=self._compiled.board.baud, retries=0,
                        timeout=ANSWER_SECONDS + BYTE_SECONDS * travels) as client:
                results = client.infer(samples, progress)
                self.throughput = client.throughput
                return results
        except WorkError:
            if self._running.process.poll() is not None:
                self._running.results(self._running.process.poll())
            raise
