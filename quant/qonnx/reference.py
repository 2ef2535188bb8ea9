"""What an imported network is compared with: its file, run in batches by the first executor that can run it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bitloom import WorkError

from .executors import EXECUTORS, Executor, Run, missing, versions
from .runnable import Context, entry_type, inlined, varying

if TYPE_CHECKING:
    from onnx import ModelProto

BATCH_BYTES = 1 << 26
"""How much memory the tensors of one batch may take; a single sample may take more."""


class CannotRun(WorkError):
    """No executor can run a file; the message has the reason of each."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))


@dataclass(frozen=True)
class Reference:
    """A file in the executor that runs it.

    ``refused`` has a reason for each executor before it that cannot. Iterating gives, for each batch of the inputs,
    which samples it holds and every tensor.
    """

    executor: Executor
    refused: tuple[str, ...]
    model: ModelProto
    inputs: np.ndarray
    first: Context

    @property
    def name(self) -> str:
        """What the executor is called."""
        return self.executor.name

    @property
    def version(self) -> str:
        """The packages that run the file, with their versions."""
        return versions(self.executor)

    def __iter__(self) -> Iterator[tuple[slice, Context]]:
        """Run the inputs, as many samples at once as memory and the file allow.

        :returns: for each batch which samples it holds, and every tensor: of shape (batch, …) where it depends on the
            input.
        :raises WorkError: the executor fails; the message says where.
        """
        inputs, size, at = self.inputs, self._batch(), 0
        run, prepared = self._prepared(size), size
        if size == 1:
            yield slice(0, 1), self.first
            at = 1
        while at < len(inputs):
            count = min(size, len(inputs) - at)
            if count < prepared:
                run, prepared = self._prepared(count), count
            yield slice(at, at + count), run(inputs[at : at + count])
            at += count

    def _prepared(self, batch: int) -> Run:
        return self.executor.prepare(self.model, batch)

    def _batch(self) -> int:
        """How many samples to run at once: 1 where the file fixes the batch to 1 in a way that cannot be changed."""
        first, inputs = self.first, self.inputs
        depending = varying(self.model)
        if len(inputs) == 1 or sum(first[name].nbytes for name in depending if name in first) > BATCH_BYTES // 2:
            return 1
        try:
            pair = self._prepared(2)(inputs[:2])
        except WorkError:
            return 1
        if any(value.dtype.kind == "f" and not np.array_equal(value, pair[name], equal_nan=True)
               for name, value in first.items() if name in pair and name not in depending):
            return 1  # the network computes with how many samples there are
        for output in (output for output in self.model.graph.output if output.name in depending):
            one, two = first[output.name], pair[output.name]
            alike = len(two) == 2 * len(one) and two.shape[1:] == one.shape[1:]
            if not alike or not np.allclose(two[: len(one)], one, rtol=1e-3, atol=1e-5):
                return 1
        each = sum(value.nbytes for value in pair.values()) - sum(value.nbytes for value in first.values())
        return max(1, min(len(inputs), BATCH_BYTES // max(1, each)))


def reference(model: ModelProto, inputs: np.ndarray, executors: Sequence[Executor] | None = None) -> Reference:
    """The first of ``executors`` (all, by default) that can run ``model``, with ``inputs``, at least one.

    :param inputs: real numbers of shape (samples, *shape of the file's input without its first axis).
    :raises CannotRun: none can.
    """
    inputs, model = np.asarray(inputs).astype(entry_type(model)), inlined(model)
    refused: list[str] = []
    for executor in EXECUTORS if executors is None else executors:
        if why := missing(executor):
            refused.append(why)
            continue
        try:
            return Reference(executor, tuple(refused), model, inputs, executor.prepare(model, 1)(inputs[:1]))
        except WorkError as error:
            refused.append(str(error))
    raise CannotRun(refused)


def execute(model: ModelProto, inputs: np.ndarray) -> Iterator[tuple[slice, Context]]:
    """Every tensor of ``model`` for ``inputs``, batch by batch; see :class:`Reference`."""
    return iter(reference(model, inputs)) if len(inputs) else iter(())
