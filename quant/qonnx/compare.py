"""An imported network against QONNX's own executor, quantizer by quantizer.

Each quantizer is compared for itself: the integer graph computes it from what the executor had at the quantizers
before, so that one difference is not counted again behind it. Where the two differ, rational arithmetic decides
(:mod:`~bitloom.quant.qonnx.exact`). It is a tie if the exact value before the quantizer lies so close to one of its
steps that float32's rounding errors explain what the executor has, and the integer graph has what the exact value
gives. As the graph's functions are float32's, too, it may also have the other side of that step, but not where the
executor's own value is exact. Anything else is a mismatch. Scores and classes are judged alike.

What a tie leaves in the executor may be a value that the graph proves impossible, where its thresholds mean nothing:
what differs behind it in that sample is a tie as well.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..graph import Input, Range
from ..operators import ArgMax
from .exact import Exact, Index, Near, Unjudged
from .reference import Context, execute, inlined
from .samples import affine, input_order

if TYPE_CHECKING:
    from onnx import ModelProto

    from . import Imported

JUDGED = 64
"""After so many mismatching samples of a batch at one quantizer, the others that differ are not looked into."""

BOUNDED = 4
"""Samples of a batch whose scores' errors are bounded one by one."""

REAL = 2.0**-21
"""How far, relatively, real numbers may be from exact ones: they are float32, some steps behind their quantizer.

Levels of up to 20 bits are still told apart.
"""

FAR = 1 << 40
"""An integer so great that its real number is not lost in what is added to it."""

OFF_GRID = 0.05
"""How far a value may be from its quantizer's grid, in steps: float32 holds a product of 16 bits far better."""


class Comparison(NamedTuple):
    """``quantizer``, a tensor of the file, against ``node`` of the graph, over ``samples`` samples.

    ``mismatches`` counts the samples in which an element differs and is no tie, ``ties`` the others in which an element
    differs.
    """

    quantizer: str
    node: str
    samples: int
    mismatches: int
    ties: int


def compare(
    imported: Imported, model: ModelProto, inputs: np.ndarray, note: Callable[[str], None] = lambda _: None
) -> list[Comparison]:
    """Run the file ``model`` in the executor and the graph ``imported`` from it on the same real ``inputs``.

    :param inputs: floats of shape (samples, *shape of the file's input without its first axis), on the grid of the
        graph's input: those of :func:`~bitloom.quant.qonnx.samples.real_inputs`, say.
    :param note: told how many samples are done.
    :returns: a row for each quantizer, in the graph's order; the last is about the class where the output is scores.
    """
    totals: dict[tuple[str, str], np.ndarray] = {}
    done, model = 0, inlined(model)
    for where, context in execute(model, inputs):
        for (quantizer, node), verdict in _batch(imported, model, context, np.asarray(inputs[where])).items():
            counts = totals.setdefault((quantizer, node), np.zeros(3, np.int64))
            counts += [len(verdict), int((verdict == _MISMATCH).sum()), int((verdict == _TIE).sum())]
        done = where.stop
        note(f"{done} of {len(inputs)} samples")
    return [Comparison(*key, *(int(n) for n in counts)) for key, counts in totals.items()]


_EQUAL, _TIE, _MISMATCH = range(3)


class _Grid:
    """How the integers of a node of the graph lie in the real tensor of the file: base + unit · integer, and where.

    Found by asking ``imported.real``, which is affine in each element. Where its factor is 0 (a batch norm's gain, at
    the end of a network) the tensor says nothing about the integer.
    """

    def __init__(self, imported: Imported, node: str) -> None:
        self.shape = shape = imported.graph[node].output.shape
        zeros = np.zeros((1, *shape), np.int64)
        base, far, many = (np.asarray(imported.real(node, zeros + k * FAR), dtype=np.float64).ravel()
                           for k in (0, 1, np.arange(zeros.size).reshape(shape)))
        self.base, self.unit = base, (far - base) / FAR
        self.told = self.unit != 0
        self.origin = np.zeros(len(base), np.int64)
        """For each element of the tensor, the element of the node it is."""
        self.origin[self.told] = np.rint((many - base)[self.told] / (FAR * self.unit[self.told]))

    def real(self, integers: np.ndarray) -> np.ndarray:
        """What ``integers`` (samples, *node shape) stand for: float64 (samples, elements), ordered as in the tensor."""
        return self.base + self.unit * integers.reshape(len(integers), -1)[:, self.origin]

    def integers(self, real: np.ndarray, otherwise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The integers (samples, *node shape) of a tensor, and which of its elements are off the grid.

        These are ``otherwise`` where the tensor says nothing, or the same but for float32; else the nearest.
        """
        flat, told = real.reshape(len(otherwise), -1), self.told
        nearest = np.zeros(flat.shape)
        nearest[:, told] = np.rint((flat - self.base)[:, told] / self.unit[told])
        room = OFF_GRID * np.abs(self.unit) + REAL * (np.abs(flat) + np.abs(self.base))
        off = np.abs(self.base + self.unit * nearest - flat) > room
        integers = otherwise.reshape(len(otherwise), -1).copy()
        changed = told & self.differ(flat, self.real(otherwise))
        samples, places = np.nonzero(changed)
        integers[samples, self.origin[places]] = nearest[samples, places]
        return integers.reshape(otherwise.shape), off

    def differ(self, theirs: np.ndarray, ours: np.ndarray) -> np.ndarray:
        """Which elements of two tensors (samples, elements) are different levels."""
        room = 0.25 * np.abs(self.unit) + REAL * (np.abs(ours) + np.abs(self.base))
        return np.asarray(np.abs(theirs - ours) > room)


def _batch(
    imported: Imported, model: ModelProto, context: Context, inputs: np.ndarray
) -> dict[tuple[str, str], np.ndarray]:
    """By quantizer and node, whether each sample of one batch is equal, tied or a mismatch."""
    graph = imported.graph
    given = imported.quantize(inputs).reshape(-1, *graph.input.output.shape)
    exact = Exact(model, context, _given(imported, model, given), imported.quantizers.values())
    values: dict[str, np.ndarray] = {}
    ranges: dict[str, Range] = {}
    found: dict[tuple[str, str], np.ndarray] = {}
    loose = np.zeros(len(given), bool)
    for node in graph:
        y = given if isinstance(node, Input) else node.evaluate(*(values[operand] for operand in node.inputs))
        ranges[node.name] = node.ranges(*(ranges[operand] for operand in node.inputs))
        tensor = imported.quantizers.get(node.name)
        if tensor is not None and isinstance(node, ArgMax):
            found[tensor, node.name] = _classes(exact, tensor, y)
        elif tensor is not None:
            grid = _Grid(imported, node.name)
            theirs, off = grid.integers(context[tensor].astype(np.float64), y)
            quantized = isinstance(node, Input) or exact.quantizer_of(tensor) is not None
            rough = imported.rough.get(node.name, 0.0)
            found[tensor, node.name] = (_quantizer(exact, tensor, grid, y, off, rough) if quantized
                                        else _scores(exact, tensor, grid, y, off))
            vectors = len(node.output.shape) == 1 and len(exact.shape(tensor)) == 2
            # Classes of scores in fixed point are those of their levels, which are judged one by one.
            if node.name == graph.output and vectors and not rough:
                found[f"{tensor} (class)", node.name] = _classes(exact, tensor, y.argmax(axis=-1))
            y = theirs if quantized and node.output.format.holds(theirs) else y
        for verdict in ([] if tensor is None else [v for key, v in found.items() if key[1] == node.name]):
            verdict[loose & (verdict == _MISMATCH)] = _TIE
        low, high = ranges[node.name]
        loose |= ((y < low) | (y > high)).reshape(len(y), -1).any(axis=1)
        values[node.name] = y
    return found


def _given(imported: Imported, model: ModelProto, integers: np.ndarray) -> Callable[[Index, float], Near]:
    """What an element of the file's input is exactly: integer · scale + offset, which its float32 stands for."""
    order, flat = input_order(imported, model), integers.reshape(len(integers), -1)
    scale, offset = (values.ravel() for values in affine(imported))

    def exact(index: Index, found: float) -> Near:
        at = order[int(np.ravel_multi_index(index[1:], imported.input_shape)) if len(index) > 1 else 0]
        value = int(flat[index[0], at]) * Fraction(scale[at]) + Fraction(offset[at])
        return Near(value, abs(float(Fraction(found) - value)))

    return exact


def _quantizer(exact: Exact, tensor: str, grid: _Grid, ours: np.ndarray, off: np.ndarray, rough: float) -> np.ndarray:
    """Whether each sample is equal at the quantizer ``tensor``, tied, or a mismatch; ours is exact but for ``rough``
    steps before it is rounded."""
    theirs = exact.context[tensor].reshape(len(ours), -1).astype(np.float64)
    real, step = grid.real(ours), np.abs(grid.unit)
    verdict = np.where(off.any(axis=1), _MISMATCH, _EQUAL)
    differ = grid.differ(theirs, real)
    for sample in np.flatnonzero(differ.any(axis=1) & (verdict == _EQUAL)):
        tied = (verdict == _MISMATCH).sum() < JUDGED and all(
            _tie(exact, _index(exact, tensor, sample, at), tensor, float(real[sample, at]), float(step[at]), rough)
            for at in np.flatnonzero(differ[sample])
        )
        verdict[sample] = _TIE if tied else _MISMATCH
    return verdict


def _scores(exact: Exact, tensor: str, grid: _Grid, ours: np.ndarray, off: np.ndarray) -> np.ndarray:
    """Whether each sample of a tensor without a quantizer is within float32's error of ``ours``, or a mismatch.

    The errors of some samples are bounded one by one, and so are those that exceed the least of these bounds.
    """
    theirs = exact.context[tensor].reshape(len(ours), -1).astype(np.float64)
    real = grid.real(ours)
    verdict, least = np.full(len(ours), _EQUAL), np.inf
    for sample in range(len(ours)):
        places = np.arange(real.shape[1]) if sample < BOUNDED else np.flatnonzero(np.abs(theirs - real)[sample] > least)
        for at in places:
            levels = exact.levels(tensor, _index(exact, tensor, sample, at))
            error = float(levels.greatest - levels.exact)
            least = min(least, error)
            room = 0.25 * abs(grid.unit[at]) + REAL * (abs(real[sample, at]) + abs(grid.base[at]))
            room += 0.0 if levels.given else error
            far = [abs(value[sample, at] - float(levels.exact)) for value in (real, theirs)]
            if far[0] > room or far[1] > error:
                verdict[sample] = _MISMATCH
                break
    return verdict


def _classes(exact: Exact, tensor: str, ours: np.ndarray) -> np.ndarray:
    """Whether each sample's classes are equal, tied, or a mismatch."""
    scores, axis = _scored(exact, tensor)
    table = np.moveaxis(exact.context[scores], axis, -1)
    theirs, ours = table.argmax(axis=-1), ours.reshape(table.shape[:-1])
    verdict = np.full(len(ours), _EQUAL)
    for place in zip(*np.nonzero(theirs != ours)):
        if verdict[place[0]] != _MISMATCH:
            tied = _tied_classes(exact, scores, axis, place, int(ours[place]), int(theirs[place]))
            verdict[place[0]] = _TIE if tied else _MISMATCH
    return verdict


def _scored(exact: Exact, tensor: str) -> tuple[str, int]:
    """The tensor of the scores behind a tensor of classes, and its axis of classes; scores are their own."""
    node = exact.nodes.get(tensor)
    while node is not None and node.op_type in ("ArgMax", "TopK", "Cast", "Reshape", "Flatten", "Squeeze", "Identity"):
        if node.op_type in ("ArgMax", "TopK"):
            default = 0 if node.op_type == "ArgMax" else -1
            return node.input[0], int(exact.attributes(node).get("axis", default))
        node = exact.nodes.get(node.input[0])
    return tensor, -1


def _index(exact: Exact, tensor: str, sample: np.integer | int, at: np.integer | int) -> Index:
    """The index of element ``at`` of a sample of ``tensor``."""
    return (int(sample), *(int(i) for i in np.unravel_index(at, exact.shape(tensor)[1:])))


def _tied_classes(exact: Exact, scores: str, axis: int, place: Index, ours: int, theirs: int) -> bool:
    """Whether float32's errors explain which of the two has the greater score; unless it has both exactly."""

    def score(label: int) -> tuple[Near, bool]:
        index = list(map(int, place))
        index.insert(axis % len(exact.shape(scores)), label)
        near = exact.element(scores, tuple(index))
        return near, Fraction(float(exact.context[scores][tuple(index)])) == near.value

    try:
        (a, a_given), (b, b_given) = score(ours), score(theirs)
    except Unjudged:
        return False
    ahead = a.value - b.value
    right = ahead > 0 or (ahead == 0 and ours < theirs)
    return (right or not (a_given and b_given)) and abs(float(ahead)) <= a.error + b.error


def _tie(exact: Exact, index: Index, tensor: str, ours: float, step: float, rough: float) -> bool:
    """Whether float32's error explains what the executor has, and ``ours`` is right, or within that error as well."""
    near = 0.25 * step
    try:
        levels = exact.levels(tensor, index, rough * step)
    except Unjudged:
        return False
    least, greatest = float(levels.least) - near, float(levels.greatest) + near
    if not least <= float(exact.context[tensor][index]) <= greatest:
        return False
    return abs(float(levels.exact) - ours) <= near or (not levels.given and least <= ours <= greatest)
