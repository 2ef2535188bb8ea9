"""Pareto fronts: the points that nothing beats in everything at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from .point import Outcome


def front(costs: np.ndarray) -> np.ndarray:
    """Which rows of ``costs`` (points × objectives, less is better) are on the Pareto front: bool (points,).

    A row is off the front where another is nowhere greater and somewhere less; equal rows stay together.
    """
    costs = np.asarray(costs, dtype=float)
    nowhere_greater = (costs[:, None] <= costs[None]).all(axis=-1)
    somewhere_less = (costs[:, None] < costs[None]).any(axis=-1)
    return np.logical_not((nowhere_greater & somewhere_less).any(axis=0))


def fronts(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """For each model, the good points on its front of LUTs against samples per second, the smallest first.

    A front per model, because networks differ in what they are worth: a smaller one that is right less often does not
    beat a larger one.
    """
    by_model: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.good:
            by_model.setdefault(outcome.design.model, []).append(outcome)
    return {model: _best(found) for model, found in by_model.items()}


def _best(found: Sequence[Outcome]) -> list[Outcome]:
    costs = np.array([(o.figures["lut"], -o.figures["throughput_fps"]) for o in found])
    best = [outcome for outcome, kept in zip(found, front(costs)) if kept]
    return sorted(best, key=lambda o: (o.figures["lut"], o.figures["throughput_fps"]))
