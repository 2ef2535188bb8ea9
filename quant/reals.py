"""What a graph's integers mean: how real samples become its input, and what its results are in the network's units.

An import and a training leave two records with the graph, ``metadata["input"]`` and ``metadata["output"]``, in JSON's
types. Both hold ``scale`` and ``offset`` (real = scale · integer + offset; numbers, or lists of one per channel), and
``shape`` and ``order``: the shape of one sample in the file, and which element of the graph's each of its elements is
(see :mod:`~bitloom.quant.order`; left out where the order is the same). That of the input says how it is quantized,
too: ``quantizer``, ``zero``, ``low``, ``high`` and ``rounding`` (see :class:`~bitloom.quant.rules.Rule`), and
``assumed`` where the network did not say and 8 bits of 1/255 were taken. That of the output names the ``tensor`` of the
file.
:mod:`~bitloom.quant.samples` takes people's arrays by them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from .graph import Graph, GraphError, Tensor
from .operators import ArgMax
from .order import packed, unpacked
from .rules import Rule

F = np.float32
REMEDY = "make the graph again with `bitloom train` or `bitloom import`"


@dataclass(frozen=True, eq=False)
class Meaning:
    """How integers (…, *node shape) and a real tensor of the network's file belong together.

    real = scale · (integer − zero) + offset, constants of shape () or (channels,); ``index``, of the shape of one
    sample in the file, says which element of the node each element of the file's tensor is.
    """

    index: np.ndarray
    scale: np.ndarray
    zero: np.ndarray
    offset: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample in the file."""
        return self.index.shape

    @property
    def moved(self) -> bool:
        """Whether the file's order of elements is not the graph's."""
        return not np.array_equal(self.index.ravel(), np.arange(self.index.size))

    def real(self, integers: np.ndarray, node: tuple[int, ...]) -> np.ndarray:
        """The real numbers, float32 (n, *file's shape), behind the integers (n, …) of a node of the shape ``node``."""
        q = np.asarray(integers).reshape(-1, *node)
        with np.errstate(over="ignore"):
            flat = ((q - self.zero) * self.scale + self.offset).astype(F).reshape(len(q), -1)
        return self.disordered(flat)

    def disordered(self, values: np.ndarray) -> np.ndarray:
        """Values (n, …) in the node's order as the file has them: (n, *file's shape)."""
        return values.reshape(len(values), -1)[:, self.index.ravel()].reshape(len(values), *self.shape)

    def ordered(self, samples: np.ndarray, node: tuple[int, ...]) -> np.ndarray:
        """Samples (n, *file's shape) in the node's order: (n, *node)."""
        flat = np.empty((len(samples), prod(node)), samples.dtype)
        flat[:, self.index.ravel()] = samples.reshape(len(samples), -1)
        return flat.reshape(len(samples), *node)

    @property
    def affine(self) -> tuple[np.ndarray, np.ndarray]:
        """(a, b) of real = a · integer + b, both of shape () or (channels,)."""
        scale, offset = np.broadcast_arrays(self.scale, self.offset - self.scale * self.zero)
        return scale, offset

    def __str__(self) -> str:
        """The formula; of many scales, the least and the greatest."""
        scale, offset = self.affine
        return f"real = {_span(scale)} · integer" + (f" + {_span(offset)}" if offset.any() else "")

    def record(self) -> dict[str, object]:
        """The part of a record that both ends have."""
        scale, offset = self.affine
        order = packed(self.index)
        return {"scale": _plain(scale), "offset": _plain(offset), "shape": list(self.shape),
                **({} if order is None else {"order": order})}


@dataclass(frozen=True, eq=False)
class Entry:
    """The input: what its integers mean, and by which rule real numbers become such."""

    meaning: Meaning
    rule: Rule
    assumed: bool = False

    def integers(self, samples: np.ndarray, node: tuple[int, ...]) -> np.ndarray:
        """Real samples float32 (n, *file's shape) as int64 (n, *node), quantized as the network's file does it."""
        meaning, x = self.meaning, self.meaning.ordered(np.asarray(samples, F), node)
        if self.rule.kind == "nearest":
            constants = meaning.scale, meaning.offset
        else:
            constants = meaning.scale.astype(F), meaning.zero.astype(F)
        with np.errstate(all="ignore"):
            return np.asarray(self.rule(constants, x)).astype(np.int64)

    def samples(self, integers: np.ndarray, node: tuple[int, ...]) -> np.ndarray:
        """Real samples float32 (n, *file's shape) that become ``integers`` (n, *node): what these stand for.

        A hair beside it where float32 would round it to the other side of a step.
        """
        meaning = self.meaning
        real = meaning.real(integers, node)
        for hair in (1, -1):
            aside = replace(meaning, offset=meaning.offset + hair * meaning.scale / 1024).real(integers, node)
            wrong = meaning.disordered(self.integers(real, node) != integers)
            real = np.where(wrong, aside, real)
        return real

    def outside(self, samples: np.ndarray, node: tuple[int, ...]) -> int:
        """How many elements of real samples lie half a step or more beyond what the integers can stand for."""
        if self.rule.signs:
            return 0
        meaning, x = self.meaning, self.meaning.ordered(np.asarray(samples, F), node).astype(np.float64)
        low, high = ((end - meaning.zero) * meaning.scale + meaning.offset
                     for end in (self.rule.low - 0.5, self.rule.high + 0.5))
        return int(((x < low) | (x > high)).sum())

    @property
    def span(self) -> tuple[float, float]:
        """The least and the greatest real number that the integers stand for, over all channels."""
        ends = [(end - self.meaning.zero) * self.meaning.scale + self.meaning.offset
                for end in (self.rule.low, self.rule.high)]
        return float(np.min(ends)), float(np.max(ends))

    def record(self) -> dict[str, object]:
        """What ``metadata["input"]`` holds."""
        rule = self.rule
        facts = {**self.meaning.record(), "zero": _plain(self.meaning.zero), "quantizer": rule.kind, "low": rule.low,
                 "high": rule.high, "rounding": rule.rounding}
        return {**facts, "assumed": True} if self.assumed else facts


def entry_of(graph: Graph) -> Entry | None:
    """What the input's integers mean; None where the graph does not say enough to quantize real samples."""
    facts: Any = graph.metadata.get("input")
    if not isinstance(facts, dict) or "quantizer" not in facts or "shape" not in facts:
        return None
    tensor = graph.input.output
    try:
        rule = Rule(facts["quantizer"], int(facts["low"]), int(facts["high"]), str(facts["rounding"]))
        meaning = _meaning(facts, tensor)
        if not tensor.format.holds(np.array([rule.low, rule.high])):
            raise ValueError(f"{rule.low} to {rule.high} are not of {tensor.format}")
        if not np.array_equal(np.sort(meaning.index, axis=None), np.arange(prod(tensor.shape))):
            raise ValueError("its order must name each element once")
        return Entry(meaning, rule, bool(facts.get("assumed", False)))
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise GraphError(f"graph {graph.name!r}: what it says of its input is damaged ({error}); {REMEDY}") from error


def result_of(graph: Graph) -> Meaning | None:
    """What the output's integers mean; None where the graph does not say."""
    facts: Any = graph.metadata.get("output")
    if not isinstance(facts, dict) or "shape" not in facts:
        return None
    try:
        return _meaning(facts, graph[graph.output].output)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise GraphError(f"graph {graph.name!r}: what it says of its output is damaged ({error}); {REMEDY}") from error


def scores(graph: Graph, results: np.ndarray) -> np.ndarray | None:
    """Results (n, …) of ``graph`` in the network's units: float32 (n, *shape of the output in the file).

    None where the graph does not say what its results mean (it was made by hand, or by an earlier bitloom).
    """
    meaning = result_of(graph)
    return None if meaning is None else meaning.real(results, graph[graph.output].output.shape)


def classes(graph: Graph, results: np.ndarray) -> np.ndarray | None:
    """The classes that results (n, …) of ``graph`` name: int64 (n,), or (n, *positions) of a map of classes.

    The greatest score's where the network gives scores, the first of equal ones. None where it gives neither an index
    nor several scores for a sample.
    """
    node = graph[graph.output]
    shape = node.output.shape
    flat = np.asarray(results).reshape(-1, *shape)
    if isinstance(node, ArgMax):
        return np.asarray(flat[..., 0] if len(shape) > 1 else flat.reshape(len(flat)), dtype=np.int64)
    if class_count(graph) is None:
        return None
    meaning = result_of(graph)
    if meaning is None:
        return flat.reshape(len(flat), -1).argmax(axis=1)
    values = meaning.real(flat, shape) if meaning.scale.ndim or meaning.offset.ndim else flat
    values = values.reshape(len(flat), -1)
    return (values if values.dtype == F else values[:, meaning.index.ravel()]).argmax(axis=1)


def class_count(graph: Graph) -> int | None:
    """How many classes the results of ``graph`` tell apart; None where :func:`classes` gives none."""
    node = graph[graph.output]
    shape = node.output.shape
    if isinstance(node, ArgMax):
        return graph[node.inputs[0]].output.shape[-1]
    return shape[-1] if shape[-1] == prod(shape) and shape[-1] > 1 else None


def _meaning(facts: dict[str, Any], node: Tensor) -> Meaning:
    """The meaning that a record holds of the integers of ``node``."""
    shape = tuple(int(size) for size in facts["shape"])
    index = unpacked(facts.get("order"), shape)
    if index.size and not (index.min() >= 0 and index.max() < prod(node.shape)):
        raise ValueError("its order leads out of the tensor")
    scale, offset, zero = (np.asarray(facts.get(key, 0.0), np.float64) for key in ("scale", "offset", "zero"))
    if any(values.shape not in ((), (node.shape[-1],)) or not np.all(np.isfinite(values))
           for values in (scale, offset, zero)):
        raise ValueError("scale, offset and zero must be numbers, or one for each channel")
    return Meaning(index, scale, zero, offset + scale * zero)


def _plain(values: np.ndarray) -> float | list[float]:
    """Numbers in JSON's types."""
    return float(values) if np.ndim(values) == 0 else [float(value) for value in values]


def _span(values: np.ndarray) -> str:
    """Numbers in words."""
    least, greatest = values.min(), values.max()
    return f"{least:.9g}" if least == greatest else f"({least:.6g} … {greatest:.6g})"
