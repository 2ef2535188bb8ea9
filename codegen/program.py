"""The integer program: one option for each unit, one pair of lanes for each link (OR-Tools CP-SAT).

Pairs and options meet as flows do, whose linear relaxation is tight on chains. The pipeline's interval is the greatest
of its units' and links', so that an interval is asked for by leaving out what takes longer. Latency is a longest path:
a unit's first result comes ``depth`` cycles after it has read its ``share`` of a sample (exact on perceptrons, near
elsewhere; the plan's is exact everywhere).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import numpy as np
from ortools.sat.python import cp_model

from .families import AREA_WEIGHTS, Resources
from .network import KINDS, SCALE, Edge, Network
from .options import Option

Linear = Any
"""A linear expression of the solver's variables; its own types do not say what sums of them are."""

EFFORT = 3
"""The solver's time for one goal, in its own deterministic units, about a second each."""

PATIENCE = 45
"""Its time for all goals and questions of one plan, in the same units."""

_LEAST = 0.05
"""What a question gets when that is used up: enough where the relaxation answers it."""

_SMALL = 0.001
"""Gaps below this are not worth a word."""

_PARTS = 64
"""Fractions of a cycle that the latency tells apart."""


@dataclass
class Patience:
    """The solver's time that is left for one plan, and what could not be settled in it.

    ``open`` counts the intervals of which it is not known whether they fit; ``gaps`` says for each goal by what part
    what was chosen may be above the least there is.
    """

    left: float = PATIENCE
    open: int = 0
    gaps: dict[str, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """In words, what is not proven of a plan; empty if all is."""
        parts = [f"{self.open} shorter interval{'s' if self.open > 1 else ''}"] if self.open else []
        parts += [f"{goal} lower by {gap:.1%}" for goal, gap in self.gaps.items() if gap >= _SMALL]
        return f"what was found in the solver's time; not ruled out: {', '.join(parts)}" if parts else ""


class Program:
    """The integer program of one network, of which nothing takes more than ``limit`` cycles per sample or ``budget``.

    ``timed`` where the latency is a goal.
    """

    def __init__(self, network: Network, limit: int | None, budget: Resources | None, *, timed: bool = False) -> None:
        network = network.within(limit)
        self.possible = network.possible and (budget is None or not network.exceeds(budget))
        if not self.possible:
            return
        self.budget = budget
        self.network = network = network.pruned(limit, timed, network.scarce(budget))
        self.model = cp_model.CpModel()
        self.chosen = [[self.model.new_bool_var("") for _ in unit.options] for unit in network.units]
        self.usage: list[Linear] = [0] * len(KINDS)
        for unit, choice in zip(network.units, self.chosen):
            self.model.add_exactly_one(choice)
            self._use(unit.used, choice)
        self.times: list[list[Linear]] = []
        for edge in network.edges:
            self._link(edge, limit)
        if budget is not None:
            for kind, used in zip(KINDS, self.usage):
                self.model.add(used <= int(getattr(budget, kind) * SCALE))

    def _use(self, used: np.ndarray, choice: list[Any]) -> None:
        for kind, column in enumerate(used.T):
            terms = [int(amount) * x for amount, x in zip(column, choice) if amount]
            self.usage[kind] = sum(terms, self.usage[kind])

    def _link(self, edge: Edge, limit: int | None) -> None:
        """One pair of lanes, and what it costs."""
        ends = [(self.network.units[edge.source].lanes_out, self.chosen[edge.source]),
                (self.network.units[edge.target].lanes_in, self.chosen[edge.target])]
        lanes = [sorted(set(values)) for values, _ in ends]
        table = edge.costs(self.network.family, *lanes)
        possible = table[:, :, len(KINDS)] <= (edge.elements if limit is None else limit)
        pairs = {(i, j): self.model.new_bool_var("") for i, j in zip(*np.nonzero(possible))}
        for end, (values, choice) in enumerate(ends):
            for k, value in enumerate(lanes[end]):
                flow = sum(x for pair, x in pairs.items() if pair[end] == k)
                self.model.add(flow == sum(x for x, v in zip(choice, values) if v == value))
        rows = np.array([table[pair] for pair in pairs]).reshape(-1, table.shape[2])
        self._use(rows[:, :len(KINDS)], list(pairs.values()))
        self.times.append([sum(int(row[k]) * x for row, x in zip(rows, pairs.values()))
                           for k in range(len(KINDS), table.shape[2])])

    def _area(self) -> Linear:
        """One number for area: what is scarce on the device counts for more."""
        total: Linear = 0
        for kind, used in zip(KINDS, self.usage):
            weight = getattr(AREA_WEIGHTS, kind)
            if self.budget is not None and getattr(self.budget, kind) > 0:
                weight = 4000 / getattr(self.budget, kind)
            total = total + used * ceil(weight * 80)
        return total

    def _latency(self) -> Linear:
        """When the first output beat leaves, in parts of a cycle, by the longest path."""
        units, edges = self.network.units, self.network.edges
        far = _PARTS * sum(int(unit.times.max(axis=0).sum()) + 1 for unit in units)
        far += _PARTS * sum(edge.elements for edge in edges)
        first = [self.model.new_int_var(0, far, "") for _ in units]
        spread = [self.model.new_int_var(0, far, "") for _ in units]
        for unit, choice, start in zip(units, self.chosen, spread):
            self.model.add(start >= sum(_PARTS * int(cycles) * x for cycles, x in zip(unit.times[:, 2], choice)))
        for edge, (cycles, delay, burst, wait) in zip(edges, self.times):
            unit, choice = units[edge.target], self.chosen[edge.target]
            depth = sum(int(d) * x for d, x in zip(unit.times[:, 1], choice))
            arrival = self.model.new_int_var(0, far, "")  # from the first element's to the last one's
            self.model.add(arrival >= spread[edge.source] + _PARTS * burst)
            self.model.add(arrival >= _PARTS * (cycles - 1))
            whole, read = unit.share.denominator, unit.share.numerator
            start = first[edge.source] + _PARTS * (depth + delay)
            self.model.add(first[edge.target] >= start + _PARTS * wait)
            self.model.add(whole * first[edge.target] >= whole * start + read * arrival)
            self.model.add(whole * spread[edge.target] >= (whole - read) * arrival)
        return first[-1]

    def solve(self, *goals: str, patience: Patience, hint: Sequence[Option] = ()) -> list[Option] | None:
        """The options, one per unit, that minimize the goals (``latency``, ``area``) in lexicographic order.

        None if nothing satisfies the constraints, or nothing was found. Without goals, any options that do.

        :param patience: the time there is, of which this takes its part. :param hint: options to begin with.
        """
        if not self.possible:
            return None
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1  # the same answer in each run
        solver.parameters.random_seed = 0
        solver.parameters.linearization_level = 2  # most programs need no search with the whole flow relaxed
        solver.parameters.catch_sigint_signal = False  # its own handler would outlive it and end the whole process
        picked = None
        self._hint(hint)
        for goal in goals or ("",):
            value = self._latency() if goal == "latency" else self._area() if goal == "area" else 0
            self.model.minimize(value)
            time = patience.left if goals else patience.left - EFFORT  # what is found is then made small
            solver.parameters.max_deterministic_time = max(_LEAST, min(EFFORT, time))
            status = _interruptible(solver, self.model)
            patience.left -= solver.response_proto.deterministic_time
            if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
                patience.open += status == cp_model.UNKNOWN and picked is None
                return picked
            if goal:
                found = solver.objective_value
                patience.gaps[goal] = (found - solver.best_objective_bound) / max(1.0, found)
            picked = [next(o for o, x in zip(unit.options, choice) if solver.value(x))
                      for unit, choice in zip(self.network.units, self.chosen)]
            self.model.add(value <= round(solver.objective_value))
            self._hint(picked)
        return picked

    def _hint(self, options: Sequence[Option]) -> None:
        """Let the search begin at ``options``, as far as they are still there."""
        self.model.clear_hints()
        for unit, choice, wanted in zip(self.network.units, self.chosen, options):
            if wanted in unit.options:
                for option, x in zip(unit.options, choice):
                    self.model.add_hint(x, option == wanted)


def _interruptible(solver: cp_model.CpSolver, model: cp_model.CpModel) -> Any:
    """The status of solving ``model``, in a thread of its own: an interrupt ends the search at once."""
    with ThreadPoolExecutor(1) as pool:
        status = pool.submit(solver.solve, model)
        try:
            return status.result()
        except BaseException:
            solver.stop_search()
            raise
