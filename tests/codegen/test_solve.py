"""The chosen folding meets what was asked for, is the smallest that does, and a request that cannot be met says why."""

from __future__ import annotations

import pytest
from support.graphs import random_graph

from bitloom import RequestError
from bitloom.codegen import FAMILIES, FitError, Resources, compile
from bitloom.codegen.folding import divisors, options
from bitloom.quant import Graph, MatMul

WIDTHS = (12, 12, 8, 6)
BUDGET = Resources(lut=1500, ff=1500, bram=20)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return random_graph(1, WIDTHS)


def test_every_option_divides_and_none_is_left_out(graph: Graph) -> None:
    node = next(n for n in graph if isinstance(n, MatMul))
    found = options(graph, node, FAMILIES["ice40"], {})
    assert {(o.folding.pe, o.folding.simd) for o in found} == {(p, s) for p in divisors(12) for s in divisors(12)}
    for option in found:
        assert option.interval == 144 // (option.folding.pe * option.folding.simd)
        assert option.lanes_out == option.folding.pe
    assert {o.folding.memory for o in found if o.interval > 1} == {"block", "distributed"}


def test_targets_are_best_at_what_they_are_for(graph: Graph) -> None:
    plans = {target: compile(graph, budget=BUDGET, target=target) for target in ("throughput", "latency", "area")}
    for plan in plans.values():
        assert not plan.predicted.excess(BUDGET)
    assert plans["throughput"].interval == min(plan.interval for plan in plans.values())
    assert plans["latency"].latency <= plans["area"].latency
    assert plans["area"].predicted.lut == min(plan.predicted.lut for plan in plans.values())


@pytest.mark.parametrize("fps", [1e4, 1e5, 5e5])
def test_a_rate_is_reached_by_a_smaller_circuit_than_the_fastest(graph: Graph, fps: float) -> None:
    plan = compile(graph, fps=fps, clock_hz=12e6)
    assert plan.throughput_fps >= fps
    assert plan.predicted.area() <= compile(graph, target="throughput").predicted.area()


def test_the_same_request_has_the_same_answer(graph: Graph) -> None:
    assert compile(graph, budget=BUDGET).foldings == compile(graph, budget=BUDGET).foldings


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"fc1": {"pe": 5}}, r"layers.fc1.pe must divide the 12 outputs, not 5 \(use 1, 2, 3, 4, 6 or 12\)"),
        ({"fc2": {"simd": 7}}, "layers.fc2.simd must divide the 12 inputs, not 7"),
        ({"fc1": {"pe": "4"}}, "layers.fc1.pe must be a whole number, not '4'"),
        ({"fc1": {"lanes": 4}}, "a MatMul has the keys pe, simd, memory or template, not 'lanes'"),
        ({"act1": {"pe": 4}}, "a Threshold has the keys lanes, memory or template, not 'pe'"),
        ({"act1": {"lanes": 5}}, r"layers.act1.lanes must divide the 12 channels.*, not 5 \(use 1, 2, 3, 4, 6 or 12\)"),
        ({"class": {"memory": "block"}}, "an ArgMax has the keys lanes or template, not 'memory'"),
        ({"fc1": {"template": "Systolic"}}, "layers.fc1.template must be MatVec, not 'Systolic'"),
        ({"fc1": {"memory": "flash"}}, "layers.fc1.memory must be block or distributed, not 'flash'"),
        ({"fc11": {"pe": 4}}, r"layers.fc11: .* did you mean 'fc1'\?"),
    ],
)
def test_wrong_overrides_are_named(graph: Graph, overrides: dict[str, dict[str, object]], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        compile(graph, overrides=overrides)


def test_what_does_not_fit_says_what_is_short_and_what_would(graph: Graph) -> None:
    with pytest.raises(FitError, match=r"[\d,]+ LUT of 50 allowed \([\d,]+ too many\).*take a larger board") as caught:
        compile(graph, budget=Resources(lut=50, ff=700, bram=20))
    assert caught.value.needed.lut > 50 and caught.value.excess["lut"] > 0
    with pytest.raises(FitError, match=r"leave out the overrides of layers \(fc1 PE \d+ × SIMD \d+, .* fits"):
        compile(graph, budget=BUDGET, overrides={"fc1": {"pe": 12, "simd": 12}, "fc2": {"pe": 8, "simd": 12}})
    with pytest.raises(FitError, match=r"ask for a lower rate \(.* fits, with a sample each \d+ cycles\)"):
        compile(graph, budget=BUDGET, fps=12e6)


def test_a_rate_beyond_the_clock_or_the_folding_is_refused(graph: Graph) -> None:
    with pytest.raises(RequestError, match="fps must be above 0 and at most the clock's 12,000,000"):
        compile(graph, fps=24e6)
    with pytest.raises(RequestError, match="no folding reaches one sample per 10 cycles; the fastest takes 144"):
        compile(graph, fps=1.2e6, overrides={"fc1": {"pe": 1, "simd": 1}})


def test_families_and_targets_are_checked(graph: Graph) -> None:
    with pytest.raises(RequestError, match="family must be one of ice40, ecp5, gowin, not 'spartan'"):
        compile(graph, family="spartan")
    with pytest.raises(RequestError, match="target must be one of throughput, latency, area, not 'speed'"):
        compile(graph, target="speed")
