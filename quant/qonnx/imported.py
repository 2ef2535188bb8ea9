"""What an import gives: the graph, and how its integers and the file's real numbers belong together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from bitloom import RequestError

from ..graph import Graph
from .context import View


@dataclass(frozen=True, eq=False)
class Imported:
    """An imported network.

    ``quantizers`` maps nodes of the graph (its input, every quantizer, its output) to the tensor of the file whose
    real numbers are scale · integer + offset, see :meth:`real`. ``notes`` say what was inferred and what is left to
    the host.
    """

    graph: Graph
    quantizers: dict[str, str]
    notes: tuple[str, ...]
    input_shape: tuple[int, ...]
    """The shape of one sample in the file, without batch."""
    _views: dict[str, View] = field(repr=False)
    _entry: Callable[[np.ndarray], np.ndarray] = field(repr=False)
    _order: np.ndarray = field(repr=False)

    def quantize(self, samples: np.ndarray) -> np.ndarray:
        """Real samples as the graph's input integers.

        :param samples: floats of shape (n, *input_shape), or (n, elements) in that order.
        :returns: int64 (n, *graph input shape), channels last.
        """
        x = np.asarray(samples, dtype=np.float32)
        count = int(np.prod(self.input_shape))
        if x.ndim == 0 or x.size != len(x) * count:
            raise RequestError(f"samples must have shape (n, {', '.join(map(str, self.input_shape))}), not {x.shape}")
        if not np.all(np.isfinite(x)):
            raise RequestError("samples must be finite numbers, and NaN or infinite ones occur; clean them first")
        ordered = np.empty((len(x), count), np.float32)
        ordered[:, self._order.ravel()] = x.reshape(len(x), -1)
        return self._entry(ordered.reshape(len(x), *self.graph.input.output.shape))

    def real(self, name: str, integers: np.ndarray) -> np.ndarray:
        """The real numbers of tensor ``quantizers[name]``, float32 of its shape in the file, behind node ``name``'s
        integers (n, *node shape)."""
        if name not in self._views:
            raise RequestError(f"node {name!r} stands for no tensor of the file; {', '.join(self._views)} do")
        view = self._views[name].value
        q = np.asarray(integers).reshape(-1, *view.shape)
        flat = view.real(q).reshape(len(q), -1)
        shape = view.index.shape[1:] if view.index.shape[:1] == (1,) else view.index.shape
        return flat[:, view.index.ravel()].reshape(len(q), *shape)
