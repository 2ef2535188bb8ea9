"""Whether what differs between a file's run and its graph is wrong: a mismatch, or a tie that float32 explains.

Every element is compared. Where two levels differ, rational arithmetic decides (:mod:`~bitloom.quant.qonnx.exact`);
elements that differ alike, the same integer and the same two floats in one channel, are looked into once. Scores have
no levels: each must lie within the error of float32, which is bounded for all elements at once
(:mod:`~bitloom.quant.qonnx.bounds`), and elements at stated places are judged in rational numbers besides.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np

from .bounds import Bounds
from .exact import FUSED, Exact, Index, Near, Unjudged
from .grid import REAL, Grid

EQUAL, TIE, MISMATCH = range(3)

JUDGED = 64
"""After so many mismatching samples of a batch at one quantizer, the others that differ are not looked into."""

ALIKE = 4096
"""Kinds of differing elements of a batch at one quantizer that are looked into; with more, what is left is wrong."""

PLACES = 256
"""Elements of a sample's scores that are judged in rational numbers; all of them, where there are no more."""

EFFORT = 20_000
"""Rational elements that the judging of one sample's scores may take, after the first :data:`SURE` of them."""

SURE = 16


class Judge:
    """Judges one batch: the run that ``exact`` holds against integers of the graph.

    :param seed: of the places at which scores are judged in rational numbers.
    """

    def __init__(self, exact: Exact, seed: int = 0) -> None:
        self.exact, self.bounds = exact, Bounds(exact)
        self.looked = 0
        """Elements that were judged in rational numbers."""
        self._rng = np.random.default_rng(seed)

    def quantizer(self, tensor: str, grid: Grid, ours: np.ndarray, rough: float) -> np.ndarray:
        """Whether each sample is equal at the quantizer ``tensor``, tied, or a mismatch.

        :param rough: how many steps, of one, ``ours`` may be from exact before it is rounded.
        """
        theirs = self.floats(tensor)
        verdict = np.where(grid.off(theirs), MISMATCH, EQUAL)
        real = grid.real(ours)
        differ = grid.differ(theirs, real)
        kinds: dict[tuple[object, ...], bool] = {}
        for sample in np.flatnonzero(differ.any(axis=1) & (verdict == EQUAL)):
            tied = (verdict == MISMATCH).sum() < JUDGED and all(
                self._tied(tensor, grid, int(sample), int(at), float(real[sample, at]), rough, kinds)
                for at in np.flatnonzero(differ[sample]))
            verdict[sample] = TIE if tied else MISMATCH
        return verdict

    def scores(self, tensor: str, grid: Grid, ours: np.ndarray, placed: int) -> np.ndarray:
        """Whether each sample of a tensor without a quantizer is within float32's error of ``ours``, or a mismatch.

        :param placed: how many samples to judge in rational numbers at places that show no difference, too.
        """
        theirs, real = self.floats(tensor), grid.real(ours)
        verdict, error = np.full(len(ours), EQUAL), self.bounds.error(tensor)
        if error is None:
            room = grid.room(real)
        else:
            room = error.reshape(real.shape) + REAL * (np.abs(real) + np.abs(grid.base))
        suspect = np.abs(theirs - real) > room
        for sample in range(len(ours)):
            if error is None and suspect[sample].any():  # what the least bound of some explains is not looked into
                least = min((self._error(tensor, sample, at) for at in self._places(tensor)[:SURE]), default=0.0)
                suspect[sample] &= np.abs(theirs - real)[sample] > least
            differing = [int(at) for at in np.flatnonzero(suspect[sample])]
            before = self.exact.evaluated
            for count, at in enumerate(differing[:ALIKE] + (self._places(tensor) if sample < placed else [])):
                if count >= len(differing) + SURE and self.exact.evaluated - before > EFFORT:
                    break
                if not self._score(tensor, grid, sample, at, float(real[sample, at]), float(theirs[sample, at])):
                    verdict[sample] = MISMATCH
                    break
            if len(differing) > ALIKE:
                verdict[sample] = MISMATCH
        return verdict

    def classes(self, tensor: str, ours: np.ndarray) -> np.ndarray:
        """Whether each sample's classes are equal, tied, or a mismatch."""
        exact = self.exact
        scores, axis = _scored(exact, tensor)
        table = np.moveaxis(exact.context[scores], axis, -1)
        theirs, ours = table.argmax(axis=-1), ours.reshape(table.shape[:-1])
        verdict = np.full(len(ours), EQUAL)
        for place in zip(*np.nonzero(theirs != ours)):
            if verdict[place[0]] != MISMATCH:
                self.looked += 1
                tied = _tied_classes(exact, scores, axis, place, int(ours[place]), int(theirs[place]))
                verdict[place[0]] = TIE if tied else MISMATCH
        return verdict

    def floats(self, tensor: str) -> np.ndarray:
        """The run's numbers: float64 (samples, elements)."""
        found = self.exact.context[tensor]
        return found.reshape(len(found), -1).astype(np.float64)

    def _tied(self, tensor: str, grid: Grid, sample: int, at: int, ours: float, rough: float,
              kinds: dict[tuple[object, ...], bool]) -> bool:
        """Whether a differing element is a tie; what is known of one like it holds for it as well."""
        exact, index = self.exact, _index(self.exact, tensor, sample, at)
        kind: tuple[object, ...] = (index,)
        if exact.quantizer_of(tensor) == tensor and exact.nodes[tensor].op_type not in FUSED:
            before = exact.context[exact.nodes[tensor].input[0]]
            channel = int(grid.origin[at]) % grid.shape[-1]
            kind = (channel, float(before[index]), ours, float(exact.context[tensor][index]))
        if kind not in kinds:
            if len(kinds) >= ALIKE:
                return False
            self.looked += 1
            kinds[kind] = _tie(exact, index, tensor, ours, grid.step(at), rough)
        return kinds[kind]

    def _score(self, tensor: str, grid: Grid, sample: int, at: int, ours: float, theirs: float) -> bool:
        """Whether an element is what rational arithmetic gives, but for float32.

        That is of the graph as well as of the run, even where the run is exact by chance: a bias may have been rounded,
        and what was rounded cancels. A step of the sums is far more than that.

        What rational arithmetic has no rule for is right if the two are one level.
        """
        try:
            levels = self.exact.levels(tensor, _index(self.exact, tensor, sample, at))
        except Unjudged:
            return abs(ours - theirs) <= grid.room_at(ours, at)
        self.looked += 1
        error = float(levels.greatest - levels.exact)
        room = grid.room_at(ours, at) + error
        return abs(ours - float(levels.exact)) <= room and abs(theirs - float(levels.exact)) <= error

    def _error(self, tensor: str, sample: int, at: int) -> float:
        """How far float32 may be from the exact element; 0 where nobody knows."""
        try:
            levels = self.exact.levels(tensor, _index(self.exact, tensor, sample, at))
        except Unjudged:
            return 0.0
        return float(levels.greatest - levels.exact)

    def _places(self, tensor: str) -> list[int]:
        """Elements of a sample to judge: the corners, the middles of the borders, the middle, and some at random."""
        shape = self.exact.shape(tensor)[1:]
        size = int(np.prod(shape))
        if size <= PLACES:
            return list(range(size))
        ends = [np.unique([0, n // 2, n - 1]) for n in shape]
        chosen = [int(np.ravel_multi_index(place, shape)) for place in product(*ends)]
        chosen += [int(at) for at in self._rng.integers(size, size=PLACES)]
        return list(dict.fromkeys(chosen))[:PLACES]


def _scored(exact: Exact, tensor: str) -> tuple[str, int]:
    """The tensor of the scores behind a tensor of classes, and its axis of classes; scores are their own."""
    node = exact.nodes.get(tensor)
    while node is not None and node.op_type in ("ArgMax", "TopK", "Cast", "Reshape", "Flatten", "Squeeze", "Identity"):
        if node.op_type in ("ArgMax", "TopK"):
            default = 0 if node.op_type == "ArgMax" else -1
            return node.input[0], int(exact.attributes(node).get("axis", default))
        node = exact.nodes.get(node.input[0])
    return tensor, -1


def _index(exact: Exact, tensor: str, sample: int, at: int) -> Index:
    """The index of element ``at`` of a sample of ``tensor``."""
    return (sample, *(int(i) for i in np.unravel_index(at, exact.shape(tensor)[1:])))


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
