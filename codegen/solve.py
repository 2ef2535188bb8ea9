"""Choosing the folding of every unit, for a target and within a budget.

Goals are met in lexicographic order: the answer to "the fastest" is also the smallest of the fastest. The least
interval is found by bisection over those that there are, each a question for :mod:`bitloom.codegen.program`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bitloom import RequestError
from bitloom.quant import Graph, MatMul

from .families import Family, Resources
from .folding import Folding, Option, Overrides
from .network import Network
from .program import Program
from .topology import units

TARGETS = ("throughput", "latency", "area")

NOTHING = Resources()

_NAMED = 4
"""Layers whose foldings a message names."""


class FitError(RequestError):
    """No folding fits the budget. ``needed`` is the least that the network needs, ``excess`` what is too much."""

    def __init__(self, message: str, needed: Resources, excess: dict[str, float]) -> None:
        super().__init__(message)
        self.needed = needed
        self.excess = excess


@dataclass(frozen=True)
class _Request:
    """What was asked for. ``reserve`` is a part of the budget that something else takes."""

    graph: Graph
    family: Family
    budget: Resources | None
    max_interval: int | None
    overrides: Overrides
    reserve: Resources

    @property
    def left(self) -> Resources | None:
        """The budget for units and links."""
        return None if self.budget is None else self.budget + self.reserve.scaled(-1)

    def network(self, *, budgeted: bool = True) -> Network:
        """The choices there are."""
        return Network.of(self.graph, self.family, self.overrides, most=self.max_interval,
                          budget=self.left if budgeted else None)


def choose(
    graph: Graph,
    family: Family,
    *,
    budget: Resources | None,
    target: str,
    max_interval: int | None,
    overrides: Overrides,
    reserve: Resources = NOTHING,
) -> dict[str, Folding]:
    """A folding for every unit of ``graph``.

    :param budget: what the accelerator may use; None is without limit.
    :param target: ``throughput`` (least interval, then least area), ``latency`` (least latency, then least area) or
        ``area`` (least area).
    :param max_interval: cycles per sample that must not be exceeded (from a target rate), or None. With a rate and the
        target ``throughput``, the least area that reaches the rate is chosen.
    :param overrides: per node name, see :func:`bitloom.codegen.folding.check_override`.
    :param reserve: what the queues take, which are not known before the foldings are.
    :raises FitError: no folding fits; the message says which resource is short and by how much.
    """
    if target not in TARGETS:
        raise RequestError(f"target must be one of {', '.join(TARGETS)}, not {target!r}")
    request = _Request(graph, family, budget, max_interval, overrides, reserve)
    network = request.network()
    if target == "latency":
        picked = _quickest(network, request.left, max_interval)
    elif target == "throughput" and max_interval is None:
        picked = _fastest(network, request.left)
    else:
        picked = _smallest(network, request.left, max_interval)
    if picked is None:
        raise _unfit(request)
    return {unit.name: option.folding for unit, option in zip(network.units[1:], picked[1:])}


def _smallest(network: Network, budget: Resources | None, limit: int | None) -> list[Option] | None:
    """The options of least area of which no unit and no link takes more than ``limit`` cycles per sample."""
    return Program(network, limit).solve(("area",), budget)


def _quickest(network: Network, budget: Resources | None, limit: int | None) -> list[Option] | None:
    """The options of least latency, and of those the smallest."""
    return Program(network, limit, timed=True).solve(("latency", "area"), budget)


def _fastest(network: Network, budget: Resources | None) -> list[Option] | None:
    """The options of the least interval, and of those the smallest."""
    interval = _least_interval(network, budget)
    return None if interval is None else _smallest(network, budget, interval)


def _least_interval(network: Network, budget: Resources | None) -> int | None:
    """The least interval that fits ``budget``, by bisection; None if nothing does."""
    intervals = network.intervals()
    low, high = 0, len(intervals)  # the answer's place, ``high`` if there is none
    while low < high:
        middle = (low + high) // 2
        if Program(network, intervals[middle]).solve((), budget) is None:
            low = middle + 1
        else:
            high = middle
    return intervals[low] if low < len(intervals) else None


def _unfit(request: _Request) -> RequestError:
    """Why nothing fits: the rate is out of reach at any size, or the least that would do is above the budget."""
    limit, budget = request.max_interval, request.budget
    network = request.network(budgeted=False)
    picked = _smallest(network, None, limit)
    if picked is None:
        fastest = _least_interval(replace(request, max_interval=None).network(budgeted=False), None)
        return RequestError(f"no folding reaches one sample per {limit} cycles; the fastest takes {fastest}")
    assert budget is not None
    needed = network.total(picked) + request.reserve
    excess = needed.excess(budget)
    short = ", ".join(f"{needed.rounded()[name]:,} {name.upper()} of {getattr(budget, name):,.0f} allowed "
                      f"({round(amount):,} too many)" for name, amount in excess.items())
    return FitError(f"network {request.graph.name!r} does not fit: it needs at least {short or 'more in combination'}; "
                    f"{' or '.join([*_ways_out(request), 'take a larger board'])}", needed, excess)


def _ways_out(request: _Request) -> list[str]:
    """What to leave out of the request so that it fits the budget, each with the fastest folding that then does."""
    tries: list[tuple[str, _Request]] = []
    if request.overrides:
        tries.append(("leave out the overrides of layers", replace(request, overrides={})))
    if request.max_interval is not None:
        tries.append(("ask for a lower rate", replace(request, max_interval=None)))
    hints = []
    for words, changed in tries:
        picked = _fastest(changed.network(), changed.left)
        if picked is not None:
            slowest = max(option.interval for option in picked[1:])
            hints.append(f"{words} ({_told(request.graph, picked)} fits, with a sample each {slowest:,} cycles)")
    return hints


def _told(graph: Graph, picked: list[Option]) -> str:
    """The foldings of the matrix products, or of the first of them where there are many."""
    layers = [f"{node.name} PE {option.folding.pe} × SIMD {option.folding.simd}"
              for node, option in zip(units(graph), picked[1:]) if isinstance(node, MatMul)]
    return ", ".join(layers if len(layers) <= _NAMED else [*layers[:_NAMED], "…"]) or "a smaller folding"
