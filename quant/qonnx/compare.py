"""An imported network against its file, quantizer by quantizer.

Each quantizer is compared for itself: the integer graph computes it from what the file's run had at the quantizers
before, so that one difference is not counted again behind it. Where the two differ, rational arithmetic decides
(:mod:`~bitloom.quant.qonnx.exact`). It is a tie if the exact value before the quantizer lies so close to one of its
steps that float32's rounding errors explain what the run has, and the integer graph has what the exact value gives. As
the graph's functions are float32's, too, it may also have the other side of that step, but not where the run's own
value is exact. Anything else is a mismatch. Scores and classes are judged alike.

What a tie leaves in the run may be a value that the graph proves impossible, where its thresholds mean nothing: what
differs behind it in that sample is a tie as well.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..graph import Input, Node, Range
from ..operators import ArgMax
from ..reals import classes as classes_of
from .channels import channel_ranges
from .exact import Exact, Index, Near
from .executors import Executor
from .grid import Grid
from .judge import MISMATCH, TIE, Judge
from .reach import Reach, Reached
from .reference import CannotRun, reference
from .runnable import Context, inlined
from .samples import affine, input_order

if TYPE_CHECKING:
    from onnx import ModelProto

    from .imported import Imported

Kind = Literal["quantizer", "scores", "classes"]
"""What is compared at a place."""

PLACED = 4
"""Samples whose scores are judged in rational numbers where they show no difference, too."""

LEAST = 3
"""Samples that are compared however long they take."""


@dataclass
class Comparison:
    """``quantizer``, a tensor of the file, against ``node`` of the graph, over ``samples`` samples.

    ``mismatches`` counts the samples in which an element differs and is no tie, ``ties`` the others in which an element
    differs. ``elements`` were compared, ``exact`` of them in rational arithmetic; ``reached`` says how much of the
    range was seen: levels of a quantizer, and classes, are counted.
    """

    quantizer: str
    node: str
    kind: Kind
    samples: int = 0
    mismatches: int = 0
    ties: int = 0
    elements: int = 0
    exact: int = 0
    reached: Reached = field(default_factory=lambda: Reached(None, None, 0, 0))


    def values(self) -> dict[str, object]:
        """As one flat mapping."""
        values = {key: getattr(self, key) for key in ("quantizer", "node", "kind", "samples", "mismatches", "ties",
                                                      "elements", "exact")}
        return {**values, **self.reached._asdict()}


@dataclass(frozen=True)
class Compared:
    """A comparison: what the file ran in, a row for each quantizer in the graph's order, and how many of the samples.

    ``refused`` has a reason for each reference that was tried before and cannot run the file.
    """

    reference: str
    version: str
    refused: tuple[str, ...]
    rows: list[Comparison]
    samples: int
    wanted: int

    @property
    def ties(self) -> int:
        """Samples in which float32 breaks a tie, at all places together."""
        return sum(row.ties for row in self.rows)

    @property
    def least(self) -> Comparison | None:
        """The quantizer of whose levels the smallest part was reached."""
        counted = [row for row in self.rows if row.kind == "quantizer" and row.reached.seen is not None]
        return min(counted, key=lambda row: row.reached.share, default=None)

    @property
    def reach(self) -> str:
        """How far the samples reached, in words; empty where nothing is counted."""
        least = self.least
        if least is None:
            return ""
        return f"least reached: {least.node} ({least.quantizer}), {least.reached}" if least.reached.share < 1 else \
            "reached: every level of every quantizer"

    def summary(self) -> dict[str, object]:
        """What is kept with a graph that agreed with its file."""
        least = self.least
        reach = None if least is None else {"node": least.node, "quantizer": least.quantizer, **least.reached._asdict()}
        return {"reference": self.reference, "version": self.version, "refused": list(self.refused),
                "samples": self.samples, "wanted": self.wanted, "places": len(self.rows),
                "elements": sum(row.elements for row in self.rows), "exact": sum(row.exact for row in self.rows),
                "ties": self.ties, "mismatches": 0, "least_reached": reach}

    def lines(self) -> list[str]:
        """What was compared, for people: with what, how much, and how far the samples reached."""
        cut = f" of {self.wanted} (for time)" if self.samples < self.wanted else ""
        elements, exact = (sum(getattr(row, key) for row in self.rows) for key in ("elements", "exact"))
        lines = [f"compared with {self.reference}: {self.samples}{cut} samples at {len(self.rows)} places, 0 mismatches"
                 + (f", {self.ties} ties that float32 breaks" if self.ties else "")
                 + f"; {elements:,} elements, {exact:,} of them in rational numbers too"]
        if self.refused:
            lines.append(f"  because {'; '.join(self.refused)}")
        if self.least is not None:
            lines.append(f"  {self.reach}")
        lines += [f"  not tested: {row.node} ({row.quantizer}) is {row.reached.least} in all samples"
                  for row in self.rows if row.kind == "quantizer" and row.reached.seen == 1 != row.reached.levels]
        return lines


def compare(
    imported: Imported, model: ModelProto, inputs: np.ndarray, note: Callable[[str], None] = lambda _: None,
    seconds: float | None = None, executors: Sequence[Executor] | None = None,
) -> Compared:
    """Run the file ``model`` in a reference and the graph ``imported`` from it on the same real ``inputs``.

    :param inputs: floats of shape (samples, *shape of the file's input without its first axis), on the
        grid of the graph's input: those of :func:`~bitloom.quant.qonnx.samples.real_inputs`, say.
    :param note: told how far it is.
    :param seconds: after so many, and :data:`LEAST` samples, no further batch is begun; all are, by default.
    :param executors: the first of them that can run the file does; of all, by default.
    :returns: a row for each quantizer, in the graph's order; the last is about the class where the output is scores.
    :raises CannotRun: nothing here can run the file.
    """
    if not len(inputs):
        return Compared("", "", (), [], 0, 0)
    start, model, done = time.monotonic(), inlined(model), 0
    run = reference(model, inputs, executors)
    work = _Work(imported, model)
    for where, context in run:
        work.batch(context, np.asarray(inputs[where]), partial(_at, note, done, len(inputs)))
        done = where.stop
        note(f"{done} of {len(inputs)} samples")
        del context  # before the next one is made
        if seconds is not None and done >= LEAST and time.monotonic() - start > seconds:
            break
    return Compared(run.name, run.version, run.refused, list(work.rows.values()), done, len(inputs))


def _at(note: Callable[[str], None], done: int, wanted: int, node: str) -> None:
    note(f"{done} of {wanted} samples, {node}")


class _Work:
    """What a comparison knows of graph and file, and what it has found so far."""

    def __init__(self, imported: Imported, model: ModelProto) -> None:
        self.imported, self.model, self.graph = imported, model, imported.graph
        self.rows: dict[tuple[str, str], Comparison] = {}
        self._placed = PLACED
        self._grids: dict[str, Grid] = {}
        self._reaches: dict[tuple[str, str], Reach] = {}
        self._looked = 0
        self._reads = Counter(name for node in self.graph for name in node.inputs)

    @cached_property
    def ranges(self) -> dict[str, Range]:
        """The proven range of each node's channels; the input's own is that of its quantizer."""
        ends = [self.imported.quantize(np.full((1, *self.imported.input_shape), end, np.float32))
                for end in (-3e38, 3e38)]
        lo, hi = (end.reshape(-1, self.graph.input.output.shape[-1]) for end in ends)
        return channel_ranges(self.graph, (lo.min(axis=0), hi.max(axis=0)))

    def batch(self, context: Context, inputs: np.ndarray, note: Callable[[str], None]) -> None:
        """Compare one batch; ``note`` is told where it is."""
        given = self.imported.quantize(inputs).reshape(-1, *self.graph.input.output.shape)
        judge = Judge(Exact(self.model, context, self._given(given), self.imported.quantizers.values()))
        values: dict[str, np.ndarray] = {}
        self._looked = 0
        reads, loose = self._reads.copy(), np.zeros(len(given), bool)
        for node in self.graph:
            note(node.name)
            y = given if isinstance(node, Input) else node.evaluate(*(values[operand] for operand in node.inputs))
            y = self._node(judge, node, y, loose)
            if any(row.ties or row.mismatches for row in self.rows.values()):
                lo, hi = self.ranges[node.name]
                loose |= ((y < lo) | (y > hi)).reshape(len(y), -1).any(axis=1)
            values[node.name] = y
            reads.subtract(node.inputs)
            for name in set(node.inputs):
                if not reads[name]:
                    del values[name]
        self._placed -= len(given)

    def _node(self, judge: Judge, node: Node, y: np.ndarray, loose: np.ndarray) -> np.ndarray:
        """Compare ``y``, what ``node`` has; what the run has in its place, if anything."""
        exact, tensor = judge.exact, self.imported.quantizers.get(node.name)
        if tensor is None:
            return y
        if isinstance(node, ArgMax):
            self._count(tensor, node, "classes", judge, judge.classes(tensor, y), loose, y)
            return y
        if node.name not in self._grids:
            self._grids[node.name] = Grid(self.imported, node.name)
        grid = self._grids[node.name]
        held = exact.context[tensor]
        if held.size == len(y) * grid.origin.size and held.shape[:1] != (len(y),):
            raise CannotRun([f"{tensor!r} has the shape {held.shape} for {len(y)} samples: its first axis is not that "
                             "of the samples"])
        quantized = isinstance(node, Input) or exact.quantizer_of(tensor) is not None
        rough = self.imported.rough.get(node.name, 0.0)
        if held.size != len(y) * grid.origin.size:
            verdict, found = np.full(len(y), MISMATCH), y
        else:
            verdict = (judge.quantizer(tensor, grid, y, rough) if quantized else
                       judge.scores(tensor, grid, y, self._placed))
            found = grid.integers(judge.floats(tensor), y) if quantized and verdict.any() else y
        self._count(tensor, node, "quantizer" if quantized else "scores", judge, verdict, loose, found)
        vectors = len(node.output.shape) == 1 and len(held.shape) == 2 and held.size == len(y) * grid.origin.size
        # Classes of scores in fixed point are those of their levels, which are judged one by one.
        if node.name == self.graph.output and vectors and not rough:
            named = classes_of(self.graph, found)  # of real numbers: each channel may have a scale of its own
            classes = found.argmax(axis=-1) if named is None else named
            self._count(f"{tensor} (class)", node, "classes", judge, judge.classes(tensor, classes), loose, classes)
        return found if node.output.format.holds(found) else y

    def _count(self, tensor: str, node: Node, kind: Kind, judge: Judge, verdict: np.ndarray, loose: np.ndarray,
               found: np.ndarray) -> None:
        """Add what was found in a batch to the row of ``tensor`` and ``node``."""
        verdict[loose & (verdict == MISMATCH)] = TIE
        key = tensor, node.name
        row = self.rows.setdefault(key, Comparison(tensor, node.name, kind))
        if key not in self._reaches:
            self._reaches[key] = self._reach(node, kind)
        self._reaches[key].add(found)
        row.reached = self._reaches[key].reached
        row.samples += len(verdict)
        row.mismatches += int((verdict == MISMATCH).sum())
        row.ties += int((verdict == TIE).sum())
        row.elements += found.size
        row.exact += judge.looked - self._looked
        self._looked = judge.looked

    def _reach(self, node: Node, kind: Kind) -> Reach:
        if kind == "classes" and not isinstance(node, ArgMax):
            count = node.output.shape[-1]
            return Reach(0, count - 1, count)
        reach = Reach.of(node, self.ranges[node.name])
        return reach if kind != "scores" else Reach(0, 0, None)

    def _given(self, integers: np.ndarray) -> Callable[[Index, float], Near]:
        """What an element of the file's input is exactly: integer · scale + offset, which its float32 stands for."""
        flat = integers.reshape(len(integers), -1)

        def exact(index: Index, found: float) -> Near:
            order, scale, offset = self._entry
            at = order[int(np.ravel_multi_index(index[1:], self.imported.input_shape)) if len(index) > 1 else 0]
            value = int(flat[index[0], at]) * Fraction(scale[at]) + Fraction(offset[at])
            return Near(value, abs(float(Fraction(found) - value)))

        return exact

    @cached_property
    def _entry(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The graph's element that each element of the file's input is; scale and offset of the graph's elements."""
        scale, offset = (values.ravel() for values in affine(self.imported))
        return input_order(self.imported, self.model), scale, offset
