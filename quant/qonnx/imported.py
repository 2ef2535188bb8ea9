"""What an import gives: the graph, and how its integers and the file's real numbers belong together."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from bitloom import RequestError

from ..graph import Graph
from ..reals import Entry, Meaning, entry_of
from .values import Value

if TYPE_CHECKING:
    from .compare import Compared


@dataclass(frozen=True, eq=False)
class Imported:
    """An imported network.

    ``quantizers`` maps nodes of the graph (its input, every quantizer, its output) to the tensor of the file whose
    real numbers are scale · integer + offset, see :meth:`real`. ``notes`` say what was inferred and what is left to
    the host. What integers mean at both ends the graph itself keeps: :mod:`bitloom.quant.reals`.
    """

    graph: Graph
    quantizers: dict[str, str]
    notes: tuple[str, ...]
    input_shape: tuple[int, ...]
    """The shape of one sample in the file, without batch."""
    _meanings: dict[str, Meaning] = field(repr=False)
    rough: dict[str, float] = field(default_factory=dict)
    """Quantizers in fixed point whose multipliers are near their scales: how many levels, of one, at most between them
    before rounding."""
    compared: Compared | None = None
    """What the comparison with the file found; None where there was none, and the graph's metadata says why."""

    @cached_property
    def _entry(self) -> Entry:
        entry = entry_of(self.graph)
        assert entry is not None  # every import leaves its record
        return entry

    def quantize(self, samples: np.ndarray) -> np.ndarray:
        """Real samples as the graph's input integers.

        :param samples: floats of shape (n, *input_shape), or (n, elements) in that order; for other layouts, and for
            integers, see :func:`bitloom.quant.take`.
        :returns: int64 (n, *graph input shape), channels last.
        """
        x = np.asarray(samples, dtype=np.float32)
        if x.ndim == 0 or x.shape[1:] not in (self.input_shape, (prod(self.input_shape),)):
            raise RequestError(f"samples must have shape (n, {', '.join(map(str, self.input_shape))}), not {x.shape}")
        if not np.all(np.isfinite(x)):
            raise RequestError("samples must be finite numbers, and NaN or infinite ones occur; clean them first")
        return self._entry.integers(x.reshape(-1, *self.input_shape), self.graph.input.output.shape)

    def real(self, name: str, integers: np.ndarray) -> np.ndarray:
        """The real numbers of tensor ``quantizers[name]``, float32 of its shape in the file, behind node ``name``'s
        integers (n, *node shape)."""
        if name not in self._meanings:
            raise RequestError(f"node {name!r} stands for no tensor of the file; {', '.join(self._meanings)} do")
        return self._meanings[name].real(integers, self.graph[name].output.shape)


def meaning_of(value: Value) -> Meaning:
    """How the integers of the node of ``value``, which has no pending steps, belong to its tensor of the file."""
    batched = value.index.shape[:1] == (1,)
    return Meaning(value.index[0] if batched else value.index, value.scale, value.zero, value.offset)
