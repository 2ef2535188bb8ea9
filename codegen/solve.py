"""Choosing the folding of every unit, for a target and within a budget.

Goals are met in lexicographic order: the answer to "the fastest" is also the smallest of the fastest. The least
interval is found by bisection over those that there are, each a question for :mod:`bitloom.codegen.program`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bitloom import RequestError
from bitloom.quant import Graph, MatMul

from .families import Family, Resources
from .fit import does_not_fit
from .folding import Folding
from .mapping import elements, vectors
from .network import Network
from .options import Option, Overrides, intervals, options
from .program import Patience, Program
from .topology import units

TARGETS = ("throughput", "latency", "area")

NOTHING = Resources()

_IDLE = 16
"""No matrix–vector unit is worth building that works in less than one of so many cycles."""

_STRIDE = 4
"""How much slower the next interval is that is tried where one does not fit."""

_NAMED = 4
"""Layers whose foldings a message names."""


@dataclass(frozen=True)
class _Request:
    """What was asked for. ``reserve`` is a part of the budget that something else takes, ``patience`` what time the
    solver has."""

    graph: Graph
    family: Family
    budget: Resources | None
    max_interval: int | None
    overrides: Overrides
    reserve: Resources
    patience: Patience

    @property
    def left(self) -> Resources | None:
        """The budget for units and links."""
        return None if self.budget is None else self.budget + self.reserve.scaled(-1)

    def network(self, limit: int | None, *, budgeted: bool = True, thorough: bool = False) -> Network:
        """The choices there are within ``limit`` cycles per sample."""
        return Network.of(self.graph, self.family, self.overrides, limit=limit, budget=self.left if budgeted else None,
                          idle=None if thorough else _IDLE)


def choose(
    graph: Graph,
    family: Family,
    *,
    budget: Resources | None,
    target: str,
    max_interval: int | None,
    overrides: Overrides,
    reserve: Resources = NOTHING,
    patience: Patience | None = None,
) -> dict[str, Folding]:
    """A folding for every unit of ``graph``.

    :param budget: what the accelerator may use; None is without limit.
    :param target: ``throughput`` (least interval, then least area), ``latency`` (least latency, then least area) or
        ``area`` (least area).
    :param max_interval: cycles per sample that must not be exceeded (from a target rate), or None. With a rate and the
        target ``throughput``, the least area that reaches the rate is chosen.
    :param overrides: per node name, see :func:`bitloom.codegen.options.check_override`.
    :param reserve: what the queues take, which are not known before the foldings are.
    :param patience: the solver's time; says afterwards what could not be proven in it.
    :raises FitError: no folding fits; the message says which resource is short and by how much.
    """
    if target not in TARGETS:
        raise RequestError(f"target must be one of {', '.join(TARGETS)}, not {target!r}")
    request = _Request(graph, family, budget, max_interval, overrides, reserve, patience or Patience())
    if target == "latency":
        picked = _quickest(request)
    elif target == "throughput" and max_interval is None:
        picked = _fastest(request)
    else:
        picked = _smallest(request, max_interval)
    if picked is None:
        raise _unfit(request)
    return {node.name: option.folding for node, option in zip(units(graph), picked[1:])}


def _smallest(request: _Request, limit: int | None, known: list[Option] | None = None) -> list[Option] | None:
    """The options of least area of which no unit and no link takes more than ``limit`` cycles per sample.

    :param known: options that do, where the solver's time ends before it finds any.
    """
    return Program(request.network(limit), limit, request.left).solve("area", patience=request.patience) or known


def _quickest(request: _Request) -> list[Option] | None:
    """The options of least latency, and of those the smallest: first among the fastest, where it often is, then all."""
    limit = request.max_interval
    network = request.network(limit, thorough=True)
    near, patience = _least_interval(request), request.patience
    hint = None
    if near is not None:
        hint = Program(network, near[0], request.left, timed=True).solve("latency", patience=patience) or near[1]
    if hint is None:
        return None
    found = Program(network, limit, request.left, timed=True).solve("latency", "area", hint=hint, patience=patience)
    return found if found is not None and network.latency(found) <= network.latency(hint) else hint


def _fastest(request: _Request) -> list[Option] | None:
    """The options of the least interval, and of those the smallest."""
    found = _least_interval(request)
    return None if found is None else _smallest(request, *found)


def _least_interval(request: _Request) -> tuple[int, list[Option]] | None:
    """The least interval that fits the budget, and options that have it; None if nothing fits.

    In large steps from a guess, then by bisection.
    """
    least, most = _range(request)
    if least > most:
        return None
    limits = [least]
    while limits[-1] < most:
        limits.append(min(limits[-1] * _STRIDE, most))
    low, high = 0, len(limits)  # places of the least limit that may fit and of the least that does
    place = _guess(request, limits)
    networks, found = {}, None
    while low < high:
        networks[place] = request.network(limits[place])
        picked = Program(networks[place], limits[place], request.left).solve(patience=request.patience)
        if picked is None:
            low = place = place + 1
        else:
            found, high, place = picked, place, place - 1
    if found is None:
        return None
    below = limits[high - 1] if high else 0
    steps = [cycles for cycles in networks[high].intervals() if below < cycles <= limits[high]]
    low, high, network = 0, len(steps) - 1, networks[high]
    while low < high:
        middle = (low + high) // 2
        picked = Program(network, steps[middle], request.left).solve(patience=request.patience)
        if picked is None:
            low = middle + 1
        else:
            found, high = picked, steps.index(network.interval(picked))
    return steps[low], found


def _guess(request: _Request, limits: list[int]) -> int:
    """The place of an interval that may just fit: two LUTs for each bit of a product, other units at their smallest."""
    if request.left is None:
        return 0
    graph, bits, luts = request.graph, 0, 0.0
    for node in units(graph):
        if isinstance(node, MatMul):
            planes, wide = max(1, node.weight_format.bits - 1), graph[node.inputs[0]].output.format.bits
            bits += node.weights.size * vectors(graph, node) * planes * wide
        else:
            override = request.overrides.get(node.name, {})
            luts += min(option.resources.lut for option in options(graph, node, request.family, override))
    fits = (place for place, limit in enumerate(limits) if luts + 2 * bits / limit < request.left.lut)
    return next(fits, len(limits) - 1)


def _range(request: _Request) -> tuple[int, int]:
    """The intervals that the pipeline can have: as fast as its slowest unit can be, to an element per cycle."""
    graph = request.graph
    each = [intervals(graph, node, request.family, request.overrides.get(node.name, {})) for node in units(graph)]
    most = max(max(elements(graph, node.name) for node in graph), *(max(cycles) for cycles in each))
    return max(min(cycles) for cycles in each), min(most, request.max_interval or most)


def _unfit(request: _Request) -> RequestError:
    """Why nothing fits: the rate is out of reach at any size, or the least that would do is above the budget."""
    limit, budget = request.max_interval, request.budget
    network = request.network(limit, budgeted=False)
    unsettled = request.patience.open
    picked = Program(network, limit, None).solve("area", patience=request.patience)
    late = RequestError(f"network {request.graph.name!r}: no folding that fits was found in the solver's time; ask for "
                        "a lower rate, fix the foldings of some layers, or take a larger board")
    if picked is None and request.patience.open:
        return late
    if picked is None:
        fastest = _least_interval(replace(request, budget=None, max_interval=None))
        assert fastest is not None  # without a budget all is possible
        return RequestError(f"no folding reaches one sample per {limit} cycles; the fastest takes {fastest[0]}")
    assert budget is not None
    how = "at least" if request.reserve == NOTHING and not unsettled else "about"
    used = {unit.name: option.resources for unit, option in zip(network.units[1:], picked[1:])}
    needed = network.total(picked) + request.reserve
    if unsettled and not needed.excess(budget):
        return late
    return does_not_fit(request.graph, used, needed, budget, how, _ways_out(request))


def _ways_out(request: _Request) -> list[str]:
    """What to leave out of the request so that it fits the budget, each with the fastest folding that then does."""
    tries: list[tuple[str, _Request]] = []
    if request.overrides:
        tries.append(("leave out the overrides of layers", replace(request, overrides={})))
    if request.max_interval is not None:
        tries.append(("ask for a lower rate", replace(request, max_interval=None)))
    hints = []
    for words, changed in tries:
        picked = _fastest(changed)
        if picked is not None:
            slowest = max(option.interval for option in picked[1:])
            hints.append(f"{words} ({_told(request.graph, picked)} fits, with a sample each {slowest:,} cycles)")
    return hints


def _told(graph: Graph, picked: list[Option]) -> str:
    """The foldings of the matrix products, or of the first of them where there are many."""
    layers = [f"{node.name} PE {option.folding.pe} × SIMD {option.folding.simd}"
              for node, option in zip(units(graph), picked[1:]) if isinstance(node, MatMul)]
    return ", ".join(layers if len(layers) <= _NAMED else [*layers[:_NAMED], "…"]) or "a smaller folding"
