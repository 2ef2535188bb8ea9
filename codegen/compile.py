"""From an integer graph to a plan: passes, checks, folding."""

from __future__ import annotations

from collections.abc import Mapping

from bitloom import RequestError
from bitloom.quant import Graph

from . import cost
from .families import Resources, family
from .fit import does_not_fit
from .mapping import check_mapped, templates
from .options import check_override
from .passes import simplify
from .plan import Plan
from .program import Patience
from .solve import choose


def compile(
    graph: Graph,
    *,
    family: str = "ice40",
    budget: Resources | None = None,
    target: str = "throughput",
    fps: float | None = None,
    clock_hz: float = 12e6,
    overrides: Mapping[str, Mapping[str, object]] | None = None,
) -> Plan:
    """Run the passes on ``graph`` and choose a template and a folding for each node.

    :param family: the device family, one of :data:`bitloom.codegen.families.FAMILIES`.
    :param budget: what the accelerator may use; None is without limit.
    :param target: ``throughput``, ``latency`` or ``area`` (see :func:`bitloom.codegen.solve.choose`).
    :param fps: samples per second to reach at ``clock_hz``; the smallest folding that reaches it is taken.
    :param clock_hz: the clock, in hertz.
    :param overrides: node name → what is fixed of it: ``pe`` and ``simd`` of a matrix product, ``lanes`` of any other
        layer, ``memory`` (``block`` or ``distributed``) and ``template``.
    :raises RequestError: the graph has what no template serves, an override does not divide, nothing fits.
    """
    check_mapped(graph)
    graph = _served(simplify(graph))
    overrides = dict(overrides or {})
    for name, override in overrides.items():
        check_override(graph, name, override)
    max_interval = None
    if fps is not None:
        max_interval = int(clock_hz / fps * (1 + 1e-12)) if fps > 0 else 0
        if max_interval < 1:
            raise RequestError(f"fps must be above 0 and at most the clock's {clock_hz:,.0f}, not {fps}")
    device = _family(family)
    queues, patience = Resources(), Patience()
    for _ in range(_ROUNDS):
        chosen = choose(graph, device, budget=budget, target=target, max_interval=max_interval, overrides=overrides,
                        reserve=queues, patience=patience)
        plan = Plan(graph, device, clock_hz, target, chosen, patience.text)
        if budget is None or not plan.predicted.excess(budget):
            return plan
        queues = queues.most(_queued(plan))
    assert budget is not None
    used = {stage.name: stage.predicted for stage in plan.stages}
    raise does_not_fit(graph, used, plan.predicted, budget, "with the queues that its branches need", [])


def _queued(plan: Plan) -> Resources:
    """What the queues of ``plan`` need."""
    return sum((cost.queue(plan.family, depth, lanes * link.bits) for link in plan.topology.links
                for _, depth, lanes in link.queues), Resources())


_family = family

_ROUNDS = 8
"""How often foldings are chosen with more room for the queues, whose depths follow from them."""


def _served(graph: Graph) -> Graph:
    """Refuse, by name, what no template serves."""
    if not any([templates(graph, node) for node in graph]):
        raise RequestError(f"network {graph.name!r} has no layer that needs a unit, so there is nothing to build")
    return graph
