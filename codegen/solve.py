"""Choosing the folding: constraint programming (OR-Tools CP-SAT) over the cost model and the closed forms.

One integer program per request: an option for each matrix–vector unit, the pipeline's interval and latency as
:mod:`~bitloom.codegen.schedule` has them, and the budget. Goals are met in lexicographic order, so that the answer to
"the fastest" is also the smallest of the fastest.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from itertools import pairwise
from math import ceil, gcd
from typing import Any

from ortools.sat.python import cp_model

from bitloom import RequestError
from bitloom.quant import Graph, MatMul

from . import cost
from .families import AREA_WEIGHTS, Family, Resources
from .folding import Folding, Option, Overrides, options
from .mapping import shape_of

Linear = Any
"""A linear expression of the solver's variables; its own types do not say what sums of them are."""

TARGETS = ("throughput", "latency", "area")
_SCALE = 16
"""Fractions of a LUT that the solver, which knows integers only, tells apart."""


class FitError(RequestError):
    """No folding fits the budget. ``needed`` is the least that the network needs, ``excess`` what is too much."""

    def __init__(self, message: str, needed: Resources, excess: dict[str, float]) -> None:
        super().__init__(message)
        self.needed = needed
        self.excess = excess


class _Program:
    """The integer program of one graph, and its solution for a list of goals."""

    def __init__(self, graph: Graph, family: Family, overrides: Overrides) -> None:
        self.graph, self.family = graph, family
        self.nodes = [node for node in graph if isinstance(node, MatMul)]
        self.options = [options(graph, node, family, overrides) for node in self.nodes]
        self.model = cp_model.CpModel()
        self.chosen = [[self.model.new_bool_var(f"{node.name}.{i}") for i in range(len(found))]
                       for node, found in zip(self.nodes, self.options)]
        for choice in self.chosen:
            self.model.add_exactly_one(choice)
        longest = max(max(o.interval for o in found) for found in self.options)
        beats = max(len(node.weights[0]) + len(node.weights) for node in self.nodes)
        self.interval = self.model.new_int_var(1, max(longest, beats), "interval")
        for found, choice in zip(self.options, self.chosen):
            self.model.add(self.interval >= sum(o.interval * x for o, x in zip(found, choice)))
        self.usage = {f.name: self._usage(f.name) for f in fields(Resources)}
        self.latency: Linear = sum(
            (o.synapse_fold - 1) * x for o, x in zip(self.options[0], self.chosen[0]))
        self._links()

    def _usage(self, resource: str) -> Linear:
        return sum(round(getattr(o.resources, resource) * _SCALE) * x
                   for found, choice in zip(self.options, self.chosen) for o, x in zip(found, choice))

    def _links(self) -> None:
        """Tables over neighbouring units: what the link between them costs in cycles, in latency and in resources."""
        for index, (node, follower) in enumerate(pairwise(self.nodes)):
            bits = shape_of(self.graph[follower.inputs[0]].output.format).width
            count = len(node.weights)
            rows, seen = [], {}
            for i, up in enumerate(self.options[index]):
                for simd in sorted({o.folding.simd for o in self.options[index + 1]}):
                    key = (up.folding.pe, up.folding.simd, up.lanes_out, simd)
                    if key not in seen:
                        step = gcd(up.lanes_out, simd)
                        price = cost.link(self.family, up.lanes_out, simd, bits)
                        pace = up.lanes_out // step
                        seen[key] = (0 if up.lanes_out == simd else count // step, up.spread(pace) + pace - 1,
                                     round(price.lut * _SCALE), round(price.ff * _SCALE))
                    rows.append((i, simd, *seen[key]))
            names = ("option", "simd", "cycles", "spread", "lut", "ff")
            columns = [self.model.new_int_var(0, max(row[c] for row in rows), f"{node.name}.{name}")
                       for c, name in enumerate(names)]
            option, simd_var, cycles, spread_var, lut, ff = columns
            self.model.add(option == sum(i * x for i, x in enumerate(self.chosen[index])))
            self.model.add(simd_var == sum(o.folding.simd * x
                                           for o, x in zip(self.options[index + 1], self.chosen[index + 1])))
            self.model.add_allowed_assignments(columns, rows)
            self.model.add(self.interval >= cycles)
            self.latency = self.latency + spread_var
            self.usage["lut"] = self.usage["lut"] + lut
            self.usage["ff"] = self.usage["ff"] + ff
        last = zip(self.options[-1], self.chosen[-1])
        self.latency = self.latency + sum(o.spread(1) * x for o, x in last)

    def limit(self, budget: Resources) -> None:
        for name, used in self.usage.items():
            self.model.add(used <= int(getattr(budget, name) * _SCALE))

    def area(self, budget: Resources | None) -> Linear:
        """One number for area: what is scarce on the device counts for more."""
        total: Linear = 0
        for name, used in self.usage.items():
            weight = getattr(AREA_WEIGHTS, name)
            if budget is not None and getattr(budget, name) > 0:
                weight = 4000 / getattr(budget, name)
            total = total + used * ceil(weight * 16)
        return total

    def solve(self, goals: list[Linear]) -> list[Option] | None:
        """The options that minimize the goals in lexicographic order; None if nothing satisfies the constraints."""
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1  # the same answer in each run
        solver.parameters.random_seed = 0
        solver.parameters.max_deterministic_time = 30
        solver.parameters.catch_sigint_signal = False  # its own handler would outlive it and end the whole process
        solver.parameters.catch_sigint_signal = False  # it would leave the process deaf to Python's own handler
        picked = None
        for goal in goals:
            self.model.minimize(goal)
            if _interruptible(solver, self.model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
                return picked
            picked = [next(o for o, x in zip(found, choice) if solver.value(x))
                      for found, choice in zip(self.options, self.chosen)]
            self.model.add(goal <= round(solver.objective_value))
            self.model.clear_hints()
            for choice in self.chosen:
                for x in choice:
                    self.model.add_hint(x, solver.value(x))
        return picked


def _interruptible(solver: cp_model.CpSolver, model: cp_model.CpModel) -> Any:
    """The status of solving ``model``, in a thread of its own: an interrupt ends the search at once."""
    with ThreadPoolExecutor(1) as pool:
        status = pool.submit(solver.solve, model)
        try:
            return status.result()
        except BaseException:
            solver.stop_search()
            raise


def choose(
    graph: Graph,
    family: Family,
    *,
    budget: Resources | None,
    target: str,
    max_interval: int | None,
    overrides: Overrides,
) -> dict[str, Folding]:
    """A folding for every unit of ``graph``.

    :param budget: what the accelerator may use; None is without limit.
    :param target: ``throughput`` (least interval, then least area), ``latency`` (least latency, then least area) or
        ``area`` (least area).
    :param max_interval: cycles per sample that must not be exceeded (from a target rate), or None. With a rate and the
        target ``throughput``, the least area that reaches the rate is chosen.
    :param overrides: per node name: ``pe``, ``simd``, ``memory``.
    :raises FitError: no folding fits; the message says which resource is short and by how much.
    """
    if target not in TARGETS:
        raise RequestError(f"target must be one of {', '.join(TARGETS)}, not {target!r}")
    program = _Program(graph, family, overrides)
    area = program.area(budget)
    if max_interval is not None:
        program.model.add(program.interval <= max_interval)
        goals = [program.latency, area] if target == "latency" else [area]
    else:
        goals = {"throughput": [program.interval, area], "latency": [program.latency, area], "area": [area]}[target]
    if budget is not None:
        program.limit(budget)
    picked = program.solve(goals)
    if picked is None:
        raise _unfit(graph, family, budget, max_interval, overrides)
    chosen: dict[str, Folding] = {}
    for option in picked:
        chosen.update(option.members)
    return chosen


def _unfit(graph: Graph, family: Family, budget: Resources | None, max_interval: int | None,
           overrides: Overrides) -> RequestError:
    """Why nothing fits: the rate is out of reach at any size, or the least that would do is above the budget."""
    free = _Program(graph, family, overrides)
    if max_interval is not None:
        free.model.add(free.interval <= max_interval)
    picked = free.solve([free.area(budget)])
    if picked is None:
        fastest = _Program(graph, family, overrides)
        best = fastest.solve([fastest.interval])
        assert best is not None
        return RequestError(f"no folding reaches one sample per {max_interval} cycles; "
                            f"the fastest takes {max(o.interval for o in best)}")
    assert budget is not None
    needed = Resources()
    for option in picked:
        needed = needed + option.resources
    excess = needed.excess(budget)
    short = ", ".join(f"{needed.rounded()[name]:,} {name.upper()} of {getattr(budget, name):,.0f} allowed "
                      f"({round(amount):,} too many)" for name, amount in excess.items())
    hints = _ways_out(graph, family, budget, max_interval, overrides)
    return FitError(f"network {graph.name!r} does not fit: it needs at least {short or 'more in combination'}; "
                    f"{' or '.join([*hints, 'take a larger board'])}", needed, excess)


def _ways_out(graph: Graph, family: Family, budget: Resources, max_interval: int | None,
              overrides: Overrides) -> list[str]:
    """What to leave out of the request so that it fits the budget, each with the fastest folding that then does."""
    tries: list[tuple[str, Overrides, int | None]] = []
    if overrides:
        tries.append(("leave out the overrides of layers", {}, max_interval))
    if max_interval is not None:
        tries.append(("ask for a lower rate", overrides, None))
    hints = []
    for words, kept, limit in tries:
        program = _Program(graph, family, kept)
        program.limit(budget)
        if limit is not None:
            program.model.add(program.interval <= limit)
        picked = program.solve([program.interval])
        if picked is not None:
            names = ", ".join(f"{node.name} PE {option.folding.pe} × SIMD {option.folding.simd}"
                              for node, option in zip(program.nodes, picked))
            slowest = max(option.interval for option in picked)
            hints.append(f"{words} ({names} fits, with a sample each {slowest} cycles)")
    return hints
